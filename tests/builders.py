"""Small nouns for tests: every function gives a complete, plausible value and takes what a test wants otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gitops_sre.model.change import BlastRadius, Change, FieldEdit, FileEdit, Proof
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.plan import Plan, Sli, VerificationPlan
from gitops_sre.model.pull import PullRequest, Review
from gitops_sre.model.record import ActionRecord
from gitops_sre.model.signal import Alert, fingerprint, incident_key
from gitops_sre.model.target import Source, Target, WorkloadRef
from gitops_sre.model.verdict import Level, Reason, Verdict

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SHA = "a" * 40


def after(seconds: float) -> datetime:
    """A moment some seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def alert(service: str = "checkout", environment: str = "staging", *, at: float = 0, **changes: Any) -> Alert:
    """A firing HighErrorRate alert."""
    labels = {"alertname": "HighErrorRate", "service": service, "environment": environment}
    plain = Alert(fingerprint(labels), "HighErrorRate", labels, {}, after(at), source="test")
    return replace(plain, **changes)


def target(service: str = "checkout", environment: str = "staging") -> Target:
    """A kustomize workload."""
    return Target(
        service=service,
        environment=environment,
        tier=environment,
        workload=WorkloadRef("Deployment", environment, service),
        application=f"argocd/{environment}-{service}",
        source=Source("https://git.example.com/acme/infra", f"apps/{service}/overlays/{environment}", kind="kustomize"),
        reasons=("by label service",),
    )


def plan(**changes: Any) -> Plan:
    """Roll checkout back from v2 to v1."""
    verification = VerificationPlan((Sli("errors", "up", 0.02),), settle=1, window=5, deadline=30, traffic="up")
    plain = Plan(
        action="rollback_image",
        target=target(),
        parameters={"image": "registry.example.com/checkout", "to": "v1"},
        reason="v2 raised the error rate",
        hypothesis="new_deploy/checkout/abc",
        confidence=0.97,
        culprit="c" * 40,
        verification=verification,
    )
    return replace(plain, **changes)


def edit() -> FieldEdit:
    """The tag of the staging overlay, v2 -> v1."""
    path = ("images", 0, "newTag")
    return FieldEdit("apps/checkout/overlays/staging/kustomization.yaml", 0, path, "v2", "v1", "v2", "v1")


def proof() -> Proof:
    """What the edit does."""
    files = (FileEdit(edit().file, "newTag: v2\n", "newTag: v1\n"),)
    radius = BlastRadius(1, 2, ("staging",), ("staging",), ("staging",), 0.1, 1, 1)
    return Proof(Change(SHA, (edit(),), files), (), radius, (), "-newTag: v2\n+newTag: v1\n")


def verdict(level: Level = Level.L4, approvers: tuple[str, ...] = ()) -> Verdict:
    """A verdict with one reason."""
    return Verdict(level, (Reason("ladder", level, "opened"),), approvers, SHA)


def record(level: Level = Level.L4, **changes: Any) -> ActionRecord:
    """The record of the fix."""
    alerts = (alert(),)
    plain = ActionRecord(incident_key(alerts), "fix", 1, alerts, NOW, plan(), (edit(),), SHA, verdict(level))
    return replace(plain, **changes)


def pull(number: int = 7, **changes: Any) -> PullRequest:
    """An open pull request of the bot."""
    plain = PullRequest(
        number=number,
        url=f"https://github.example.com/acme/infra/pull/{number}",
        branch="gitops-sre/inc-1/fix-1",
        head="b" * 40,
        base="main",
        state="open",
        draft=False,
        ours=True,
        created_at=NOW,
    )
    return replace(plain, **changes)


def review(login: str = "alice", **changes: Any) -> Review:
    """An approving review of the head."""
    return replace(Review(login, "approved", "b" * 40, after(5), True), **changes)


def incident(state: State = State.RECEIVED, level: Level = Level.L4, **changes: Any) -> Incident:
    """An incident in a state, with what an incident in that state has."""
    alerts = (alert(),)
    plain = Incident(incident_key(alerts), alerts, state, NOW, NOW)
    order = list(State)
    if order.index(State.DIAGNOSED) <= order.index(state):
        plain = replace(plain, target=target())
    if order.index(State.PLANNED) <= order.index(state):
        plain = replace(plain, plan=plan())
    if order.index(State.PROPOSED) <= order.index(state):
        plain = replace(plain, proof=proof(), verdict=verdict(level), record=record(level))
    if order.index(State.AWAITING_APPROVAL) <= order.index(state):
        plain = replace(plain, fix=pull())
    return replace(plain, **changes)
