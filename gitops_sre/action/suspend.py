"""Stop something that acts by itself: a CronJob, a Flux object, Argo CD's auto-sync, KEDA."""

from __future__ import annotations

from gitops_sre.action import fields, pausing
from gitops_sre.model.change import Draft
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import ActionSpec, Plan
from gitops_sre.ports import Locator
from gitops_sre.yamltext import YamlTextError

SPEC = ActionSpec(
    name="suspend",
    summary="Stop a CronJob, a Flux object, an Argo CD Application's auto-sync or KEDA's scaling until it is resumed",
    parameters=(pausing.WHAT,),
    powers=("contents:write", "pull_requests:write"),
    reversible=True,
    inverse="takes the switch away again, or puts the removed entry back, byte for byte",
    not_for=(
        "the Kustomization or Application that applies this very object: nothing in Git could wake it up",
        "children of an ApplicationSet or of another controller, which writes them again",
        "stopping a workload that serves",
    ),
)


def draft(plan: Plan, locator: Locator, commit: str) -> Draft | Refused:
    """The edit that stops it. Refused when it is stopped already, and when the source does not make it."""
    if problem := SPEC.problem(plan.parameters):
        return Refused(problem)
    kind = plan.parameters["what"].partition("/")[0]
    try:
        if kind == "Application":
            return _auto_sync(plan, locator, commit)
        path = pausing.PAUSED if kind == "ScaledObject" else ("spec", "suspend")
        return _switched_on(plan, locator, commit, path)
    except YamlTextError as error:
        return Refused(str(error))


def _switched_on(plan: Plan, locator: Locator, commit: str, path: tuple[str, ...]) -> Draft | Refused:
    found = pausing.find(plan, locator, commit, *path)
    if isinstance(found, Refused):
        return found
    if not found:
        return Refused(pausing.missing(plan))
    already = f"{found[0].file}: {plan.parameters['what']} is suspended already"
    if pausing.is_on(found):
        return Refused(already)
    return fields.drafted(fields.edits(found, "true"), already)


def _auto_sync(plan: Plan, locator: Locator, commit: str) -> Draft | Refused:
    """Where `enabled` stands it is switched; else `automated` goes, which every version of Argo CD understands."""
    enabled = pausing.find(plan, locator, commit, *pausing.AUTOMATED, "enabled")
    if isinstance(enabled, Refused):
        return enabled
    if enabled and enabled[0].present:
        return fields.drafted(fields.edits(enabled, "false"), f"{enabled[0].file}: auto-sync is off already")
    automated = pausing.find(plan, locator, commit, *pausing.AUTOMATED)
    if isinstance(automated, Refused):
        return automated
    if not automated:
        return Refused(pausing.missing(plan))
    if not automated[0].present:
        return Refused(f"{automated[0].file}: {plan.parameters['what']} does not sync by itself already")
    why = "without `automated` Argo CD syncs only when it is asked to"
    return Draft(tuple(fields.removal(field, why) for field in automated))
