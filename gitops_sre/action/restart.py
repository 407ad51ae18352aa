"""Replace every pod of a workload, with its configuration as it is."""

from __future__ import annotations

from datetime import datetime

from gitops_sre.action import fields
from gitops_sre.model.change import Draft
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import ActionSpec, Parameter, Plan
from gitops_sre.ports import Locator
from gitops_sre.yamltext import YamlTextError

ANNOTATION = "gitops-sre.dev/restarted-at"
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

SPEC = ActionSpec(
    name="restart",
    summary="Replace every pod of one workload by an annotation on its pod template",
    parameters=(
        Parameter("at", "a time in UTC, such as 2026-03-01T09:30:00Z", pattern=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    ),
    powers=("contents:write", "pull_requests:write"),
    reversible=True,
    inverse="takes the annotation back to what it was, which replaces every pod once more",
    not_for=(
        "workloads that lose state when their pods go",
        "a crash that comes back with the same configuration",
        "jobs, which end by themselves",
    ),
    whole_workload=True,
)


def draft(plan: Plan, locator: Locator, commit: str) -> Draft | Refused:
    """The edit that makes the pod template new; a Rollout is restarted by its own field, without canary steps."""
    if problem := SPEC.problem(plan.parameters):
        return Refused(problem)
    at, ref = plan.parameters["at"], plan.target.workload
    try:
        datetime.strptime(at, _FORMAT)  # noqa: DTZ007 - only whether there is such a time; the text says UTC
    except ValueError:
        return Refused(f"restart: at={at} is no time of the calendar")
    if ref.kind in ("Job", "CronJob", "Pod"):
        return Refused(f"a {ref.kind} is not restarted by its template; suspend it, or let it run again")
    pod = ("spec", "template", "metadata", "annotations", ANNOTATION)
    found = fields.of_workload(plan, locator, commit, ref.kind, *(("spec", "restartAt") if _rollout(plan) else pod))
    if isinstance(found, Refused):
        return found
    if not found:
        return Refused(f"no place in {plan.target.source.path} makes {ref}; restart it by hand")
    try:
        edits = fields.edits(found, at)
    except YamlTextError as error:
        return Refused(f"{found[0].file}: {error}")
    return fields.drafted(edits, f"{found[0].file} already asks for a restart at {at}")


def _rollout(plan: Plan) -> bool:
    return plan.target.workload.kind == "Rollout"
