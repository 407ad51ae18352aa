"""A scheduled job on a hosted runner: nothing but GitHub and metrics is reached; commit statuses say what is live."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gitops_sre.engine import watch
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.verdict import Level
from tests.loop.conftest import Founder
from tests.loop.place import Place


def without_cluster(place: Place) -> Place:
    """The same place for a bot that has no way to the cluster; asking it all the same would be seen."""
    off = place.settings.kubernetes.model_copy(update={"enabled": False, "kubeconfig": place.folder / "none"})
    place.settings = place.settings.model_copy(update={"kubernetes": off})
    return place


def statuses(place: Place, context: str = "continuous-delivery/{}") -> Callable[[str, str, str], None]:
    """Argo CD's notifications, as commit statuses by an account that may write."""

    def post(application: str, revision: str, state: str) -> None:
        body = {"state": state, "context": context.format(application), "description": "by the cluster"}
        place.as_person("alice", "POST", f"/statuses/{revision}", body)

    return post


def deployments(place: Place) -> Callable[[str, str, str], None]:
    """The same as deployments, as the template in Argo CD's documentation makes them."""

    def post(application: str, revision: str, state: str) -> None:
        body = {"ref": revision, "environment": place.environment, "required_contexts": [], "auto_merge": False}
        place.as_person("alice", "POST", "/deployments", body)
        number = max(place.repo.deployments)
        link = f"https://argocd.example.com/applications/{application}?operation=true"
        place.as_person("alice", "POST", f"/deployments/{number}/statuses", {"state": state, "log_url": link})

    return post


def approved(place: Place) -> Incident:
    """From the bad release to the landed fix."""
    place.deploy_bad()
    bot = place.bot()
    waiting = place.until(bot, State.AWAITING_APPROVAL)
    place.review("alice")
    return waiting


@pytest.mark.parametrize("told", [statuses, deployments])
def test_an_approved_fix_is_followed_to_its_end_by_what_github_is_told(
    found: Founder, told: Callable[[Place], Callable[[str, str, str], None]]
) -> None:
    place = without_cluster(found("L4"))
    place.reconciler.notify = told(place)

    waiting = approved(place)
    assert waiting.verdict is not None
    assert waiting.verdict.level is Level.L3
    assert any("only be seen by commit statuses" in reason.text for reason in waiting.verdict.binding)
    incident = place.until(place.bot(), State.RESOLVED)

    assert place.states == ["merged"]
    assert (place.tag, place.running) == (place.good, place.good)
    assert incident.live_at is not None
    assert incident.spent.reads <= 40


def test_as_long_as_github_is_told_nothing_the_fix_is_not_live(found: Founder) -> None:
    place = without_cluster(found("L4"))

    approved(place)
    bot = place.bot()
    place.until(bot, State.SYNCING)
    incident = place.turn(bot, 5)

    assert place.running == place.good
    assert incident is not None
    assert incident.state is State.SYNCING
    assert "waiting for a commit status continuous-delivery/staging-shipping" in watch.sync(incident, bot.world).why
    assert place.until(bot, State.ESCALATED).live_at is None


def test_a_sync_that_fails_is_taken_back(found: Founder) -> None:
    place = without_cluster(found("L4"))

    approved(place)
    bot = place.bot()
    place.when[State.SYNCING] = lambda: statuses(place)("staging-shipping", place.merges[-1], "failure")
    place.until(bot, State.REVERTING, State.REVERT_SYNCING)

    assert place.states[0] == "merged"


def test_when_a_later_commit_changes_the_value_again_a_person_is_called(found: Founder) -> None:
    place = without_cluster(found("L4"))
    place.reconciler.notify = statuses(place)

    approved(place)
    bot = place.bot()
    place.until(bot, State.VERIFYING)
    place.put_tag("v9.1.0", "carol")
    incident = place.until(bot, State.ESCALATED)

    assert "a later commit changed it again" in incident.reason
