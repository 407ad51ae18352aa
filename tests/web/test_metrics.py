"""What Prometheus is told, as it comes over HTTP."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from gitops_sre.adapters.store import SqlStore
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.usage import Usage
from gitops_sre.ports import Transition
from gitops_sre.web.metrics import Metrics
from tests import builders as b
from tests.web.conftest import Waiting

INFRA, SHOP = "acme/infra", "acme/shop"


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[dict[str, SqlStore]]:
    made = {name: SqlStore(f"sqlite:///{tmp_path}/{name.partition('/')[2]}.db") for name in (INFRA, SHOP)}
    yield made
    for store in made.values():
        store.close()


@pytest.fixture
def metrics(stores: dict[str, SqlStore]) -> Metrics:
    made = Metrics()
    for name, store in stores.items():
        made.watch(name, store, Waiting(12.5 if name == SHOP else 0.0))  # type: ignore[arg-type]  # all that is asked
    return made


@pytest.fixture
def scrape(metrics: Metrics) -> Iterator[Callable[[], str]]:
    url, stop = metrics.serve("127.0.0.1", 0)
    yield lambda: requests.get(url, timeout=10).text
    stop()


def read(text: str) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, the repository first."""
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = dict(sample.labels)
            found[sample.name, labels.pop("repository", ""), *(labels[name] for name in sorted(labels))] = sample.value
    return found


def step(source: State, target: State, event: str = "Event") -> Transition:
    return Transition(event, source.value, target.value, "", b.NOW)


def test_what_is_under_way_is_asked_of_each_store_at_each_scrape(
    stores: dict[str, SqlStore], scrape: Callable[[], str]
) -> None:
    for number, state in enumerate((State.MERGING, State.MERGING, State.VERIFYING, State.DISMISSED)):
        one = replace(b.incident(), id=f"inc-{number:012x}", state=state)
        stores[INFRA].save(one, [step(State.RECEIVED, state)])
    said = read(scrape())
    name = "gitops_sre_incidents_under_way"
    assert {key[1:]: value for key, value in said.items() if key[0] == name} == {
        (INFRA, "merging"): 2.0,
        (INFRA, "verifying"): 1.0,
    }
    assert said["gitops_sre_github_wait_seconds", SHOP] == 12.5
    assert said["gitops_sre_store_up", SHOP] == 1.0


def test_a_store_that_does_not_answer_is_down_and_takes_nothing_else_with_it(
    stores: dict[str, SqlStore], scrape: Callable[[], str], tmp_path: Path
) -> None:
    stores[INFRA].close()
    (tmp_path / "infra.db").write_bytes(b"no database" * 1000)
    said = read(scrape())
    assert said["gitops_sre_store_up", INFRA] == 0.0
    assert said["gitops_sre_store_up", SHOP] == 1.0


def ended(spent: Usage) -> Incident:
    one = b.incident()
    return replace(one, state=State.RESOLVED, concluded=True, spent=spent, plan=b.plan())


def test_an_end_counts_once_with_its_action_and_what_it_cost_on_github(
    metrics: Metrics, scrape: Callable[[], str]
) -> None:
    told = metrics.told(INFRA)
    verified = replace(ended(Usage(20, 3, 7, 2)), concluded=False, fix=b.pull())
    told(verified, step(State.VERIFYING, State.RESOLVED, "Recovered"))
    told(replace(verified, concluded=True, spent=Usage(22, 3, 8, 2)), step(State.RESOLVED, State.RESOLVED, "Concluded"))
    said = read(scrape())
    action = verified.plan.action if verified.plan else ""
    assert said["gitops_sre_outcomes_total", INFRA, action, "resolved"] == 1.0
    assert said["gitops_sre_transitions_total", INFRA, "Recovered", "verifying", "resolved"] == 1.0
    name = "gitops_sre_incident_github_requests"
    assert said[f"{name}_count", INFRA, "read"] == 1.0
    assert [said[f"{name}_sum", INFRA, kind] for kind in ("read", "unchanged", "write", "token")] == [22, 3, 8, 2]
    assert said[f"{name}_bucket", INFRA, "write", "5.0"] == 0.0
    assert said[f"{name}_bucket", INFRA, "write", "10.0"] == 1.0


def test_what_ends_without_a_pull_request_counts_when_it_does(metrics: Metrics, scrape: Callable[[], str]) -> None:
    metrics.told(INFRA)(replace(b.incident(), state=State.DISMISSED), step(State.RECEIVED, State.DISMISSED, "Cleared"))
    said = read(scrape())
    assert said["gitops_sre_outcomes_total", INFRA, "", "dismissed"] == 1.0
    assert said["gitops_sre_incident_github_requests_count", INFRA, "read"] == 1.0


@pytest.mark.skipif(shutil.which("promtool") is None, reason="not on PATH: promtool (Debian: prometheus)")
def test_prometheus_own_linter_has_nothing_against_them(metrics: Metrics, scrape: Callable[[], str]) -> None:
    for name in (INFRA, SHOP):
        metrics.told(name)(ended(Usage(1, 1, 1, 1)), step(State.VERIFYING, State.RESOLVED, "Concluded"))
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=scrape(), capture_output=True, text=True, check=False, timeout=30
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
