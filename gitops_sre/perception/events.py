"""What the cluster warns of: Kubernetes events about a service's pods and workloads, since the trouble began.

What a warning amounts to follows from its reason, a word that the component that warns has chosen once and for all
(kubernetes/kubernetes pkg/kubelet/events/event.go, pkg/controller, pkg/scheduler), and where that leaves open what is
amiss, from a word of its message.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from gitops_sre.model.evidence import Evidence
from gitops_sre.model.telemetry import ClusterEvent
from gitops_sre.perception.changes.payload import Raw, moment, number, part, text
from gitops_sre.perception.presets.labels import workload

SOURCE = "Kubernetes events"
MAX_MESSAGE = 160
_POD_MAKERS = frozenset({"ReplicaSet", "Job"})
"""Kinds that add a hash or a number to the name of what made them, as pods do."""
_SIGNALS: tuple[tuple[str, str, str], ...] = (
    # reason, what the message holds (lower case), signal
    ("BackOff", "", "restarts"),
    ("Unhealthy", "", "unready"),
    ("Failed", "pull", "image_unusable"),
    ("Failed", "image", "image_unusable"),
    ("Failed", "configmap", "setting_missing"),
    ("Failed", "secret", "setting_missing"),
    ("Failed", "", "restarts"),
    ("InspectFailed", "", "image_unusable"),
    ("ErrImageNeverPull", "", "image_unusable"),
    ("FailedMount", "configmap", "setting_missing"),
    ("FailedMount", "secret", "setting_missing"),
    ("FailedMount", "", "node_trouble"),
    ("FailedAttachVolume", "", "node_trouble"),
    ("FailedCreatePodSandBox", "", "node_trouble"),
    ("NetworkNotReady", "", "node_trouble"),
    ("NodeNotReady", "", "node_trouble"),
    ("FailedScheduling", "", "no_room"),
    ("FailedCreate", "quota", "no_room"),
    ("Evicted", "", "no_room"),
    ("Preempted", "", "no_room"),
)


def event(raw: Raw) -> ClusterEvent | None:
    """An event of `events.k8s.io/v1`; None for one that says neither about what it is nor when it was.

    Components that still write the older form have their times and counts in the fields called deprecated.
    """
    about, series = part(raw, "regarding"), part(raw, "series")
    times = [
        moment(raw, "deprecatedFirstTimestamp"),
        moment(raw, "eventTime"),
        moment(raw, "metadata", "creationTimestamp"),
        moment(raw, "deprecatedLastTimestamp"),
        moment(series, "lastObservedTime"),
    ]
    known = [at for at in times if at is not None]
    if not known or not text(about, "name") or not text(raw, "reason"):
        return None
    return ClusterEvent(
        kind=text(about, "kind"),
        name=text(about, "name"),
        reason=text(raw, "reason"),
        message=text(raw, "note"),
        first=known[0],
        last=max(known),
        count=max(1, number(series, "count"), number(raw, "deprecatedCount")),
    )


def read(events: Iterable[ClusterEvent], since: datetime, until: datetime) -> tuple[Evidence, ...]:
    """What began in `since`..`until`, by service and by what it amounts to, with the number of warnings as the score.

    What has been warned of since before then was so when all was well, and tells nothing.
    """
    groups: dict[tuple[str, str], list[ClusterEvent]] = defaultdict(list)
    for each in events:
        signal = _signal(each)
        if signal and since <= each.first <= until:
            groups[_service(each), signal].append(each)
    return tuple(_evidence(*place, some) for place, some in sorted(groups.items()))


def beside(evidence: Sequence[Evidence], warned: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Evidence with that of events. Where metrics tell of the same, the stronger of both counts: they are two witnesses
    of one thing."""
    scores = {item.id: item.score or 0.0 for item in evidence}
    louder = {item.id: item for item in warned if (item.score or 0.0) > scores.get(item.id, 0.0)}
    return (*(item for item in evidence if item.id not in louder), *louder.values())


def _signal(each: ClusterEvent) -> str:
    message = each.message.lower()
    return next((signal for reason, word, signal in _SIGNALS if reason == each.reason and word in message), "")


def _service(each: ClusterEvent) -> str:
    """The workload by the name of what the event is about: that of a pod, or that of what makes pods."""
    if each.kind == "Pod":
        return workload(each.name)
    # A ReplicaSet is called like its pods without their last part.
    return workload(f"{each.name}-00000") if each.kind in _POD_MAKERS else each.name


def _evidence(service: str, signal: str, events: Sequence[ClusterEvent]) -> Evidence:
    count = sum(each.count for each in events)
    loudest = max(events, key=lambda each: (each.count, each.last, each.name))
    message = " ".join(loudest.message.encode("utf-8", "replace").decode().split())[:MAX_MESSAGE]
    times = "once" if count == 1 else f"{count} times"
    return Evidence(
        id=f"{signal}/{service}",
        signal=signal,
        subject=service,
        symptom="high",
        statement=f"the cluster warned {times} of {service}: {loudest.reason}: {message}",
        at=min(each.first for each in events).astimezone(UTC),
        value=float(count),
        unit="events",
        source=SOURCE,
        score=float(count),
        pod=loudest.name if loudest.kind == "Pod" else "",
    )
