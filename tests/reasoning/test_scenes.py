"""From a real Prometheus to a diagnosis: the sandbox's faults, seen the way the bot sees them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_sre.adapters.prometheus import Prometheus
from gitops_sre.engine.inquiry import Sources, gather, with_changes
from gitops_sre.engine.investigate import passed, question
from gitops_sre.model.change_feed import ChangeRecord
from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.findings import Findings
from gitops_sre.perception import presets
from gitops_sre.perception.settling import unsettled
from gitops_sre.reasoning.catalogue import load_catalogue
from gitops_sre.reasoning.diagnose import CHANGES_GAP, diagnose
from gitops_sre.sandbox.telemetry.prometheus import missing_binaries
from gitops_sre.settings import GitHubSettings, PrometheusSettings, Settings, SigningSettings
from tests.perception import scenes
from tests.perception.scenes import TIMING, Scene

pytestmark = pytest.mark.skipif(
    bool(missing_binaries()), reason=f"not on PATH: {', '.join(missing_binaries())} (Debian: prometheus)"
)
CATALOGUE, QUERIES = load_catalogue(), presets.load()
SETTINGS = Settings(
    github=GitHubSettings(repository="acme/infra"),
    prometheus=PrometheusSettings(url="http://prometheus.invalid"),
    signing=SigningSettings(key_file=Path("none")),
    timing=TIMING,
)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    server = scenes.serve(tmp_path_factory.mktemp("scenes"))
    client = Prometheus(PrometheusSettings(url=server.url), {})
    try:
        yield client
    finally:
        client.close()
        server.stop()


def seen(prometheus: Prometheus, scene: Scene, after: float) -> Findings:
    scope = scene.scope(after)
    found = gather(question(scope, SETTINGS), Sources(prometheus), QUERIES)
    assert [gap.id for gap in found.gaps] == [CHANGES_GAP]
    assert ("checkout", "payments") in found.edges
    quiet, until, now = (at.timestamp() for at in (scope.baseline_start, scope.baseline_end, scope.now))
    if unsettled(found.measures, scope.service, quiet, until, now, TIMING.rate_window, TIMING.step):
        return seen(prometheus, scene, after + 1)
    return found


def investigate(
    prometheus: Prometheus, scene: Scene, after: float, *changes: ChangeRecord, refuted: tuple[str, ...] = ()
) -> Diagnosis:
    known = with_changes(seen(prometheus, scene, after), changes, TIMING.clock_skew)
    return diagnose(known, CATALOGUE, refuted, TIMING.clock_skew)


@pytest.mark.parametrize("after", [5, 8, 14, 30])
@pytest.mark.parametrize("scene", [scenes.BAD_IMAGE, scenes.SLOW_IMAGE])
def test_a_bad_image_is_found_whenever_one_looks(prometheus: Prometheus, scene: Scene, after: float) -> None:
    top = investigate(prometheus, scene, after, scene.record()).top
    assert top.key == f"new_deploy/{scene.service}/cccccccccccc"
    assert top.posterior > 0.9


def test_the_onset_is_measured_within_the_range_of_a_rate(prometheus: Prometheus) -> None:
    onset = seen(prometheus, scenes.BAD_IMAGE, 14).scope.onset
    assert 0 <= onset.timestamp() - scenes.BAD_IMAGE.zero <= 4


@pytest.mark.parametrize("after", [5, 8, 14, 30])
def test_a_failing_dependency_without_a_change_is_no_deploy(prometheus: Prometheus, after: float) -> None:
    diagnosis = investigate(prometheus, scenes.DEPENDENCY, after)
    assert diagnosis.top.service == "shipping"
    # Whether the service or what it calls outside the cluster fails, its own numbers do not tell.
    assert {each.cause for each in diagnosis.hypotheses[:2]} == {"code_defect", "dependency_failure"}
    assert diagnosis.probability("new_deploy") < 0.05


@pytest.mark.parametrize("after", [5, 14, 30])
def test_the_victim_is_told_from_the_sick_callee(prometheus: Prometheus, after: float) -> None:
    assert investigate(prometheus, scenes.VICTIM, after).top.service == "payments"


@pytest.mark.parametrize("after", [3, 4, 5, 6, 8, 14, 16, 17, 18, 30])
def test_short_swells_and_harmless_deploys_are_no_fault(prometheus: Prometheus, after: float) -> None:
    blips = investigate(prometheus, scenes.BLIPS, after)
    assert passed(blips) or (blips.top.cause, blips.top.posterior > 0.9) == ("no_fault", True)
    if after >= 30:
        assert blips.top.cause == "no_fault"
    deploy = investigate(prometheus, scenes.QUIET_DEPLOY, after, scenes.QUIET_DEPLOY.record()).top
    assert (deploy.cause, deploy.posterior > 0.9) == ("no_fault", True)


@pytest.mark.parametrize("after", [8, 14, 30])
def test_a_service_that_is_down_is_found_though_it_tells_nothing_itself(prometheus: Prometheus, after: float) -> None:
    diagnosis = investigate(prometheus, scenes.OUTAGE, after)
    assert diagnosis.top.service == "payments"
    assert "infrastructure" in {each.cause for each in diagnosis.hypotheses[:3]}


@pytest.mark.parametrize("after", [5, 14, 30])
def test_a_coincidence_is_blamed_at_first_and_not_after_its_fix_did_not_help(
    prometheus: Prometheus, after: float
) -> None:
    record = scenes.WRONG_SUSPECT.record()
    first = investigate(prometheus, scenes.WRONG_SUSPECT, after, record).top
    assert first.cause == "new_deploy"
    assert first.posterior > 0.7
    second = investigate(prometheus, scenes.WRONG_SUSPECT, after, record, refuted=(first.key,))
    assert second.top.service == "shipping"
    assert second.probability("new_deploy") < 0.05
    assert second.top.posterior < 0.7


def test_after_a_restart_of_counters_there_is_no_spike(prometheus: Prometheus) -> None:
    found = seen(prometheus, scenes.RESTART, 14)
    (traffic,) = (each for each in found.measures if each.query == "http.traffic" and each.service == "cart")
    assert max(traffic.values) < 3 * sorted(traffic.values)[len(traffic.values) // 2]
    assert {item.symptom for item in found.evidence if item.id == "traffic/cart"} == {"normal"}
