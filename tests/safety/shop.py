"""The shop in virtual time: repository on GitHub, cluster, reconciler, telemetry and the bot, a second at a time.

Everything is the sandbox's own, driven by one clock that stands still until it is moved: git, GitHub's API, the
Kubernetes API and Prometheus' API are spoken to over HTTP by the bot's own adapters. A merged change is rolled out by
the reconciler, and what runs then decides what the telemetry says.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from starlette.applications import Starlette

from gitops_sre import wiring
from gitops_sre.adapters.prometheus import Prometheus
from gitops_sre.delivery.seal import create_key
from gitops_sre.engine.bot import Bot
from gitops_sre.engine.intake import intake
from gitops_sre.engine.world import World
from gitops_sre.model.incident import Incident
from gitops_sre.ports import Transition
from gitops_sre.sandbox.github import GitHub
from gitops_sre.sandbox.github.state import Pull, Repo
from gitops_sre.sandbox.infra import edit, history, tree
from gitops_sre.sandbox.kubernetes.api import KubernetesAPI
from gitops_sre.sandbox.kubernetes.cluster import Cluster
from gitops_sre.sandbox.reconciler.controller import Knobs, Reconciler
from gitops_sre.sandbox.shop import BY_NAME
from gitops_sre.sandbox.telemetry.alerting import Alert, RuleGroup
from gitops_sre.sandbox.telemetry.faults import Blip, Fault, ImageFault, PlaceFault, Surge
from gitops_sre.sandbox.telemetry.model import Simulation
from gitops_sre.sandbox.telemetry.rules import LATENCY_MARGIN, healthy, quantile, rules_file
from gitops_sre.sandbox.telemetry.series import Tick
from gitops_sre.sandbox.telemetry.store import Store
from gitops_sre.settings import DecisionSettings, Settings
from tests.loop.conftest import PEOPLE, POWERS, served
from tests.loop.doubles import Clock
from tests.loop.place import KUBECONFIG, TOKEN, Switchboard, end
from tests.safety.poison import Poisoner, Poisoning
from tests.safety.remember import Remembering

QUIET = 420
"""Seconds of quiet telemetry before anything happens: more than `baseline` and `investigate` reach back."""
MIDNIGHT = 1_767_225_600.0
"""Unix second of the day in which the telemetry believes to be, whenever it is played."""
LADDER = """\
apiVersion: gitops-sre.dev/v1
kind: AutonomyLadder
metadata: {name: open}
spec:
  levels: [{action: "*", environment: "*", level: L4}]
"""
RULES = """\
apiVersion: gitops-sre.dev/v1
kind: RemediationPolicy
metadata: {name: open}
spec:
  rules: [{name: nothing-is-held-back, ceiling: L4}]
"""
TIMING = {
    "poll": 0.5,
    "rate_window": 5,
    "step": 1,
    "investigate": 30,
    "baseline": 300,
    "change_lookback": 600,
    "clock_skew": 2,
    "group_window": 30,
    "investigate_after": 1,
    "approval": 20,
    "remind": 10,
    "live": 30,
    "settle": 5,
    "window": 4,
    "deadline": 30,
    "cooldown": 600,
}
"""As the demo has them, but that less time is spent waiting for people, of whom there are none."""


LITTLE = 0.2
"""The posterior on which a careless team acts."""


@dataclass(frozen=True)
class Servers:
    """What the cases of one process share: GitHub with its people and the bot's App, and addresses for the rest."""

    folder: Path
    clock: Clock
    github: GitHub
    web: str
    kubernetes: Switchboard
    kubernetes_url: str
    prometheus: Switchboard
    prometheus_url: str
    app_id: int
    installation_id: int
    token: str
    """Of a person who may write."""


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Everything served on loopback for as long as the block lasts."""
    clock = Clock(float(int(time.time())))
    github, kubernetes, prometheus = GitHub(folder / "repositories", clock=clock.now), Switchboard(), Switchboard()
    tokens = {login: github.add_user(login, permission) for login, permission in PEOPLE.items()}
    app = github.register_app("gitops-sre", POWERS)
    (folder / "app.pem").write_text(app.private_key_pem)
    create_key(folder / "signing.pem")
    with ExitStack() as stack:
        web, api, metrics = (stack.enter_context(served(each)) for each in (github.app, kubernetes, prometheus))
        github.base_url = web
        yield Servers(
            folder,
            clock,
            github,
            web,
            kubernetes,
            api,
            prometheus,
            metrics,
            app.app_id,
            app.installation_id,
            tokens["bob"],
        )


class Alarms(RuleGroup):
    """The shop's rules, and alerts that nothing stands behind."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.forged: list[Alert] = []

    def alerts(self) -> list[Alert]:
        """All of them."""
        return [*super().alerts(), *self.forged]


