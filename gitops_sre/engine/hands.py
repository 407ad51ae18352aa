"""From a plan to a change: the action drafts it, the repository's text takes it. Needs neither cluster nor GitHub."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_sre.action import ACTIONS
from gitops_sre.gitops import edit
from gitops_sre.gitops.fights import guard, migrated_by
from gitops_sre.gitops.files import AtCommit
from gitops_sre.model.change import Change, Draft
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import Plan
from gitops_sre.ports import Locator, Repository


@dataclass(frozen=True)
class Made:
    """A change that was made on the text, and the draft that it was made from."""

    draft: Draft
    change: Change
    bare: Change
    """The same without the pins that hold automations off."""


def make(plan: Plan, repository: Repository, locator: Locator, base: str, policy_path: str) -> Made | Refused:
    """The change of a plan on commit `base`; nothing is written.

    What would undo it is held off by pins in the same change, or it is refused. Raises OSError when the repository
    cannot be read.
    """
    action = ACTIONS.get(plan.action)
    if action is None:
        return Refused(f"there is no action {plan.action!r}; there are {', '.join(sorted(ACTIONS))}")
    draft = action.draft(plan, locator, base)
    if isinstance(draft, Refused):
        return draft
    culprit = plan.parameters.get("culprit", "") or plan.culprit
    if (
        plan.action in ("rollback_image", "revert_change")
        and culprit
        and (why := migrated_by(repository, culprit, plan.target))
    ):
        return Refused(f"{why}; roll forward, or edit it by hand")
    draft = guard(AtCommit(repository, base), plan.target, draft)
    if isinstance(draft, Refused):
        return draft
    change = edit.apply(repository, base, draft.edits, policy_path)
    if isinstance(change, Refused) or not any(each.part == "pin" for each in draft.edits):
        return change if isinstance(change, Refused) else Made(draft, change, change)
    bare = edit.apply(repository, base, [each for each in draft.edits if each.part != "pin"], policy_path)
    return bare if isinstance(bare, Refused) else Made(draft, change, bare)
