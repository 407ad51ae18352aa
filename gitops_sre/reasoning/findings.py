"""Changes, rollouts and what the change feed shows, as evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gitops_sre.model.change_feed import ChangeRecord, FieldChange, Rollout
from gitops_sre.model.evidence import Evidence, Scope

_FELT = ("errors", "latency")
"""Signals in which a fault that users notice shows."""
_SUBJECT_LENGTH = 100


def coverage(evidence: Iterable[Evidence], service: str) -> float:
    """How far telemetry can be trusted to show a fault of a service, 0..1; without it a change proves nothing."""
    seen = (
        item.trust
        for item in evidence
        if item.subject == service and item.signal in _FELT and item.symptom != "unknown"
    )
    return max(seen, default=0.0)


def change_id(change: ChangeRecord) -> str:
    """The evidence id of a change."""
    return f"change/{change.service}/{change.commit.sha[:12]}"


def change_seen(change: ChangeRecord, trust: float, *, too_late: bool) -> Evidence:
    """A change as evidence. `trust` is how far a fault was seen at all."""
    subject, author = _plain(change.commit.subject), _plain(change.commit.author)
    fields = "; ".join(field_shown(field) for field in change.fields[:3])
    more = f"; {len(change.fields) - 3} more" if len(change.fields) > 3 else ""
    return Evidence(
        id=change_id(change),
        signal="change",
        subject=change.service,
        symptom="present",
        statement=f"{change.kind} change {change.commit.sha[:12]} ({subject!r} by {author}) of "
        f"{change.service}, {lead_shown(change.lead)}{', too late to be a cause' if too_late else ''}"
        + (f": {fields}{more}" if fields else ""),
        at=change.commit.at,
        value=change.lead,
        unit="s",
        trust=trust,
        source="change feed",
    )


def lead(rollout: Rollout, scope: Scope) -> float:
    """Seconds from a rollout's first step to the onset; negative when the onset came first."""
    return (scope.onset - rollout.at).total_seconds()


def rollout_seen(rollout: Rollout, scope: Scope) -> Evidence:
    """A rollout as evidence."""
    seconds = lead(rollout, scope)
    return Evidence(
        id=f"rollout/{rollout.key}",
        signal="rollout",
        subject=rollout.service,
        symptom="present",
        statement=f"rollout of {rollout.service} from {rollout.before} to {rollout.after}, {lead_shown(seconds)}",
        at=rollout.at,
        value=seconds,
        unit="s",
        source="rollouts",
    )


def _plain(text: str) -> str:
    """Text from a commit, short and encodable: Git stores any bytes."""
    return text[:_SUBJECT_LENGTH].encode("utf-8", "replace").decode()


def feed_read(service: str, changes: Sequence[ChangeRecord], scope: Scope, trust: float) -> Evidence:
    """The feed was read: what it shows of a service, and that it shows no more, is evidence too."""
    kinds = ", ".join(change.kind for change in changes)
    what = f"{len(changes)} changes ({kinds})" if changes else "no change"
    return Evidence(
        id=f"changes/{service}",
        signal="changes",
        subject=service,
        symptom="present" if changes else "absent",
        statement=f"the feed shows {what} of {service} in {scope.environment} before the onset",
        at=scope.onset,
        value=float(len(changes)),
        trust=trust,
        source="change feed",
    )


def lead_shown(lead: float) -> str:
    """How long before or after the onset."""
    size = abs(lead)
    for unit, length in (("h", 3600), ("min", 60)):
        if size >= 2 * length:
            text = f"{size / length:.0f} {unit}"
            break
    else:
        text = f"{size:.0f} s"
    return f"{text} {'before' if lead >= 0 else 'after'} the onset"


def field_shown(field: FieldChange) -> str:
    """`newTag: v1 -> v2`, values cut to a readable length."""
    key = next((str(part) for part in reversed(field.path) if isinstance(part, str)), field.file)
    before, after = (value if value is None else value[:120] for value in (field.before, field.after))
    if before is None:
        return f"{key}: {after} (new)"
    return f"{key}: {before} (removed)" if after is None else f"{key}: {before} -> {after}"
