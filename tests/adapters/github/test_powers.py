"""No request is made with a token that may do more than the step needs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gitops_sre.adapters.github import GitHubForge
from gitops_sre.adapters.github.powers import Powers
from gitops_sre.model.outcome import Done
from gitops_sre.model.pull import PullRequest, Report
from tests.adapters.github.conftest import Stage

REPORT = Report("inc-1/report", "A report", "Text.")
Step = Callable[[GitHubForge, PullRequest], object]


def seen(stage: Stage, forge: GitHubForge, pull: PullRequest, step: Step) -> list[dict[str, str]]:
    """What the tokens of a step's requests may do."""
    before = len(stage.github.uses)
    step(forge, pull)
    return [dict(use.permissions) for use in stage.github.uses[before:] if use.installation]


@pytest.mark.parametrize(
    ("powers", "step"),
    [
        (Powers.LOOK, lambda forge, pull: forge.look(pull.number)),
        (Powers.LOOK, lambda forge, _: forge.actions()),
        (Powers.LOOK, lambda forge, pull: forge.commands([pull.number])),
        (Powers.LOOK, lambda forge, _: forge.check()),
        (Powers.MERGE, lambda forge, pull: forge.merge(pull)),
        (Powers.CLOSE, lambda forge, pull: forge.close(pull, "No longer needed.")),
        (Powers.COMMENT, lambda forge, pull: forge.comment(pull.number, "key", "Text.")),
        (Powers.CONCLUDE, lambda forge, pull: forge.conclude(pull, "resolved", "It recovered.")),
        (Powers.REPORT, lambda forge, _: forge.report(REPORT)),
        (Powers.REPORT, lambda forge, _: forge.board(REPORT)),
    ],
)
def test_each_step_has_exactly_its_documented_powers(stage: Stage, powers: Powers, step: Step) -> None:
    forge = stage.forge()
    pull = stage.opened(forge)
    permissions = seen(stage, forge, pull, step)
    assert permissions
    assert all(each == powers.permissions for each in permissions)


def test_to_propose_takes_no_power_over_issues(stage: Stage) -> None:
    before = len(stage.github.uses)
    stage.opened(stage.forge())
    used = [use.permissions for use in stage.github.uses[before:] if use.installation]
    assert used
    assert all(each == Powers.PROPOSE.permissions for each in used)
    assert Powers.PROPOSE.permissions["issues"] == "read"


def test_what_only_looks_may_write_nothing() -> None:
    for powers in (Powers.LOOK, Powers.GIT):
        assert set(powers.permissions.values()) == {"read"}
    assert set(Powers.GIT.permissions) == {"metadata", "contents"}


def test_an_app_that_was_granted_less_still_looks(stage: Stage) -> None:
    stage.opened(stage.forge())
    reading = dict.fromkeys(("contents", "pull_requests", "checks", "issues"), "read")
    weak = stage.weak_forge(reading)
    assert isinstance(weak.look(1), PullRequest)
    assert not isinstance(weak.report(REPORT), Done | str), "the token for it is refused"
