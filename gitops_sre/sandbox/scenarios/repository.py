"""The infra repository of a scenario: the shop's history, harmless commits of the last days, and what was changed."""

from __future__ import annotations

import difflib
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from gitops_sre.sandbox.github.gitrepo import GitRepo, Signature
from gitops_sre.sandbox.infra import edit, history, tree
from gitops_sre.sandbox.infra.history import KEEPERS, Commit
from gitops_sre.sandbox.scenarios.happening import Happening, Moved
from gitops_sre.sandbox.scenarios.plots import action
from gitops_sre.sandbox.shop import BY_NAME, SERVICES

URL = "https://git.example.com/acme/shop-infra.git"
SETTINGS = {"config": "POOL_SIZE", "flag": "FEATURE_BATCHED_CALLS", "resources": "memory limit"}
"""The setting that a change of this kind moves."""
_COUNT = re.compile(r"(?:\b(?:count|replicaCount|replicas)\"?:|/spec/replicas\s+value:)\s*(\d+)")
FIRST = {"config": "40", "flag": "off"}


class SettingError(Exception):
    """A file has no place for a setting, or more than one: the way it is spelled is not known here."""


@dataclass
class Base:
    """A bare repository with the shop's history until `now`, and the files at its end."""

    git: GitRepo
    head: str
    files: dict[str, bytes]
    now: datetime

    def tags(self, environment: str) -> dict[str, str]:
        """The versions that it declares in an environment."""
        return {item.name: _tag(self.files, environment, item.name) for item in SERVICES}


@dataclass
class Told:
    """What was committed for a scenario, oldest first. `culprit` is the place of the guilty commit in the list."""

    files: dict[str, bytes]
    commits: list[Commit] = field(default_factory=list)
    culprit: int | None = None
    before: dict[str, bytes] = field(default_factory=dict)
    """The files as they were before the guilty commit."""
    reached: list[set[str]] = field(default_factory=list)
    """For each commit the services that it reaches in the scenario's environment."""

    def commit(self, login: str, message: str, at: float, files: Mapping[str, bytes], services: Iterable[str]) -> None:
        """One more commit."""
        self.commits.append(Commit(login, message, datetime.fromtimestamp(at, UTC), dict(files)))
        self.reached.append(set(services))
        self.files |= files


@dataclass(frozen=True)
class Written:
    """The repository on disk: its bundle's branch holds these commits. `diff` is what takes the guilty change back."""

    shas: tuple[str, ...]
    culprit: str
    diff: str


def base(folder: Path, now: datetime, seed: int) -> Base:
    """The shop's history in a new bare repository."""
    first, *later = history.commits(now, URL, seed)
    git = GitRepo.create(folder)
    files = {path: content for path, content in first.files.items() if content is not None}
    who = next(person for person in history.PEOPLE if person.login == first.login)
    signed = Signature(who.name, f"{who.login}@shop.example.com", first.when)
    root = git.commit_files(tree.BRANCH, None, files, first.message, signed, signed)
    git.run("fast-import", "--quiet", "--done", stdin=history.fast_import(later, root))
    for commit in later:
        files |= {path: content for path, content in commit.files.items() if content is not None}
    return Base(git, git.ref(f"refs/heads/{tree.BRANCH}") or "", files, now)


def tell(start: Base, happening: Happening, rng: np.random.Generator) -> Told:
    """The commits of a scenario: everyday ones, then those of its changes."""
    plot, clock = happening.plot, happening.clock
    told = Told(dict(start.files))
    _everyday(told, happening, rng)
    for change in happening.moved:
        if change.kind in FIRST:
            path, content = _with_setting(told.files, plot.environment, change, FIRST[change.kind])
            message = f"{change.service}: {SETTINGS[change.kind]} is a setting now"
            told.commit(_keeper(change.service), message, clock.onset - 2 * 86400, {path: content}, [change.service])
    groups: list[list[Moved]] = []
    for change in happening.moved:
        if change.same_commit:
            groups[-1].append(change)
        else:
            groups.append([change])
    for group in groups:
        _change(told, plot.environment, group)
    return told


def write(start: Base, told: Told, happening: Happening, folder: Path, bundle: Path) -> Written:
    """The scenario's repository as a bundle. `folder` is a place for the repository while it is made."""
    shutil.copytree(start.git.path, folder)
    git = GitRepo(folder)
    git.run("fast-import", "--quiet", "--done", stdin=history.fast_import(told.commits, start.head))
    git.run("-c", "pack.threads=1", "bundle", "create", "--quiet", str(bundle.absolute()), f"refs/heads/{tree.BRANCH}")
    shas = tuple(reversed(git.rev_list(f"refs/heads/{tree.BRANCH}")[: len(told.commits)]))
    shutil.rmtree(folder)
    if told.culprit is None:
        return Written(shas, "", _scaled(told, happening))
    return Written(shas, shas[told.culprit], _undone(told, happening))


def _everyday(told: Told, happening: Happening, rng: np.random.Generator) -> None:
    """What happens anyway: a release of another service hours ago, a note in the README."""
    plot, onset = happening.plot, happening.clock.onset
    busy = {plot.service, plot.beside}
    other = str(rng.choice([item.name for item in SERVICES if item.name not in busy]))
    path = tree.image_path(plot.environment, other)
    tag = _patched(_tag(told.files, plot.environment, other))
    content = edit.with_tag(told.files[path], BY_NAME[other].image, tag)
    when = onset - float(rng.uniform(1.5, 5)) * 3600
    told.commit(_keeper(other), f"Deploy {other} {tag} to {plot.environment}", when, {path: content}, [other])
    text = told.files["README.md"] + b"- Freeze from the 20th on.\n"
    told.commit("alice", "README: the freeze", onset - float(rng.uniform(600, 4000)), {"README.md": text}, [])


