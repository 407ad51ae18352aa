"""Let something act by itself again that was suspended in Git."""

from __future__ import annotations

from gitops_sre.action import fields, pausing
from gitops_sre.model.change import Draft, Field
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import ActionSpec, Plan
from gitops_sre.ports import Locator
from gitops_sre.yamltext import YamlTextError

SPEC = ActionSpec(
    name="resume",
    summary="Let a suspended CronJob, Flux object, Argo CD Application or KEDA ScaledObject act by itself again",
    parameters=(pausing.WHAT,),
    powers=("contents:write", "pull_requests:write"),
    reversible=True,
    inverse="suspends it again as it was, byte for byte",
    not_for=(
        "what somebody suspended for a reason that still holds",
        "an Application whose `automated` was removed: undo the commit that removed it, which knows its settings",
    ),
)


def draft(plan: Plan, locator: Locator, commit: str) -> Draft | Refused:
    """The edit that lets it act again. Refused when it is not suspended, and when the source does not make it."""
    if problem := SPEC.problem(plan.parameters):
        return Refused(problem)
    kind = plan.parameters["what"].partition("/")[0]
    if kind == "Application":
        path: tuple[str, ...] = (*pausing.AUTOMATED, "enabled")
    else:
        path = pausing.PAUSED if kind == "ScaledObject" else ("spec", "suspend")
    found = pausing.find(plan, locator, commit, *path)
    if isinstance(found, Refused):
        return found
    if not found:
        return Refused(pausing.missing(plan))
    try:
        return _resumed(plan, found, kind)
    except YamlTextError as error:
        return Refused(str(error))


def _resumed(plan: Plan, found: tuple[Field, ...], kind: str) -> Draft | Refused:
    awake = f"{found[0].file}: {plan.parameters['what']} is not suspended there"
    match kind:
        case "Application":
            if not found[0].present:
                return Refused(f"{awake} by `automated.enabled`; undo the commit that took auto-sync away")
            return fields.drafted(fields.edits(found, "true"), awake)
        case "ScaledObject":
            if not found[0].present:
                return Refused(awake)
            # KEDA took any value of the annotation for a pause for years: only its absence is sure.
            return Draft(tuple(fields.removal(field, "KEDA scales when the annotation is gone") for field in found))
        case _:
            return fields.drafted(fields.edits(found, "false") if pausing.is_on(found) else (), awake)
