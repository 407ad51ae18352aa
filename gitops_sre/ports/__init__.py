"""Protocols of the outside world. Adapters satisfy them; the stages and the engine know nothing else.

Everything here but `Forge`, `Store` and `Channels` only reads. A source that does not answer returns `Unavailable` with
the reason; it never raises for that.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from gitops_sre.model.advice import Unadvised
from gitops_sre.model.change import Draft, Field, FileEdit, Proof
from gitops_sre.model.change_feed import Commit, FileChange, ReplicaSet, Revision
from gitops_sre.model.command import Command, Reply
from gitops_sre.model.evidence import Answer, Query
from gitops_sre.model.grant import Grant, Rule
from gitops_sre.model.incident import Incident
from gitops_sre.model.live import Application, Notice, Workload
from gitops_sre.model.notice import Message
from gitops_sre.model.outcome import Done, Outdated, Refused, Unavailable
from gitops_sre.model.pull import Cover, PullRequest, Report
from gitops_sre.model.record import ActionRecord
from gitops_sre.model.servicemap import ServiceMap
from gitops_sre.model.signal import Alert
from gitops_sre.model.target import ObjectField, Source, Target
from gitops_sre.model.telemetry import ClusterEvent, LogLine, Span
from gitops_sre.model.usage import Usage
from gitops_sre.model.verdict import Verdict
from gitops_sre.ports.assistant import Assistant as Assistant


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        ...


class Metrics(Protocol):
    """A Prometheus-compatible source."""

    def ask(self, queries: Sequence[Query]) -> tuple[Answer | Unavailable, ...]:
        """Answer range queries in parallel, each bounded in time and size; one result per query, in order."""
        ...

    def names(self) -> frozenset[str] | Unavailable:
        """Names of the metrics that it has; they tell which instrumentation there is. Some minutes old at most."""
        ...


class Traces(Protocol):
    """A source of distributed traces (Tempo, Jaeger, OTLP files)."""

    def spans(self, start: datetime, end: datetime) -> tuple[Span, ...] | Unavailable:
        """Spans that start in a time range, in order of time, bounded in number."""
        ...


class Logs(Protocol):
    """A source of log lines (Loki, Elasticsearch, files)."""

    def lines(self, start: datetime, end: datetime) -> tuple[LogLine, ...] | Unavailable:
        """Lines of a time range, in order of time, bounded in number."""
        ...


class Alerts(Protocol):
    """A source of alerts that can be polled. `source` is what its alerts say they come from (`Alert.source`)."""

    @property
    def source(self) -> str:
        """`prometheus` or `alertmanager`."""
        ...

    def firing(self) -> tuple[Alert, ...] | Unavailable:
        """All alerts that fire now."""
        ...


class Cluster(Protocol):
    """Read-only view of the cluster and its GitOps controller."""

    def applications(self) -> tuple[Application, ...] | Unavailable:
        """Every Argo CD Application that may be read."""
        ...

    def workloads(self, namespace: str = "") -> tuple[Workload, ...] | Unavailable:
        """Deployments, StatefulSets and DaemonSets of a namespace (empty: all)."""
        ...

    def versions(self, namespace: str = "") -> tuple[ReplicaSet, ...] | Unavailable:
        """The versions of workloads' pod templates that the cluster keeps, of a namespace (empty: all)."""
        ...

    def events(self, since: datetime, namespace: str = "") -> tuple[ClusterEvent, ...] | Unavailable:
        """Warnings in a namespace (empty: all) that were given, perhaps once more, at `since` or later; bounded."""
        ...

    def rules(self, namespaces: Sequence[str]) -> tuple[Rule, ...] | Unavailable:
        """What the bot's credential may do in these namespaces, as the cluster's authorization tells it."""
        ...


class Tree(Protocol):
    """The files of the infra repository at exact commits. Raises OSError when the local copy cannot answer."""

    def read(self, commit: str, path: str) -> bytes | None:
        """A file's bytes at a commit; None when it is not there, is a symlink or a submodule."""
        ...

    def files(self, commit: str, under: str = "") -> tuple[str, ...]:
        """Paths of the regular files below a folder at a commit, sorted."""
        ...


