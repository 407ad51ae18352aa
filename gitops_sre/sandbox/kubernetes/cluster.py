"""The objects of the cluster: applied by the reconciler, rolled out over time, read by the API and by telemetry."""

from __future__ import annotations

import copy
import hashlib
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from gitops_sre.sandbox.kubernetes import rollout as rollouts
from gitops_sre.sandbox.kubernetes.resources import Key, Manifest, key_of, timestamp
from gitops_sre.sandbox.kubernetes.rollout import Rollout
from gitops_sre.sandbox.telemetry.model import Running

FIRST_RESOURCE_VERSION = 4_813_077
MAX_EVENTS = 500


class InvalidError(Exception):
    """The API server would refuse this object; the message is what it would say."""


@dataclass(frozen=True)
class _Stored:
    """An object without its status, and what is known of its rollout."""

    manifest: Manifest
    rollout: Rollout | None = None


class Cluster:
    """Thread-safe store of objects. `rollout_seconds` is how long a Deployment takes to replace its pods."""

    def __init__(self, clock: Callable[[], float], rollout_seconds: float = 1.0) -> None:
        self.rollout_seconds = rollout_seconds
        self._clock = clock
        self._lock = threading.RLock()
        self._objects: dict[Key, _Stored] = {}
        self._replica_sets: dict[Key, list[Manifest]] = {}
        self._events: list[Manifest] = []
        self._version = FIRST_RESOURCE_VERSION

    def apply(self, manifest: Manifest, *, created: float | None = None) -> bool:
        """Create or update an object; whether anything changed. Raises InvalidError.

        With `created` (a Unix time) the object has stood since then, with all its pods ready.
        """
        _validate(manifest)
        with self._lock:
            key = key_of(manifest)
            standing = self._objects.get(key)
            now = self._clock()
            if standing is None:
                self._create(key, manifest, created if created is not None else now, rolled_out=created is not None)
                return True
            if _content(standing.manifest) == _content(manifest):
                return False
            self._update(key, standing, manifest, now)
            return True

    def matches(self, manifest: Manifest) -> bool:
        """Whether the object stands as this manifest declares it."""
        with self._lock:
            standing = self._objects.get(key_of(manifest))
            return standing is not None and _content(standing.manifest) == _content(manifest)

    def put(self, manifest: Manifest, *, created: float | None = None) -> None:
        """Write an object whose status is kept by its own controller, status included."""
        with self._lock:
            key = key_of(manifest)
            standing = self._objects.get(key)
            if standing is None:
                self._create(key, manifest, self._clock() if created is None else created, rolled_out=True)
            elif _content(standing.manifest) != _content(manifest):
                self._store(key, manifest, standing.manifest["metadata"], None)

    def delete(self, key: Key) -> None:
        """Remove an object if it stands."""
        with self._lock:
            self._objects.pop(key, None)
            self._replica_sets.pop(key, None)

    def get(self, key: Key) -> Manifest | None:
        """A copy of one object as it is now."""
        with self._lock:
            if key.kind == "Pod":
                return next((pod for pod in self.objects("Pod") if key_of(pod) == key), None)
            stored = self._objects.get(key)
            return None if stored is None else self._shown(stored)

    def objects(self, kind: str) -> list[Manifest]:
        """Copies of all objects of a kind, by namespace and name."""
        with self._lock:
            if kind == "Event":
                return copy.deepcopy(self._events)
            if kind == "Pod":
                return self._pods()
            if kind == "ReplicaSet":
                return [copy.deepcopy(each) for _, kept in sorted(self._replica_sets.items()) for each in kept]
            return [self._shown(stored) for key, stored in sorted(self._objects.items()) if key.kind == kind]

    def rolling(self, key: Key) -> bool:
        """Whether a Deployment is between two sets of pods."""
        with self._lock:
            stored = self._objects.get(key)
            return bool(stored and stored.rollout and not stored.rollout.done(self._clock()))

    def running(self) -> dict[tuple[str, str], Running]:
        """(namespace, name) of every Deployment -> what runs there."""
        with self._lock:
            now = self._clock()
            found = {}
            for key, stored in self._objects.items():
                if key.kind == "Deployment":
                    spec = stored.manifest["spec"]
                    ready = rollouts.pods_at(spec, stored.rollout, now).ready
                    image = spec["template"]["spec"]["containers"][0]["image"]
                    found[key.namespace, key.name] = Running(image, ready, int(spec.get("replicas", 1)))
            return found

    @property
    def resource_version(self) -> str:
        """The newest version of anything, as lists carry it."""
        return str(self._version)

    def record(
        self, involved: Key, reason: str, message: str, component: str, *, warning: bool = False, count: int = 1
    ) -> None:
        """Record an event about an object, that has been repeated so many times by now."""
        with self._lock:
            self._version += 1
            moment = timestamp(self._clock())
            suffix = hashlib.sha256(f"{involved}{reason}{self._version}".encode()).hexdigest()[:16]
            self._events.append(
                {
                    "apiVersion": "v1",
                    "kind": "Event",
                    "metadata": {
                        "name": f"{involved.name}.{suffix}",
                        "namespace": involved.namespace,
                        "uid": str(uuid.uuid4()),
                        "resourceVersion": self.resource_version,
                        "creationTimestamp": moment,
                    },
                    "involvedObject": {"kind": involved.kind, "namespace": involved.namespace, "name": involved.name},
                    "reason": reason,
                    "message": message,
                    "type": "Warning" if warning else "Normal",
                    "source": {"component": component},
                    "firstTimestamp": moment,
                    "lastTimestamp": moment,
                    "count": count,
                }
            )
            del self._events[:-MAX_EVENTS]

    def _create(self, key: Key, manifest: Manifest, created: float, *, rolled_out: bool) -> None:
        metadata = {"uid": str(uuid.uuid4()), "creationTimestamp": timestamp(created), "generation": 0}
        rollout = None
        if key.kind == "Deployment":
            rollout = Rollout(created, 0.0 if rolled_out else self.rollout_seconds, None)
        self._store(key, manifest, metadata, rollout)

    def _update(self, key: Key, standing: _Stored, manifest: Manifest, now: float) -> None:
        rollout = standing.rollout
        old, new = standing.manifest.get("spec"), manifest.get("spec")
        if key.kind == "Deployment" and old is not None and new is not None and old != new:
            if old["selector"] != new["selector"]:
                raise _invalid(key.name, "spec.selector: field is immutable")
            before = self._shown(standing)
            rollout = Rollout(now, self.rollout_seconds, old)
            manifest = {**manifest, "status": before["status"]}
            hashed = rollouts.template_hash(new)
            message = f"Scaled up replica set {key.name}-{hashed} to {new.get('replicas', 1)}"
            self.record(key, "ScalingReplicaSet", message, "deployment-controller")
        self._store(key, manifest, standing.manifest["metadata"], rollout)

    def _store(self, key: Key, manifest: Manifest, old: Manifest, rollout: Rollout | None) -> None:
        self._version += 1
        standing = self._objects.get(key)
        changed_spec = standing is None or standing.manifest.get("spec") != manifest.get("spec")
        metadata = {
            **copy.deepcopy(manifest["metadata"]),
            "uid": old["uid"],
            "creationTimestamp": old["creationTimestamp"],
            "generation": old["generation"] + (1 if changed_spec else 0),
            "resourceVersion": str(self._version),
        }
        stored = _Stored({**copy.deepcopy(manifest), "metadata": metadata}, rollout)
        self._objects[key] = stored
        if key.kind == "Deployment":
            kept = self._replica_sets.setdefault(key, [])
            created = timestamp(rollout.began) if rollout else str(metadata["creationTimestamp"])
            kept[:] = rollouts.replica_sets(stored.manifest, kept, created)

    def _shown(self, stored: _Stored) -> Manifest:
        manifest = copy.deepcopy(stored.manifest)
        if manifest["kind"] == "Deployment":
            manifest["status"] = rollouts.status_at(manifest, stored.rollout, self._clock())
        return manifest

    def _pods(self) -> list[Manifest]:
        now = self._clock()
        pods = []
        for key, stored in sorted(self._objects.items()):
            if key.kind == "Deployment":
                pods += rollouts.pod_objects(self._shown(stored), stored.rollout, now)
        return pods