@dataclass
class Shop:
    """The shop in one environment, under watch."""

    servers: Servers
    name: str
    environment: str
    cluster: Cluster
    reconciler: Reconciler
    simulation: Simulation
    ahead: float
    """By how much the telemetry's clock is ahead of the shop's: traffic follows the hour of day, whenever it is run."""
    store: Store
    rules: Alarms
    bot: Bot
    told: list[tuple[Incident, Transition]]
    poison: Poisoner | None = None
    faults: tuple[Fault, ...] = ()

    def strike(self, faults: Iterable[Fault]) -> None:
        """Let these faults happen, whose times are seconds from now."""
        self.faults = tuple(later(fault, self.now + self.ahead) for fault in faults)

    def wave_through(self) -> None:
        """A person approves whatever is open and was not looked at by anybody."""
        for pull in self.pulls():
            if self.repo.issues[pull.number].state == "open" and not self.repo.reviews_of(pull.number):
                self.servers.github.review(self.name, pull.number, "alice", "APPROVE")

    @property
    def now(self) -> float:
        """Unix time in the shop."""
        return self.servers.clock.at

    @property
    def folder(self) -> Path:
        """Where the bot keeps what it keeps."""
        return self.servers.folder / self.name.rpartition("/")[2]

    @property
    def repo(self) -> Repo:
        """What GitHub holds."""
        return self.servers.github.repository(self.name)

    def read(self, path: str, at: str = "main") -> bytes:
        """A file's bytes."""
        return self.repo.git.run("show", f"{at}:{path}")

    def tag(self, service: str, at: str = "main") -> str:
        """The tag of a service that stands on the branch."""
        return edit.tag_in(self.read(tree.image_path(self.environment, service), at), BY_NAME[service].image)

    def deploy(self, service: str, tag: str) -> None:
        """The service's usual deployer puts another tag on the branch."""
        path, who = tree.image_path(self.environment, service), history.KEEPERS[BY_NAME[service].layout]
        content = edit.with_tag(self.read(path), BY_NAME[service].image, tag)
        message = f"Deploy {service} {tag} to {self.environment}"
        self.servers.github.commit(self.name, who, {path: content}, message, self.servers.clock.now())

    def tick(self) -> None:
        """One second passes for everything but the bot."""
        self.servers.clock.at += 1.0
        self.reconciler.step()
        self.sample()
        self.rules.evaluate(self.store, round(self.now * 1000))

    def sample(self) -> None:
        """What the shop's telemetry says now, as poisoned as it is."""
        tick = self.simulation.step(self.now + self.ahead, 1.0, self.cluster.running(), self.faults)
        tick = Tick(self.now, tick.samples)
        self.store.add(self.poison(tick) if self.poison else tick)

    def pulls(self) -> Sequence[Pull]:
        """All pull requests, oldest first."""
        return [pull for _, pull in sorted(self.repo.pulls.items())]

    def incidents(self) -> tuple[Incident, ...]:
        """What the bot remembers, newest first."""
        return self.bot.world.store.recent(50)


def later(fault: Fault, seconds: float) -> Fault:
    """The same fault, later."""
    match fault:
        case PlaceFault() | Surge():
            return replace(fault, begins=fault.begins + seconds, ends=fault.ends + seconds)
        case Blip():
            return replace(fault, begins=fault.begins + seconds)
        case ImageFault():
            return fault


_NUMBERS = itertools.count(1)


