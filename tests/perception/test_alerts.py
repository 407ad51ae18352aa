from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.perception import alerts
from gitops_sre.perception.alerts import (
    AlertError,
    from_alertmanager_api,
    from_alertmanager_webhook,
    from_anything,
    from_prometheus_api,
)

WEBHOOK: dict[str, Any] = {
    "version": "4",
    "groupKey": '{}:{alertname="HighErrorRate"}',
    "status": "firing",
    "receiver": "bot",
    "truncatedAlerts": 0,
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "HighErrorRate", "service": "cart"},
            "annotations": {"summary": "many errors"},
            "startsAt": "2026-03-01T13:00:00.123456789+01:00",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.com/graph",
            "fingerprint": "5ef77f1f8a3ecf8d",
        },
        {
            "status": "resolved",
            "labels": {"alertname": "HighLatency", "service": "cart"},
            "annotations": {},
            "startsAt": "2026-03-01T12:00:00Z",
            "endsAt": "2026-03-01T12:05:00Z",
            "fingerprint": "0f",
        },
    ],
}
POLLED: list[dict[str, Any]] = [
    {
        "annotations": {},
        "endsAt": "2026-03-01T12:10:00Z",
        "fingerprint": "aa",
        "receivers": [{"name": "bot"}],
        "startsAt": "2026-03-01T12:00:00Z",
        "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"},
        "updatedAt": "2026-03-01T12:06:00Z",
        "labels": {"alertname": "HighErrorRate"},
    },
    {
        "annotations": {},
        "endsAt": "2026-03-01T12:10:00Z",
        "fingerprint": "bb",
        "startsAt": "2026-03-01T12:00:00Z",
        "status": {"inhibitedBy": [], "silencedBy": ["x"], "state": "suppressed"},
        "labels": {"alertname": "Silenced"},
    },
]
PROMETHEUS: dict[str, Any] = {
    "status": "success",
    "data": {
        "alerts": [
            {"activeAt": "2026-03-01T12:00:00.5Z", "annotations": {}, "labels": {"alertname": "A"}, "state": "firing"},
            {"activeAt": "2026-03-01T12:00:00Z", "annotations": {}, "labels": {"alertname": "B"}, "state": "pending"},
        ]
    },
}


def test_a_webhook_becomes_alerts_with_times_in_utc() -> None:
    firing, resolved = from_alertmanager_webhook(WEBHOOK)
    assert firing.starts_at == datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    assert firing.starts_at.tzinfo is UTC
    assert (firing.status, firing.ends_at, firing.fingerprint) == ("firing", None, "5ef77f1f8a3ecf8d")
    assert (resolved.status, resolved.ends_at) == ("resolved", datetime(2026, 3, 1, 12, 5, tzinfo=UTC))


def test_silenced_and_pending_alerts_wake_nobody() -> None:
    assert [alert.name for alert in from_alertmanager_api(POLLED)] == ["HighErrorRate"]
    assert [alert.name for alert in from_prometheus_api(PROMETHEUS)] == ["A"]


def test_an_alert_of_prometheus_gets_a_fingerprint_of_its_labels() -> None:
    first, second = from_prometheus_api(PROMETHEUS)[0], from_prometheus_api(copy.deepcopy(PROMETHEUS))[0]
    assert first.fingerprint == second.fingerprint != ""


def test_the_three_formats_are_told_apart() -> None:
    assert from_anything(WEBHOOK) == from_alertmanager_webhook(WEBHOOK)
    assert from_anything(POLLED) == from_alertmanager_api(POLLED)
    assert from_anything(PROMETHEUS) == from_prometheus_api(PROMETHEUS)


def test_an_end_before_the_start_is_clamped_since_clocks_differ() -> None:
    payload = copy.deepcopy(WEBHOOK)
    payload["alerts"][1]["endsAt"] = "2026-03-01T11:59:00Z"
    resolved = from_alertmanager_webhook(payload)[1]
    assert resolved.ends_at == resolved.starts_at


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("alerts",), None, "alerts: expected a list, found null"),
        (("alerts", 0), [], "alerts[0]: expected an object, found list"),
        (("alerts", 0, "labels"), None, "alerts[0].labels: expected an object, found null"),
        (("alerts", 0, "labels", "service"), 5, "alerts[0].labels.service: expected a string, found int"),
        (("alerts", 0, "labels", "alertname"), "", "alerts[0].labels.alertname: missing"),
        (("alerts", 0, "labels", "service"), "x" * 5000, "alerts[0].labels.service: 5000 characters are more than"),
        (("alerts", 0, "labels", "service"), "\ud800", "alerts[0].labels.service: not valid Unicode"),
        (("alerts", 0, "startsAt"), "yesterday", "alerts[0].startsAt: 'yesterday' is no RFC 3339 time"),
        (("alerts", 0, "startsAt"), "2026-03-01T12:00:00", "alerts[0].startsAt: '2026-03-01T12:00:00' is no moment"),
        (("alerts", 0, "startsAt"), "0001-01-01T00:00:00Z", "alerts[0].startsAt: '0001-01-01T00:00:00Z' is no moment"),
        (("alerts", 0, "status"), "flying", "alerts[0].status: expected 'firing' or 'resolved', found 'flying'"),
        (("alerts", 1, "endsAt"), None, "alerts[1].endsAt: expected a string, found null"),
        (("version",), "3", "version: expected '4', found '3'"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(place: tuple[str | int, ...], value: object, message: str) -> None:
    payload = copy.deepcopy(WEBHOOK)
    holder: Any = payload
    for part in place[:-1]:
        holder = holder[part]
    holder[place[-1]] = value
    with pytest.raises(AlertError) as error:
        from_alertmanager_webhook(payload)
    assert str(error.value).startswith(message)


def test_a_missing_field_is_named_too() -> None:
    payload = copy.deepcopy(WEBHOOK)
    del payload["alerts"][0]["startsAt"]
    with pytest.raises(AlertError, match=r"^alerts\[0\]\.startsAt: missing"):
        from_alertmanager_webhook(payload)


def test_annotations_may_be_absent_and_long_ones_are_cut() -> None:
    payload = copy.deepcopy(WEBHOOK)
    payload["alerts"][0]["annotations"] = None
    payload["alerts"][1]["annotations"] = {"text": "x" * 100_000}
    first, second = from_alertmanager_webhook(payload)
    assert first.annotations == {}
    assert len(second.annotations["text"]) == alerts.MAX_ANNOTATION


def test_more_alerts_than_anybody_can_mean_are_refused() -> None:
    with pytest.raises(AlertError, match="group them at the source"):
        from_alertmanager_webhook({**WEBHOOK, "alerts": [None] * (alerts.MAX_ALERTS + 1)})


def test_an_error_answer_of_prometheus_is_not_an_empty_list() -> None:
    with pytest.raises(AlertError, match="too busy"):
        from_prometheus_api({"status": "error", "error": "too busy", "data": {"alerts": []}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
KEYS = st.sampled_from(["alerts", "data", "status", "labels", "startsAt", "endsAt", "annotations", "version", "state"])
LIKELY = st.recursive(
    st.sampled_from(["firing", "resolved", "4", "success", "2026-03-01T12:00:00Z", "\ud800", None, 1]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


@given(JSON | LIKELY)
def test_no_payload_whatever_raises_anything_but_alert_error(payload: object) -> None:
    try:
        found = from_anything(payload)
    except AlertError as error:
        str(error).encode("utf-8")
    else:
        assert all(alert.name for alert in found)
