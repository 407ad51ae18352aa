"""Change what a container asks for and may use: CPU and memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from gitops_sre.action import fields
from gitops_sre.model.change import Draft, Field, FieldEdit
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import ActionSpec, Parameter, Plan
from gitops_sre.model.quantity import QUANTITY, amount
from gitops_sre.ports import Locator
from gitops_sre.yamltext import YamlTextError

_BOUNDS = {"cpu": (Decimal("0.001"), Decimal(512), "1m to 512 cores"),
           "memory": (Decimal(1024**2), Decimal(1024**4 * 8), "1Mi to 8Ti bytes")}  # fmt: skip
"""What a single container can sensibly have; `128m` of memory is a slip of the pen (0.128 bytes)."""
_UNITS = {"cpu": "cores", "memory": "bytes"}

_PARAMETERS = tuple(
    Parameter(f"{what}_{kind}", f"a Kubernetes quantity of {_UNITS[what]}", _UNITS[what], QUANTITY, optional=True)
    for what in ("cpu", "memory")
    for kind in ("request", "limit")
)

SPEC = ActionSpec(
    name="set_resources",
    summary="Change CPU and memory requests and limits of one container of a workload",
    parameters=(
        Parameter("container", "the name of a container", pattern=r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"),
        *_PARAMETERS,
    ),
    powers=("contents:write", "pull_requests:write"),
    reversible=True,
    inverse="restores the requests and limits that stood before, byte for byte",
    not_for=(
        "workloads that a VerticalPodAutoscaler sizes",
        "memory leaks, which a higher limit only delays",
        "requests that no node can hold",
    ),
    whole_workload=True,
)


def draft(plan: Plan, locator: Locator, commit: str) -> Draft | Refused:
    """The edits that give a container these resources; every pod of the workload is replaced.

    Refused for quantities out of bounds, a request above its limit (with what stands there already), a workload that
    a VerticalPodAutoscaler sizes, and when nothing would change.
    """
    given = {key: value for key, value in plan.parameters.items() if value}
    if problem := SPEC.problem(given) or _unfit(given):
        return Refused(problem)
    if sized := _sized(plan, locator, commit):
        return sized
    try:
        return _draft(plan, locator, commit, given)
    except YamlTextError as error:
        return Refused(str(error))


def _unfit(given: Mapping[str, str]) -> str:
    asked = {key: value for key, value in given.items() if key != "container"}
    if not asked:
        return "set_resources: give at least one of " + ", ".join(each.name for each in _PARAMETERS)
    for key, text in asked.items():
        least, most, said = _BOUNDS[key.partition("_")[0]]
        if not least <= amount(text) <= most:
            return f"set_resources: {key}={text} is not within {said}"
    return ""


def _sized(plan: Plan, locator: Locator, commit: str) -> Refused | None:
    """Whether a VerticalPodAutoscaler writes the requests itself; in mode Off it only recommends."""
    found = fields.of_workload(plan, locator, commit, "VerticalPodAutoscaler", "spec", "updatePolicy", "updateMode")
    if isinstance(found, Refused):
        return found
    if not found or fields.current(found) == "Off":
        return None
    return Refused(
        f"{found[0].file}: a VerticalPodAutoscaler sizes {plan.target.workload} and would write over it; change its"
        " minAllowed and maxAllowed instead"
    )


def _draft(plan: Plan, locator: Locator, commit: str, given: Mapping[str, str]) -> Draft | Refused:
    found: tuple[FieldEdit, ...] = ()
    for what in ("cpu", "memory"):
        if not {f"{what}_request", f"{what}_limit"} & set(given):
            continue
        request = _owning(plan, locator, commit, given["container"], "requests", what)
        if isinstance(request, Refused):
            return request
        limit = _owning(plan, locator, commit, given["container"], "limits", what)
        if isinstance(limit, Refused):
            return limit
        asked = (given.get(f"{what}_request", ""), given.get(f"{what}_limit", ""))
        if problem := _crossed(what, asked[0] or fields.current(request), asked[1] or fields.current(limit)):
            return Refused(f"{limit[0].file}: {problem}")
        found += fields.edits(request, asked[0]) if asked[0] else ()
        found += fields.edits(limit, asked[1]) if asked[1] else ()
    return fields.drafted(found, f"container {given['container']} already has these resources")


def _owning(
    plan: Plan, locator: Locator, commit: str, container: str, group: str, what: str
) -> tuple[Field, ...] | Refused:
    ref = plan.target.workload
    pod = ("spec", "jobTemplate", "spec", "template") if ref.kind == "CronJob" else ("spec", "template")
    path = (*pod, "spec", "containers", f"[name={container}]", "resources", group, what)
    found = fields.of_workload(plan, locator, commit, ref.kind, *path)
    if found == ():
        return Refused(f"no place in {plan.target.source.path} makes {ref} with container {container}; edit it by hand")
    return found


def _crossed(what: str, request: str, limit: str) -> str:
    """Why a request and a limit do not go together; what is not a plain quantity is not compared."""
    if not re.fullmatch(QUANTITY, request) or not re.fullmatch(QUANTITY, limit):
        return ""
    if amount(request) <= amount(limit):
        return ""
    return f"a {what} request of {request} is above the limit of {limit}; give both"
