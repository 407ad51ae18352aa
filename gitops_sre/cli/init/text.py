"""What was found, as the text of a settings file in which every value says what it was found by."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gitops_sre.cli.init.remote import PUBLIC_API, Home
from gitops_sre.gitops.discovery import Discovery, Environment, Finding, Objective

_PLAIN = re.compile(r"[A-Za-z~][A-Za-z0-9._/~-]*(:[0-9]+)?|https?://[A-Za-z0-9._/:-]*[A-Za-z0-9/]")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_COLUMN = 100


@dataclass(frozen=True)
class Wanted:
    """What the settings are to say beside what was found: the repository's home, its branch, the folder of keys, and
    where a scheduled job finds this program (`OWNER/NAME@REF`; empty without one)."""

    home: Home
    branch: str
    keys: str
    project: str = ""


def settings(found: Discovery, wanted: Wanted) -> str:
    """The settings file. Without an address of Prometheus it is not complete, and every command says so."""
    parts = (
        _HEAD,
        _github(wanted),
        _prometheus(found),
        _alertmanager(found),
        _kubernetes(found, wanted),
        _environments(found),
        _objectives(found),
        _signing(wanted),
        _engine(wanted),
    )
    return "\n".join("".join(f"{line}\n" for line in part) for part in map(tuple, parts) if part)


_HEAD = (
    "# Settings of gitops-sre. No secrets belong here: the file names where they are kept.",
    "# What else can be set: `gitops-sre config schema`. Check it: `gitops-sre config check`, `gitops-sre doctor`.",
)


def _github(wanted: Wanted) -> Iterator[str]:
    yield "github:"
    yield _line(f"  repository: {_quoted(wanted.home.repository)}", wanted.home.by)
    yield _line(f"  branch: {_quoted(wanted.branch)}", "the branch that the reconciler watches")
    if wanted.home.api_url != PUBLIC_API:
        yield f"  api_url: {_quoted(wanted.home.api_url)}"
    yield _line("  app_id:", "`gitops-sre app create` fills these in; without an App a token in GITHUB_TOKEN is used")
    yield "  installation_id:"
    yield f"  private_key_file: {_quoted(f'{wanted.keys}/app.pem')}"


def _prometheus(found: Discovery) -> Iterator[str]:
    at = found.monitoring.prometheus
    yield "prometheus:"
    if at is None:
        yield "  # No file says where Prometheus answers. Write its address, without /api/v1: in the cluster such as"
        yield "  # http://prometheus-operated.monitoring.svc:9090, elsewhere the one that it has from there."
        yield "  url:"
        return
    yield from _address(at)


def _address(at: Finding) -> Iterator[str]:
    yield _line(f"  url: {_quoted(at.value)}", at.by)
    if ".svc" in at.value:
        yield "  # This is its address in the cluster. Where the bot runs outside of it, write the one from there."


def _alertmanager(found: Discovery) -> Iterator[str]:
    at = found.monitoring.alertmanager
    if at is not None:
        yield "alertmanager:"
        yield _line(f"  url: {_quoted(at.value)}", at.by)


def _kubernetes(found: Discovery, wanted: Wanted) -> Iterator[str]:
    elsewhere = found.argocd if found.argocd is not None and found.argocd.value not in ("", "argocd") else None
    if elsewhere is None and not wanted.project:
        return
    yield "kubernetes:"
    if elsewhere is not None:
        yield _line(f"  argocd_namespace: {_quoted(elsewhere.value)}", elsewhere.by)
    if wanted.project:
        yield "  # For a runner that does not reach the cluster, remove the # (docs/scheduled-job.md)."
        yield "  #enabled: false"


def _environments(found: Discovery) -> Iterator[str]:
    if not found.environments:
        yield from _no_environment(found.namespaces)
        return
    shared = _shared(found.environments)
    yield "# Tiers are what policies speak of: correct them."
    if shared:
        yield "# Some namespaces are in several environments. In one cluster the first counts. Where each environment"
        yield "# has a cluster, give each settings of its own, with `kubernetes.context`, and remove the others there."
    yield "environments:"
    for each in found.environments:
        yield _line(f"  {_quoted(each.name)}:", _places(each.places))
        yield f"    tier: {each.tier}"
        if each.namespaces:
            yield "    namespaces:"
        for namespace in each.namespaces:
            also = [name for name in shared.get(namespace.value, ()) if name != each.name]
            more = f"; also in {', '.join(also)}" if also else ""
            yield _line(f"      - {_quoted(namespace.value)}", f"{namespace.by}{more}")
    if found.namespaces:
        yield from _wrapped("# In no environment, each one of its own, of tier unknown: ", _values(found.namespaces))


def _no_environment(namespaces: Sequence[Finding]) -> Iterator[str]:
    yield "# No folder, Application or Kustomization names an environment. Until one is named here, every namespace is"
    yield "# an environment of its own, of tier `unknown`. To name one, remove the # and keep what users depend on:"
    yield "#environments:"
    yield "#  production:"
    yield "#    tier: critical"
    yield "#    namespaces:"
    for each in namespaces or [Finding("my-namespace", ())]:
        yield _line(f"#      - {_quoted(each.value)}", each.by)


def _shared(environments: Iterable[Environment]) -> dict[str, list[str]]:
    """Namespace -> the environments that have it, where there are several."""
    found: dict[str, list[str]] = {}
    for each in environments:
        for namespace in each.namespaces:
            found.setdefault(namespace.value, []).append(each.name)
    return {namespace: names for namespace, names in found.items() if len(names) > 1}


def _objectives(found: Discovery) -> Iterator[str]:
    yield "# The first objective that fits a service is its own. Whether a fix helped is judged by it."
    yield "slos:"
    for each in found.objectives:
        yield from _objective(each)
    yield _line("  - error_ratio: 0.02", "for everything else: at most 2 % of requests fail; yours to set")
    if found.left:
        yield "# Not carried over:"
        yield from (f"#   {line}" for line in found.left)


def _objective(each: Objective) -> Iterator[str]:
    yield _line(f"  - services: [{_quoted(each.service)}]", _places(each.by))
    if each.environment:
        yield f"    environments: [{_quoted(each.environment)}]"
    if each.error_ratio is not None:
        yield f"    error_ratio: {each.error_ratio:.10g}"
    if each.latency_p99 is not None:
        yield f"    latency_p99: {each.latency_p99:.10g}"


def _signing(wanted: Wanted) -> Iterator[str]:
    yield "signing:"
    yield _line(
        f"  key_file: {_quoted(f'{wanted.keys}/signing.pem')}", "signs the bot's plans; keep it as the App's key"
    )


def _engine(wanted: Wanted) -> Iterator[str]:
    if wanted.project:
        yield "engine:"
        yield _line("  state: branch", "incidents and ledger on a branch here: the job's machine is new each time")


def _line(text: str, why: str) -> str:
    """A line with a comment behind it. What stands in the repository cannot break out of the comment."""
    clean = "".join(part if part.isprintable() else "?" for part in why)
    return f"{text}  # {clean}" if clean else text


def _places(places: Sequence[str]) -> str:
    return Finding("", tuple(places)).by


def _values(found: Sequence[Finding]) -> list[str]:
    return [each.value for each in found]


def _wrapped(begin: str, words: Sequence[str]) -> Iterator[str]:
    """Words with commas between them, in comment lines of a bounded length."""
    line = begin
    for number, word in enumerate(words):
        said = word + ("," if number + 1 < len(words) else "")
        if len(line) + len(said) > _COLUMN and not line.endswith("# "):
            yield line.rstrip()
            line = "# "
        line += f"{said} "
    yield line.rstrip()


def _quoted(text: str) -> str:
    """A scalar that reads as this text in any YAML."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text)
