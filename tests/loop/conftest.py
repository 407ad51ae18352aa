"""One GitHub and one address for Kubernetes for all tests; each test has a repository and a cluster of its own."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest
import uvicorn
from starlette.types import ASGIApp

from gitops_sre.delivery.seal import create_key
from gitops_sre.sandbox.github import GitHub
from gitops_sre.sandbox.github.state import Permission
from gitops_sre.sandbox.kubernetes.api import KubernetesAPI
from gitops_sre.sandbox.kubernetes.cluster import Cluster
from gitops_sre.sandbox.reconciler.controller import Knobs, Reconciler
from gitops_sre.sandbox.reconciler.render import find_tool
from gitops_sre.settings import EnvironmentSettings, GitHubSettings, Settings
from tests.loop.doubles import Clock, Pager, Signals
from tests.loop.place import KUBECONFIG, TIMING, TOKEN, Level, Place, Servers, Switchboard, end, files

POWERS = {
    "metadata": "read",
    "contents": "write",
    "pull_requests": "write",
    "checks": "write",
    "issues": "write",
    "administration": "read",
    "statuses": "read",
    "deployments": "read",
}
PEOPLE: dict[str, Permission] = {"alice": "admin", "bob": "write", "carol": "write", "erin": "read"}
NUMBERS = itertools.count(1)


class Founder(Protocol):
    """Founds a place."""

    def __call__(
        self, level: Level | None = "L4", environment: str = "staging", service: str = "shipping"
    ) -> Place: ...


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """An application on a free port of loopback; its address. uvicorn makes the listener itself, since one that is
    handed to it does without TCP_NODELAY and each answer takes 40 ms."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start within 10 s"
        time.sleep(0.005)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = server.force_exit = True
    thread.join(10)


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("servers")
    clock = Clock(float(int(time.time())))
    github, switchboard = GitHub(folder / "repositories", clock=clock.now), Switchboard()
    tokens = {login: github.add_user(login, permission) for login, permission in PEOPLE.items()}
    app, key_file = github.register_app("gitops-sre", POWERS), folder / "app.pem"
    key_file.write_text(app.private_key_pem)
    create_key(folder / "signing.pem")
    with served(github.app) as web, served(switchboard) as kubernetes:
        github.base_url = web
        settings = GitHubSettings(
            repository="acme/none",
            api_url=f"{web}/api/v3",
            app_id=app.app_id,
            installation_id=app.installation_id,
            private_key_file=key_file,
            timeout=10,
            min_write_interval=0,
        )
        yield Servers(github, web, settings, tokens, clock, switchboard, kubernetes, folder / "signing.pem")


@pytest.fixture
def found(servers: Servers, tmp_path: Path) -> Iterator[Founder]:
    """Founds the test's place: a repository, its cluster in step with it, and nothing wrong.

    Whatever was played, nobody has tried to write to the cluster, and every ledger is whole.
    """
    if missing := [name for name in ("kubectl", "helm") if find_tool(name) is None]:
        pytest.skip(f"not on PATH: {', '.join(missing)}")
    places: list[Place] = []

    def found(level: Level | None = "L4", environment: str = "staging", service: str = "shipping") -> Place:
        clock = servers.clock
        # Each test begins in the present: App tokens are only as old as the test.
        clock.at = float(int(time.time()))
        name = f"infra-{next(NUMBERS)}"
        url = f"{servers.github_url}/acme/{name}.git"
        servers.github.create_repository(
            "acme",
            name,
            files(environment, service, url, level),
            author="alice",
            message="The beginning",
            when=clock.now() - timedelta(days=1),
        )
        cluster = Cluster(clock)
        kubernetes, knobs = (
            KubernetesAPI(cluster, TOKEN),
            Knobs(poll=0.0, sync_seconds=0.0, rollout_seconds=0.0, refresh=3600.0),
        )
        servers.kubernetes.app = kubernetes.app
        reconciler = Reconciler(servers.github.repository(f"acme/{name}").git.path, cluster, clock, knobs)
        reconciler.start()
        signals = Signals(clock, service, environment)
        place = Place(
            servers=servers,
            folder=tmp_path,
            name=f"acme/{name}",
            environment=environment,
            service=service,
            clock=clock,
            knobs=knobs,
            cluster=cluster,
            kubernetes=kubernetes,
            reconciler=reconciler,
            signals=signals,
            pager=Pager(signals),
            settings=_settings(servers, f"acme/{name}", tmp_path),
        )
        place.tick()
        places.append(place)
        return place

    yield found
    for place in places:
        assert place.kubernetes.writes == ()
        for world in place.worlds:
            assert world.store.verify() is None
            end(world)


def _settings(servers: Servers, name: str, folder: Path) -> Settings:
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG.format(url=servers.kubernetes_url, token=TOKEN))
    return Settings.model_validate(
        {
            "github": servers.settings.model_copy(update={"repository": name}),
            "prometheus": {"url": "http://127.0.0.1:1"},
            "kubernetes": {"kubeconfig": kubeconfig},
            "environments": {each: EnvironmentSettings(namespaces=(each,)) for each in ("staging", "production")},
            "slos": [{"error_ratio": 0.02}],
            "timing": TIMING,
            "signing": {"key_file": servers.key_file},
            "cache_dir": folder / "cache",
        }
    )
