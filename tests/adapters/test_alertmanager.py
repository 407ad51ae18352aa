from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest
import requests

from gitops_sre.adapters import alertmanager as adapter
from gitops_sre.adapters.alertmanager import AlertmanagerAlerts
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.signal import Alert
from gitops_sre.ports import Alerts
from gitops_sre.sandbox.telemetry.prometheus import free_port, start_alertmanager
from gitops_sre.settings import AlertmanagerSettings
from tests.adapters.misbehaving import Request, server


def firing(url: str, timeout: float = 2) -> tuple[Alert, ...] | Unavailable:
    source: Alerts = AlertmanagerAlerts(AlertmanagerSettings(url=url, timeout=timeout))
    assert source.source == "alertmanager"
    return source.firing()


def refused(url: str, timeout: float = 2) -> str:
    answer = firing(url, timeout)
    assert isinstance(answer, Unavailable), answer
    return answer.reason


def always(status: int, body: str, **headers: str) -> Callable[[Request], None]:
    return lambda request: request.answer(status, body, **headers)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("alertmanager")
    process = start_alertmanager(folder, "http://127.0.0.1:9/nobody")
    if process is None:
        pytest.skip("not on PATH: prometheus-alertmanager")
    try:
        yield process.url
    finally:
        process.stop()


def test_a_real_alertmanager_tells_what_fires_and_not_what_is_silenced(real: str) -> None:
    now = datetime.now(UTC)
    alerts = [
        {"labels": {"alertname": name, "service": "cart"}, "startsAt": now.isoformat()} for name in ("Loud", "Quiet")
    ]
    requests.post(f"{real}/api/v2/alerts", json=alerts, timeout=5).raise_for_status()
    silence = {
        "matchers": [{"name": "alertname", "value": "Quiet", "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "test",
        "comment": "known",
    }
    requests.post(f"{real}/api/v2/silences", json=silence, timeout=5).raise_for_status()
    deadline = monotonic() + 10
    found = firing(real)
    while isinstance(found, tuple) and len(found) != 1 and monotonic() < deadline:
        found = firing(real)
    assert isinstance(found, tuple)
    assert [(alert.name, alert.status, alert.labels["service"]) for alert in found] == [("Loud", "firing", "cart")]
    assert abs(found[0].starts_at - now) < timedelta(seconds=1)
    assert len(found[0].fingerprint) == 16


def test_a_dead_host_is_unavailable() -> None:
    assert "cannot be read" in refused(f"http://127.0.0.1:{free_port()}")


def test_a_server_that_hangs_or_trickles_is_given_up() -> None:
    def trickle(request: Request) -> None:
        request.begin()
        while not request.released.wait(0.05):
            request.more(b" " * adapter.CHUNK)

    with server(lambda request: request.released.wait(20)) as url:
        assert "no answer within 0.3 s" in refused(url, 0.3)
    with server(trickle) as url:
        assert "no answer within 0.3 s" in refused(url, 0.3)


def test_an_endless_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "MAX_BYTES", adapter.CHUNK)
    with server(always(200, "[" + " " * (4 * adapter.CHUNK) + "]")) as url:
        assert "larger than" in refused(url, 20)


@pytest.mark.parametrize("status", [302, 401, 502])
def test_an_error_or_a_redirect_is_unavailable(status: int) -> None:
    with server(always(status, "[]", Location="http://127.0.0.1:9/")) as url:
        assert f"HTTP {status}" in refused(url)


@pytest.mark.parametrize(
    "body", ["", "<html>", "[" * 100_000, "\ud83d".encode("utf-8", "surrogatepass").decode("latin1")]
)
def test_what_is_no_json_is_unavailable(body: str) -> None:
    with server(always(200, body)) as url:
        assert "not what the API promises" in refused(url)


def test_a_malformed_alert_is_named_with_its_place() -> None:
    with server(always(200, json.dumps([{"labels": None}]))) as url:
        assert "[0].status: missing" in refused(url)
