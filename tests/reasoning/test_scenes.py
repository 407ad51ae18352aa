"""From a real Prometheus to a diagnosis: the sandbox's faults, seen the way the bot sees them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gitops_sre.adapters.prometheus import Prometheus
from gitops_sre.model.change_feed import ChangeRecord
from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.evidence import Answer, Evidence, Gap
from gitops_sre.model.findings import Findings
from gitops_sre.perception import golden, reading
from gitops_sre.reasoning.catalogue import load_catalogue
from gitops_sre.reasoning.diagnose import diagnose
from gitops_sre.sandbox.telemetry.prometheus import missing_binaries
from gitops_sre.settings import PrometheusSettings
from tests.perception import scenes
from tests.perception.scenes import TIMING, Scene

pytestmark = pytest.mark.skipif(
    bool(missing_binaries()), reason=f"not on PATH: {', '.join(missing_binaries())} (Debian: prometheus)"
)
CATALOGUE = load_catalogue()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    server = scenes.serve(tmp_path_factory.mktemp("scenes"))
    client = Prometheus(PrometheusSettings(url=server.url), {})
    try:
        yield client
    finally:
        client.close()
        server.stop()


def investigate(
    prometheus: Prometheus, scene: Scene, after: float, *changes: ChangeRecord, refuted: tuple[str, ...] = ()
) -> Diagnosis:
    scope = scene.scope(after)
    answers = prometheus.ask(golden.queries(scope, TIMING))
    assert all(isinstance(answer, Answer) and not answer.warnings for answer in answers)
    found = golden.read(answers, scope, TIMING)
    evidence = [item for item in found if isinstance(item, Evidence)]
    assert not [item for item in found if isinstance(item, Gap)]
    edges = golden.edges(answers)
    assert ("checkout", "payments") in edges
    if reading.unsettled(evidence, scope.service):
        return investigate(prometheus, scene, after + 1, *changes, refuted=refuted)
    known = replace(scope, onset=golden.onset(evidence, scope))
    found_out = Findings(known, tuple(evidence), edges=tuple(edges), changes=changes)
    return diagnose(found_out, CATALOGUE, refuted, TIMING.clock_skew)


@pytest.mark.parametrize("after", [5, 8, 14, 30])
@pytest.mark.parametrize("scene", [scenes.BAD_IMAGE, scenes.SLOW_IMAGE])
def test_a_bad_image_is_found_whenever_one_looks(prometheus: Prometheus, scene: Scene, after: float) -> None:
    top = investigate(prometheus, scene, after, scene.record()).top
    assert top.key == f"new_deploy/{scene.service}/cccccccccccc"
    assert top.posterior > 0.9


def test_the_onset_is_measured_to_the_second_or_two(prometheus: Prometheus) -> None:
    scope = scenes.BAD_IMAGE.scope(14, alert_after=9)
    answers = prometheus.ask(golden.queries(scope, TIMING))
    evidence = [item for item in golden.read(answers, scope, TIMING) if isinstance(item, Evidence)]
    assert 0 <= golden.onset(evidence, scope).timestamp() - scenes.BAD_IMAGE.zero <= 2


@pytest.mark.parametrize("after", [5, 8, 14, 30])
def test_a_failing_dependency_without_a_change_is_no_deploy(prometheus: Prometheus, after: float) -> None:
    top = investigate(prometheus, scenes.DEPENDENCY, after).top
    assert (top.cause, top.service) == ("dependency_failure", "shipping")


@pytest.mark.parametrize("after", [5, 14, 30])
def test_the_victim_is_told_from_the_sick_callee(prometheus: Prometheus, after: float) -> None:
    assert investigate(prometheus, scenes.VICTIM, after).top.service == "payments"


@pytest.mark.parametrize("after", [3, 4, 5, 6, 8, 14, 16, 17, 18, 30])
def test_short_swells_and_harmless_deploys_are_no_fault(prometheus: Prometheus, after: float) -> None:
    blips = investigate(prometheus, scenes.BLIPS, after).top
    assert (blips.cause, blips.posterior > 0.9) == ("no_fault", True)
    deploy = investigate(prometheus, scenes.QUIET_DEPLOY, after, scenes.QUIET_DEPLOY.record()).top
    assert (deploy.cause, deploy.posterior > 0.9) == ("no_fault", True)


@pytest.mark.parametrize("after", [8, 14, 30])
def test_a_service_without_replicas_is_a_matter_of_infrastructure(prometheus: Prometheus, after: float) -> None:
    top = investigate(prometheus, scenes.OUTAGE, after).top
    assert (top.cause, top.service) == ("infrastructure", "payments")


@pytest.mark.parametrize("after", [5, 14, 30])
def test_a_coincidence_is_blamed_at_first_and_not_after_its_fix_did_not_help(
    prometheus: Prometheus, after: float
) -> None:
    record = scenes.WRONG_SUSPECT.record()
    first = investigate(prometheus, scenes.WRONG_SUSPECT, after, record).top
    assert first.cause == "new_deploy"
    assert first.posterior > 0.7
    second = investigate(prometheus, scenes.WRONG_SUSPECT, after, record, refuted=(first.key,)).top
    assert second.cause == "dependency_failure"


def test_after_a_restart_of_counters_there_is_no_spike(prometheus: Prometheus) -> None:
    scope = scenes.RESTART.scope(14)
    answers = prometheus.ask(golden.queries(scope, TIMING))
    traffic = next(answer for answer in answers if isinstance(answer, Answer) and answer.query.id == "traffic")
    rates = [value for series in traffic.series if series.label("service") == "cart" for _, value in series.samples]
    assert rates
    assert max(rates) < 3 * sorted(rates)[len(rates) // 2]
    found = {item.id: item for item in golden.read(answers, scope, TIMING) if isinstance(item, Evidence)}
    assert found["traffic/cart"].symptom == "normal"
