"""Alerts become incidents: one for each cause, and nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from gitops_sre.engine.intake import Intake
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.signal import Alert
from tests import builders as b


def by_environment(alerts: Sequence[Alert]) -> tuple[tuple[Alert, ...], ...]:
    """Everything in one environment belongs together."""
    groups: dict[str, list[Alert]] = {}
    for alert in alerts:
        groups.setdefault(alert.labels["environment"], []).append(alert)
    return tuple(tuple(group) for group in groups.values())


INTAKE = Intake(lambda a: (a.labels["service"], a.labels["environment"]), by_environment, timedelta(seconds=600))


def take(seen: list[Alert], known: list[Incident], at: float = 10, complete: str = "test") -> tuple[Incident, ...]:
    return INTAKE.take(seen, known, b.after(at), {complete})


def test_alerts_of_one_cause_open_one_incident() -> None:
    (incident,) = take([b.alert("web"), b.alert("checkout")], [])
    assert incident.state is State.RECEIVED
    assert {alert.labels["service"] for alert in incident.alerts} == {"web", "checkout"}


def test_the_same_alerts_open_the_same_incident_after_memory_is_lost() -> None:
    assert take([b.alert()], [])[0].id == take([b.alert()], [], at=99)[0].id


def test_seen_again_changes_nothing() -> None:
    (incident,) = take([b.alert()], [])
    assert take([b.alert()], [incident]) == ()


def test_a_victims_alert_joins_the_open_incident() -> None:
    (incident,) = take([b.alert("checkout")], [])
    (joined,) = take([b.alert("checkout"), b.alert("web", at=3)], [incident])
    assert joined.id == incident.id
    assert len(joined.alerts) == 2


def test_an_alert_that_is_gone_from_a_complete_look_has_resolved() -> None:
    (incident,) = take([b.alert()], [])
    (after,) = take([], [incident])
    assert after.alerts[0].status == "resolved"
    assert take([], [incident], complete="another source") == ()


def test_resolved_before_firing_opens_nothing() -> None:
    assert take([b.alert(status="resolved")], []) == ()


def test_an_escalated_service_opens_no_second_incident_within_the_cooldown() -> None:
    ended = b.incident(State.ESCALATED, since=b.after(60), concluded=True)
    again = b.alert(at=120)
    (kept,) = take([again], [ended], at=130)
    assert (kept.id, len(kept.alerts)) == (ended.id, 2)
    (fresh,) = take([b.alert(at=900)], [ended], at=910)
    assert fresh.id != ended.id


def test_a_resolved_service_that_fires_anew_is_a_new_incident() -> None:
    ended = b.incident(State.RESOLVED, since=b.after(60), concluded=True)
    (fresh,) = take([b.alert(at=120)], [ended], at=130)
    assert fresh.id != ended.id
    assert fresh.state is State.RECEIVED


def test_an_alert_that_began_during_a_resolved_incident_belongs_to_it() -> None:
    ended = b.incident(State.RESOLVED, since=b.after(60), concluded=True)
    (kept,) = take([replace(b.alert("web"), starts_at=b.after(50))], [ended], at=61)
    assert kept.id == ended.id
