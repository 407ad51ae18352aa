"""How the repository came to be as it is: commits by several people over the past weeks, ending at today's state."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Literal

from gitops_sre.sandbox.infra import tree
from gitops_sre.sandbox.infra.state import Declared, today
from gitops_sre.sandbox.shop import ENVIRONMENTS, SERVICES

Edit = Callable[[Declared], Declared]


@dataclass(frozen=True)
class Person:
    """Somebody who commits."""

    login: str
    name: str
    permission: Literal["admin", "write", "read"]

    def signed(self, when: datetime) -> str:
        """As git writes an author or committer."""
        return f"{self.name} <{self.login}@shop.example.com> {int(when.timestamp())} +0000"


PEOPLE = (
    Person("alice", "Alice Moreau", "admin"),
    Person("bob", "Bob Tanaka", "write"),
    Person("carol", "Carol Njoroge", "write"),
    Person("dave", "Dave Lindqvist", "write"),
    Person("erin", "Erin Castro", "read"),
)

KEEPERS = {"kustomize": "bob", "helm": "dave", "raw": "carol"}
"""Who usually deploys the services of a layout."""


@dataclass(frozen=True)
class Commit:
    """One commit to make: `files` are the new bytes of what it changes (None: deleted)."""

    login: str
    message: str
    when: datetime
    files: dict[str, bytes | None]


def fast_import(commits: Iterable[Commit], parent: str) -> bytes:
    """A stream for `git fast-import` that adds commits on top of a parent: one process instead of hundreds."""
    people = {person.login: person for person in PEOPLE}
    parts: list[bytes] = []
    for commit in commits:
        who = people[commit.login].signed(commit.when)
        head = f"commit refs/heads/{tree.BRANCH}\nauthor {who}\ncommitter {who}\n"
        parts += [head.encode(), _data(commit.message.encode())]
        if len(parts) == 2:
            parts.append(f"from {parent}\n".encode())
        for path, content in sorted(commit.files.items()):
            parts += (
                [f"D {path}\n".encode()] if content is None else [f"M 100644 inline {path}\n".encode(), _data(content)]
            )
    return b"".join([*parts, b"done\n"])


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


@dataclass(frozen=True)
class _Step:
    """One change to what is declared, `age` before now."""

    age: timedelta
    login: str
    message: str
    edit: Edit


def lineage(version: str) -> tuple[str, str, str]:
    """A version with its two predecessors, oldest first: `v2.14.0` -> `v2.13.0`, `v2.13.1`, `v2.14.0`."""
    major, minor, patch = parsed(version)
    if patch >= 2:
        return (f"v{major}.{minor}.{patch - 2}", f"v{major}.{minor}.{patch - 1}", version)
    return (f"v{major}.{minor - 1}.0", f"v{major}.{minor - 1}.1", version)


def parsed(version: str) -> tuple[int, int, int]:
    """`v2.14.0` -> (2, 14, 0). Raises ValueError on anything else."""
    match = re.fullmatch(r"v(\d+)\.(\d+)\.(\d+)", version)
    if match is None:
        raise ValueError(f"{version!r} is not a version of the form v1.2.3")
    major, minor, patch = (int(part) for part in match.groups())
    return major, minor, patch


def commits(now: datetime, url: str, seed: int = 0) -> Iterator[Commit]:
    """Every commit, oldest first; the first holds the whole tree. The last is 40 minutes old or more."""
    steps = sorted(_steps(Random(seed)), key=lambda step: step.age, reverse=True)
    state = _beginning()
    before = tree.files(state, url)
    yield Commit("alice", "Import the manifests of the old cluster", now - timedelta(days=26), dict(before))
    for step in steps:
        state = step.edit(state)
        after = tree.files(state, url)
        changed: dict[str, bytes | None] = {path: new for path, new in after.items() if before.get(path) != new}
        yield Commit(step.login, step.message, now - step.age, changed)
        before = after


def _beginning() -> Declared:
    """Every service two versions back, production a little smaller than today."""
    state = today()
    for service in SERVICES:
        state = state.with_tag(service.name, lineage(service.version)[0], ENVIRONMENTS)
    state = replace(state, chart_cpu="50m")
    for name in ("web", "cart", "payments", "catalog"):
        state = state.with_replicas("production", name, state.replicas["production", name] - 1)
    return state


def _steps(random: Random) -> list[_Step]:
    steps = _odds_and_ends()
    for service in SERVICES:
        _, middle, version = lineage(service.version)
        keeper = KEEPERS[service.layout]
        first = timedelta(days=random.uniform(14, 22), minutes=random.uniform(0, 600))
        steps.append(_deploy(first, keeper, service.name, middle, ("dev", "staging")))
        steps.append(
            _deploy(first - timedelta(hours=random.uniform(5, 40)), keeper, service.name, middle, ("production",))
        )
        second = timedelta(days=random.uniform(3, 11), minutes=random.uniform(0, 600))
        steps.append(_deploy(second, keeper, service.name, version, ("dev",)))
        second -= timedelta(hours=random.uniform(1, 6))
        steps.append(_deploy(second, keeper, service.name, version, ("staging",)))
        second -= timedelta(hours=random.uniform(12, 40))
        steps.append(_deploy(second, keeper, service.name, version, ("production",)))
    return steps


def _deploy(age: timedelta, login: str, service: str, tag: str, environments: tuple[str, ...]) -> _Step:
    message = f"Deploy {service} {tag} to {' and '.join(environments)}"
    return _Step(age, login, message, lambda state: state.with_tag(service, tag, environments))


def _scale(age: timedelta, login: str, service: str, message: str) -> _Step:
    wanted = today().replicas["production", service]
    return _Step(age, login, message, lambda state: state.with_replicas("production", service, wanted))


def _level(age: timedelta, place: tuple[str, str], level: str, message: str) -> _Step:
    return _Step(age, "carol", message, lambda state: state.with_log_level(*place, level))


def _note(age: timedelta, login: str, note: str, message: str) -> _Step:
    return _Step(age, login, message, lambda state: replace(state, notes=(*state.notes, note)))


def _odds_and_ends() -> list[_Step]:
    """What is not a deploy: replicas, configuration, the chart's defaults, documentation."""
    return [
        _scale(timedelta(days=13, hours=2), "bob", "web", "One more web replica before the autumn sale"),
        _scale(timedelta(days=12, hours=7), "bob", "cart", "cart: 3 replicas in production, p99 was creeping up"),
        _scale(timedelta(days=12, hours=1), "carol", "payments", "payments: add a replica for the sale"),
        _scale(timedelta(days=9, hours=5), "dave", "catalog", "catalog back to 3 replicas"),
        _Step(
            timedelta(days=8, hours=3),
            "dave",
            "chart: request 100m by default, 50m was throttled at the node's peak",
            lambda state: replace(state, chart_cpu="100m"),
        ),
        _level(
            timedelta(days=6, hours=2), ("staging", "shipping"), "debug", "shipping: debug logs in staging (SHOP-412)"
        ),
        _level(
            timedelta(days=5, hours=20), ("staging", "shipping"), "info", "Revert debug logs of shipping in staging"
        ),
        _level(timedelta(hours=7), ("production", "mobile-api"), "warn", "mobile-api: fewer logs in production"),
        _note(timedelta(days=20), "erin", "Ask in #release before a Friday deploy.", "README: Friday rule"),
        _note(
            timedelta(days=4), "alice", "The proxy image belongs to the platform team.", "README: who owns the proxy"
        ),
        _note(timedelta(hours=30), "bob", "Sale ends on the 30th, replicas go back then.", "README: note on the sale"),
        _note(timedelta(minutes=47), "erin", "New colleagues: read CODEOWNERS first.", "README: a hint for newcomers"),
    ]
