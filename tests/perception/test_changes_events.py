"""What GitHub and flag services send, read at the door."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from gitops_sre.perception.changes import events, payload

SHA = "a84d88e7554fc1fa21bcbc4efae3c782a70d2b9d"
DEPLOYMENT = {
    "url": "https://api.github.com/repos/acme/checkout/deployments/7",
    "id": 7,
    "sha": SHA,
    "ref": "v1.4.0",
    "task": "deploy",
    "environment": "production",
    "created_at": "2026-03-01T11:50:00Z",
    "creator": {"login": "alice"},
    "repository_url": "https://api.github.com/repos/acme/checkout",
}


def status(state: str, at: str, environment: str = "production") -> Mapping[str, object]:
    return {"state": state, "created_at": f"2026-03-01T{at}Z", "environment": environment}


def test_a_deployment_happened_when_it_ran() -> None:
    event = events.deployment(DEPLOYMENT, [status("success", "11:56:00"), status("in_progress", "11:55:00")])
    assert event is not None
    assert event.at == datetime(2026, 3, 1, 11, 55, tzinfo=UTC)
    assert (event.subject, event.environment, event.after, event.revision, event.author, event.id, event.failed) == (
        "acme/checkout",
        "production",
        "v1.4.0",
        SHA,
        "alice",
        "7",
        False,
    )


def test_a_deployment_that_still_waits_is_no_change() -> None:
    assert events.deployment(DEPLOYMENT, [status("queued", "11:51:00"), status("pending", "11:52:00")]) is None


def test_without_statuses_the_making_counts() -> None:
    event = events.deployment(DEPLOYMENT)
    assert event is not None
    assert event.at == datetime(2026, 3, 1, 11, 50, tzinfo=UTC)


def test_a_webhook_holds_both_and_a_failed_one_is_said_to_have_failed() -> None:
    event = events.deployment(
        {"action": "created", "deployment": DEPLOYMENT, "deployment_status": status("failure", "11:58:00", "canary")}
    )
    assert event is not None
    assert (event.failed, event.environment, event.at.minute) == (True, "canary", 58)


@pytest.mark.parametrize("raw", [{}, {"sha": SHA}, {"sha": 3, "created_at": "soon"}, {"deployment": [], "sha": None}])
def test_what_is_no_deployment_is_none(raw: Mapping[str, object]) -> None:
    assert events.deployment(raw) is None


def entry(**changes: object) -> dict[str, object]:
    return {
        "_id": "5a1",
        "date": 1_772_366_100_000,
        "kind": "flag",
        "name": "New checkout",
        "titleVerb": "turned on the flag",
        "member": {"email": "bob@example.com"},
        "accesses": [
            {"action": "updateOn", "resource": "proj/shop:env/production:flag/new-checkout;beta"},
            {"action": "updateFallthrough", "resource": "proj/shop:env/production:flag/new-checkout;beta"},
        ],
        **changes,
    }


def test_an_entry_of_launchdarkly_names_flag_environment_and_what_became_of_it() -> None:
    (event,) = events.launchdarkly(entry())
    assert event.at == datetime(2026, 3, 1, 11, 55, tzinfo=UTC)
    assert (event.subject, event.environment, event.before, event.after, event.author, event.kind) == (
        "new-checkout",
        "production",
        "off",
        "on",
        "bob@example.com",
        "flag",
    )


def test_the_versions_of_an_entry_count_before_its_words() -> None:
    versions = {
        name: {"environments": {"production": {"on": on}}}
        for name, on in (("previousVersion", True), ("currentVersion", False))
    }
    (event,) = events.launchdarkly(entry(**versions))
    assert (event.before, event.after) == ("on", "off")


def test_one_entry_for_two_environments_is_two_events() -> None:
    accesses = [{"resource": f"proj/shop:env/{name}:flag/new-checkout"} for name in ("test", "production")]
    assert [event.environment for event in events.launchdarkly(entry(accesses=accesses))] == ["test", "production"]


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "member"},
        {"date": "yesterday"},
        {"date": 10**18},
        {"accesses": None},
        {"accesses": [{"resource": "x"}, 3]},
    ],
)
def test_what_is_no_flag_is_left_out(changes: dict[str, object]) -> None:
    assert events.launchdarkly(entry(**changes)) == ()


def test_a_toggle_of_unleash() -> None:
    event = events.unleash(
        {
            "id": 12,
            "type": "feature-environment-disabled",
            "createdBy": "carol",
            "createdAt": "2026-03-01T12:55:00.000+01:00",
            "featureName": "new-checkout",
            "environment": "production",
        }
    )
    assert event is not None
    assert event.at == datetime(2026, 3, 1, 11, 55, tzinfo=UTC)
    assert (event.subject, event.environment, event.before, event.after) == ("new-checkout", "production", "on", "off")


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "feature-tagged", "createdAt": "2026-03-01T12:00:00Z", "featureName": "x"},
        {"type": "feature-archived", "createdAt": None, "featureName": "x"},
        {"type": "feature-archived", "createdAt": "2026-03-01T12:00:00Z"},
    ],
)
def test_what_changes_no_flags_result_is_left_out(raw: Mapping[str, object]) -> None:
    assert events.unleash(raw) is None


def test_moments_out_of_range_are_none() -> None:
    assert payload.moment({"at": "0001-01-01T00:00:00+14:00"}, "at") is None
    assert payload.moment({"at": "9999-12-31T23:00:00-14:00"}, "at") is None
