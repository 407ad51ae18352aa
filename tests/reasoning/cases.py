"""Small evidence for tests: a healthy shop, in which a test makes something sick."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gitops_sre.model.change_feed import ChangeKind, ChangeRecord, Commit, FieldChange
from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.evidence import Evidence, Gap, Scope, Symptom
from gitops_sre.model.findings import Findings
from gitops_sre.model.outcome import Unavailable
from gitops_sre.reasoning.catalogue import load_catalogue
from gitops_sre.reasoning.diagnose import diagnose
from tests.builders import NOW

CATALOGUE = load_catalogue()
EDGES = (("cart", "checkout"), ("checkout", "payments"), ("checkout", "shipping"))
SERVICES = ("cart", "checkout", "payments", "shipping")
SIGNALS = ("errors", "latency", "traffic", "cpu", "memory", "replicas")
LOUD = 30.0
"""Standard deviations of whatever is sick."""
ONSET = NOW - timedelta(seconds=60)
SCOPE = Scope(
    "checkout",
    "staging",
    "staging",
    onset=ONSET,
    now=NOW,
    baseline_start=NOW - timedelta(seconds=4000),
    baseline_end=NOW - timedelta(seconds=1000),
)


def symptom(signal: str, subject: str, seen: Symptom, trust: float = 1.0) -> Evidence:
    """One finding, as perception scores it: far outside what is usual, or not at all."""
    name = f"{signal}_drop" if seen == "low" else signal
    return scored(name, subject, LOUD if seen in ("high", "low") else 0.0, seen, trust)


def scored(signal: str, subject: str, score: float, seen: Symptom = "high", trust: float = 1.0) -> Evidence:
    """One finding with a score."""
    name = f"{signal}/{subject}" if subject else signal
    return Evidence(name, signal, subject, seen, f"{signal} of {subject} {seen}", ONSET, trust=trust, score=score)


def world(**sick: Symptom) -> list[Evidence]:
    """Everything is normal but what is named: `errors_checkout="high"`."""
    assert sick.keys() <= {f"{signal}_{service}" for service in SERVICES for signal in SIGNALS}
    found = [scored("disturbance", "", 400.0 if sick else 0.0)]
    for signal, own, extra in (("errors", "own_failures", "extra_failures"), ("latency", "own_time", "extra_time")):
        felt = {service for service in SERVICES if sick.get(f"{signal}_{service}") == "high"}
        culprits = {service for service in felt if not any((service, callee) in EDGES for callee in felt)}
        found += [scored(f"worst_{signal}", "", LOUD if felt else 0.0), scored(extra, "", 100.0 if felt else 0.0)]
        found += [scored(own, service, 0.95 / len(culprits) if service in culprits else 0.0) for service in SERVICES]
    return found + [
        symptom(signal, service, sick.get(f"{signal}_{service}", "normal"))
        for service in SERVICES
        for signal in SIGNALS
    ]


def change(
    lead: float = 60,
    service: str = "checkout",
    kind: ChangeKind = "image",
    sha: str = "c",
    environment: str = "staging",
) -> ChangeRecord:
    """A change `lead` seconds before the onset."""
    name = f"registry.example.com/shop/{service}"
    fields = (FieldChange("kustomization.yaml", 0, ("images", 0), f"{name}:v1", f"{name}:v2"),)
    commit = Commit(sha * 40, ONSET - timedelta(seconds=lead), "alice", f"Change {service}", ("kustomization.yaml",))
    return ChangeRecord(commit, service, environment, kind, fields if kind == "image" else (), 0.0)


def gap(signal: str) -> Gap:
    """A source that did not answer."""
    return Gap(signal, signal, "checkout", Unavailable("down"))


def ask(
    evidence: list[Evidence],
    *changes: ChangeRecord,
    refuted: tuple[str, ...] = (),
    gaps: tuple[Gap, ...] = (),
    scope: Scope = SCOPE,
) -> Diagnosis:
    """The diagnosis."""
    return diagnose(Findings(scope, tuple(evidence), gaps, EDGES, changes=changes), CATALOGUE, refuted, 30)


def belief(diagnosis: Diagnosis, cause: str) -> float:
    """The posterior of a cause, at whatever service and by whatever change."""
    return sum(each.posterior for each in diagnosis.hypotheses if each.cause == cause)


def distrusted(evidence: list[Evidence], trust: float) -> list[Evidence]:
    """The same, seen less clearly."""
    return [replace(item, trust=trust) for item in evidence]
