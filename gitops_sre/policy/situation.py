"""All that a verdict is made of, as plain facts: what is judged, what is recorded, and what can be judged again.

The gate reads nothing else, so that a recorded situation gives the same verdict under the same policies for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError

from gitops_sre.model.change import Check, Proof
from gitops_sre.model.diagnosis import Cause
from gitops_sre.model.evidence import Doubt, Gap
from gitops_sre.model.outcome import Done, Refused
from gitops_sre.model.plan import ActionSpec, Plan
from gitops_sre.model.verdict import Level, Reason
from gitops_sre.policy.schema import Input, Step

_CAUSES = frozenset(get_args(Cause))
_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday: when examples happen that name no time."""


@dataclass(frozen=True)
class Origin:
    """An alert as far as ownership goes: who delivered it, and the service that it names (empty: none)."""

    source: str
    service: str


@dataclass(frozen=True)
class Touched:
    """An object that the change touches."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Situation:
    """One plan with its proof, and what is known around it. An empty `cluster` or `cause`, and None, are not known.

    `environments`, `tiers` and `namespaces` are all that are touched, the target's first. `checks` are what the proof
    and the investigation left open or refuse, each with the level that it allows at most; `told` what the bot's own
    record takes away. Ages are in seconds; `last_action` None: never.
    """

    __pydantic_config__ = ConfigDict(ser_json_inf_nan="strings")

    at: datetime
    action: str
    service: str
    environments: tuple[str, ...]
    tiers: tuple[str, ...]
    namespaces: tuple[str, ...]
    touched: tuple[Touched, ...]
    confidence: float
    objects: int
    replicas: int
    files: int
    lines: int
    fleet_share: float
    reversible: bool = True
    cluster: str = ""
    cause: str = ""
    service_share: float | None = None
    steps: Mapping[str, float | None] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    alert_age: float | None = None
    last_action: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    alerts: tuple[Origin, ...] = ()
    slis: int = 1
    live_by: str = "cluster"
    checks: tuple[Reason, ...] = ()
    told: tuple[Reason, ...] = ()

    @property
    def environment(self) -> str:
        """The target's."""
        return self.environments[0]

    @cached_property
    def services(self) -> tuple[str, ...]:
        """The target's service and the names of the touched objects, which are services by convention."""
        return tuple(dict.fromkeys((self.service, *(each.name for each in self.touched))))

    @cached_property
    def measures(self) -> Mapping[str, float | None]:
        """What limits bound from above, by the names of `Limits.most`; None is not known."""
        return {
            "objects": self.objects,
            "replicas": self.replicas,
            "namespaces": len(self.namespaces),
            "environments": len(self.environments),
            "share of the fleet": self.fleet_share,
            "share of the service": self.service_share,
            "files": self.files,
            "lines": self.lines,
            **{f"step of {name}": self.steps.get(name) for name in Step.model_fields},
        }


@dataclass(frozen=True)
class Around:
    """What is known beside plan and proof, see `Situation`."""

    at: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    alerts: tuple[Origin, ...] = ()
    alert_age: float | None = None
    evidence: tuple[str, ...] = ()
    cluster: str = ""
    last_action: float | None = None
    open_questions: Sequence[Gap | Doubt] = ()
    told: tuple[Reason, ...] = ()


