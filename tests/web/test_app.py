"""The webhook receiver: what it lets in, what it turns away, and that a 2xx means stored."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from gitops_sre.delivery.webhooks import EVENTS, Happening
from gitops_sre.model.signal import Alert
from gitops_sre.ports import StoreError
from gitops_sre.web.app import Doors, create_app
from tests.webhooks import examples

ALERT = {
    "status": "firing",
    "labels": {"alertname": "HighErrorRate", "service": "checkout", "environment": "staging"},
    "annotations": {},
    "startsAt": "2026-03-01T12:00:00Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "",
    "fingerprint": "0123456789abcdef",
}
PAYLOAD = {
    "version": "4",
    "groupKey": "{}:{}",
    "status": "firing",
    "receiver": "gitops-sre",
    "groupLabels": {},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "",
    "alerts": [ALERT],
}


class Receiver:
    """What stands behind the doors."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.nudges: list[Happening] = []
        self.deliveries: set[str] = set()
        self.broken = False

    def receive(self, alerts: Sequence[Alert]) -> None:
        if self.broken:
            raise StoreError("disk full")
        self.alerts += alerts

    def nudge(self, happening: Happening) -> None:
        self.nudges.append(happening)

    def seen(self, delivery: str) -> bool:
        replay = delivery in self.deliveries
        self.deliveries.add(delivery)
        return replay

    def client(self, **changes: Any) -> TestClient:
        doors = Doors(self.receive, self.nudge, self.seen, "token", "secret", 20_000)
        return TestClient(create_app({"acme/infra": replace(doors, **changes)}))


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


def send(receiver: Receiver, body: bytes, token: str = "token", **changes: Any) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return receiver.client(**changes).post("/webhooks/alertmanager", content=body, headers=headers).status_code


def test_alerts_are_stored_before_the_answer(receiver: Receiver) -> None:
    assert send(receiver, json.dumps(PAYLOAD).encode()) == 202
    assert [alert.name for alert in receiver.alerts] == ["HighErrorRate"]


@pytest.mark.parametrize("token", ["", "wrong", "token2", "tok"])
def test_a_wrong_token_stores_nothing(receiver: Receiver, token: str) -> None:
    assert send(receiver, json.dumps(PAYLOAD).encode(), token) == 401
    assert receiver.alerts == []


@pytest.mark.parametrize(("token", "source"), [("token", "alertmanager"), ("of-shop", "team-shop")])
def test_the_token_says_who_delivered_whatever_the_payload_does(receiver: Receiver, token: str, source: str) -> None:
    payload = {**PAYLOAD, "receiver": "team-b", "alerts": [{**ALERT, "source": "team-b"}]}
    senders = {"team-shop": "of-shop", "team-b": "of-b", "shut": ""}
    assert send(receiver, json.dumps(payload).encode(), token, senders=senders) == 202
    assert [alert.source for alert in receiver.alerts] == [source]


@pytest.mark.parametrize("token", ["", "shared", "token"])
def test_a_token_that_is_not_one_senders_alone_stores_nothing(receiver: Receiver, token: str) -> None:
    senders = {"one": "shared", "other": "shared", "as-alertmanager": "token", "shut": ""}
    assert send(receiver, json.dumps(PAYLOAD).encode(), token, senders=senders) == 401
    assert receiver.alerts == []


def test_without_a_configured_token_the_door_is_shut(receiver: Receiver) -> None:
    assert send(receiver, json.dumps(PAYLOAD).encode(), "", alert_token="") == 401


def test_a_huge_body_is_cut_off(receiver: Receiver) -> None:
    assert send(receiver, b"[" * 50_000) == 413


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"alerts": null}', b'{"alerts": [null]}', b'{"alerts": [{"labels": null}]}']
)
def test_what_is_not_understood_is_a_client_error(receiver: Receiver, body: bytes) -> None:
    assert send(receiver, body) == 400
    assert receiver.alerts == []


