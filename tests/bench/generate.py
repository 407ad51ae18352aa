"""Repositories to measure on: kustomize apps in environments, Helm releases and plain manifests, with a history."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ENV = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Bench",
    "GIT_AUTHOR_EMAIL": "bench@example.com",
    "GIT_COMMITTER_NAME": "Bench",
    "GIT_COMMITTER_EMAIL": "bench@example.com",
    "LC_ALL": "C",
}
ENVIRONMENTS = ("dev", "staging", "prod")
_TEAMS = 20
_START = 1_767_225_600
"""2026-01-01, seconds since 1970: the same repository each time."""


@dataclass(frozen=True)
class App:
    """One kustomize app: its folder, its workload's name and its image. Its tag stands in each overlay's `images:`,
    or, `in_base`, in the one deployment that the overlays share."""

    folder: str
    name: str
    image: str
    in_base: bool

    @property
    def kind(self) -> str:
        """Where its tag stands: `base` or `overlay`."""
        return "base" if self.in_base else "overlay"

    def overlay(self, environment: str) -> str:
        """The folder of an environment."""
        return f"{self.folder}/overlays/{environment}"


@dataclass(frozen=True)
class Made:
    """A generated bare repository."""

    path: Path
    files: int
    commits: int
    apps: tuple[App, ...]


def generate(path: Path, files: int, commits: int = 300) -> Made:
    """Make a bare repository with about so many files and a history of tag bumps, by `git fast-import`."""
    tree: dict[str, str] = {}
    apps: list[App] = []
    number = 0
    while len(tree) < files:
        number += 1
        if number % 5 == 4:
            tree.update(_release(number))
        elif number % 5 == 0:
            tree.update(_plain(number))
        else:
            app = _app(number)
            apps.append(app)
            tree.update(_kustomize(app))
    git(path.parent, "init", "-q", "--bare", "-b", "main", str(path))
    stream = b"".join(_stream(tree, apps, commits))
    subprocess.run(["git", "fast-import", "--quiet"], cwd=path, env=ENV, input=stream, check=True)
    git(path, "repack", "-adq")
    return Made(path, len(tree), commits, tuple(apps))


def git(folder: Path, *arguments: str, stdin: str = "") -> str:
    """Run git; what it says."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=ENV, input=stdin, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def _stream(tree: dict[str, str], apps: list[App], commits: int) -> Iterator[bytes]:
    yield _commit(0, "Everything", tree)
    chance = random.Random(1)
    for number in range(1, commits):
        app, environment = chance.choice(apps), chance.choice(ENVIRONMENTS)
        path = f"{app.overlay(environment)}/kustomization.yaml"
        yield _commit(
            number, f"{app.name}: v1.{number}.0 in {environment}", {path: _overlay(app, environment, f"v1.{number}.0")}
        )


def _commit(number: int, subject: str, files: dict[str, str]) -> bytes:
    head = f"commit refs/heads/main\ncommitter Bench <bench@example.com> {_START + 600 * number} +0000\n"
    parts = [head.encode(), _data(subject)]
    parts += [f"M 100644 inline {path}\n".encode() + _data(text) for path, text in files.items()]
    return b"".join(parts)


def _data(text: str) -> bytes:
    data = text.encode()
    return b"data %d\n%s\n" % (len(data), data)


def _app(number: int) -> App:
    name = f"app-{number:05d}"
    team = f"team-{number % _TEAMS:02d}"
    return App(f"apps/{team}/{name}", name, f"registry.example.com/{team}/{name}", number % 5 == 3)


def _kustomize(app: App) -> dict[str, str]:
    files = {
        f"{app.folder}/base/kustomization.yaml": _kustomization(["deployment.yaml", "service.yaml"]),
        f"{app.folder}/base/deployment.yaml": _deployment(app.name, f"{app.image}:v1.0.0"),
        f"{app.folder}/base/service.yaml": _service(app.name),
    }
    for environment in ENVIRONMENTS:
        files[f"{app.overlay(environment)}/kustomization.yaml"] = _overlay(app, environment, "v1.0.0")
        files[f"{app.overlay(environment)}/patch.yaml"] = _patch(app.name)
    return files


def _kustomization(resources: list[str]) -> str:
    lines = "".join(f"  - {entry}\n" for entry in resources)
    return f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{lines}"


def _overlay(app: App, environment: str, tag: str) -> str:
    head = f"{_kustomization(['../../base'])}namespace: {environment}\npatches:\n  - path: patch.yaml\n"
    note = f"commonAnnotations:\n  example.com/release: {tag}\n"
    return head + (note if app.in_base else f"images:\n  - name: {app.image}\n    newTag: {tag}\n")


def _deployment(name: str, image: str) -> str:
    return f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: {name}
spec:
  replicas: 2
  selector:
    matchLabels:
      app.kubernetes.io/name: {name}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {name}
    spec:
      containers:
        - name: app
          image: {image}
          ports:
            - containerPort: 8080
          env:
            - name: LOG_LEVEL
              value: info
          resources:
            requests:
              cpu: 100m
              memory: 128Mi
"""


def _service(name: str) -> str:
    return f"""apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  selector:
    app.kubernetes.io/name: {name}
  ports:
    - port: 80
      targetPort: 8080
"""


def _patch(name: str) -> str:
    return f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  replicas: 3\n"


def _release(number: int) -> dict[str, str]:
    name = f"release-{number:05d}"
    folder = f"clusters/main/{name}"
    text = f"""apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: {name}
spec:
  interval: 1h
  chart:
    spec:
      chart: app-template
      version: 4.{number % 10}.0
      sourceRef:
        kind: HelmRepository
        name: charts
  values:
    image:
      repository: ghcr.io/example/{name}
      tag: 2.{number % 7}.1
    replicas: 1
"""
    return {f"{folder}/kustomization.yaml": _kustomization(["helmrelease.yaml"]), f"{folder}/helmrelease.yaml": text}


def _plain(number: int) -> dict[str, str]:
    name = f"plain-{number:05d}"
    folder = f"manifests/team-{number % _TEAMS:02d}/{name}"
    image = f"registry.example.com/plain/{name}:v3.0.{number % 9}"
    return {f"{folder}/deployment.yaml": _deployment(name, image), f"{folder}/service.yaml": _service(name)}
