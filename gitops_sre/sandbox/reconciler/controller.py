"""The control loop: poll the branch, compare, sync, and report health."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from gitops_sre.sandbox.github.gitrepo import GitError
from gitops_sre.sandbox.kubernetes.cluster import Cluster, InvalidError
from gitops_sre.sandbox.kubernetes.resources import Key, Manifest, key_of
from gitops_sre.sandbox.reconciler import application, render
from gitops_sre.sandbox.reconciler.application import Spec
from gitops_sre.sandbox.reconciler.managed import KEPT_HISTORY, Deployed, Managed, Operation, tracked
from gitops_sre.sandbox.reconciler.watched import Logged, Watched

NAMESPACES = ("argocd", "default", "kube-system", "monitoring", "dev", "staging", "production")
SYNCED = "successfully synced (all tasks run)"
HOOK = "waiting for completion of hook batch/Job/migrate"
COMPONENT = "argocd-application-controller"
SYNC_TOOK = 2.0
"""Seconds a sync took in the back-filled history."""


Notify = Callable[[str, str, str], None]
"""Application, revision, and `success` or `failure`: what Argo CD's notifications tell of a sync, once for each."""


@dataclass
class Knobs:
    """What tests and stories may turn while the controller runs. Durations in seconds, sets of Application names.

    `stale_health`: after a sync the status goes on showing the health (and `reconciledAt`) from before it for so long.
    `denied`: a sync window forbids to sync. `stuck`: a running sync does not end (a hook never completes).
    """

    poll: float = 0.5
    tick: float = 0.1
    sync_seconds: float = 0.3
    rollout_seconds: float = 1.0
    refresh: float = 180.0
    stale_health: float = 0.0
    denied: set[str] = field(default_factory=set)
    stuck: set[str] = field(default_factory=set)


