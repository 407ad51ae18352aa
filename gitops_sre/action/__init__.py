"""Remediations: a module each, and one dictionary that names them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gitops_sre.action import revert_change, rollback_image
from gitops_sre.model.change import Draft
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import ActionSpec, Plan
from gitops_sre.ports import Locator


@dataclass(frozen=True)
class Action:
    """A remediation: what it is, and what a plan would edit at a commit; nothing is written."""

    spec: ActionSpec
    draft: Callable[[Plan, Locator, str], Draft | Refused]


ACTIONS: dict[str, Action] = {
    revert_change.SPEC.name: Action(revert_change.SPEC, revert_change.draft),
    rollback_image.SPEC.name: Action(rollback_image.SPEC, rollback_image.draft),
}
