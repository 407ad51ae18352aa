"""The kinds of policy document as they are written: names, types and defaults of every key, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from gitops_sre.model.incident import Severity
from gitops_sre.model.notice import NoticeKind
from gitops_sre.model.verdict import Level
from gitops_sre.policy.times import WEEKDAYS, Duration, Hours, Weekday, Zone

API_VERSION = "gitops-sre.dev/v1"

_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]00:00)")


def _utc(value: object) -> datetime:
    """Only a complete RFC 3339 time in UTC: `2026-12-24` or a local time would be read differently by two people."""
    if not isinstance(value, str) or _UTC.fullmatch(value) is None:
        raise ValueError("must be an RFC 3339 time in UTC, such as 2026-12-24T18:00:00Z")
    return datetime.fromisoformat(value)


_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def _hour(value: object) -> time:
    """A time of day as `07:30`: YAML 1.1 reads one without quotes as a number, and says so here."""
    if not isinstance(value, str) or _HOUR.fullmatch(value) is None:
        raise ValueError('must be a time of day in UTC, in quotes, such as "07:30"')
    return time.fromisoformat(value)


Glob = Annotated[str, Field(min_length=1, max_length=253)]
Globs = Annotated[tuple[Glob, ...], Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=63)]
Login = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=100)]
OpenLevel = Literal["L1", "L2", "L3", "L4"]
Ceiling = Literal["deny", "L1", "L2", "L3", "L4"]
Count = Annotated[int | None, Field(ge=0), WithJsonSchema({"type": "integer", "minimum": 0})]
Share = Annotated[float | None, Field(ge=0, le=1), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
Factor = Annotated[float | None, Field(ge=1), WithJsonSchema({"type": "number", "minimum": 1})]
Time = Annotated[AwareDatetime, BeforeValidator(_utc), WithJsonSchema({"type": "string", "format": "date-time"})]
TimeOfDay = Annotated[time, BeforeValidator(_hour), WithJsonSchema({"type": "string", "pattern": _HOUR.pattern})]


def level(name: Ceiling) -> Level:
    """The level that a document's word stands for."""
    return Level.DENIED if name == "deny" else Level[name]


class _Written(BaseModel):
    """A mapping in a document: camelCase keys, none but the declared ones, no conversion between types."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class LadderEntry(_Written):
    """Opens a level for an action where every glob matches; of several matching entries the lowest level counts."""

    action: Glob
    environment: Glob = "*"
    tier: Glob = "*"
    service: Glob = "*"
    level: OpenLevel


class Ladder(_Written):
    """The levels that are opened. What no entry matches stays at L1."""

    levels: tuple[LadderEntry, ...]


_BY_GLOBS = ("actions", "environments", "tiers", "services", "namespaces", "owners", "causes", "clusters")


class Match(_Written):
    """What a rule is about: one glob of each list must match something that the change touches."""

    actions: Globs = ("*",)
    environments: Globs = ("*",)
    tiers: Globs = ("*",)
    services: Globs = ("*",)
    namespaces: Globs = ("*",)
    causes: Globs = ("*",)
    clusters: Globs = ("*",)
    owners: Globs = ("*",)
    reversible: Annotated[bool | None, WithJsonSchema({"type": "boolean"})] = None
    hours: Annotated[tuple[Hours, ...], Field(min_length=1)] = ()
    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1)] = WEEKDAYS
    timezone: Zone = "UTC"

    @model_validator(mode="after")
    def _timed(self) -> Match:
        if "timezone" in self.model_fields_set and not self.timed:
            raise ValueError("`timezone` means nothing without `hours` or `weekdays`")
        return self

    @cached_property
    def named(self) -> tuple[tuple[str, Globs], ...]:
        """The selectors by globs that may leave something out."""
        written = ((name, getattr(self, name)) for name in _BY_GLOBS if name in self.model_fields_set)
        return tuple((name, patterns) for name, patterns in written if patterns != ("*",))

    @cached_property
    def timed(self) -> bool:
        """Whether it speaks of hours or weekdays."""
        return bool({"hours", "weekdays"} & self.model_fields_set)


class Step(_Written):
    """How many times as much, or as little, a value may become: 1 or more, of the larger by the smaller one."""

    memory: Factor = None
    cpu: Factor = None
    replicas: Factor = None


_AT_MOST = {name: name for name in ("objects", "replicas", "namespaces", "environments", "files", "lines")}
_AT_MOST |= {"fleet_share": "share of the fleet", "service_share": "share of the service"}


class Limits(_Written):
    """Bounds on the proven blast radius, on steps of values and on the age of the alert (at most), and on what the
    diagnosis rests on (at least). What is not known exceeds each."""

    objects: Count = None
    replicas: Count = None
    namespaces: Count = None
    environments: Count = None
    fleet_share: Share = None
    service_share: Share = None
    files: Count = None
    lines: Count = None
    step: Step = Step()
    confidence: Share = None
    evidence_kinds: Count = None
    alert_age: Duration = None

    @cached_property
    def most(self) -> tuple[tuple[str, float], ...]:
        """What may be at most so much, by the measure's name: "objects", "step of cpu" and so on."""
        values = {said: getattr(self, name) for name, said in _AT_MOST.items()}
        values |= {f"step of {name}": getattr(self.step, name) for name in Step.model_fields}
        return tuple((said, limit) for said, limit in values.items() if limit is not None)


