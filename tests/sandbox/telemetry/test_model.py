"""The simulated shop: faults travel up the call graph, traffic travels down, counters never jump."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gitops_sre.sandbox import shop
from gitops_sre.sandbox.shop import TRAFFIC_SHARE
from gitops_sre.sandbox.telemetry import facade
from gitops_sre.sandbox.telemetry.facade import history
from gitops_sre.sandbox.telemetry.faults import Blip, Fault, ImageFault, PlaceFault
from gitops_sre.sandbox.telemetry.model import Running, Simulation, daily_shape
from gitops_sre.sandbox.telemetry.series import Tick
from tests.sandbox.telemetry.conftest import BASE, World, running, total, values, world

NOON = BASE - BASE % 86400 + 12 * 3600


class Shop:
    """A simulation that is driven second by second and asked what happened over some of them."""

    def __init__(self, seed: int = 1) -> None:
        self.simulation = Simulation(seed)
        self.world: World = world()
        self.faults: tuple[Fault, ...] = ()
        self.at = NOON
        self.before = self.after = self.simulation.step(self.at, 1, self.world)

    def run(self, seconds: int) -> None:
        """Let time pass; questions are about these seconds from now on."""
        self.before = self.after
        for _ in range(seconds):
            self.at += 1
            self.after = self.simulation.step(self.at, 1, self.world, self.faults)

    def growth(self, name: str, **labels: str) -> float:
        return total(self.after, name, **labels) - total(self.before, name, **labels)

    def error_ratio(self, service: str, environment: str = "production") -> float:
        place = {"service": service, "environment": environment}
        failed = self.growth("http_requests_total", code="500", **place)
        return failed / self.growth("http_requests_total", **place)

    def mean_latency(self, service: str, environment: str = "production") -> float:
        place = {"service": service, "environment": environment}
        seconds = self.growth("http_request_duration_seconds_sum", **place)
        return seconds / self.growth("http_request_duration_seconds_count", **place)

    def rate(self, service: str, environment: str = "production") -> float:
        return self.growth("http_requests_total", service=service, environment=environment) / (self.at - self.before.at)


def test_a_quiet_shop_hardly_fails_and_is_fast() -> None:
    quiet = Shop()
    quiet.run(30)
    for service in shop.SERVICES:
        assert 0 < quiet.error_ratio(service.name) < 0.02
        assert service.latency < quiet.mean_latency(service.name) < 0.3


def test_errors_reach_callers_in_proportion_to_their_calls_and_nobody_else() -> None:
    broken = Shop()
    broken.faults = (ImageFault("payments", "v5.2.0", error_rate=0.4),)
    broken.run(30)
    assert broken.error_ratio("payments") == pytest.approx(0.4, abs=0.02)
    assert broken.error_ratio("checkout") == pytest.approx(0.4, abs=0.02)  # one call each
    assert broken.error_ratio("cart") == pytest.approx(0.25 * 0.4, abs=0.02)
    assert broken.error_ratio("web") == pytest.approx(0.5 * 0.25 * 0.4, abs=0.02)
    for bystander in ("catalog", "search", "shipping", "orders", "inventory"):
        assert broken.error_ratio(bystander) < 0.02
    calls = {"service": "checkout", "environment": "production"}
    assert broken.growth("http_client_requests_total", peer="payments", code="500", **calls) > 0
    assert broken.growth("http_client_requests_total", peer="orders", code="500", **calls) < 0.01 * (
        broken.growth("http_client_requests_total", peer="payments", code="500", **calls)
    )


def test_latency_adds_up_towards_the_entry() -> None:
    quiet, slow = Shop(), Shop()
    slow.faults = (PlaceFault("production", "inventory", latency_factor=10),)
    quiet.run(30)
    slow.run(30)
    added = slow.mean_latency("inventory") - quiet.mean_latency("inventory")
    assert slow.mean_latency("orders") - quiet.mean_latency("orders") == pytest.approx(0.5 * added, rel=0.2)
    assert slow.mean_latency("web") > quiet.mean_latency("web") * 1.2
    assert slow.mean_latency("payments") == pytest.approx(quiet.mean_latency("payments"), rel=0.05)


def test_traffic_flows_down_the_calls_and_scales_with_the_environment() -> None:
    quiet = Shop()
    quiet.run(60)
    assert quiet.rate("checkout") == pytest.approx(quiet.rate("cart") * 0.25, rel=1e-3)
    assert quiet.rate("payments") == pytest.approx(quiet.rate("checkout"), rel=1e-3)
    assert quiet.rate("web", "dev") == pytest.approx(quiet.rate("web") * TRAFFIC_SHARE["dev"], rel=0.1)


def test_a_day_has_its_shape() -> None:
    def busy(hour: int) -> float:
        state = world()
        day = BASE - BASE % 86400
        simulation = Simulation(1)
        before = simulation.step(day + hour * 3600, 60, state)
        for minute in range(1, 31):
            after = simulation.step(day + hour * 3600 + minute * 60, 60, state)
        return total(after, "http_requests_total", service="web") - total(before, "http_requests_total", service="web")

    assert busy(15) / busy(3) == pytest.approx(1.35 / 0.65, rel=0.1)
    assert sum(daily_shape(BASE + hour * 3600) for hour in range(24)) == pytest.approx(24)


def test_counters_go_on_from_minutes_to_seconds_without_a_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facade, "HISTORY_SECONDS", 7200)
    monkeypatch.setattr(facade, "RECENT_SECONDS", 360)
    ticks: list[Tick] = [tick for part in history(Simulation(3), world(), BASE) for tick in part]
    assert [ticks[0].at, ticks[-1].at] == [BASE - 7200, BASE]
    counters = [
        (column, value / (7200 + facade.HISTORY_STEP))  # its mean speed
        for column, (series, value) in enumerate(ticks[-1].samples)
        if series.name.endswith(("_total", "_sum")) and ("code", "500") not in series.labels
    ]
    for before, after in pairwise(ticks[1:]):
        for column, mean in counters:
            speed = (after.samples[column][1] - before.samples[column][1]) / (after.at - before.at)
            assert 0.2 < speed / mean < 3


def test_the_same_seed_gives_the_same_samples_and_another_seed_others() -> None:
    def samples(seed: int) -> list[tuple[str, float]]:
        simulation = Simulation(seed)
        return [(s.text, v) for at in range(5) for s, v in simulation.step(NOON + at, 1, world()).samples]

    assert samples(1) == samples(1)
    assert samples(1) != samples(2)


def test_an_image_fault_strikes_wherever_its_tag_runs_and_leaves_with_it() -> None:
    changing = Shop()
    changing.faults = (ImageFault("checkout", "v9.0.0", error_rate=0.3),)
    changing.run(5)
    assert changing.error_ratio("checkout") < 0.02
    for environment in ("staging", "production"):
        changing.world[environment, "checkout"] = running("checkout", environment, "v9.0.0")
    changing.run(3)
    changing.run(10)
    assert changing.error_ratio("checkout") == pytest.approx(0.3, abs=0.02)
    assert changing.error_ratio("checkout", "staging") == pytest.approx(0.3, abs=0.02)
    assert changing.error_ratio("checkout", "dev") < 0.02
    changing.world["production", "checkout"] = running("checkout", "production", "v2.14.0")
    changing.run(3)
    changing.run(10)
    assert changing.error_ratio("checkout") < 0.02
    assert changing.error_ratio("checkout", "staging") == pytest.approx(0.3, abs=0.02)


def test_a_place_fault_stays_whatever_image_runs_and_ends_by_the_clock() -> None:
    place = Shop()
    place.faults = (PlaceFault("production", "shipping", error_rate=0.3, begins=NOON + 5, ends=NOON + 40),)
    place.run(4)
    assert place.error_ratio("shipping") < 0.02
    place.world["production", "shipping"] = running("shipping", "production", "v1.6.7")
    place.run(4)
    place.run(10)
    assert place.error_ratio("shipping") == pytest.approx(0.3, abs=0.02)
    assert place.error_ratio("shipping", "staging") < 0.02
    place.run(25)
    place.run(10)
    assert place.error_ratio("shipping") < 0.02


def test_a_blip_swells_latency_and_harms_nobody() -> None:
    quiet, blip = Shop(), Shop()
    blip.faults = (Blip("production", "search", begins=NOON + 1, seconds=5, latency_factor=2),)
    quiet.run(5)
    blip.run(5)
    assert blip.mean_latency("search") > quiet.mean_latency("search") * 1.2
    assert blip.error_ratio("search") < 0.02
    blip.run(5)
    quiet.run(5)
    assert blip.mean_latency("search") == pytest.approx(quiet.mean_latency("search"), rel=1e-6)


def test_both_versions_have_traffic_while_one_rolls_out() -> None:
    rolling = Shop()
    rolling.world["production", "web"] = running("web", "production", "v4.0.0")
    shown = []
    for _ in range(4):
        rolling.run(1)
        requests = values(rolling.after, "http_requests_total", service="web", environment="production", code="200")
        shown.append({dict(series.labels)["version"] for series in requests})
    assert shown == [{"v3.12.0", "v4.0.0"}, {"v3.12.0", "v4.0.0"}, {"v4.0.0"}, {"v4.0.0"}]


def test_nobody_ready_means_refused_calls_and_no_requests_served() -> None:
    outage = Shop()
    outage.world["production", "inventory"] = running("inventory", "production", "v2.3.1", ready=0)
    outage.run(10)
    assert outage.error_ratio("orders") == pytest.approx(0.5, abs=0.02)
    calls = {"service": "orders", "environment": "production", "peer": "inventory"}
    assert outage.growth("http_client_requests_total", code="503", **calls) > 0
    assert total(outage.after, "up", service="inventory", environment="production") == 0
    assert not values(outage.after, "http_requests_total", service="inventory", environment="production")
    assert total(outage.after, "kube_deployment_status_replicas", service="inventory", environment="production") == 3


def test_what_was_never_deployed_shows_nothing() -> None:
    missing = Shop()
    del missing.world["dev", "search"]
    missing.run(1)
    assert not [s for s, _ in missing.after.samples if {("environment", "dev"), ("service", "search")} <= set(s.labels)]


def test_too_few_replicas_queue_and_then_refuse() -> None:
    scarce = Shop()
    scarce.world["production", "web"] = Running("x/web:v3.12.0", 1, 4)
    quiet = Shop()
    scarce.run(10)
    quiet.run(10)
    assert scarce.mean_latency("web") > quiet.mean_latency("web") * 1.3
    assert scarce.error_ratio("web") > 0.1


def test_a_leak_grows_memory_until_the_replica_is_killed() -> None:
    leaking = Shop()
    leaking.faults = (ImageFault("orders", "v3.0.5", memory_growth=10),)
    place = {"service": "orders", "environment": "production"}
    memory = []
    failing = []
    for _ in range(40):
        leaking.run(1)
        memory.append(total(leaking.after, "container_memory_working_set_bytes", **place))
        failing.append(leaking.error_ratio("orders"))
    assert max(memory) > memory[0] * 1.7
    killed = [second for second, ratio in enumerate(failing) if ratio > 0.2]
    assert len(killed) == 2
    assert memory[killed[0]] < memory[killed[0] - 1] * 0.7


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("registry.example.com:5000/shop/web:v1", "v1"),
        ("registry.example.com:5000/shop/web", "latest"),
        ("web:v1@sha256:0123", "v1"),
    ],
)
def test_the_tag_of_an_image(image: str, tag: str) -> None:
    assert Running(image, 1, 1).tag == tag
