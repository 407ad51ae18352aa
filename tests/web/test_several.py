"""Several infra repositories in one process: each its own alerts, events, records; one receiver, one set of timers."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import requests
import yaml
from starlette.testclient import TestClient

from gitops_sre import settings as s
from gitops_sre.delivery.seal import create_key
from gitops_sre.delivery.webhooks import Happening
from gitops_sre.model.signal import Alert
from gitops_sre.web.app import Doors, create_app
from gitops_sre.web.service import Service, look, service
from tests.web.test_app import PAYLOAD

NOBODY = "http://127.0.0.1:9"
"""Port 9 (discard): refuses at once where nothing listens."""


class House:
    """What came in at one repository's doors."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.nudges: list[Happening] = []

    def receive(self, alerts: Sequence[Alert]) -> None:
        self.alerts += alerts


@pytest.fixture
def houses() -> dict[str, House]:
    return {"acme/infra": House(), "acme/shop": House()}


@pytest.fixture
def client(houses: dict[str, House]) -> TestClient:
    def doors(name: str, house: House) -> Doors:
        owner = name.partition("/")[2]
        return Doors(house.receive, house.nudges.append, lambda _: False, f"token-{owner}", f"secret-{owner}", 20_000)

    return TestClient(create_app({name: doors(name, house) for name, house in houses.items()}))


def event(client: TestClient, repository: str, secret: str) -> int:
    body = json.dumps({"ref": "refs/heads/main", "repository": {"full_name": repository}}).encode()
    headers = {
        "X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}",
        "X-GitHub-Delivery": "1",
        "X-GitHub-Event": "push",
    }
    return client.post("/webhooks/github", content=body, headers=headers).status_code


@pytest.mark.parametrize(
    ("path", "token", "status", "got"),
    [
        ("/acme/shop", "token-shop", 202, ["acme/shop"]),
        ("/Acme/Shop", "token-shop", 202, ["acme/shop"]),
        ("/acme/shop", "token-infra", 401, []),
        ("/acme/other", "token-infra", 404, []),
        ("", "token-infra", 404, []),
    ],
)
def test_alertmanager_names_the_repository(
    client: TestClient, houses: dict[str, House], path: str, token: str, status: int, got: list[str]
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    assert client.post(f"/webhooks/alertmanager{path}", json=PAYLOAD, headers=headers).status_code == status
    assert [name for name, house in houses.items() if house.alerts] == got


def test_an_event_of_github_goes_to_the_repository_that_it_is_about(
    client: TestClient, houses: dict[str, House]
) -> None:
    assert event(client, "acme/shop", "secret-shop") == 202
    assert (houses["acme/shop"].nudges, houses["acme/infra"].nudges) == ([Happening("acme/shop")], [])


def test_an_event_is_checked_with_the_secret_of_its_own_repository(
    client: TestClient, houses: dict[str, House]
) -> None:
    assert event(client, "acme/shop", "secret-infra") == 401
    assert event(client, "acme/unknown", "guessed") == 401
    assert not any(house.nudges for house in houses.values())


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], s.Settings]:
    """Settings of a repository with a folder of its own; nobody answers anywhere."""
    for name in ("TEST_TOKEN", "INFRA_ALERTS", "SHOP_ALERTS"):
        monkeypatch.setenv(name, f"{name} value")

    def write(name: str) -> s.Settings:
        folder = tmp_path / name
        folder.mkdir()
        create_key(folder / "key.pem")
        path = folder / "settings.yaml"
        path.write_text(
            yaml.safe_dump(
                {
                    "github": {"repository": f"acme/{name}", "api_url": NOBODY, "token_env": "TEST_TOKEN"},
                    "prometheus": {"url": NOBODY},
                    "kubernetes": {"kubeconfig": "none"},
                    "signing": {"key_file": "key.pem"},
                    "web": {"port": 0, "metrics_port": 0, "alert_token_env": f"{name.upper()}_ALERTS"},
                }
            )
        )
        return s.load(path, {})

    return write


@pytest.fixture
def serving(written: Callable[[str], s.Settings]) -> Iterator[Service]:
    made = service([written("infra"), written("shop")])
    made.start()
    yield made
    made.stop()


def test_one_alert_is_an_incident_of_the_repository_that_it_was_sent_to(serving: Service) -> None:
    address = f"{serving.url}/webhooks/alertmanager"
    for name in ("infra", "shop"):
        headers = {"Authorization": f"Bearer {name.upper()}_ALERTS value"}
        answer = requests.post(f"{address}/acme/{name}", json=PAYLOAD, headers=headers, timeout=10)
        assert answer.status_code == 202
        held = {key: [each.id for each in bot.world.store.recent()] for key, bot in serving.bots.items()}
        assert [len(ids) for ids in held.values()] == ([1, 0] if name == "infra" else [1, 1])
    (first,), (second,) = held.values()
    assert first == second  # the alert is the key: what keeps them apart is whose they are


def test_one_address_has_the_metrics_of_all_repositories(serving: Service) -> None:
    headers = {"Authorization": "Bearer INFRA_ALERTS value"}
    requests.post(f"{serving.url}/webhooks/alertmanager/acme/infra", json=PAYLOAD, headers=headers, timeout=10)
    said = requests.get(serving.metrics_url, timeout=10).text
    assert 'gitops_sre_incidents_under_way{repository="acme/infra",state="received"} 1.0' in said
    assert 'gitops_sre_store_up{repository="acme/shop"} 1.0' in said
    assert 'gitops_sre_transitions_total{event="Alerts",repository="acme/infra"' in said
    assert requests.get(f"{serving.url}/metrics", timeout=10).status_code == 404  # the webhooks' port is for the world


def test_a_new_pull_request_hurries_the_next_sweep_where_advice_is_asked_for(
    written: Callable[[str], s.Settings],
) -> None:
    asked = written("infra")
    advising = asked.model_copy(update={"github": asked.github.model_copy(update={"advise": True})})
    served = service([advising, written("shop")])
    for repository, pull, hurried in (("infra", True, True), ("infra", False, False), ("shop", True, False)):
        served.called.clear()
        served.happened(Happening(f"acme/{repository}", frozenset({7}), pull=pull))
        assert served.called.is_set() is hurried, repository


def test_a_timer_looks_at_the_incident_of_its_own_repository(written: Callable[[str], s.Settings]) -> None:
    looked: list[tuple[str, str]] = []

    class Looker:
        def __init__(self, name: str) -> None:
            self.name = name

        def look(self, incident: str) -> float:
            looked.append((self.name, incident))
            return 1.0

    bots = {name: Looker(name) for name in ("acme/infra", "acme/shop")}
    for name in ("acme/shop#inc-1", "acme/gone#inc-1", "inc-2"):
        look(bots, name)  # type: ignore[arg-type]  # all that it asks of a bot
    assert looked == [("acme/shop", "inc-1"), ("acme/infra", "inc-2")]
