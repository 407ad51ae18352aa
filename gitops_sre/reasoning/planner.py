"""From a diagnosis to one typed plan, or the reason why a person is needed. Pure."""

from __future__ import annotations

from gitops_sre.model.change_feed import ChangeRecord, FieldChange
from gitops_sre.model.diagnosis import Diagnosis, Hypothesis, certainty
from gitops_sre.model.image import Image
from gitops_sre.model.plan import NeedsHuman, Plan, VerificationPlan
from gitops_sre.model.target import NoTarget, Target
from gitops_sre.settings import DecisionSettings

COMPARABLE = 0.25
"""Another change whose posterior is at least this part of the first one's is a rival: which one it was is not clear."""
_MUTABLE = frozenset({"latest", "main", "master", "edge", "nightly", "stable", "dev"})


def plan(
    diagnosis: Diagnosis, target: Target | NoTarget, decision: DecisionSettings, verification: VerificationPlan
) -> Plan | NeedsHuman:
    """The remediation of the most probable hypothesis, when one fits and everything needed for it is known.

    `target` is that of the blamed service. Only an image change whose value before is known is undone.
    """
    top = diagnosis.top
    doubt = _doubt(diagnosis, decision) or _mismatch(top, target, verification)
    if doubt:
        return NeedsHuman(doubt)
    change = top.change
    if top.cause != "new_deploy" or change is None or isinstance(target, NoTarget):
        return NeedsHuman(f"{_named(top)}: no action undoes that yet")
    images = _images(change)
    if isinstance(images, NeedsHuman):
        return images
    name, before, after = images
    return Plan(
        action="rollback_image",
        target=target,
        parameters={"image": name, "to": before},
        reason=f"{_named(top)}: {change.commit.sha[:12]} moved {name} from {before} to {after}",
        hypothesis=top.key,
        confidence=top.posterior,
        culprit=change.commit.sha,
        verification=verification,
    )


def _doubt(diagnosis: Diagnosis, decision: DecisionSettings) -> str:
    """Why the diagnosis is not good enough to act on, or an empty string."""
    top = diagnosis.top
    rival = next(
        (
            each
            for each in diagnosis.hypotheses[1:]
            if top.change is not None and each.change is not None and each.posterior >= COMPARABLE * top.posterior
        ),
        None,
    )
    if rival is not None:
        return f"two changes may be the cause and cannot be told apart: {_named(top)}, {_named(rival)}"
    if top.refuted or top.posterior < decision.act_above:
        second = f"; next {_named(diagnosis.hypotheses[1])}" if len(diagnosis.hypotheses) > 1 else ""
        return f"not sure enough: {_named(top)}, and {decision.act_above:.0%} are needed{second}"
    return ""


def _mismatch(top: Hypothesis, target: Target | NoTarget, verification: VerificationPlan) -> str:
    """Why the target is not the one to act on, or success could not be known; or an empty string."""
    if isinstance(target, NoTarget):
        return f"no unique workload of {top.service}: {target.reason}"
    if target.service != top.service:
        return f"{top.service} is to blame, but the target is {target.service}"
    if not verification.slis:
        return f"no objective applies to {target.service}: success could not be known; add one to slos"
    return ""


def _images(change: ChangeRecord) -> tuple[str, str, str] | NeedsHuman:
    """Name, version before and version after of the one image that a change moved."""
    where = f"{change.commit.sha[:12]} ({change.service})"
    found: set[tuple[str, str, str]] = set()
    for field in filter(_about_image, change.fields):
        before, after = _image(field.before), _image(field.after)
        if before is None or after is None or before.name != after.name or before == after:
            continue
        found.add((before.name, before.version, after.version))
    if not found:
        return NeedsHuman(
            f"{where} does not say which image it moved from which version; find the last good one by hand"
        )
    if len(found) > 1:
        names = ", ".join(f"{name} {before} -> {after}" for name, before, after in sorted(found))
        return NeedsHuman(f"{where} moved several images: {names}; which one is at fault cannot be told")
    only = found.pop()
    if only[1] in _MUTABLE:
        return NeedsHuman(
            f"{where}: the version before, {only[1]!r}, is a tag that moves: going back to it undoes nothing"
        )
    return only


def _about_image(field: FieldChange) -> bool:
    """Whether a field holds an image, by its key: other values may look like one (`cache:6379`)."""
    keys = [part.lower() for part in field.path if isinstance(part, str)]
    return any("image" in key for key in keys) or keys[-1:] in (["tag"], ["newtag"], ["digest"])


def _image(text: str | None) -> Image | None:
    return Image.strict(text) if text else None


def _named(hypothesis: Hypothesis) -> str:
    return f"{hypothesis.key} ({certainty(hypothesis.posterior)})"
