"""Rollouts in the cluster: which version a workload moved to, pod by pod, and which commit made it.

The controllers keep the versions of a pod template (ReplicaSets, ControllerRevisions) and number them in the order in
which they were last rolled out. A version that is rolled out a second time keeps its age, so its pods' tell when.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from gitops_sre.model.change_feed import Age, ChangeRecord, Pod, ReplicaSet, Rollout, RolloutStep
from gitops_sre.model.image import Image
from gitops_sre.model.live import Workload
from gitops_sre.model.target import WorkloadRef

DELAY = timedelta(minutes=30)
"""How long after a commit a rollout may begin and still be its work, where nothing says when it went live: Argo CD
looks every three minutes, Flux as often as its `interval` says (usually up to ten), and both try again later."""
PROMPT = timedelta(minutes=5)
"""How long after a sync began its rollouts begin: sync waves and hooks go before."""
_REPLACES = frozenset({"image", "config", "flag", "resources", "other"})
"""Kinds of changes that may replace pods."""


def from_workloads(
    workloads: Iterable[Workload],
    versions: Iterable[ReplicaSet],
    pods: Iterable[Pod],
    *,
    since: datetime,
    now: datetime,
    service_of: Callable[[WorkloadRef], str],
    environment_of: Callable[[str], str],
) -> tuple[Rollout, ...]:
    """Rollouts that began at `since` or later, in order of time.

    Of the newest version of a workload every pod that is there is a step; how many pods of the version before there
    were after each is computed (one for one), since the cluster keeps no record of it. Of older ones only the beginning
    is known. A rollout back to a version whose pods are gone again cannot be dated and is left out.
    """
    by_workload: dict[WorkloadRef, list[ReplicaSet]] = defaultdict(list)
    for version in versions:
        by_workload[version.workload].append(version)
    by_owner: dict[tuple[str, str], list[Pod]] = defaultdict(list)
    for pod in pods:
        by_owner[pod.namespace, pod.owner].append(pod)
    wanted = {workload.ref: workload.replicas for workload in workloads}
    found: list[Rollout] = []
    for ref, known in by_workload.items():
        place = Rollout(service_of(ref), environment_of(ref.namespace), "", "", ())
        found += _of(place, known, by_owner, wanted.get(ref, 0), since, now)
    return tuple(sorted(found, key=lambda each: each.at))


def _of(
    place: Rollout,
    versions: Sequence[ReplicaSet],
    pods: Mapping[tuple[str, str], Sequence[Pod]],
    wanted: int,
    since: datetime,
    now: datetime,
) -> Iterator[Rollout]:
    """The rollouts of one workload. `place` has its service and environment."""
    ordered = sorted(versions, key=lambda each: (each.revision, each.created_at))
    newest = ordered[-1]
    after = datetime.min.replace(tzinfo=now.tzinfo)
    for before, version in pairwise(ordered):
        own, old = _pods(version, pods), _pods(before, pods)
        begun = _begun(version, max(after, before.created_at), own)
        if begun is None:
            continue
        after = begun
        if begun < since:
            continue
        desired = version.desired or wanted or len(own)
        started = RolloutStep(begun, begun, 0, desired)
        steps = _steps(begun, own, old, desired, before, now) if version is newest else (started,)
        names = _names(before, version)
        owners = (before.name, version.name)
        kept = tuple(pod.name for pod in old if pod.deleted_at is None) if version is newest else ()
        yield replace(
            place,
            before=names[0],
            after=names[1],
            image=names[2],
            steps=steps or (started,),
            target_replicas=desired,
            kept=kept,
            owners=owners,
        )


def _pods(version: ReplicaSet, pods: Mapping[tuple[str, str], Sequence[Pod]]) -> list[Pod]:
    """The pods of a version, oldest first: its own, or those of its workload that bear its hash."""
    space = version.workload.namespace
    own = pods.get((space, version.name), ())
    bearing = (pod for pod in pods.get((space, version.workload.name), ()) if pod.template == version.template)
    return sorted((*own, *bearing), key=lambda pod: (pod.created_at, pod.name))


def _begun(version: ReplicaSet, after: datetime, own: Sequence[Pod]) -> datetime | None:
    """When a version was last rolled out, which was after the one before it was."""
    if version.created_at >= after:
        return version.created_at
    return next((pod.created_at for pod in own if pod.created_at >= after), None)


def _steps(
    begun: datetime, own: Sequence[Pod], old: Sequence[Pod], desired: int, before: ReplicaSet, now: datetime
) -> tuple[RolloutStep, ...]:
    """A step for each new pod, up to as many as there are to be: what comes after that replaces a lost one."""
    new = [pod for pod in own if pod.created_at >= begun][:desired]
    left = max(before.replicas, sum(pod.deleted_at is None for pod in old))
    leaving = tuple(pod.name for pod in old if pod.deleted_at is not None)
    steps: list[RolloutStep] = []
    for number, pod in enumerate(new, start=1):
        last = number == len(new)
        done = min(max(pod.ready_at, pod.created_at), now) if pod.ready_at else max(now, pod.created_at)
        steps.append(
            RolloutStep(
                # A ReplicaSet is there before its pods, and pods that were lost may have been the first.
                at=begun if number == 1 else pod.created_at,
                done=done,
                before_replicas=left if last else max(left, (before.desired or desired) - number),
                after_replicas=number,
                new_pods=(pod.name,),
                deleted_pods=leaving if last else (),
            )
        )
    return tuple(steps)


def _names(before: ReplicaSet, after: ReplicaSet) -> tuple[str, str, str]:
    """What both versions are called, and the image that moved: by the first container whose image is another one, else
    by their hashes."""
    for one, other in zip(before.images, after.images, strict=False):
        if one != other:
            old, new = Image.read(one), Image.read(other)
            return old.version or one, new.version or other, new.name
    return before.template, after.template, ""


def match(records: Sequence[ChangeRecord], rollouts: Sequence[Rollout], skew: timedelta) -> tuple[ChangeRecord, ...]:
    """The records with the rollouts that they made, where one fits; several commits may have made one together.

    A rollout fits when it is of the same service and environment, began no earlier (clocks may differ by `skew`) and
    brought the image that the commit says; where none moved, when it began not much later. Of several the first is
    taken.
    """
    by_service: dict[str, list[Rollout]] = defaultdict(list)
    for rollout in sorted(rollouts, key=lambda each: each.at):
        by_service[rollout.service].append(rollout)
    return tuple(_matched(record, by_service.get(record.service, ()), skew) for record in records)


def _matched(record: ChangeRecord, rollouts: Sequence[Rollout], skew: timedelta) -> ChangeRecord:
    if record.kind not in _REPLACES:
        return record
    since = record.live or record.commit.at
    brought = _brought(record)
    # An image says whose work a rollout is, however late it came; nothing else but the time does.
    until = None if brought else since + (PROMPT if record.live else DELAY) + skew
    for rollout in rollouts:
        here = rollout.environment in ("", record.environment)
        timely = since - skew <= rollout.at and (until is None or rollout.at <= until)
        if here and timely and _fits(rollout, brought):
            return replace(record, rollout=rollout)
    return record


def _brought(record: ChangeRecord) -> frozenset[Image]:
    """The images that a commit says are to run: whole ones, or versions without a name."""
    if record.kind != "image":
        return frozenset()
    texts = [field.after for field in record.fields if field.after]
    return frozenset({*(Image.read(text) for text in texts), *(Image.read_version(text) for text in texts)})


def _fits(rollout: Rollout, brought: frozenset[Image]) -> bool:
    """Whether a rollout brought one of some images; without images, one that moved none fits, and so does one of which
    it is not known."""
    version = Image.read_version(rollout.after)
    if not brought:
        return not rollout.image
    return any(_same(version, image) and _named(rollout.image, image.name) for image in brought)


def _same(one: Image, other: Image) -> bool:
    """Whether two versions are one: a digest decides where both have one, else the tag."""
    if one.digest and other.digest:
        return one.digest == other.digest
    return bool(one.tag) and one.tag == other.tag


def _named(one: str, other: str) -> bool:
    """Whether two image names may be the same: one may lack the registry, or not be known at all."""
    return not one or not other or one == other or one.endswith(f"/{other}") or other.endswith(f"/{one}")


def ages(rollout: Rollout, series: Iterable[tuple[str, str]], at: datetime | None = None) -> tuple[Age, ...]:
    """For each (pod, version label) its side of a rollout, for comparing new pods with old ones.

    Where nothing tells the side of any pod by its name, a version label that is neither of both is the old version's
    when another one says that it is the new one: labels often hold what the image's tag does not (a commit, a number).
    """
    pairs = tuple(series)
    found = [rollout.age(pod, version, at) for pod, version in pairs]
    versions = {version for _, version in pairs if version}
    if "new" in found and "old" not in found and len(versions) == 2:
        found = ["old" if not age and version and version != rollout.after else age
                 for age, (_, version) in zip(found, pairs, strict=True)]  # fmt: skip
    return tuple(found)


def appeared(rollout: Rollout, first_seen: Mapping[str, datetime], skew: timedelta) -> Mapping[str, Age]:
    """The sides of version labels whose spelling says nothing, by when each was first seen: before a rollout began, or
    in its course."""
    end = max(rollout.end, rollout.at + DELAY)
    return {
        version: "old" if at < rollout.at - skew else "new" if at <= end + skew else ""
        for version, at in first_seen.items()
    }
