"""L3: a pull request that waits for an approving review by somebody allowed."""

from __future__ import annotations

from gitops_sre.model.incident import State
from tests.loop.conftest import Founder


def test_it_waits_until_somebody_allowed_approves(found: Founder) -> None:
    place = found("L3")
    place.deploy_bad()
    bot = place.bot()

    place.until(bot, State.AWAITING_APPROVAL)
    for login in ("erin", "carol"):  # may only read; may write, but is not named by policy
        place.review(login)
        place.turn(bot, 2)
        assert place.states == ["open"]
    assert place.merges == []
    place.review("alice")
    incident = place.until(bot, State.RESOLVED)

    approved = [entry for entry in bot.world.store.ledger(incident.id) if entry.event == "Approved"]
    assert len(approved) == 1
    assert '"approver": "alice"' in approved[0].detail
    assert place.states == ["merged"]
    assert place.tag == place.good


def test_a_push_after_the_approval_voids_it_and_the_pull_request_is_the_persons(found: Founder) -> None:
    place = found("L3")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.AWAITING_APPROVAL)

    place.review("alice")
    place.commit({"README.md": b"also this\n"}, "carol", branch=place.pull().head)
    incident = place.until(bot, State.SUPERSEDED)

    assert "pushed" in incident.reason
    assert place.states == ["open"]
    assert place.merges == []


def test_policy_on_the_pull_requests_own_branch_is_not_read(found: Founder) -> None:
    place = found("L3")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.AWAITING_APPROVAL)

    wide = place.read(".gitops-sre/policies/ladder.yaml").replace(b"L3", b"L4")
    place.commit({".gitops-sre/policies/ladder.yaml": wide}, "carol", branch=place.pull().head)
    place.until(bot, State.SUPERSEDED)
    for _ in range(3):
        place.turn(bot)

    assert place.merges == []
    assert place.states == ["open"]


def test_policy_of_the_base_at_the_time_of_the_verdict_counts_for_branches_of_others_too(found: Founder) -> None:
    place = found("L3")
    wide = place.read(".gitops-sre/policies/ladder.yaml").replace(b"L3", b"L4")
    place.commit({".gitops-sre/policies/ladder.yaml": wide}, "carol", branch="gitops-sre/wider")
    place.deploy_bad()

    incident = place.until(place.bot(), State.AWAITING_APPROVAL)

    assert incident.verdict is not None
    assert incident.verdict.level.name == "L3"


def test_changes_requested_hold_an_approved_pull_request_back(found: Founder) -> None:
    place = found("L3")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.AWAITING_APPROVAL)

    place.review("bob", "REQUEST_CHANGES")
    place.review("alice")
    for _ in range(3):
        place.turn(bot)
    assert place.states == ["open"]
    place.review("bob")
    place.until(bot, State.RESOLVED)

    assert place.states == ["merged"]


def test_without_approval_it_reminds_once_then_calls_a_person_and_closes_the_pull_request(found: Founder) -> None:
    place = found("L3")
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.AWAITING_APPROVAL)

    comments = place.repo.comments_of
    for _ in range(4):
        place.turn(bot, 8)
    assert len(comments(place.pull().number)) == 1
    for _ in range(2):
        place.turn(bot, 8)
    assert len(comments(place.pull().number)) == 1
    incident = place.until(bot, State.ESCALATED)

    assert "awaiting approval for more than 60 s" in incident.reason
    assert place.states == ["closed"]
    assert place.merges == []
    assert place.outcomes(place.pull()) == ["escalated"]
    assert len(place.reports) == 1


def test_an_approval_after_the_fault_has_gone_by_itself_merges_nothing(found: Founder) -> None:
    place = found("L3")
    place.deploy_beside_a_fault()
    bot = place.bot()
    place.until(bot, State.AWAITING_APPROVAL)

    place.signals.heal()
    place.turn(bot, 8)
    place.review("alice")
    incident = place.until(bot, State.SUPERSEDED)

    assert "recovered by itself" in incident.reason
    assert place.states == ["closed"]
    assert place.merges == []
    assert place.tag == "v9.0.0"
