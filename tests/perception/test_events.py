"""Kubernetes events, as `kubectl get events -o json` has them, read as evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gitops_sre.model.evidence import Evidence
from gitops_sre.model.telemetry import ClusterEvent
from gitops_sre.perception import events
from gitops_sre.reasoning.weights import load_weights
from tests.builders import NOW, after

SINCE = after(-900)
CRASH = ClusterEvent("Pod", "cart-5f6585d649-fnmft", "BackOff", "Back-off restarting failed container", NOW, NOW, 7)


def raw(**fields: Any) -> dict[str, Any]:
    return {
        "regarding": {"kind": "Pod", "namespace": "shop", "name": "cart-5f6585d649-fnmft"},
        "reason": "Unhealthy",
        "note": "Readiness probe failed: HTTP probe failed with statuscode: 503",
        "type": "Warning",
        "metadata": {"name": "cart.17", "creationTimestamp": "2026-03-01T12:00:00Z"},
    } | fields


def about(reason: str, message: str = "", name: str = "cart-5f6585d649-fnmft", kind: str = "Pod") -> ClusterEvent:
    return ClusterEvent(kind, name, reason, message, NOW, NOW)


def only(*found: ClusterEvent) -> Evidence:
    (item,) = events.read(found, SINCE, after(60))
    return item


def test_events_of_the_older_and_of_the_newer_form_tell_first_last_and_how_often() -> None:
    older = events.event(
        raw(
            eventTime=None,
            deprecatedFirstTimestamp="2026-03-01T11:50:00Z",
            deprecatedLastTimestamp="2026-03-01T12:00:05Z",
            deprecatedCount=4,
        )
    )
    newer = events.event(
        raw(
            eventTime="2026-03-01T11:50:00.000000Z",
            series={"count": 4, "lastObservedTime": "2026-03-01T12:00:05.000000Z"},
        )
    )
    assert older == newer
    assert older is not None
    assert (older.first, older.last, older.count) == (after(-600), after(5), 4)


def test_an_event_that_says_no_more_than_that_it_was_made_happened_once_then() -> None:
    found = events.event(raw())
    assert found is not None
    assert (found.first, found.last, found.count) == (NOW, NOW, 1)


@pytest.mark.parametrize("missing", ["regarding", "reason", "metadata"])
def test_what_says_neither_about_what_nor_when_is_no_event(missing: str) -> None:
    assert events.event({name: value for name, value in raw().items() if name != missing}) is None


@pytest.mark.parametrize(
    ("reason", "message", "signal"),
    [
        ("BackOff", "Back-off restarting failed container cart in pod cart-5f6585d649-fnmft", "restarts"),
        ("Unhealthy", "Liveness probe failed: dial tcp 10.0.0.7:8080: connect: connection refused", "unready"),
        ("Failed", 'Failed to pull image "registry.example.com/cart:v9": not found', "image_unusable"),
        ("Failed", "Error: ImagePullBackOff", "image_unusable"),
        ("Failed", 'Error: configmap "cart-settings" not found', "setting_missing"),
        ("FailedMount", 'MountVolume.SetUp failed for volume "tls" : secret "cart-tls" not found', "setting_missing"),
        ("FailedMount", "Unable to attach or mount volumes: timed out waiting for the condition", "node_trouble"),
        ("NodeNotReady", "Node is not ready", "node_trouble"),
        ("FailedScheduling", "0/3 nodes are available: 3 Insufficient memory.", "no_room"),
        ("Evicted", "The node was low on resource: memory.", "no_room"),
    ],
)
def test_what_a_warning_amounts_to(reason: str, message: str, signal: str) -> None:
    item = only(about(reason, message))
    assert (item.id, item.subject, item.score) == (f"{signal}/cart", "cart", 1)
    assert reason in item.statement
    assert message[:100] in item.statement
    assert signal in load_weights().weight


@pytest.mark.parametrize(
    ("kind", "name", "service"),
    [
        ("Pod", "cart-5f6585d649-fnmft", "cart"),
        ("Pod", "redis-0", "redis"),
        ("ReplicaSet", "shop-cart-5f6585d649", "shop-cart"),
        ("StatefulSet", "redis-0", "redis-0"),
    ],
)
def test_an_event_is_about_the_workload(kind: str, name: str, service: str) -> None:
    message = 'Error creating: pods "x" is forbidden: exceeded quota: compute'
    assert only(about("FailedCreate", message, name, kind)).subject == service


def test_what_is_no_trouble_and_what_began_long_before_or_after_tells_nothing() -> None:
    old = replace(CRASH, first=after(-901))
    later = replace(CRASH, first=after(61), last=after(61))
    other = about("FailedGetResourceMetric", "no metrics returned", "cart", "HorizontalPodAutoscaler")
    assert events.read([old, later, other], SINCE, after(60)) == ()


def test_warnings_of_all_pods_of_a_service_are_one_finding_with_the_loudest_told() -> None:
    quiet = replace(CRASH, name="cart-5f6585d649-x2k9p", count=2, first=NOW - timedelta(seconds=30), message="other")
    item = only(quiet, CRASH)
    assert (item.score, item.at, item.pod) == (9, quiet.first, CRASH.name)
    assert "9 times" in item.statement
    assert "restarting" in item.statement


def test_a_message_is_cut_and_printable_whatever_it_holds() -> None:
    statement = only(replace(CRASH, message="a\nb\ud800" + "c" * 500)).statement
    statement.encode()
    assert "\n" not in statement
    assert len(statement) < 300


def test_metrics_and_events_of_one_thing_count_once_the_stronger_of_both() -> None:
    (said,) = events.read([CRASH], SINCE, NOW)
    weak, strong = (Evidence("restarts/cart", "restarts", "cart", "high", "s", NOW, score=score) for score in (2, 30))
    other = Evidence("cpu/cart", "cpu", "cart", "high", "s", NOW, score=5)
    assert set(events.beside([weak, other], [said])) == {said, other}
    assert set(events.beside([strong, other], [said])) == {strong, other}
    assert set(events.beside([other], [said])) == {said, other}
