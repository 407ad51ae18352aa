"""Change how many replicas a workload runs, or the bounds of the autoscaler that decides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gitops_sre.action import fields
from gitops_sre.model.change import Draft, Field, FieldEdit
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import ActionSpec, Parameter, Plan
from gitops_sre.ports import Locator
from gitops_sre.yamltext import YamlTextError

_COUNT = r"[0-9]{1,4}"
_MOST = 1000

SPEC = ActionSpec(
    name="scale",
    summary="Change the number of replicas of one workload, or the bounds of the autoscaler that owns it",
    parameters=(
        Parameter("replicas", "a number of replicas", "replicas", _COUNT, optional=True, least=1, most=_MOST),
        Parameter("min", "the least number of replicas", "replicas", _COUNT, optional=True, least=0, most=_MOST),
        Parameter("max", "the greatest number of replicas", "replicas", _COUNT, optional=True, least=1, most=_MOST),
    ),
    powers=("contents:write", "pull_requests:write"),
    reversible=True,
    inverse="restores the number or the bounds that stood before, byte for byte",
    not_for=(
        "stopping a workload: 0 replicas are an outage",
        "DaemonSets and jobs, which have no replicas",
        "StatefulSets whose members must be joined or drained one by one",
    ),
)


@dataclass(frozen=True)
class _Scaler:
    """A kind that decides the replicas of others; the defaults hold where a bound is not written."""

    kind: str
    least: str
    most: str
    default_least: int
    default_most: int


_SCALERS = (
    _Scaler("HorizontalPodAutoscaler", "minReplicas", "maxReplicas", 1, _MOST),
    _Scaler("ScaledObject", "minReplicaCount", "maxReplicaCount", 0, 100),
)


def draft(plan: Plan, locator: Locator, commit: str) -> Draft | Refused:
    """The edits that scale the workload. Where an autoscaler owns its replicas, its bounds are edited instead: for a
    number of replicas the lower bound, and the upper one where it would be less.

    Refused for 0 replicas, for bounds without an autoscaler, for two autoscalers, and when nothing would change.
    """
    given = {key: value for key, value in plan.parameters.items() if value}
    if problem := SPEC.problem(given) or _wanting(given):
        return Refused(problem)
    if plan.target.workload.kind in ("DaemonSet", "Job", "CronJob"):
        return Refused(f"a {plan.target.workload.kind} has no replicas; set its resources, or suspend it")
    try:
        return _draft(plan, locator, commit, given)
    except YamlTextError as error:
        return Refused(str(error))


def _wanting(given: Mapping[str, str]) -> str:
    if "replicas" in given and ("min" in given or "max" in given):
        return "scale: give replicas, or min and max, not both"
    return "" if given else "scale: give replicas, or min and max"


def _draft(plan: Plan, locator: Locator, commit: str, given: Mapping[str, str]) -> Draft | Refused:
    owned: list[tuple[_Scaler, tuple[Field, ...]]] = []
    for scaler in _SCALERS:
        found = fields.of_workload(plan, locator, commit, scaler.kind, "spec", scaler.most)
        if isinstance(found, Refused):
            return found
        owned += [(scaler, found)] if found else []
    ref = plan.target.workload
    if len(owned) > 1:
        both = " and ".join(f"a {scaler.kind} in {found[0].file}" for scaler, found in owned)
        return Refused(f"{both} scale {ref}; remove one of them first")
    if owned:
        return _bounds(plan, locator, commit, *owned[0], given)
    if "replicas" not in given:
        return Refused(f"no autoscaler of {ref} is in the source, so it has no min or max; give replicas")
    found = fields.of_workload(plan, locator, commit, ref.kind, "spec", "replicas")
    if isinstance(found, Refused):
        return found
    if not found:
        return Refused(f"no place in {plan.target.source.path} makes {ref} or its replicas; edit it by hand")
    return fields.drafted(
        fields.edits(found, given["replicas"]), f"{found[0].file} already says {given['replicas']} replicas"
    )


def _bounds(
    plan: Plan, locator: Locator, commit: str, scaler: _Scaler, most: tuple[Field, ...], given: Mapping[str, str]
) -> Draft | Refused:
    """The edits of an autoscaler's bounds."""
    least = fields.of_workload(plan, locator, commit, scaler.kind, "spec", scaler.least)
    if isinstance(least, Refused):
        return least
    now_low, now_high = _number(least, scaler.default_least), _number(most, scaler.default_most)
    if now_low is None or now_high is None:
        return Refused(f"{most[0].file}: a bound of the {scaler.kind} is no number; edit it by hand")
    low, high = _asked(given, now_low, now_high)
    if low > high:
        return Refused(f"at least {low} and at most {high} replicas cannot both hold; give a min that is not above max")
    if low == 0 and scaler.kind == "HorizontalPodAutoscaler":
        return Refused("a HorizontalPodAutoscaler with min 0 can stop the workload; give at least 1")
    why = f"a {scaler.kind} owns the replicas of {plan.target.workload}, so its bounds are edited"
    found: tuple[FieldEdit, ...] = ()
    if low != now_low:
        found += fields.edits(least, str(low), why=why)
    if high != now_high:
        found += fields.edits(most, str(high), why=why)
    nothing = f"{most[0].file}: the {scaler.kind} already keeps {now_low} to {now_high} replicas"
    return fields.drafted(found, nothing, (why,))


def _asked(given: Mapping[str, str], low: int, high: int) -> tuple[int, int]:
    if "replicas" in given:
        wanted = int(given["replicas"])
        return wanted, max(high, wanted)
    return int(given.get("min", low)), int(given.get("max", high))


def _number(found: tuple[Field, ...], default: int) -> int | None:
    text = fields.current(found)
    if not text:
        return default
    return int(text) if text.isdigit() else None
