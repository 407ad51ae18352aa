"""Fault 63: a label that names another team's workload changes nothing there."""

from __future__ import annotations

import pytest
import requests

from gitops_sre.engine.bot import Bot
from gitops_sre.model.incident import State
from gitops_sre.model.verdict import Level
from gitops_sre.web.app import Doors, create_app
from tests.loop.conftest import Founder, served
from tests.loop.place import Place

OWNERS_FILE = ".gitops-sre/policies/owners.yaml"
OWNERS = b"""\
apiVersion: gitops-sre.dev/v1
kind: Ownership
metadata: {name: owners}
spec:
  teams:
    - {name: shipping, services: [shipping], sources: [team-shipping], approvers: [alice]}
    - {name: payments, services: [payment], sources: [team-payments]}
"""
TOKENS = {"team-shipping": "secret-of-shipping", "team-payments": "secret-of-payments"}


def post(place: Place, bot: Bot, token: str, **labels: str) -> None:
    """An Alertmanager posts what fires, over HTTP, with a team's own token."""
    doors = Doors(bot.receive, lambda _: None, lambda _: False, "", "", 100_000, TOKENS)
    fires = place.pager.now()
    payload = {
        "version": "4",
        "receiver": "team-shipping",
        "alerts": [
            {
                "status": "firing",
                "labels": {**fires.labels, **labels},
                "annotations": {},
                "startsAt": fires.starts_at.isoformat(),
            }
        ],
    }
    with served(create_app({"acme/infra": doors})) as url:
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.post(f"{url}/webhooks/alertmanager", json=payload, headers=headers, timeout=10)
    assert answer.status_code == 202, answer.text


@pytest.fixture
def place(found: Founder) -> Place:
    place = found("L4", service="shipping")
    place.commit({OWNERS_FILE: OWNERS}, "alice")
    return place


def test_a_forged_label_changes_nothing_on_another_teams_workload(place: Place) -> None:
    place.deploy_bad()
    bot = place.bot()
    place.pager.quiet = True
    post(place, bot, "secret-of-payments", team="shipping", owner="shipping", receiver="team-shipping")

    incident = place.until(bot, State.REPORTED)

    assert incident.verdict is not None
    assert incident.verdict.level is Level.L1
    assert [reason.rule for reason in incident.verdict.binding] == ["ownership"]
    said = "an alert that was delivered by team-payments names shipping, which belongs to shipping"
    assert said in incident.verdict.binding[0].text
    assert said in place.report()
    assert place.states == []
    assert place.branches == []
    assert place.tag != place.good


def test_the_owners_own_alert_is_acted_on(place: Place) -> None:
    place.deploy_bad()
    bot = place.bot()
    place.pager.quiet = True
    post(place, bot, "secret-of-shipping")

    incident = place.until(bot, State.SYNCING)

    assert incident.verdict is not None
    assert incident.verdict.level is Level.L4
    assert incident.verdict.approvers == ("alice",)
    assert place.states == ["merged"]
