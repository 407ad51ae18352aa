"""Look for every kind of fight, and answer each: a pin with its un-pin, a note, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from gitops_sre.gitops.fights import (
    applications,
    autoscalers,
    bots,
    flux,
    image_automation,
    image_updater,
    kargo,
)
from gitops_sre.gitops.fights.scan import Fight, Scan
from gitops_sre.gitops.files import AtCommit, plain_source
from gitops_sre.model.change import Draft, FieldEdit
from gitops_sre.model.outcome import Done, Inconclusive, Outcome, Refused
from gitops_sre.model.target import Target

Detector = Callable[[Scan], Iterator[Fight]]

DETECTORS: tuple[Detector, ...] = (
    image_automation.detect,
    image_updater.detect,
    kargo.detect,
    autoscalers.detect,
    applications.detect,
    flux.detect,
    bots.detect,
)


def found(files: AtCommit, target: Target, edits: Iterable[FieldEdit]) -> tuple[Fight, ...]:
    """Every fight that the edits are up against; pins among them are not looked at.

    Raises OSError when the repository cannot be read.
    """
    fixes = tuple(edit for edit in edits if edit.part != "pin" and edit.before != edit.after)
    scan = Scan(files, replace(target, source=plain_source(target.source)), fixes)
    return tuple(dict.fromkeys(fight for detect in DETECTORS for fight in detect(scan)))


def guard(files: AtCommit, target: Target, draft: Draft) -> Draft | Refused:
    """A draft with the pins that it needs, their un-pins as follow-ups, and notes on every fight.

    Refused when something would undo it and no edit of this repository can hold that off. Raises OSError when the
    repository cannot be read.
    """
    fights = found(files, target, draft.edits)
    lost = [fight for fight in fights if fight.severity == "undoes" and not _held(fight)]
    if lost:
        more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        return Refused(f"{lost[0]}; {lost[0].remedy}{more}")
    pins = _together((), (pin for fight in fights for pin in fight.pins))
    later = (edit for fight in fights for edit in fight.follow_ups)
    return replace(
        draft,
        edits=_together(draft.edits, pins),
        notes=(*draft.notes, *(_note(fight) for fight in fights)),
        follow_ups=_together(draft.follow_ups, (*map(_off, reversed(pins)), *later)),
    )


def unopposed(files: AtCommit, target: Target, edits: Iterable[FieldEdit]) -> Outcome:
    """Whether edits, their pins among them, stand up to what works against them.

    Refused: something undoes them and is not pinned. Inconclusive: something may. Done: nothing does, or it is
    pinned, or it only proposes.
    """
    edits = tuple(edits)
    made = {_place(edit) for edit in edits if edit.part == "pin"}
    fights = found(files, target, edits)
    open_ = [fight for fight in fights if not _held(fight) or not {_place(pin) for pin in fight.pins} <= made]
    if lost := next((fight for fight in open_ if fight.severity == "undoes"), None):
        return Refused(f"{lost}; {lost.remedy}")
    if unsure := next((fight for fight in open_ if fight.severity == "may-undo"), None):
        return Inconclusive(f"{unsure}; {unsure.remedy}")
    return Done("; ".join(_note(fight) for fight in fights))


def _held(fight: Fight) -> bool:
    return bool(fight.pins or fight.follow_ups)


def _note(fight: Fight) -> str:
    if fight.pins:
        return f"{fight}; {'; '.join(pin.reason for pin in fight.pins)}"
    return f"{fight}; {fight.remedy}"


def _place(edit: FieldEdit) -> tuple[object, ...]:
    return edit.file, edit.document, edit.path


def _off(pin: FieldEdit) -> FieldEdit:
    return replace(pin.inverted(), reason=f"takes off the {pin.reason}")


def _together(edits: Iterable[FieldEdit], others: Iterable[FieldEdit]) -> tuple[FieldEdit, ...]:
    """The edits of both, one a place; the first ones count."""
    together: dict[tuple[object, ...], FieldEdit] = {}
    for edit in (*edits, *others):
        together.setdefault(_place(edit), edit)
    return tuple(together.values())