class Repository(Tree, Protocol):
    """Read-only view of the infra repository at exact commits.

    `read`, `files`, `log`, `steps` and `export` raise OSError when the local copy cannot answer.
    """

    def head(self) -> str | Unavailable:
        """Fetch, then the SHA at the tip of the watched branch."""
        ...

    def pull(self, number: int) -> tuple[str, str] | Unavailable:
        """Fetch a pull request: the commit where it left the watched branch, and its head."""
        ...

    def log(
        self, commit: str, *, since: datetime | None = None, paths: Sequence[str] = (), limit: int = 200
    ) -> tuple[Commit, ...]:
        """Commits reachable from a commit, newest first, first-parent, that touch any of `paths`."""
        ...

    def steps(
        self, commit: str, *, since: datetime | None = None, paths: Sequence[str] = (), limit: int = 200
    ) -> tuple[Revision, ...]:
        """What `log` gives, each with all that it changed against its first parent; renames are not looked for."""
        ...

    def changed(self, commit: str) -> tuple[FileChange, ...]:
        """What a commit did against its first parent (the empty tree for a root), renames found."""
        ...

    def between(self, before: str, after: str, names: Collection[str] = ()) -> tuple[FileChange, ...]:
        """What differs between two commits, without looking for renames; an empty `before` is the empty tree.

        `names` restricts it to files that are called so, in whatever folder.
        """
        ...

    def revisions(self, commit: str, paths: Sequence[str], *, limit: int = 200) -> tuple[Revision, ...]:
        """Commits reachable from a commit, newest first, that touch any of `paths`, each with the changes to them.

        A merge counts only where it differs from every parent. A file that was renamed is followed under its older
        name.
        """
        ...

    def blobs(self, oids: Iterable[str]) -> Mapping[str, bytes]:
        """File contents by blob id, read (and where they are missing, fetched) in one batch."""
        ...

    def mentioning(self, commit: str, text: str, under: Sequence[str] = ()) -> tuple[str, ...]:
        """Paths of the regular files at a commit, sorted, whose bytes hold a text; only below `under` where given."""
        ...

    def close(self) -> None:
        """Give back what reading holds: processes and temporary folders. Reading again opens them anew."""
        ...

    def contains(self, descendant: str, ancestor: str) -> bool | Unavailable:
        """Whether `ancestor` is `descendant` or one of its ancestors."""
        ...

    def export(self, commit: str, into: Path, under: Sequence[str] = ()) -> None:
        """Write the tree of a commit into an empty folder: regular files only; no hooks, filters or submodules run."""
        ...


Manifest = Mapping[str, Any]
"""One rendered Kubernetes object: the only free-form mapping that travels, since its schema is the cluster's."""


class Locator(Protocol):
    """Finds where the infra repository decides a value."""

    def image_fields(self, commit: str, target: Target, image: str) -> tuple[Field, ...] | Refused:
        """The owning fields of one image of a target: tag, and digest where one stands beside it.

        `image` is an image name without tag. Refused when none or more than one place could own it.
        """
        ...

    def chart_fields(self, commit: str, target: Target, chart: str) -> tuple[Field, ...] | Refused:
        """The owning fields of a chart's version (HelmRelease, OCIRepository, Application, Chart.yaml, helmfile)."""
        ...

    def ref_fields(self, commit: str, target: Target, name: str) -> tuple[Field, ...] | Refused:
        """The owning fields of a Git or OCI revision (`spec.ref` of a Flux source, `targetRevision` of an Application,
        `?ref=` of a kustomize resource). `name` is the source's, or the end of its URL."""
        ...

    def object_fields(self, commit: str, target: Target, at: ObjectField) -> tuple[Field, ...] | Refused:
        """The owning fields of one field of a rendered object; not present ones say where it would be inserted.

        Empty when the source makes no such object. Autoscalers and their kind (HorizontalPodAutoscaler, ScaledObject,
        VerticalPodAutoscaler, Canary) are looked up by the name of the workload that they scale.
        """
        ...

    def setting_fields(self, commit: str, target: Target, key: str) -> tuple[Field, ...] | Refused:
        """The owning fields of a setting: a ConfigMap or generator key, an environment variable, a Helm value, a
        feature flag. `key` is its name, or a dotted path where the name alone is not unique."""
        ...

    def undo(self, commit: str, target: Target, culprit: str) -> Draft | Refused:
        """What restores, at `commit`, the values of a target from before a culprit commit."""
        ...

    def last_good_image(self, commit: str, target: Target, image: str) -> Draft | Refused:
        """What restores the last different version of an image, also where only the history tells which place is
        meant, or where the image was replaced by another one."""
        ...

    def last_good(
        self, commit: str, target: Target, fields: Sequence[Field], to: str = "", good: str = ""
    ) -> Draft | Refused:
        """What restores the last different values of these fields, with everything that moved together with them.

        With `to`, the last values that say this version; with `good`, those of that commit.
        """
        ...

    def inputs(self, commit: str, source: Source) -> frozenset[str]:
        """Every repository file that a source's rendering reads (bases, components, chart and value files too)."""
        ...