class Reconciler:
    """Follows one branch of a bare repository and keeps the cluster as it says.

    Call `start` once; then either `run` in a thread of its own or `step` again and again.
    """

    def __init__(
        self, repository: Path, cluster: Cluster, clock: Callable[[], float], knobs: Knobs | None = None
    ) -> None:
        self.knobs = knobs or Knobs()
        self.notify: Notify = lambda *_: None
        self._watched = Watched(repository, "main")
        self._cluster = cluster
        self._clock = clock
        self._head = ""
        self._next_poll = 0.0
        self._apps: dict[str, Managed] = {}
        self._shown: dict[str, Manifest] = {}

    def start(self) -> None:
        """Bring the cluster to the state of a controller that has followed the branch all along."""
        for name in NAMESPACES:
            self._cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, created=0.0)
        head = self._watched.head()
        log = self._watched.log(head)
        self._load(head)
        for app in self._apps.values():
            self._adopt(app, log)
            self._compare(app, self._clock())
        self._publish(created=log[0].at)

    def run(self, stop: threading.Event) -> None:
        """Step until told to stop."""
        while not stop.wait(self.knobs.tick):
            # The next step looks at the branch again, as a controller does whose clone failed.
            with contextlib.suppress(GitError, subprocess.TimeoutExpired):
                self.step()

    def step(self) -> None:
        """One pass: look at the branch when it is time, then move every Application on."""
        now = self._clock()
        self._cluster.rollout_seconds = self.knobs.rollout_seconds
        if now >= self._next_poll:
            self._next_poll = now + self.knobs.poll
            head = self._watched.head()
            if head and head != self._head:
                self._load(head)
                now = self._clock()
                for app in self._apps.values():
                    self._compare(app, now)
        for app in self._apps.values():
            self._advance(app, now)
        self._publish()

    # what Git wants

    def _load(self, head: str) -> None:
        """Take over a new head: its Applications, and the manifests of those whose inputs it changes."""
        changed = self._watched.changed(self._head, head) if self._head else ()
        with tempfile.TemporaryDirectory(prefix="sandbox-checkout-") as folder:
            root = Path(folder)
            self._watched.export(head, root)
            specs = {spec.name: spec for spec in self._specs(root)}
            for name in self._apps.keys() - specs.keys():
                self._remove(self._apps.pop(name))
            due = [spec for spec in specs.values() if self._is_due(spec, changed)]
            with ThreadPoolExecutor(max_workers=4) as pool:
                list(pool.map(lambda spec: self._render(spec, root), due))
        self._head = head
        for app in self._apps.values():
            app.revision = head

    def _specs(self, root: Path) -> tuple[Spec, ...]:
        """The Applications of a checkout; those that stand, where one of them cannot be read."""
        try:
            return application.specs(root)
        except application.SpecError as error:
            self._cluster.record(Key("AppProject", "argocd", "default"), "ComparisonError", str(error), COMPONENT)
            return tuple(app.spec for app in self._apps.values())

    def _is_due(self, spec: Spec, changed: tuple[str, ...]) -> bool:
        app = self._apps.get(spec.name)
        return app is None or app.spec != spec or render.touches(changed, app.inputs)

    def _render(self, spec: Spec, root: Path) -> None:
        app = self._apps.setdefault(spec.name, Managed(spec))
        app.spec = spec
        app.inputs = render.inputs(spec.source, root)
        try:
            rendered = render.render(spec.source, root, spec.destination)
        except render.RenderError as error:
            app.problem = str(error)
            return
        app.problem = ""
        app.desired = tuple(tracked(manifest, spec.name) for manifest in rendered)

    def _remove(self, app: Managed) -> None:
        for key in (*app.live, app.spec.key):
            self._cluster.delete(key)
        self._shown.pop(app.spec.name, None)

    def _adopt(self, app: Managed, log: tuple[Logged, ...]) -> None:
        """Fill in an Application's past from the commits that touched its inputs."""
        deploys = [commit for commit in log if render.touches(commit.paths, app.inputs)]
        for manifest in app.desired:
            self._cluster.apply(manifest, created=log[0].at)
        app.live = frozenset(key_of(manifest) for manifest in app.desired)
        app.history = tuple(
            Deployed(number, commit.sha, commit.at + 1, commit.at + 1 + SYNC_TOOK)
            for number, commit in enumerate(deploys)
        )[-KEPT_HISTORY:]
        if app.history:
            last = app.history[-1]
            app.operation = Operation(last.revision, last.started, last.at, "Succeeded", SYNCED)
            app.health_since = last.at + SYNC_TOOK
            app.notified = last.revision

    # what the cluster is told

    def _compare(self, app: Managed, now: float) -> None:
        """Compare Git with the cluster."""
        wanted = {key_of(manifest) for manifest in app.desired}
        same = all(self._cluster.matches(manifest) for manifest in app.desired) and app.live <= wanted
        app.sync = "Unknown" if app.problem else "Synced" if same else "OutOfSync"
        # With stale health the comparison that finds the difference leaves no trace of its time either.
        if app.sync != "OutOfSync" or not self.knobs.stale_health:
            app.reconciled_at = now

    def _advance(self, app: Managed, now: float) -> None:
        operation = app.running
        if operation:
            if app.spec.name not in self.knobs.stuck and now >= operation.started + self.knobs.sync_seconds:
                self._finish(app, operation, now)
        elif self._may_sync(app):
            app.operation, app.syncing = Operation(self._head, now, None, "Running", HOOK), app.desired
            message = f"Initiated automated sync to '{self._head}'"
            self._cluster.record(app.spec.key, "OperationStarted", message, COMPONENT)
        if now < app.stale_until:
            return
        finished = app.operation.finished if app.operation else None
        if app.reconciled_at < (finished or 0.0) or now - app.reconciled_at >= self.knobs.refresh:
            self._compare(app, now)
        self._observe_health(app, now)
        self._tell(app)

    def _tell(self, app: Managed) -> None:
        """Notifications by the triggers `on-deployed` (synced and healthy) and `on-sync-failed`, once a revision."""
        operation = app.operation
        if operation is None or operation.revision == app.notified:
            return
        deployed = operation.phase == "Succeeded" and (app.sync, app.health) == ("Synced", "Healthy")
        if deployed or operation.phase == "Failed":
            app.notified = operation.revision
            self.notify(app.spec.name, operation.revision, "success" if deployed else "failure")

    def _may_sync(self, app: Managed) -> bool:
        """Automated, not forbidden by a window, and not a revision whose sync has failed: that one is not retried."""
        tried = app.failed is not None and app.failed.revision == self._head
        return app.sync == "OutOfSync" and app.spec.auto_sync and app.spec.name not in self.knobs.denied and not tried

    def _finish(self, app: Managed, operation: Operation, now: float) -> None:
        problems = self._apply(app)
        if problems:
            message = f"one or more objects failed to apply, reason: {'; '.join(problems)}"
            app.operation = app.failed = replace(operation, finished=now, phase="Failed", message=message)
            self._cluster.record(app.spec.key, "OperationCompleted", f"Sync operation failed: {message}", COMPONENT)
            return
        app.failed = None
        app.operation = replace(operation, finished=now, phase="Succeeded", message=SYNCED)
        app.sync = "Synced" if app.syncing == app.desired else "OutOfSync"
        number = app.history[-1].number + 1 if app.history else 0
        entry = Deployed(number, operation.revision, operation.started, now)
        app.history = (*app.history, entry)[-KEPT_HISTORY:]
        app.stale_until = now + self.knobs.stale_health
        self._cluster.record(
            app.spec.key, "OperationCompleted", f"Sync operation to {operation.revision} succeeded", COMPONENT
        )

    def _apply(self, app: Managed) -> list[str]:
        """Apply what Git wants and prune the rest; what the API server refused."""
        problems = []
        for manifest in app.syncing:
            try:
                self._cluster.apply(manifest)
            except InvalidError as error:
                problems.append(str(error))
        wanted = frozenset(key_of(manifest) for manifest in app.syncing)
        if not problems:
            for key in app.live - wanted:
                self._cluster.delete(key)
            app.live = wanted
        return problems

    def _observe_health(self, app: Managed, now: float) -> None:
        deployments = [key for key in app.live if key.kind == "Deployment"]
        rolling = any(self._cluster.rolling(key) for key in deployments)
        health = "Missing" if not app.live else "Progressing" if rolling else "Healthy"
        if health != app.health:
            message = f"Updated health status: {app.health} -> {health}"
            app.health, app.health_since = health, now
            self._cluster.record(app.spec.key, "ResourceUpdated", message, COMPONENT)

    # what readers see

    def _publish(self, created: float | None = None) -> None:
        for name, app in self._apps.items():
            shown = {**app.spec.manifest, "status": app.status(self._cluster)}
            if self._shown.get(name) != shown:
                self._shown[name] = shown
                self._cluster.put(shown, created=created)
        self._cluster.put(_project(frozenset(self.knobs.denied)))


def _project(denied: frozenset[str]) -> Manifest:
    """The project of all Applications, with a window that never ends for those that may not sync."""
    spec: Manifest = {
        "sourceRepos": ["*"],
        "destinations": [{"server": "*", "namespace": "*"}],
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
    }
    if denied:
        window = {"kind": "deny", "schedule": "* * * * *", "duration": "24h", "applications": sorted(denied)}
        spec["syncWindows"] = [{**window, "manualSync": False}]
    metadata = {"name": "default", "namespace": "argocd"}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": metadata, "spec": spec}
