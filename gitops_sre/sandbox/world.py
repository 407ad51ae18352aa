"""The whole embedded world in one process: GitHub, cluster, reconciler, telemetry, people and stories."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from gitops_sre.sandbox.github import GitHub
from gitops_sre.sandbox.github.gitrepo import GitRepo
from gitops_sre.sandbox.infra import edit, history, tree
from gitops_sre.sandbox.infra.state import today
from gitops_sre.sandbox.kubernetes.api import KubernetesAPI
from gitops_sre.sandbox.kubernetes.cluster import Cluster
from gitops_sre.sandbox.people import Approver, GitHubUser
from gitops_sre.sandbox.reconciler import render
from gitops_sre.sandbox.reconciler.controller import Knobs, Reconciler
from gitops_sre.sandbox.serving import Served
from gitops_sre.sandbox.shop import BY_NAME
from gitops_sre.sandbox.telemetry import Fault, Running, Telemetry
from gitops_sre.sandbox.theatre import Theatre

OWNER, NAME = "acme", "shop-infra"
REPOSITORY = f"{OWNER}/{NAME}"
APP_SLUG = "gitops-sre"
APP_PERMISSIONS = {
    "metadata": "read",
    "contents": "write",
    "pull_requests": "write",
    "checks": "write",
    "issues": "write",
    "administration": "read",
    "statuses": "read",
    "deployments": "read",
}
DEPLOYER = {"kustomize": "bob", "helm": "dave", "raw": "carol"}

Say = Callable[[str], None]


class WorldError(Exception):
    """The world cannot be made here; the message says why and what to do."""


class World:
    """Made stopped; `start` brings everything up, `stop` takes everything down.

    `root` is a folder for repositories, metrics and credentials, new or empty; `seed` determines history and noise.
    Raises WorldError where it cannot be made.
    """

    def __init__(
        self,
        root: Path,
        prometheus: Literal["auto", "binary", "embedded"] = "auto",
        seed: int = 0,
        say: Say = lambda _: None,
    ) -> None:
        _check_place(root)
        self.root = root
        self._say = say
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._deployed = threading.Event()
        self._threads: list[threading.Thread] = []
        self._faults: dict[int, tuple[Fault, ...]] = {}
        self._servers = {name: Served(f"sandbox-{name}") for name in ("github", "kubernetes")}
        self.github = GitHub(root / "github")
        self.github.base_url = self.github_url
        self.users = {person.login: self.github.add_user(person.login, person.permission) for person in history.PEOPLE}
        self.app = self.github.register_app(APP_SLUG, APP_PERMISSIONS)
        self._history = history.commits(datetime.now(UTC), f"{self.github_url}/{REPOSITORY}.git", seed)
        self._found_repository(next(self._history))
        self.alice = GitHubUser("alice", self.users["alice"], f"{self.api_url}/repos/{REPOSITORY}")
        self.cluster_token = secrets.token_urlsafe(24)
        self.knobs = Knobs()
        self.cluster = Cluster(time.time)
        self.kubernetes = KubernetesAPI(self.cluster, self.cluster_token)
        self.reconciler = Reconciler(self._git.path, self.cluster, time.time, self.knobs)
        self.reconciler.notify = self._tell_github
        self.telemetry = Telemetry(root / "telemetry", self._running, seed, prometheus)
        self.prometheus_url = ""
        self.theatre = Theatre(self)

    def _found_repository(self, first: history.Commit) -> None:
        files = {path: content for path, content in first.files.items() if content is not None}
        self.github.create_repository(OWNER, NAME, files, author=first.login, message=first.message, when=first.when)
        self.github.protect(tree.BRANCH)

    @property
    def _git(self) -> GitRepo:
        return self.github.repository(REPOSITORY).git

    # life

    def start(self) -> None:
        """Bring everything up; what stands when it returns is ready for the bot."""
        # Telemetry waits for its backend most of the time, so the rest is built meanwhile.
        with ThreadPoolExecutor(max_workers=1) as pool:
            self._say(f"telemetry: back-filling a day of metrics ({self.telemetry.kind} Prometheus)")
            telemetry = pool.submit(self.telemetry.start)
            self._say(f"repository: writing {REPOSITORY} and its history")
            parent = self._git.ref(f"refs/heads/{tree.BRANCH}") or ""
            self._git.run("fast-import", "--quiet", "--done", stdin=history.fast_import(self._history, parent))
            self._servers["github"].start(self.github.app)
            self._say("cluster: rendering and applying every Application")
            self.reconciler.start()
            self._deployed.set()
            self._servers["kubernetes"].start(self.kubernetes.app)
            self.prometheus_url = telemetry.result()
        self._run("reconciler", self.reconciler.run)
        self._run("alice", Approver(self.alice).run)

    def stop(self) -> None:
        """Take everything down."""
        self._stop.set()
        self.telemetry.stop()
        for server in self._servers.values():
            server.stop()
        for thread in self._threads:
            thread.join(5)
        self.alice.close()

    def _run(self, name: str, run: Callable[[threading.Event], None]) -> None:
        thread = threading.Thread(target=run, args=(self._stop,), name=f"sandbox-{name}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _tell_github(self, application: str, revision: str, state: str) -> None:
        """Argo CD's notifications, with the context that their documentation gives them."""
        context, said = f"continuous-delivery/{application}", f"{application}: {state}"
        self.github.report_status(REPOSITORY, "argocd", revision, context, state, said)

    def _running(self) -> Mapping[tuple[str, str], Running]:
        """What telemetry sees: what the branch declares until the reconciler has brought it up, then the cluster."""
        if self._deployed.is_set():
            return self.cluster.running()
        state = today()
        return {
            place: Running(f"{BY_NAME[place[1]].image}:{tag}", state.replicas[place], state.replicas[place])
            for place, tag in state.tags.items()
        }

    # addresses

    @property
    def api_url(self) -> str:
        """The base of GitHub's REST API."""
        return f"{self.github_url}/api/v3"

    @property
    def github_url(self) -> str:
        """The root of the GitHub server."""
        return self._servers["github"].url

    @property
    def kubernetes_url(self) -> str:
        """The root of the Kubernetes API."""
        return self._servers["kubernetes"].url

    # what stories do

    def now(self) -> float:
        """Unix time."""
        return time.time()

    def declared_tag(self, environment: str, service: str) -> str:
        """The tag that stands on the branch now. Raises EditError if the file names the image twice or never."""
        return edit.tag_in(self._read(tree.image_path(environment, service)), BY_NAME[service].image)

    def deploy(self, environment: str, service: str, tag: str, message: str) -> str:
        """The service's usual deployer puts another tag on the branch; the commit's SHA."""
        path = tree.image_path(environment, service)
        content = edit.with_tag(self._read(path), BY_NAME[service].image, tag)
        return self.github.commit(REPOSITORY, DEPLOYER[BY_NAME[service].layout], {path: content}, message)

    def set_faults(self, story: int, faults: tuple[Fault, ...]) -> None:
        """Let these faults strike, in place of the story's earlier ones; other stories keep theirs."""
        with self._lock:
            self._faults[story] = faults
            self.telemetry.set_faults(fault for told in self._faults.values() for fault in told)

    def _read(self, path: str) -> bytes:
        return self._git.run("show", f"refs/heads/{tree.BRANCH}:{path}")


def _check_place(root: Path) -> None:
    if missing := [*render.missing_tools(), *(() if shutil.which("git") else ("git",))]:
        raise WorldError(f"not on PATH: {', '.join(missing)}; install what is missing")
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        raise WorldError(f"{root} is not empty; name a new folder")
