"""Who is told: by kind, severity, place and owner, and not in quiet hours."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitops_sre.model.notice import Notice
from gitops_sre.policy.documents import check
from gitops_sre.policy.routes import told
from gitops_sre.policy.schema import Notification

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
NOTICE = Notice(
    "escalated", "inc-1", "escalated/1", NOW, "why", "page", "checkout", "production", "critical", ("acme/shop", "ann")
)


def routes(*written: str) -> str:
    """A document."""
    lines = "\n".join(f"    - {each}" for each in written)
    return f"apiVersion: gitops-sre.dev/v1\nkind: Notification\nmetadata: {{name: calls}}\nspec:\n  routes:\n{lines}\n"


def channels(notice: Notice, now: datetime = NOW, **route: object) -> dict[str, datetime]:
    """What one route comes to."""
    document = Notification.model_validate(
        {
            "apiVersion": "gitops-sre.dev/v1",
            "kind": "Notification",
            "metadata": {"name": "calls"},
            "spec": {"routes": ({"name": "one", "channels": ("ops",), **route},)},
        }
    )
    return dict(told(notice, document.spec.routes, now))


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ({}, True),
        ({"events": ("escalated", "halted")}, True),
        ({"events": ("resolved",)}, False),
        ({"severities": ("ticket",)}, False),
        ({"services": ("check*",)}, True),
        ({"services": ("Check*",)}, False),
        ({"environments": ("staging",)}, False),
        ({"tiers": ("critical",)}, True),
        ({"owners": ("acme/*",)}, True),
        ({"owners": ("bob",)}, False),
    ],
)
def test_every_list_of_a_route_must_match(match: dict[str, object], hit: bool) -> None:
    assert channels(NOTICE, match=match) == ({"ops": NOW} if hit else {})


def test_what_is_about_no_service_and_owned_by_nobody_goes_only_where_everything_goes() -> None:
    halted = Notice("halted", "bot", "halted/1", NOW, "somebody")
    assert channels(halted) == {"ops": NOW}
    assert channels(halted, match={"services": ("a*",)}) == {}
    assert channels(replace(NOTICE, owners=()), match={"owners": ("acme/*",)}) == {}


@pytest.mark.parametrize(
    ("since", "until", "hour", "ends"),
    [
        ("22:00", "07:00", 3, datetime(2026, 11, 24, 7, tzinfo=UTC)),
        ("22:00", "07:00", 23, datetime(2026, 11, 25, 7, tzinfo=UTC)),
        ("22:00", "07:00", 7, None),
        ("01:00", "05:00", 3, datetime(2026, 11, 24, 5, tzinfo=UTC)),
        ("01:00", "05:00", 5, None),
        ("01:00", "05:00", 0, None),
    ],
)
def test_in_quiet_hours_a_channel_is_told_at_their_end(
    since: str, until: str, hour: int, ends: datetime | None
) -> None:
    now = NOW.replace(hour=hour)
    assert channels(NOTICE, now, quiet={"from": since, "until": until}) == {"ops": ends or now}


def test_of_two_routes_to_a_channel_the_earlier_moment_counts() -> None:
    document = Notification.model_validate(
        {
            "apiVersion": "gitops-sre.dev/v1",
            "kind": "Notification",
            "metadata": {"name": "calls"},
            "spec": {
                "routes": (
                    {"name": "loud", "channels": ("ops",)},
                    {"name": "quiet", "channels": ("ops", "chat"), "quiet": {"from": "02:00", "until": "04:00"}},
                )
            },
        }
    )
    found = told(NOTICE, document.spec.routes, NOW)
    assert found == {"ops": NOW, "chat": NOW + timedelta(hours=1)}


@pytest.mark.parametrize(
    ("route", "complaint"),
    [
        ("{name: a, channels: []}", "is empty"),
        ("{name: a, channels: [https://hooks.slack.com/x]}", "routes.0.channels.0"),
        ("{name: a, channels: [ops], match: {events: [merged]}}", "routes.0.match.events.0"),
        ('{name: a, channels: [ops], quiet: {from: "25:00", until: "07:00"}}', "time of day in UTC"),
        ('{name: a, channels: [ops], quiet: {from: "07:00", until: "07:00"}}', "another time"),
        ("{name: a, channels: [ops], urls: [x]}", "unknown key"),
    ],
)
def test_what_is_no_route_is_refused_with_its_place(tmp_path: Path, route: str, complaint: str) -> None:
    (tmp_path / "calls.yaml").write_text(routes(route))
    (problem,) = check(tmp_path)
    assert complaint in str(problem)
    assert "calls.yaml:6:" in str(problem)


def test_names_of_routes_are_unique(tmp_path: Path) -> None:
    (tmp_path / "calls.yaml").write_text(routes("{name: a, channels: [x]}", "{name: a, channels: [y]}"))
    (problem,) = check(tmp_path)
    assert "`a` stands already" in str(problem)