class Renderer(Protocol):
    """Turns a source into the objects that the reconciler would apply."""

    def render(self, tree: Path, source: Source) -> tuple[Manifest, ...] | Unavailable:
        """Render one source of an exported tree, without network and within a time limit."""
        ...


@dataclass(frozen=True)
class OpenedAction:
    """An action found on the forge: its signed record and its pull request as it stands now.

    `outcome` is the terminal word that the bot has left as a check run on its head, or empty while it is under way.
    """

    record: ActionRecord
    pull: PullRequest
    outcome: str = ""


class Forge(Protocol):
    """The GitHub side. Every effect is find-or-adopt: calling it again finds what the first call made."""

    def spent(self) -> Usage:
        """Requests that this thread has made since it began."""
        ...

    def wait(self) -> float:
        """Seconds for which the forge wants to be left alone; 0 when it may be asked."""
        ...

    def check(self) -> Done | Refused | Unavailable:
        """Whether the credentials work, and who the bot is with them."""
        ...

    def granted(self) -> Grant | Refused | Unavailable:
        """What the bot was granted there, as the forge tells it."""
        ...

    def halted(self) -> str | Unavailable:
        """Who or what keeps the bot from writing anything now; empty when nobody does."""
        ...

    def halt(self, report: Report) -> str | Unavailable:
        """Keep the bot from writing anything until the issue that this opens is closed; the issue's URL."""
        ...

    def resume(self, report: Report) -> str | Unavailable:
        """Close that issue. What still says stop; empty when nothing does."""
        ...

    def actions(self) -> tuple[OpenedAction, ...] | Unavailable:
        """The bot's own actions: open ones and those closed lately, verified by identity and signature."""
        ...

    def propose(
        self, record: ActionRecord, files: Sequence[FileEdit], proof: Proof, verdict: Verdict, cover: Cover
    ) -> PullRequest | Outdated | Refused | Unavailable:
        """Find or create branch, verified commit and pull request of an action (draft at L2)."""
        ...

    def look(self, number: int) -> PullRequest | Unavailable:
        """A pull request with its reviews, as it stands now."""
        ...

    def notices(self, commits: Sequence[str]) -> tuple[Notice, ...] | Unavailable:
        """Commit statuses and deployments of these commits, of whatever context or environment."""
        ...

    def merge(self, pull: PullRequest) -> Done | Refused | Unavailable:
        """Merge with the expected head."""
        ...

    def unqueue(self, pull: PullRequest) -> Done | Unavailable:
        """Take a pull request out of the merge queue, when it stands in one."""
        ...

    def close(self, pull: PullRequest, comment: str) -> Done | Unavailable:
        """Close with a comment and delete the branch."""
        ...

    def comment(self, number: int, key: str, body: str) -> Done | Unavailable:
        """Say something once: `key` finds an earlier comment of ours."""
        ...

    def conclude(self, pull: PullRequest, outcome: str, summary: str) -> Done | Unavailable:
        """Leave the terminal outcome as a check run on the head commit."""
        ...

    def commands(self, numbers: Collection[int]) -> tuple[Command, ...] | Unavailable:
        """Orders in people's comments of the last days on these issues and pull requests, the oldest first."""
        ...

    def answer(self, command: Command, reply: Reply) -> Done | Unavailable:
        """React to an order, and reply where there is something to say."""
        ...

    def unadvised(self) -> tuple[Unadvised, ...]:
        """Open pull requests of others, as `actions` last saw them, whose heads bear no advice of the bot's yet."""
        ...

    def advise(self, head: str, title: str, summary: str) -> Done | Unavailable:
        """Leave advice on the head commit of somebody's pull request, as a check run that blocks nothing."""
        ...

    def board(self, report: Report) -> Done | Unavailable:
        """Find or create an issue by its key and bring its title and body up to date; one that a person has closed is
        left alone."""
        ...

    def report(self, report: Report) -> str | Unavailable:
        """Find or create an issue by its key; the URL."""
        ...


