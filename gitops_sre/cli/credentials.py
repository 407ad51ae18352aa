"""Whether a credential can do more than the bot ever does: then whoever gets hold of it can too."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gitops_sre import wiring
from gitops_sre.model.grant import Grant, Rule
from gitops_sre.model.outcome import Unavailable
from gitops_sre.settings import Settings


@dataclass(frozen=True)
class Excess:
    """One thing that a credential can do and need not. `serious`: it must be taken away."""

    name: str
    found: str
    remedy: str
    serious: bool = True


_READS = frozenset({"get", "list", "watch"})
_REVIEWS = frozenset({"authorization.k8s.io", "authentication.k8s.io"})
"""API groups in which everybody may create reviews of himself: they change nothing."""
_CLASSIC = ("repo", "workflow", "admin:", "delete_repo", "write:", "user")
"""Scopes of classic tokens that reach further than one repository's contents, by how they begin. `repo` itself reaches
every repository of the person (docs.github.com, "Scopes for OAuth apps")."""


def look(world: wiring.World) -> Iterator[Excess]:
    """Every credential that the settings name, as far as the other side tells what it may do."""
    granted = world.forge.granted()
    if isinstance(granted, Grant):
        yield from of_github(granted)
    if world.settings.kubernetes.enabled:
        rules = world.cluster.rules(_namespaces(world.settings))
        if not isinstance(rules, Unavailable):
            yield from of_cluster(rules)
    yield from of_files(secret_files(world.settings))


def of_github(granted: Grant) -> Iterator[Excess]:
    """What the App was granted, or a classic token's scopes, held against what docs/github.md lists."""
    needed = wiring.app_permissions()
    for name, level in granted.permissions.items():
        if level in ("write", "admin") and needed.get(name) != "write":
            what = f"the App may write {name}, which the bot never does"
            yield Excess("GitHub App", what, f"set {name} to {needed.get(name, 'no access')} in the App's settings")
    extra = [name for name, level in granted.permissions.items() if level == "read" and name not in needed]
    if extra:
        what = f"the App may read {', '.join(extra)}, which the bot does not need"
        yield Excess("GitHub App", what, "take that away in the App's settings", serious=False)
    if granted.everywhere:
        remedy = "choose `Only select repositories` where it is installed, and name the infra repositories"
        yield Excess("GitHub App", "it is installed on all repositories", remedy, serious=False)
    wide = [scope for scope in granted.scopes if scope.startswith(_CLASSIC)]
    if wide:
        remedy = "use an App (`gitops-sre app create`), or a fine-grained token for this repository alone"
        yield Excess("GitHub token", f"a classic token with {', '.join(wide)}", remedy)


def of_cluster(rules: Iterable[Rule]) -> Iterator[Excess]:
    """What the service account, or the kubeconfig's user, may do beside looking."""
    told: set[tuple[str, str]] = set()
    for rule in rules:
        if set(rule.groups) <= _REVIEWS:
            continue
        writes = sorted(set(rule.verbs) - _READS)
        what = ", ".join(sorted(rule.resources)) or "anything"
        if writes and ("write", what) not in told:
            told.add(("write", what))
            found = f"may {', '.join(writes)} {what} (seen in namespace {rule.namespace})"
            yield Excess("cluster", found, "bind a role with get, list and watch alone: docs/guide.md has it")
        reads = _READS & set(rule.verbs) or ("*" in rule.verbs)
        secret = {"secrets", "*"} & set(rule.resources) and {"", "*"} & set(rule.groups)
        if reads and secret and ("secrets", "") not in told:
            told.add(("secrets", ""))
            found = f"may read Secrets (seen in namespace {rule.namespace})"
            yield Excess("cluster", found, "name the resources in the role instead of `*`, without secrets")


def of_files(files: Iterable[Path]) -> Iterator[Excess]:
    """Files with secrets that everybody on this machine may read or write."""
    for file in files:
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
        except OSError:
            continue  # that it is missing is said elsewhere
        if mode & (stat.S_IROTH | stat.S_IWOTH):
            remedy = f"chmod 600 {file}; for a mounted Secret set defaultMode: 0400"
            yield Excess("key file", f"{file} is open to everybody (mode {mode:04o})", remedy)


def secret_files(settings: Settings) -> tuple[Path, ...]:
    """Files that the settings name and that hold secrets."""
    named = (
        settings.github.private_key_file,
        settings.signing.key_file,
        settings.kubernetes.kubeconfig,
        *(channel.url_file for channel in settings.notifications.channels.values()),
    )
    return tuple(file for file in named if file is not None)


def _namespaces(settings: Settings) -> tuple[str, ...]:
    """Where the cluster is asked: a role that is bound for all of it shows in each."""
    named = (
        name
        for environment, each in settings.environments.items()
        for name in each.namespaces or (environment,)
        if not set(name) & set("*?[")
    )
    return tuple(dict.fromkeys((settings.kubernetes.argocd_namespace, *named)))[:10]
