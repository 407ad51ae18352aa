"""What the Kubernetes API says of a scenario's environment: the Applications and the workloads, as JSON objects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import yaml

from gitops_sre.sandbox.incidents.publish import Json
from gitops_sre.sandbox.infra import argo, edit, tree
from gitops_sre.sandbox.scenarios.happening import Happening
from gitops_sre.sandbox.scenarios.repository import Told, Written
from gitops_sre.sandbox.shop import BY_NAME, SERVICES, Service, replicas

KINDS = {"kustomize": "Kustomize", "helm": "Helm", "raw": "Directory"}
"""What Argo CD calls the layouts."""
SYNC = 15
"""Seconds from a commit to the sync that brings it, and as many for the sync itself."""


def objects(told: Told, written: Written, happening: Happening) -> Json:
    """The file's content: `applications` and `workloads`."""
    environment = happening.plot.environment
    return {
        "applications": [_application(told, written, environment, item) for item in SERVICES],
        "workloads": [_workload(told, environment, item) for item in SERVICES],
    }


def _application(told: Told, written: Written, environment: str, item: Service) -> Json:
    """An Application of the repository with the status of one that has synced everything."""
    found: dict[str, Any] = yaml.safe_load(told.files[f"argocd/{environment}/{item.name}.yaml"])
    head, last = written.shas[-1], told.commits[-1].when
    found["status"] = {
        "sourceType": KINDS[item.layout],
        "sync": {"status": "Synced", "revision": head},
        "health": {"status": "Healthy"},
        "summary": {"images": [_image(told, environment, item)]},
        "reconciledAt": _stamp(last.timestamp() + 2 * SYNC),
        "history": [
            {
                "revision": sha,
                "deployStartedAt": _stamp(commit.when.timestamp() + SYNC),
                "deployedAt": _stamp(commit.when.timestamp() + 2 * SYNC),
            }
            for sha, commit, services in zip(written.shas, told.commits, told.reached, strict=True)
            if item.name in services
        ],
    }
    return found


def _workload(told: Told, environment: str, item: Service) -> Json:
    count = replicas(item, environment)
    tracking = f"{argo.name(environment, item.name)}:apps/Deployment:{environment}/{item.name}"
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": item.name,
            "namespace": environment,
            "labels": {"app.kubernetes.io/name": item.name, "app.kubernetes.io/part-of": "shop"},
            "annotations": {"argocd.argoproj.io/tracking-id": tracking},
            "generation": 3,
        },
        "spec": {
            "replicas": count,
            "template": {"spec": {"containers": [{"name": item.name, "image": _image(told, environment, item)}]}},
        },
        "status": {"observedGeneration": 3, "replicas": count, "readyReplicas": count, "updatedReplicas": count},
    }


def _image(told: Told, environment: str, item: Service) -> str:
    tag = edit.tag_in(told.files[tree.image_path(environment, item.name)], BY_NAME[item.name].image)
    return f"{item.image}:{tag}"


def _stamp(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