def situation(plan: Plan, proof: Proof, spec: ActionSpec, around: Around) -> Situation:
    """The situation of a proven plan; `spec` is the plan's action."""
    radius, target = proof.radius, plan.target
    objects = (Touched(each.namespace, each.name) for each in proof.objects)
    own = Touched(target.workload.namespace, target.workload.name)
    cause = plan.hypothesis.partition("/")[0]
    return Situation(
        at=around.at.astimezone(UTC),
        action=plan.action,
        service=target.service,
        environments=_union(target.environment, radius.environments),
        tiers=_union(target.tier, radius.tiers),
        namespaces=_union(target.workload.namespace, radius.namespaces),
        touched=tuple(dict.fromkeys((own, *objects))),
        confidence=plan.confidence,
        objects=radius.objects,
        replicas=radius.replicas,
        files=radius.files,
        lines=radius.lines,
        fleet_share=radius.fleet_share,
        reversible=spec.reversible,
        cluster=around.cluster,
        cause=cause if cause in _CAUSES else "",
        service_share=radius.service_share,
        steps=dict(radius.steps or ()),
        evidence=tuple(dict.fromkeys(around.evidence)),
        alert_age=around.alert_age,
        last_action=around.last_action,
        labels=dict(around.labels),
        alerts=around.alerts,
        slis=len(plan.verification.slis),
        live_by=plan.verification.live_by,
        checks=tuple(_left_open(proof.checks, around.open_questions)),
        told=around.told,
    )


def _union(first: str, others: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((first, *others)))


def _left_open(checks: Sequence[Check], questions: Sequence[Gap | Doubt]) -> Iterable[Reason]:
    yield from (_checked(check) for check in checks if not isinstance(check.outcome, Done))
    if not checks:
        yield Reason("proof", Level.L3, "nothing about the change was checked")
    yield from (_open(each) for each in questions)


def _checked(check: Check) -> Reason:
    """A check that did not pass."""
    outcome = check.outcome
    if isinstance(outcome, Refused):
        return Reason(f"check {check.name}", Level.DENIED, outcome.reason)
    text = "" if isinstance(outcome, Done) else outcome.reason
    return Reason(f"check {check.name}", Level.L3, f"could not be concluded: {text}")


def _open(question: Gap | Doubt) -> Reason:
    """What was not seen, or what was and speaks against acting alone."""
    if isinstance(question, Doubt):
        return Reason("doubt", Level.L3, question.text)
    why = f"{question.signal} of {question.subject} could not be read: {question.why.reason}"
    return Reason("evidence", Level.L3, why)


def example(given: Input) -> Situation:
    """The situation that people describe in a test or on the command line."""
    namespace = given.namespace or given.environment
    names = (given.service, *given.services)
    return Situation(
        at=given.at or _NOON,
        action=given.action,
        service=given.service,
        environments=_union(given.environment, given.environments),
        tiers=_union(given.tier, given.tiers),
        namespaces=_union(namespace, given.namespaces),
        touched=tuple(Touched(namespace, name) for name in dict.fromkeys(names)),
        confidence=given.confidence,
        objects=given.objects,
        replicas=given.replicas,
        files=given.files,
        lines=given.lines,
        fleet_share=given.fleet_share,
        reversible=given.reversible,
        cluster=given.cluster,
        cause=given.cause,
        service_share=given.service_share,
        steps={name: factor for name, factor in given.step.model_dump().items() if factor is not None},
        evidence=given.evidence,
        alert_age=given.alert_age,
        last_action=given.last_action,
        labels=dict(given.labels),
        alerts=(Origin(given.source, given.alerting or given.service),),
        slis=given.slis,
        live_by=given.live_by,
        checks=(
            *(Reason(f"check {name}", Level.DENIED, "refused") for name in given.refused),
            *(Reason(f"check {name}", Level.L3, "could not be concluded") for name in given.inconclusive),
            *(Reason("evidence", Level.L3, f"{name} could not be read") for name in given.missing),
            *(Reason("doubt", Level.L3, text) for text in given.doubts),
        ),
    )


_ADAPTER: TypeAdapter[Situation] = TypeAdapter(Situation)


def dump(given: Situation) -> dict[str, object]:
    """A situation as JSON data, for the ledger."""
    plain: dict[str, object] = _ADAPTER.dump_python(given, mode="json", exclude_defaults=True)
    return plain


def load(data: object) -> Situation | None:
    """What `dump` has written; None for what an older or a newer version wrote otherwise."""
    try:
        found = _ADAPTER.validate_python(data)
    except ValidationError:
        return None
    return replace(found, at=found.at.astimezone(UTC)) if found.environments else None