def _change(told: Told, environment: str, group: Sequence[Moved]) -> None:
    """One commit with one change or more."""
    if any(change.guilty for change in group):
        told.culprit, told.before = len(told.commits), dict(told.files)
    files: dict[str, bytes] = {}
    for change in group:
        path = tree.image_path(environment, change.service)
        content = files.get(path, told.files[path])
        if change.kind == "image":
            files[path] = edit.with_tag(content, BY_NAME[change.service].image, change.after)
        else:
            files[path] = _replaced(content, change)
    told.commit(_keeper(group[0].service), _message(group, environment), group[0].at, files, [c.service for c in group])


def _message(group: Sequence[Moved], environment: str) -> str:
    if group[0].kind == "image":
        what = " and ".join(f"{change.service} {change.after}" for change in group if change.kind == "image")
        return f"Deploy {what} to {environment}"
    return f"{group[0].service}: {SETTINGS[group[0].kind]} {group[0].after} in {environment}"


def _undone(told: Told, happening: Happening) -> str:
    """A unified diff from the present files to those with the guilty service's change taken back."""
    guilty = next(change for change in happening.moved if change.guilty)
    path = tree.image_path(happening.plot.environment, guilty.service)
    return _diff(path, told.files[path].decode(), told.before[path].decode())


def _scaled(told: Told, happening: Happening) -> str:
    """A unified diff that gives the one service without room half as many replicas more, one at least; else empty."""
    environment = happening.plot.environment
    if action(happening.plot, happening.full) != "scale":
        return ""
    path = tree.image_path(environment, happening.full[0])
    text = told.files[path].decode()
    found = list(_COUNT.finditer(text))
    if len(found) != 1:
        raise SettingError(f"{path} does not say exactly once how many replicas there are")
    start, end = found[0].span(1)
    count = int(found[0][1])
    return _diff(path, text, f"{text[:start]}{max(count + 1, count + count // 2)}{text[end:]}")


def _diff(path: str, now: str, then: str) -> str:
    lines = difflib.unified_diff(now.splitlines(True), then.splitlines(True), f"a/{path}", f"b/{path}", n=0)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _with_setting(files: Mapping[str, bytes], environment: str, change: Moved, value: str) -> tuple[str, bytes]:
    """A place's file with one setting more, beside its log level."""
    path = tree.image_path(environment, change.service)
    name, text = SETTINGS[change.kind], files[path].decode()
    if change.kind == "flag" and f"name: {change.service}-config\n" in text:
        return path, _watched(text, change.service, environment, f'{name}: "{value}"').encode()
    beside = {
        "      - LOG_LEVEL=": f"      - {name}={value}",
        "            - LOG_LEVEL=": f"            - {name}={value}",
        "  LOG_LEVEL: ": f'  {name}: "{value}"',
        "                -   {name: LOG_LEVEL,": f'                -   {{name: {name}, value: "{value}"}}',
    }
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        for start, entry in beside.items():
            if line.startswith(start):
                end = "\r\n" if line.endswith("\r\n") else "\n"
                last = [line] if line.endswith("\n") else [line + end]
                return path, "".join([*lines[:number], *last, entry + end, *lines[number + 1 :]]).encode()
    raise SettingError(f"{path} has no line for a setting beside its log level")


def _watched(text: str, service: str, environment: str, entry: str) -> str:
    """The same file with flags in a ConfigMap of their own, mounted: the program reads them anew by itself."""
    config = (
        f"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {service}-flags\n"
        f"  namespace: {environment}\ndata:\n  {entry}\n"
    )
    places = {
        "---\napiVersion: v1\nkind: ServiceAccount\n": (config, ""),
        f"      serviceAccountName: {service}\n": (
            "",
            f"      volumes: [{{name: flags, configMap: {{name: {service}-flags}}}}]\n",
        ),
        f"        envFrom: [{{configMapRef: {{name: {service}-config}}}}]\n": (
            "",
            "        volumeMounts: [{name: flags, mountPath: /etc/flags}]\n",
        ),
    }
    for place, (before, after) in places.items():
        if text.count(place) != 1:
            raise SettingError(f"{place.strip()} does not stand in the manifest of {service} exactly once")
        text = text.replace(place, before + place + after)
    return text


def _replaced(content: bytes, change: Moved) -> bytes:
    """The same file with another value of a setting."""
    name, text = SETTINGS[change.kind], content.decode()
    ways = (f"{name}={change.before}", f'{name}: "{change.before}"', f'{name}, value: "{change.before}"')
    limits = (f"limits:\n    memory: {change.before}", f"limits: {{memory: {change.before}}}")
    for old in limits if change.kind == "resources" else ways:
        if text.count(old) == 1:
            return text.replace(old, old.replace(change.before, change.after)).encode()
    raise SettingError(f"{name} with the value {change.before} does not stand in the file exactly once")


def _tag(files: Mapping[str, bytes], environment: str, service: str) -> str:
    return edit.tag_in(files[tree.image_path(environment, service)], BY_NAME[service].image)


def _patched(tag: str) -> str:
    head, _, patch = tag.rpartition(".")
    return f"{head}.{int(patch) + 1}"


def _keeper(service: str) -> str:
    return KEEPERS[BY_NAME[service].layout]
