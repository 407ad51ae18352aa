"""`doctor`: each dependency and credential, what was found, and the remedy."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import click

from gitops_sre import wiring
from gitops_sre.adapters.render import find_tool
from gitops_sre.cli import credentials
from gitops_sre.cli.common import Failure, database_file, forgetful, load, private_folder, settings_option
from gitops_sre.cli.show import seen
from gitops_sre.delivery import seal
from gitops_sre.gitops.target import reads
from gitops_sre.model.outcome import Done, Unavailable
from gitops_sre.perception import golden
from gitops_sre.policy import documents
from gitops_sre.ports import StoreError
from gitops_sre.settings import ConfigError, Settings
from gitops_sre.verification import announced

_LATELY = 30
"""Commits of the branch that are looked at for what GitHub was told of them."""


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
        private_folder(create_key.parent)
        key = seal.create_key(create_key)
        click.echo(f"{create_key}: made, key id {key.id}; name it in the settings as signing.key_file")
        return 0
    failed = False
    for each in chain(tools(), services(path)):
        click.echo(line(each))
        failed = failed or bool(each.remedy and not each.optional)
    return 1 if failed else 0


def line(finding: Finding) -> str:
    """A finding as a line; what is to be done about it stands below."""
    mark = "ok" if not finding.remedy else "--" if finding.optional else "NO"
    text = f"{mark}  {finding.name:<20} {finding.found}"
    return seen(f"{text}\n    {'':<20} -> {' '.join(finding.remedy.split())}" if finding.remedy else text)


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
    except subprocess.TimeoutExpired:
        return Finding(name, "no answer within 20 s", f"run `{' '.join(command)}` by hand and see")
    if answer.returncode:
        return Finding(name, f"fails with {answer.returncode}", f"run `{' '.join(command)}` by hand and see")
    return Finding(name, answer.stdout.strip())


def services(path: Path) -> Iterator[Finding]:
    """What the settings name. Nothing is written anywhere but in the clone of the infra repository."""
    try:
        settings = load(path)
    except ConfigError as error:
        yield Finding("settings", str(path), str(error))
        return
    yield Finding("settings", str(path))
    yield _key(settings)
    yield from _database(settings)
    try:
        world = wiring.build(forgetful(settings))
    except ConfigError as error:
        yield Finding("the rest", "not looked at", str(error))
        return
    try:
        yield from _github(world)
        yield from _signals(world)
        yield from _cluster(world)
        yield from _excesses(world)
    finally:
        world.repository.close()
    yield from _channels(world)
    for name in (settings.web.alert_token_env, settings.web.github_secret_env, *settings.web.senders.values()):
        have = bool(os.environ.get(name))
        hint = "" if have else f"set {name}, or the webhook it guards stays shut (polling works without)"
        yield Finding("webhook secret", f"{name} is {'set' if have else 'not set'}", hint, optional=True)


def _key(settings: Settings) -> Finding:
    try:
        return Finding("signing key", f"{settings.signing.key_file}, id {seal.load_key(settings.signing.key_file).id}")
    except ConfigError as error:
        return Finding("signing key", str(settings.signing.key_file), str(error))


def _database(settings: Settings) -> Iterator[Finding]:
    """The store and its ledger, when there is one already."""
    if settings.engine.state == "branch":
        yield _branch(settings)
        return
    file = database_file(settings)
    name = str(file) if file else settings.engine.database_url.partition(":")[0]
    if file is not None and not file.exists():
        usable = os.access(file.parent, os.W_OK)
        yield Finding(
            "database",
            f"{file}: not there yet",
            "" if usable else f"make the folder {file.parent} writable, or set engine.database_url",
        )
        return
    try:
        broken = wiring.open_store(settings).verify()
    except StoreError as error:
        yield Finding("database", name, str(error))
        return
    yield Finding("database", name)
    if broken is None:
        yield Finding("ledger", "the chain of hashes is whole")
    else:
        hint = "somebody changed the ledger: keep a copy of the database and find out who"
        yield Finding("ledger", f"the chain of hashes is broken at entry {broken}", hint)


def _branch(settings: Settings) -> Finding:
    """The ledger branch, read and checked as each pass does it."""
    name = settings.engine.ledger_branch
    try:
        world = wiring.build(settings)
        busy = world.journal.begin() if world.journal is not None else ""
    except (ConfigError, StoreError) as error:
        return Finding("ledger branch", name, str(error))
    return Finding("ledger branch", f"{name}: {len(world.store.ledger())} entries{f'; {busy}' if busy else ''}")


def _github(world: wiring.World) -> Iterator[Finding]:
    settings = world.settings.github
    identity = world.forge.check()
    if isinstance(identity, Done):
        yield Finding("GitHub", identity.note)
        halted = world.forge.halted()
        if isinstance(halted, Unavailable):
            yield Finding("kill switch", "cannot be asked: nothing is written until it can", halted.reason)
        elif halted:
            yield Finding("kill switch", "nothing is written", f"{halted}: take that away and it goes on")
    else:
        yield Finding("GitHub", settings.api_url, identity.reason)
    head = world.repository.head()
    if isinstance(head, Unavailable):
        yield Finding("infra repository", settings.repository, head.reason)
    else:
        yield Finding("infra repository", f"{settings.branch} at {head[:12]}")
        yield _policies(world, head)


def _channels(world: wiring.World) -> Iterator[Finding]:
    """How people are called. Nothing is sent: `gitops-sre notify test` does that."""
    if world.channels is None:
        return
    for name in world.channels.names():
        answer = world.channels.check(name)
        if isinstance(answer, Done):
            yield Finding("channel", f"{name}: {answer.note}")
        else:
            yield Finding("channel", name, answer.reason)


def _excesses(world: wiring.World) -> Iterator[Finding]:
    """What credentials can do beyond what the bot does."""
    for each in credentials.look(world):
        yield Finding(each.name, each.found, each.remedy, optional=not each.serious)
    admin = wiring.admin_interfaces(world)
    if admin:
        hint = "start Prometheus without them, or give the bot a way to it that leads to queries alone"
        yield Finding("metrics", f"Prometheus has {admin} on", hint, optional=True)


def _signals(world: wiring.World) -> Iterator[Finding]:
    (answer,) = world.metrics.ask([golden.map_query(world.clock.now(), world.settings.timing)])
    if isinstance(answer, Unavailable):
        yield Finding("metrics", "no answer", answer.reason)
    else:
        yield Finding("metrics", f"{len(golden.edges([answer]))} calls between services seen")
    for source in world.alerts:
        yield _asked(f"alerts ({source.source})", source.firing, "firing")


def _cluster(world: wiring.World) -> Iterator[Finding]:
    if not world.settings.kubernetes.enabled:
        yield from _no_cluster(world)
        return
    applications = world.cluster.applications()
    if isinstance(applications, Unavailable):
        yield Finding("Argo CD, Flux", "no answer", applications.reason)
    else:
        ours = sum(reads(application, world.repository_url) for application in applications)
        hint = "" if ours else "nothing can be mended: check github.repository, github.git_url and argocd_namespace"
        yield Finding(
            "Argo CD, Flux", f"{len(applications)} applications, {ours} of them read the infra repository", hint
        )
    yield _asked("workloads", world.cluster.workloads, "workloads")


def _no_cluster(world: wiring.World) -> Iterator[Finding]:
    """What there is instead of the cluster, and what is missing because of it."""
    seen = world.seen_cluster()
    if isinstance(seen, Unavailable):
        yield Finding("cluster (off)", "nothing is known of it", seen.reason)
        return
    applications, workloads = seen
    ours = [each for each in applications if reads(each, world.repository_url)]
    hint = "" if ours else "nothing can be mended: no Application or Kustomization in the files reads this repository"
    found = f"by the files {len(ours)} applications with {len(workloads)} workloads"
    yield Finding("cluster (off)", found, hint)
    missing = "no rollouts and no Kubernetes events as evidence; fixes wait for an approval (L3)"
    yield Finding("cluster (off)", missing, "kubernetes.enabled: true, where there is a way to it", optional=True)
    yield _told(world, [each.key for each in ours])


def _told(world: wiring.World, keys: Sequence[str]) -> Finding:
    """Whether anybody tells GitHub what is live."""
    head = world.repository.head()
    if isinstance(head, Unavailable):
        return Finding("what is live", "nothing is known", head.reason)
    try:
        commits = [each.sha for each in world.repository.log(head, limit=_LATELY)]
    except OSError as error:
        return Finding("what is live", "nothing is known", str(error))
    notices = world.forge.notices(commits)
    if isinstance(notices, Unavailable):
        return Finding("what is live", "GitHub does not say", notices.reason)
    count = sum(any(announced.concerns(notice, key) for key in keys) for notice in notices)
    hint = "" if count else "have Argo CD or Flux post commit statuses: docs/scheduled-job.md shows how"
    found = f"{count} statuses and deployments of these applications on the last {len(commits)} commits"
    return Finding("what is live", found, hint, optional=True)


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
    known = world.channels.names() if world.channels is not None else ()
    nowhere = [
        f"{placed.place} names the channel {name}"
        for placed in policies.routes
        for name in placed.entry.channels
        if name not in known
    ]
    if nowhere:
        return Finding("policies", nowhere[0], "add it to notifications.channels of the settings, or mend the policy")
    if not policies.ladder:
        return Finding("policies", f"{where}: nothing is opened, everything is reported (L1)", optional=True)
    return Finding("policies", f"{where}: {len(policies.ladder)} ladder entries, {len(policies.rules)} rules")