class Rule(_Written):
    """A rule that lowers: to `ceiling` where it applies, to `beyond` when a limit is exceeded.

    `when` is a CEL expression; `approvers` are the logins whose review counts at L3 (empty: anybody who may write),
    `quorum` how many of them must approve. `cool_down` is a limit too: seconds since the bot last did the same to the
    service. `verification_window` only lengthens the one of the settings.
    """

    name: Name
    match: Match = Match()
    when: str = "true"
    ceiling: Ceiling = "L4"
    limits: Limits = Limits()
    beyond: Ceiling = "L1"
    approvers: tuple[Login, ...] = ()
    quorum: int = Field(1, ge=1, le=20)
    cool_down: Duration = None
    verification_window: Duration = None


class Rules(_Written):
    """Rules that hold together: every one that applies lowers the verdict."""

    rules: tuple[Rule, ...]


class Window(_Written):
    """A time in which less is allowed: from `from` until just before `until`."""

    name: Name
    from_: Time = Field(alias="from")
    until: Time
    environments: Globs = ("*",)
    ceiling: Ceiling = "L2"
    reason: str = Field(min_length=1, max_length=500)

    @model_validator(mode="after")
    def _forward(self) -> Window:
        if self.until - self.from_ <= timedelta(0):
            raise ValueError("`until` must be after `from`")
        return self

    def open_at(self, now: datetime) -> bool:
        """Whether the window holds at a moment."""
        return self.from_ <= now < self.until


class Windows(_Written):
    """Freeze windows."""

    windows: tuple[Window, ...]


class Quiet(_Written):
    """A time of each day, in UTC, from `from` until just before `until`; it may pass midnight."""

    from_: TimeOfDay = Field(alias="from")
    until: TimeOfDay

    @model_validator(mode="after")
    def _some(self) -> Quiet:
        if self.until == self.from_:
            raise ValueError("`until` must be another time than `from`")
        return self

    def ends(self, now: datetime) -> datetime | None:
        """When the quiet that holds at a moment (aware) is over; None when none holds."""
        now = now.astimezone(UTC)
        for day in (now.date() - timedelta(days=1), now.date()):
            start = datetime.combine(day, self.from_, UTC)
            end = datetime.combine(day + timedelta(days=self.until < self.from_), self.until, UTC)
            if start <= now < end:
                return end
        return None


class Audience(_Written):
    """Which notices a route is for: each list must match. What is about no service matches `"*"` only."""

    events: Annotated[tuple[NoticeKind, ...], Field(min_length=1)] = get_args(NoticeKind)
    severities: Annotated[tuple[Severity, ...], Field(min_length=1)] = get_args(Severity)
    services: Globs = ("*",)
    owners: Globs = ("*",)
    environments: Globs = ("*",)
    tiers: Globs = ("*",)


class Route(_Written):
    """Which channels are told of what. Within `quiet` it waits until that is over."""

    name: Name
    match: Audience = Audience()
    channels: Annotated[tuple[Name, ...], Field(min_length=1)]
    quiet: Quiet | None = None


class Routes(_Written):
    """Routes that stand beside each other: every one that matches counts."""

    routes: tuple[Route, ...]