def _content(manifest: Manifest) -> Manifest:
    """What an applier declares: no status of a Deployment, no fields that the server fills in."""
    served = ("uid", "creationTimestamp", "generation", "resourceVersion")
    metadata = {name: value for name, value in manifest["metadata"].items() if name not in served}
    skip = ("metadata", "status") if manifest["kind"] == "Deployment" else ("metadata",)
    return {"metadata": metadata, **{name: value for name, value in manifest.items() if name not in skip}}


def _validate(manifest: Manifest) -> None:
    """The few rules of the API server that a bad commit is likely to break."""
    if manifest["kind"] != "Deployment":
        return
    name, spec = manifest["metadata"]["name"], manifest.get("spec")
    if not isinstance(spec, dict):
        raise _invalid(name, "spec: Required value")
    replicas = spec.get("replicas", 1)
    if not isinstance(replicas, int) or replicas < 0:
        raise _invalid(name, f"spec.replicas: Invalid value: {replicas!r}: must be greater than or equal to 0")
    if not isinstance(spec.get("selector"), dict):
        raise _invalid(name, "spec.selector: Required value")
    try:
        images = [container.get("image") for container in spec["template"]["spec"]["containers"]]
    except (KeyError, TypeError, AttributeError):
        images = []
    if not images:
        raise _invalid(name, "spec.template.spec.containers: Required value")
    for number, image in enumerate(images):
        if not image or not isinstance(image, str):
            raise _invalid(name, f"spec.template.spec.containers[{number}].image: Required value")


def _invalid(name: str, what: str) -> InvalidError:
    return InvalidError(f'Deployment.apps "{name}" is invalid: {what}')
