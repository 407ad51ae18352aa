"""What deserves a second look in a change that somebody else proposes: by its files, and by the objects that it alters.

Facts in a reviewer's words, each from the rendered objects; nothing here is a judgement of whether the change is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from gitops_sre.gitops import checks, schema
from gitops_sre.gitops.built import Difference
from gitops_sre.gitops.explain import FieldDiff
from gitops_sre.gitops.forbidden import KINDS, guarded
from gitops_sre.model.change_feed import FileChange
from gitops_sre.model.image import Image
from gitops_sre.model.outcome import Refused
from gitops_sre.model.quantity import amount

_ROOM = re.compile(r"spec\.template\.spec\.containers\[\d+\]\.resources\.limits\.(cpu|memory)")
_PROBE = re.compile(r"spec\.template\.spec\.containers\[\d+\]\.(liveness|readiness|startup)Probe\b")
_IMAGE = re.compile(r"(?:^|\.)(?:containers|initContainers)\[\d+\]\.image")
_MOVING = frozenset({"", "latest", "main", "master", "stable", "edge", "dev", "nightly"})
"""Tags that name another image tomorrow."""
_GATES = frozenset({"PodDisruptionBudget", "HorizontalPodAutoscaler", "NetworkPolicy", "ResourceQuota", "LimitRange"})
"""Objects whose absence takes a protection away."""
_SOURCES = frozenset({"Application", "ApplicationSet", "Kustomization", "HelmRelease"})


def of_files(changed: Sequence[FileChange], policy_path: str) -> tuple[str, ...]:
    """Files that say who may do what here: what the bot itself never edits."""
    paths = dict.fromkeys(path for each in changed for path in (each.before_path, each.after_path) if path)
    found = {path: guarded(path, policy_path) for path in paths}
    return tuple(f"changes {path}: {what}" for path, what in found.items() if what)


def of_objects(found: Sequence[Difference]) -> tuple[str, ...]:
    """What the rendered objects show, what goes first."""
    said = [text for look in _LOOKS for each in found for text in look(each)]
    return tuple(dict.fromkeys(said))


def _gone(it: Difference) -> Iterator[str]:
    if it.after is None:
        what = ", and with it a protection" if it.identity.kind in _GATES else ""
        yield f"removes {it.identity}{what}"


def _held_fast(it: Difference) -> Iterator[str]:
    if (field := checks.held_fast(it)) is not None:
        yield f"{it.identity} {field.path} cannot change on an object that exists: the apply would fail"


def _misshapen(it: Difference) -> Iterator[str]:
    outcome = schema.valid(it.before, it.after) if it.after is not None else None
    if isinstance(outcome, Refused):
        yield f"{it.identity}: {outcome.reason}"


def _powers(it: Difference) -> Iterator[str]:
    if it.after is not None and it.identity.kind in KINDS:
        yield f"{'adds' if it.before is None else 'changes'} {it.identity}: {KINDS[it.identity.kind]}"


def _delivery(it: Difference) -> Iterator[str]:
    if it.after is not None and it.identity.kind in _SOURCES:
        yield f"changes {it.identity}, which decides what is rendered; what comes of that is not shown here"


def _scaled(it: Difference) -> Iterator[str]:
    for field in _altered(it):
        if field.path != "spec.replicas":
            continue
        before, after = _number(field.before), _number(field.after)
        if after == 0:
            yield f"{it.identity}: replicas from {field.before} to 0: nothing runs any more"
        elif before and after is not None and after * 2 <= before:
            yield f"{it.identity}: replicas from {field.before} to {field.after}: half of them or fewer are left"


def _room(it: Difference) -> Iterator[str]:
    for field in _altered(it):
        if (named := _ROOM.fullmatch(field.path)) is None:
            continue
        before, after = _number(field.before), _number(field.after)
        if before is not None and after is not None and after < before:
            yield f"{it.identity}: {named[1]} limit lowered from {field.before} to {field.after}"


def _probes(it: Difference) -> Iterator[str]:
    lost = {named[1] for field in _altered(it) if field.after is None and (named := _PROBE.match(field.path))}
    kept = {named[1] for field in _altered(it) if field.after is not None and (named := _PROBE.match(field.path))}
    yield from (f"{it.identity}: the {name} probe is removed" for name in sorted(lost - kept))


def _images(it: Difference) -> Iterator[str]:
    for field in it.fields:
        if _IMAGE.search(field.path) is None or field.after is None:
            continue
        old, new = Image.read(field.before or ""), Image.read(field.after)
        if not new.digest and new.tag in _MOVING:
            yield f"{it.identity}: {field.after} names another image tomorrow: no fixed tag and no digest"
        elif old.digest and not new.digest:
            yield f"{it.identity}: the image is not pinned by digest any more: {field.after}"
        elif old.name == new.name and _older(new.tag, old.tag):
            yield f"{it.identity}: goes back to an older version, from {old.tag} to {new.tag}"


_LOOKS: Sequence[Callable[[Difference], Iterator[str]]] = (
    _gone, _held_fast, _misshapen, _powers, _delivery, _scaled, _room, _probes, _images,
)  # fmt: skip


def _altered(it: Difference) -> tuple[FieldDiff, ...]:
    """The fields of an object that was there before and is there afterwards."""
    return it.fields if it.before is not None and it.after is not None else ()


def _number(text: str | None) -> Decimal | None:
    """A Kubernetes quantity; None where there is none."""
    try:
        return amount(text) if text is not None else None
    except ValueError:
        return None


def _older(one: str, other: str) -> bool:
    """Whether a version is an earlier one: both are dotted numbers, or nothing can be said."""
    mine, its = _VERSION.fullmatch(one), _VERSION.fullmatch(other)
    if mine is None or its is None:
        return False
    return [int(part) for part in mine[1].split(".")] < [int(part) for part in its[1].split(".")]


_VERSION = re.compile(r"v?(\d{1,9}(?:\.\d{1,9}){1,3})")
