"""Remediations: a module each, and one dictionary that names them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gitops_sre.action import (
    restart,
    resume,
    revert_change,
    rollback_image,
    scale,
    set_config,
    set_flag,
    set_resources,
    shift_traffic,
    suspend,
)
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
    restart.SPEC.name: Action(restart.SPEC, restart.draft),
    resume.SPEC.name: Action(resume.SPEC, resume.draft),
    revert_change.SPEC.name: Action(revert_change.SPEC, revert_change.draft),
    rollback_image.SPEC.name: Action(rollback_image.SPEC, rollback_image.draft),
    scale.SPEC.name: Action(scale.SPEC, scale.draft),
    set_config.SPEC.name: Action(set_config.SPEC, set_config.draft),
    set_flag.SPEC.name: Action(set_flag.SPEC, set_flag.draft),
    set_resources.SPEC.name: Action(set_resources.SPEC, set_resources.draft),
    shift_traffic.SPEC.name: Action(shift_traffic.SPEC, shift_traffic.draft),
    suspend.SPEC.name: Action(suspend.SPEC, suspend.draft),
}