@contextmanager
def found(
    servers: Servers,
    environment: str,
    seed: int,
    hour: float,
    poisoning: Poisoning | None = None,
    *,
    careless: bool = False,
) -> Iterator[Shop]:
    """A shop with its history, and QUIET seconds of telemetry before the present. `hour` of day in [0, 24). A careless
    one acts on any diagnosis."""
    clock = servers.clock
    clock.at = float(int(time.time()))  # the App's tokens are dated by the machine's clock
    name = f"acme/shop-{next(_NUMBERS)}"
    _found_repository(servers, name, environment, seed)
    knobs = Knobs(poll=0.0, sync_seconds=0.0, rollout_seconds=1.0, refresh=3600.0)
    cluster = Cluster(clock)
    servers.kubernetes.app = KubernetesAPI(cluster, TOKEN).app
    reconciler = Reconciler(servers.github.repository(name).git.path, cluster, clock, knobs)
    reconciler.start()
    store, rules = Store(), Alarms(rules_file())
    servers.prometheus.app = Starlette(routes=Remembering(store, rules, clock=clock).routes())
    told: list[tuple[Incident, Transition]] = []
    world = _world(servers, name, LITTLE if careless else DecisionSettings().act_above)
    bot = Bot(world, intake(world), "bot", lambda incident, transition: told.append((incident, transition)))
    ahead = MIDNIGHT + hour * 3600 - clock.at
    poison = Poisoner(poisoning, clock.at) if poisoning else None
    shop = Shop(
        servers, name, environment, cluster, reconciler, Simulation(seed), ahead, store, rules, bot, told, poison
    )
    _live_quietly(shop)
    try:
        yield shop
    finally:
        end(world)
        if isinstance(world.metrics, Prometheus):
            world.metrics.close()


def _live_quietly(shop: Shop) -> None:
    clock, present = shop.servers.clock, shop.now
    for second in range(QUIET):
        clock.at = present - QUIET + second + 1
        shop.sample()


def _found_repository(servers: Servers, name: str, environment: str, seed: int) -> None:
    """Weeks of history by the shop's people, of all environments; Applications and policy of the one."""
    owner, _, short = name.partition("/")
    url = f"{servers.web}/{name}.git"
    commits = [_kept(each, environment) for each in history.commits(servers.clock.now(), url, seed)]
    first = commits[0]
    files = {path: content for path, content in first.files.items() if content is not None}
    servers.github.create_repository(owner, short, files, author=first.login, message=first.message, when=first.when)
    git = servers.github.repository(name).git
    policy: Mapping[str, bytes | None] = {
        ".gitops-sre/policies/autonomy.yaml": LADDER.encode(),
        ".gitops-sre/policies/remediation.yaml": RULES.encode(),
    }
    opened = history.Commit("alice", "Open every level", servers.clock.now() - timedelta(minutes=30), dict(policy))
    later = (each for each in (*commits[1:], opened) if each.files)
    git.run(
        "fast-import", "--quiet", "--done", stdin=history.fast_import(later, git.ref(f"refs/heads/{tree.BRANCH}") or "")
    )


def _kept(commit: history.Commit, environment: str) -> history.Commit:
    files = {
        path: content
        for path, content in commit.files.items()
        if not path.startswith("argocd/") or path.startswith(f"argocd/{environment}/")
    }
    return replace(commit, files=files)


def _objectives() -> list[dict[str, object]]:
    """What each service promises: few errors, and the latency at which its alert fires."""
    return [
        {"services": [name], "error_ratio": 0.02, "latency_p99": quantile(usual, 0.99) * LATENCY_MARGIN}
        for name, usual in healthy().items()
    ]


def _world(servers: Servers, name: str, act_above: float) -> World:
    folder = servers.folder / name.rpartition("/")[2]
    folder.mkdir()
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG.format(url=servers.kubernetes_url, token=TOKEN))
    settings = Settings.model_validate(
        {
            "github": {
                "repository": name,
                "api_url": f"{servers.web}/api/v3",
                "app_id": servers.app_id,
                "installation_id": servers.installation_id,
                "private_key_file": servers.folder / "app.pem",
                "min_write_interval": 0,
                "dashboard": False,
            },
            "prometheus": {"url": servers.prometheus_url},
            "kubernetes": {"kubeconfig": kubeconfig},
            "environments": {each: {"namespaces": (each,)} for each in ("dev", "staging", "production")},
            "slos": _objectives(),
            "timing": TIMING,
            "decision": {"act_above": act_above},
            "engine": {"database_url": f"sqlite:///{folder / 'bot.db'}"},
            "signing": {"key_file": servers.folder / "signing.pem"},
            "cache_dir": folder / "cache",
        }
    )
    return replace(wiring.build(settings, {}), clock=servers.clock)