class Channels(Protocol):
    """Ways to call people beside the forge. Their addresses are secrets, which stay behind this."""

    def names(self) -> tuple[str, ...]:
        """The channels there are."""
        ...

    def check(self, channel: str) -> Done | Refused:
        """Whether a channel has an address that is understood; nothing is sent. `Done.note` names the service."""
        ...

    def send(self, channel: str, message: Message) -> Done | Refused | Unavailable:
        """Tell a channel, within a bounded time. Refused: there is no such channel, or it has no usable address."""
        ...


@dataclass(frozen=True)
class Transition:
    """One step of the lifecycle, as it goes into the ledger: what happened, from which state to which, and why."""

    event: str
    source: str
    target: str
    detail: str
    at: datetime


@dataclass(frozen=True)
class LedgerEntry:
    """One line of the append-only ledger: `hash` = SHA-256 over the previous hash and this entry's content, `seal` the
    bot's signature over that (empty: written before there were any)."""

    sequence: int
    incident: str
    at: datetime
    event: str
    source: str
    target: str
    detail: str
    previous: str
    hash: str
    seal: str = ""

    @property
    def facts(self) -> Mapping[str, object]:
        """What `detail` records; as `why` alone where it is plain text."""
        try:
            found = json.loads(self.detail)
        except ValueError:
            found = None
        return found if isinstance(found, dict) else {"why": self.detail}


class Store(Protocol):
    """What the bot remembers between passes. Losing it loses no action: everything is found again on the forge."""

    def load(self, incident: str) -> Incident | None:
        """One incident."""
        ...

    def unfinished(self) -> tuple[Incident, ...]:
        """Incidents that are not finished: on their way, or ended without the outcome on the forge yet."""
        ...

    def recent(self, limit: int = 100) -> tuple[Incident, ...]:
        """The newest incidents, any state."""
        ...

    def resolved(self, limit: int = 100) -> tuple[Incident, ...]:
        """The incidents that ended last with the SLO recovered and the fix standing, newest first."""
        ...

    def save(self, incident: Incident, transitions: Iterable[Transition] = ()) -> Incident:
        """Compare-and-swap on `version` (0: insert), with its ledger entries in one transaction.

        Returns the incident with its new version. Raises `ConflictError` when somebody else saved in between.
        """
        ...

    def ledger(self, incident: str = "", events: Collection[str] = ()) -> tuple[LedgerEntry, ...]:
        """Ledger entries in order, of one incident or all, of some events or all."""
        ...

    def note(self, subject: str, transition: Transition) -> None:
        """Append an entry that is about no incident."""
        ...

    def verify(self) -> int | None:
        """The first entry of the ledger whose hash does not fit, or None when the chain is whole."""
        ...

    def lease(self, name: str, owner: str, until: datetime, now: datetime) -> bool:
        """Take or renew a lease; False while somebody else holds it."""
        ...

    def release(self, name: str, owner: str) -> None:
        """Give a lease back."""
        ...

    def service_map(self, environment: str) -> ServiceMap:
        """Who calls whom in an environment, as earlier incidents left it; empty where nothing is remembered."""
        ...

    def keep_service_map(self, environment: str, known: ServiceMap, at: datetime) -> None:
        """Remember a map in place of the one before. Of two at once either may stay: the next incident adds to it."""
        ...

    def seen(self, delivery: str, at: datetime) -> bool:
        """Remember a webhook delivery id; True when it had been seen before."""
        ...


class Vessel(Store, Protocol):
    """A store that can be filled with what was remembered elsewhere."""

    def restore(self, incidents: Sequence[Incident], entries: Sequence[LedgerEntry]) -> None:
        """Put all of these in as they are, versions and hashes too. Only into an empty store."""
        ...


class Branch(Protocol):
    """A branch of the infra repository that files are only ever added to."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def tip(self) -> str | Refused | Unavailable:
        """SHA of its last commit; empty when there is no such branch."""
        ...

    def create(self, files: Mapping[str, str], text: str) -> str | Refused | Unavailable:
        """Make the branch with one commit that has no parent; its SHA."""
        ...

    def add(self, tip: str, path: str, content: str, text: str) -> str | Outdated | Refused | Unavailable:
        """Add a file in one commit on top of `tip`; its SHA. Outdated when that is not the tip any more."""
        ...


class StoreError(Exception):
    """The store cannot be used: locked, full, corrupt or out of reach. Nothing was half written; the message names the
    remedy."""


class ConflictError(Exception):
    """Somebody else saved this incident in between: load it again and look at the world anew."""
