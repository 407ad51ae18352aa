"""Undo one commit for a target, value by value."""

from __future__ import annotations

from gitops_sre.model.change import Draft
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import ActionSpec, Parameter, Plan
from gitops_sre.ports import Locator

SPEC = ActionSpec(
    name="revert_change",
    summary="Put back every value of a target that one commit changed, where it still holds what the commit gave it",
    parameters=(Parameter("culprit", "the SHA of the commit to undo", pattern=r"[0-9a-f]{40}(?:[0-9a-f]{24})?"),),
    powers=("contents:write", "pull_requests:write"),
    reversible=True,
    inverse="gives the values back that the commit had set, byte for byte",
    not_for=("commits that migrated a schema", "values that were changed again since", "added or removed files"),
)


def draft(plan: Plan, locator: Locator, commit: str) -> Draft | Refused:
    """The field-level inverse of the commit at `commit`; values that were changed again since are left and named."""
    if problem := SPEC.problem(plan.parameters):
        return Refused(problem)
    return locator.undo(commit, plan.target, plan.parameters["culprit"])