class Team(_Written):
    """Who owns what matches one of `services` or one of `namespaces`. `sources` are globs on who may deliver alerts
    that change it; `approvers` are as in a rule that applies to it."""

    name: Name
    namespaces: tuple[Glob, ...] = ()
    services: tuple[Glob, ...] = ()
    sources: Globs
    approvers: tuple[Login, ...] = ()

    @model_validator(mode="after")
    def _something(self) -> Team:
        if not (self.namespaces or self.services):
            raise ValueError("a team owns something: give `namespaces` or `services`")
        return self


class Teams(_Written):
    """Owners. Nobody owns what none of them claims."""

    teams: tuple[Team, ...]


class Input(_Written):
    """A verdict's input as people write it. What is left out is unremarkable, but what may be unknown in life (cluster,
    cause, share of the service, steps, age of the alert, evidence) is unknown when it is left out."""

    action: Glob
    service: Glob
    environment: str
    tier: str = "standard"
    namespace: str = ""
    """Empty: called like the environment."""
    at: Time | None = None
    """Default: a Monday noon (2026-03-02T12:00:00Z)."""
    cluster: str = ""
    cause: str = ""
    confidence: float = 1.0
    reversible: bool = True
    environments: tuple[str, ...] = ()
    """Touched besides the target's own; `tiers`, `namespaces` and `services` alike."""
    tiers: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    objects: int = 1
    replicas: int = 1
    files: int = 1
    lines: int = 1
    fleet_share: float = 0.0
    service_share: Share = None
    step: Step = Step()
    evidence: tuple[str, ...] = ()
    alert_age: Duration = None
    last_action: Duration = None
    """How long ago the bot did the same to the service. Default: never."""
    labels: Mapping[str, str] = {}
    source: str = "alertmanager"
    """Who delivered the alert."""
    alerting: str = ""
    """The service that the alert names. Empty: `service`."""
    slis: int = Field(1, ge=0)
    live_by: Literal["cluster", "statuses"] = "cluster"
    refused: tuple[str, ...] = ()
    """Checks of the proof that refuse the change; `inconclusive` are those without a result."""
    inconclusive: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Signals that could not be read."""
    doubts: tuple[str, ...] = ()


class Expected(_Written):
    """What the verdict must be; what is left out may be anything. `reasons` names the rules that decide, all of them
    and in any order."""

    level: Ceiling
    reasons: tuple[str, ...] | None = None
    approvers: tuple[Login, ...] | None = None
    quorum: int | None = None
    window: Duration = None


class TestCase(_Written):
    """One example."""

    __test__ = False  # pytest collects what is called Test

    name: str = Field(min_length=1, max_length=200)
    input: Input
    expect: Expected


class Cases(_Written):
    """Examples."""

    cases: Annotated[tuple[TestCase, ...], Field(min_length=1)]


class Metadata(_Written):
    """The name of a document, for people."""

    name: Name


class _Document(_Written):
    api_version: Literal["gitops-sre.dev/v1"]
    metadata: Metadata


class AutonomyLadder(_Document):
    """The only kind of document that opens levels."""

    kind: Literal["AutonomyLadder"]
    spec: Ladder


class RemediationPolicy(_Document):
    """Rules that lower the level: ceilings, limits, approvers."""

    kind: Literal["RemediationPolicy"]
    spec: Rules


class FreezeWindow(_Document):
    """Times in which less is allowed."""

    kind: Literal["FreezeWindow"]
    spec: Windows


class Notification(_Document):
    """Who is told of what, by the names of channels; their addresses are secrets and stand in no repository."""

    kind: Literal["Notification"]
    spec: Routes


class Ownership(_Document):
    """Whose workloads are whose, and which alert sources may cause actions on them."""

    kind: Literal["Ownership"]
    spec: Teams


class PolicyTest(_Document):
    """What a verdict must be, as examples. Run by `gitops-sre policy test`; changes no verdict."""

    kind: Literal["PolicyTest"]
    spec: Cases


Document = AutonomyLadder | RemediationPolicy | FreezeWindow | Notification | Ownership | PolicyTest

KINDS: Mapping[str, type[Document]] = {
    "AutonomyLadder": AutonomyLadder,
    "RemediationPolicy": RemediationPolicy,
    "FreezeWindow": FreezeWindow,
    "Notification": Notification,
    "Ownership": Ownership,
    "PolicyTest": PolicyTest,
}


DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a document of any kind, for editors."""
    every: TypeAdapter[Document] = TypeAdapter(Annotated[Document, Field(discriminator="kind")])
    return {"$schema": DIALECT, "title": "Policies of gitops-sre"} | every.json_schema()
