"""Scenes in the sandbox's shop, each in an hour of its own of one back-filled Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gitops_sre.model.change_feed import ChangeRecord, Commit, FieldChange
from gitops_sre.model.evidence import Scope
from gitops_sre.sandbox import shop
from gitops_sre.sandbox.telemetry import Blip, Fault, ImageFault, PlaceFault, Running
from gitops_sre.sandbox.telemetry.model import Simulation
from gitops_sre.sandbox.telemetry.prometheus import Backfill, Process, start_prometheus
from gitops_sre.sandbox.telemetry.series import Tick
from gitops_sre.settings import TimingSettings

BASE = 1_760_000_000
QUIET = 130
"""Seconds of each scene before anything happens."""
TIMING = TimingSettings(
    rate_window=5, step=1, investigate=30, baseline=80, change_lookback=600, clock_skew=2, group_window=30
)


@dataclass(frozen=True)
class Scene:
    """What happens after the quiet time: faults with times relative to its end, and a deploy a second before it."""

    hour: int
    service: str
    environment: str
    deploy: str = ""
    faults: tuple[Fault, ...] = ()
    restart: bool = False
    """All counters begin at zero again."""
    outage: str = ""
    """A service that loses all replicas."""
    seconds: int = 40

    @property
    def zero(self) -> int:
        """Epoch second at which the quiet time ends."""
        return BASE + 3600 * self.hour + QUIET

    def scope(self, after: float, alert_after: float = 4) -> Scope:
        """The scope of an investigation `after` seconds, of an alert that began to fire `alert_after` seconds."""
        alert = _at(self.zero + alert_after)
        quiet = alert - timedelta(seconds=TIMING.investigate)
        start = quiet - timedelta(seconds=TIMING.baseline)
        return Scope(self.service, self.environment, self.environment, alert, _at(self.zero + after), start, quiet)

    def record(self, seconds_before: float = 1, service: str = "", sha: str = "c") -> ChangeRecord:
        """The commit of the deploy."""
        name = service or self.service
        image = f"{shop.REGISTRY}/{name}"
        field = FieldChange("kustomization.yaml", 0, ("images", 0), f"{image}:v1", f"{image}:{self.deploy}")
        commit = Commit(
            sha * 40, _at(self.zero - seconds_before), "alice", f"Deploy {name}", (field.file,), ("0" * 40,)
        )
        return ChangeRecord(commit, name, self.environment, "image", (field,), 0.0)

    def ticks(self, simulation: Simulation) -> Iterator[Tick]:
        world = _world(self.environment)
        place = (self.environment, self.service)
        for at in range(self.zero - QUIET, self.zero + self.seconds):
            if at == self.zero and self.restart:
                simulation = Simulation(12)
            if at == self.zero and self.deploy:
                world[place] = _running(self.service, self.environment, self.deploy)
            if at == self.zero and self.outage:
                world[self.environment, self.outage] = _running(self.outage, self.environment, "v0", 0)
            yield simulation.step(at, 1, world, self.faults)


def _zero(hour: int) -> int:
    return BASE + 3600 * hour + QUIET


BAD_IMAGE = Scene(0, "checkout", "staging", "v9.0.0", (ImageFault("checkout", "v9.0.0", error_rate=0.25),))
SLOW_IMAGE = Scene(1, "payments", "staging", "v9.0.1", (ImageFault("payments", "v9.0.1", latency_factor=4),))
DEPENDENCY = Scene(2, "shipping", "staging", faults=(PlaceFault("staging", "shipping", 0.3, begins=_zero(2)),))
VICTIM = Scene(3, "checkout", "staging", faults=(PlaceFault("staging", "payments", 0.3, begins=_zero(3)),))
BLIPS = Scene(4, "search", "production", faults=tuple(Blip("production", "search", _zero(4) + n, 4.0) for n in (1, 11)))
QUIET_DEPLOY = Scene(5, "checkout", "staging", "v9.0.2")
OUTAGE = Scene(6, "checkout", "staging", outage="payments")
WRONG_SUSPECT = Scene(7, "shipping", "staging", "v9.0.3", (PlaceFault("staging", "shipping", 0.3, begins=_zero(7)),))
RESTART = Scene(8, "cart", "staging", restart=True)
SCENES = (BAD_IMAGE, SLOW_IMAGE, DEPENDENCY, VICTIM, BLIPS, QUIET_DEPLOY, OUTAGE, WRONG_SUSPECT, RESTART)


def serve(folder: Path) -> Process:
    """A real Prometheus that holds all scenes."""
    backfill = Backfill(folder)
    simulation = Simulation(11)
    backfill.add(tick for scene in SCENES for tick in scene.ticks(simulation))
    backfill.finish(folder / "data")
    return start_prometheus(folder, "groups: []")


def _world(environment: str) -> dict[tuple[str, str], Running]:
    return {
        (environment, service.name): _running(service.name, environment, service.version) for service in shop.SERVICES
    }


def _running(service: str, environment: str, tag: str, ready: int | None = None) -> Running:
    replicas = shop.replicas(shop.BY_NAME[service], environment)
    return Running(f"{shop.BY_NAME[service].image}:{tag}", replicas if ready is None else ready, replicas)


def _at(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)
