"""A case to ask a model about: a release, a change of settings and two other explanations of one incident."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gitops_sre.model.change_feed import ChangeRecord, Commit
from gitops_sre.model.diagnosis import Diagnosis, Hypothesis
from gitops_sre.model.evidence import Evidence
from gitops_sre.reasoning.briefing import Case
from tests.builders import NOW, plan

SHA = "abcdef0123456789" * 2 + "abcdef01"
OTHER = "0123456789abcdef" * 2 + "01234567"
PLANS = (plan(), plan(action="restart", parameters={}))


def finding(name: str, says: str = "errors rose to 30 %", **changed: Any) -> Evidence:
    """One unusual finding."""
    signal, _, subject = name.partition("/")
    return replace(Evidence(name, signal, subject, "high", says, NOW, score=30.0), **changed)


def changed(sha: str, subject: str) -> ChangeRecord:
    """A change that is suspected."""
    return ChangeRecord(Commit(sha, NOW, "ada", subject, ()), "checkout", "staging", "image", (), 60.0)


def diagnosis(*evidence: Evidence, subject: str = "Release v2") -> Diagnosis:
    """A release, a change of settings and two other explanations."""
    return Diagnosis(
        (
            Hypothesis("new_deploy", "checkout", 0.4, 0.1, ("errors/checkout",), change=changed(SHA, subject)),
            Hypothesis("config_change", "checkout", 0.3, 0.1, change=changed(OTHER, "Settings")),
            Hypothesis("code_defect", "payments", 0.2, 0.1, ("latency/payments",)),
            Hypothesis("no_fault", "", 0.1, 0.1),
        ),
        evidence or (finding("errors/checkout"), finding("latency/payments")),
    )


def case(*evidence: Evidence, subject: str = "Release v2") -> Case:
    """What the model is asked about."""
    return Case(diagnosis(*evidence, subject=subject), frozenset({"checkout", "payments"}), PLANS)


def claim(**changed: object) -> dict[str, object]:
    """A claim that is kept, but for what is changed."""
    right = {"cause": "new_deploy", "service": "checkout", "commit": SHA, "evidence": ["errors/checkout"], "why": "so"}
    return {**right, **changed}


def concluding(*claims: object, **more: object) -> dict[str, object]:
    """Arguments of `conclude`."""
    return {"hypotheses": list(claims), "queries": [], "plans": ["p1"], **more}
