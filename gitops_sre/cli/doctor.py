"""`doctor`: each dependency and credential, what was found, and the remedy."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gitops_sre import wiring
from gitops_sre.adapters.render import find_tool
from gitops_sre.cli.common import Failure, load, settings_option
from gitops_sre.delivery import seal
from gitops_sre.model.outcome import Done, Unavailable
from gitops_sre.policy import documents
from gitops_sre.ports import StoreError
from gitops_sre.settings import ConfigError


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `remedy` is empty when it is as it should be; `optional` ones do not fail."""

    name: str
    found: str
    remedy: str = ""
    optional: bool = False


@click.command()
@settings_option
@click.option(
    "--create-key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Make a new signing key in this file (mode 0600) and do nothing else.",
)
def doctor(*, path: Path, create_key: Path | None) -> int:
    """Look at every tool, service and credential; exit status 1 when one that is needed is not as it should be."""
    if create_key is not None:
        if create_key.exists():
            raise Failure(f"{create_key} exists; a key is never overwritten: name a new file")
        key = seal.create_key(create_key)
        click.echo(f"{create_key}: made, key id {key.id}; name it in the settings as signing.key_file")
        return 0
    findings = [*tools(), *services(path)]
    table = Table("", "What", "Found", "Remedy")
    for each in findings:
        mark = "[green]ok[/]" if not each.remedy else "[yellow]--[/]" if each.optional else "[red]no[/]"
        table.add_row(mark, each.name, escape(each.found), escape(each.remedy))
    Console(highlight=False).print(table)
    return 1 if any(each.remedy and not each.optional for each in findings) else 0


def tools() -> Iterator[Finding]:
    """Programs of this machine."""
    yield Finding("python", platform.python_version())
    yield _program("git", ["git", "--version"])
    kustomize = find_tool("kustomize") or find_tool("kubectl")
    for name, tool, hint in (
        ("kustomize", kustomize, "install kubectl or kustomize; without one a kustomize change cannot be proven"),
        ("helm", find_tool("helm"), "install helm; without it a Helm change cannot be proven"),
    ):
        yield Finding(name, f"{tool.version} ({tool.path})") if tool else Finding(name, "not found", hint)


def _program(name: str, command: list[str]) -> Finding:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return Finding(name, "not found", f"install {name}")
    return Finding(name, answer.stdout.strip())


def services(path: Path) -> Iterator[Finding]:
    """What the settings name."""
    try:
        settings = load(path)
        world = wiring.build(settings)
    except (ConfigError, StoreError) as error:
        yield Finding("settings", str(path), str(error))
        return
    yield Finding("settings", str(path))
    yield Finding("database", settings.engine.database_url.partition("://")[0])
    identity = world.forge.check()
    if isinstance(identity, Done):
        yield Finding("GitHub", identity.note)
    else:
        yield Finding("GitHub", settings.github.api_url, identity.reason)
    head = world.repository.head()
    if isinstance(head, Unavailable):
        yield Finding("infra repository", settings.github.repository, head.reason)
    else:
        yield Finding("infra repository", f"{settings.github.branch} at {head[:12]}")
        yield _policies(world, head)
    for source in world.alerts:
        yield _asked(f"alerts ({type(source).__name__})", source.firing, "firing")
    yield _asked("Argo CD", world.cluster.applications, "Applications")
    yield _asked("workloads", world.cluster.workloads, "workloads")
    for name in (settings.web.alert_token_env, settings.web.github_secret_env):
        have = bool(os.environ.get(name))
        hint = "" if have else f"set {name}, or the webhook it guards stays shut (polling works without)"
        yield Finding(name, "set" if have else "not set", hint, optional=True)


def _asked(name: str, ask: Callable[[], tuple[object, ...] | Unavailable], what: str) -> Finding:
    answer = ask()
    if isinstance(answer, Unavailable):
        return Finding(name, "no answer", answer.reason)
    return Finding(name, f"{len(answer)} {what}")


def _policies(world: wiring.World, head: str) -> Finding:
    where = world.settings.policy.path
    try:
        policies = documents.read(world.repository, head, where)
    except documents.PolicyError as error:
        return Finding("policies", where, str(error))
    if not policies.ladder:
        return Finding("policies", f"{where}: nothing is opened, everything is reported (L1)", optional=True)
    return Finding("policies", f"{where}: {len(policies.ladder)} ladder entries, {len(policies.rules)} rules")