def test_deep_json_is_a_client_error(receiver: Receiver) -> None:
    assert send(receiver, b"[" * 9_000 + b"]" * 9_000) == 400


def test_a_broken_store_asks_the_sender_to_try_again(receiver: Receiver) -> None:
    receiver.broken = True
    assert send(receiver, json.dumps(PAYLOAD).encode()) == 503


EVENT = json.dumps(
    {"action": "submitted", "pull_request": {"number": 7}, "repository": {"full_name": "Acme/Infra"}}
).encode()


def github(
    receiver: Receiver,
    body: bytes,
    secret: str = "secret",
    delivery: str = "one",
    event: str = "pull_request_review",
    **changes: Any,
) -> int:
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": delivery, "X-GitHub-Event": event}
    headers = {name: value for name, value in headers.items() if value}
    return receiver.client(**changes).post("/webhooks/github", content=body, headers=headers).status_code


def test_a_signed_event_nudges_once_however_often_it_is_delivered(receiver: Receiver) -> None:
    assert [github(receiver, EVENT) for _ in range(3)] == [202, 200, 200]
    assert receiver.nudges == [Happening("acme/infra", frozenset({7}))]


def test_a_wrong_signature_is_refused(receiver: Receiver) -> None:
    assert github(receiver, b"{}", "other") == 401
    assert github(receiver, b"{}", "", github_secret="") == 401
    assert receiver.nudges == []
    assert receiver.deliveries == set()


@pytest.mark.parametrize(
    "spoil", ["missing", "truncated", "longer", "without its prefix", "of another algorithm", "umlaut"]
)
def test_a_signature_that_is_no_signature_is_refused_and_nothing_is_stored(receiver: Receiver, spoil: str) -> None:
    mac = hmac.new(b"secret", EVENT, hashlib.sha256).hexdigest()
    given = {
        "truncated": f"sha256={mac[:-1]}",
        "longer": f"sha256={mac}0",
        "without its prefix": mac,
        "of another algorithm": f"sha1={hmac.new(b'secret', EVENT, hashlib.sha1).hexdigest()}",
        "umlaut": f"sha256={mac[:-1]}\u00fc",
    }.get(spoil)
    headers = {"X-GitHub-Delivery": "one", "X-GitHub-Event": "pull_request_review"}
    signed = {**headers, **({"X-Hub-Signature-256": given} if given else {})}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in signed.items()]
    answer = receiver.client().post("/webhooks/github", content=EVENT, headers=raw)
    assert answer.status_code == 401
    assert (receiver.nudges, receiver.deliveries) == ([], set())


def test_an_event_without_a_delivery_id_is_refused(receiver: Receiver) -> None:
    assert github(receiver, b"{}", delivery="") == 400


def test_health_needs_no_credential(receiver: Receiver) -> None:
    assert receiver.client().get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("event", ["star", "ping", ""])
def test_an_event_that_does_not_matter_is_taken_and_left_alone(receiver: Receiver, event: str) -> None:
    assert github(receiver, EVENT, event=event) == 202
    assert receiver.nudges == []


def test_every_real_payload_is_taken(receiver: Receiver) -> None:
    bodies = [(event, json.dumps(payload).encode()) for event, payload in examples()]
    answers = {
        github(receiver, body, delivery=str(n), event=event, max_body=10**6) for n, (event, body) in enumerate(bodies)
    }
    assert answers == {202}
    assert len(receiver.nudges) >= len(EVENTS)


def test_events_tripled_and_out_of_order_are_as_many_nudges_as_events(receiver: Receiver) -> None:
    known = [(event, json.dumps(payload).encode()) for event, payload in examples() if event in EVENTS]
    for event, body in [*known[::-1], *known, *known]:
        github(receiver, body, delivery=hashlib.sha256(body).hexdigest(), event=event, max_body=10**6)
    assert len(receiver.nudges) <= len({body for _, body in known})
