"""One incident in full, for the texts, the seal and the forge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gitops_sre.model.change import BlastRadius, Change, Check, FieldEdit, FileEdit, ObjectDiff, Proof
from gitops_sre.model.change_feed import ChangeRecord, Commit, FieldChange
from gitops_sre.model.diagnosis import Diagnosis, Hypothesis
from gitops_sre.model.evidence import Evidence, Gap
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.outcome import Done, Inconclusive, Unavailable
from gitops_sre.model.plan import Plan, Reading, Sli, VerificationPlan
from gitops_sre.model.pull import PullRequest
from gitops_sre.model.record import ActionRecord
from gitops_sre.model.signal import Alert
from gitops_sre.model.target import Source, Target, WorkloadRef
from gitops_sre.model.verdict import Level, Reason, Verdict
from gitops_sre.model.verification import Assessment, SliJudgement

T0 = datetime(2026, 11, 3, 2, 40, tzinfo=UTC)
BASE = "b" * 40
CULPRIT = "c0ffee" + "1" * 34
HEAD = "d" * 40
FILE = "apps/checkout/overlays/production/kustomization.yaml"
BEFORE = "images:\n  - name: shop/checkout\n    newTag: 1.5.0\n"
AFTER = BEFORE.replace("1.5.0", "1.4.2")
DIFF = f"""--- a/{FILE}
+++ b/{FILE}
@@ -1,3 +1,3 @@
 images:
   - name: shop/checkout
-    newTag: 1.5.0
+    newTag: 1.4.2
"""

ALERT = Alert(
    "f00d",
    "HighErrorRate",
    {"alertname": "HighErrorRate", "service": "checkout", "environment": "production"},
    {"summary": "checkout answers 12 % of its requests with an error"},
    T0,
    source="alertmanager",
)
TARGET = Target(
    "checkout",
    "production",
    "critical",
    WorkloadRef("Deployment", "shop-production", "checkout"),
    "argocd/checkout-production",
    Source("https://github.com/acme/infra", "apps/checkout/overlays/production", kind="kustomize"),
    ("label service=checkout", "tracking id names argocd/checkout-production"),
)
CHANGE = ChangeRecord(
    Commit(CULPRIT, T0 - timedelta(minutes=4), "alice", "checkout 1.5.0 to production", (FILE,)),
    "checkout",
    "production",
    "image",
    (FieldChange(FILE, 0, ("images", 0, "newTag"), "1.4.2", "1.5.0"),),
    240.0,
)
EVIDENCE = (
    Evidence(
        "errors/checkout",
        "errors",
        "checkout",
        "high",
        "12.4 % of requests fail",
        T0,
        0.124,
        0.003,
        "ratio",
        source="prometheus",
    ),
    Evidence(
        "latency/checkout",
        "latency",
        "checkout",
        "normal",
        "p99 is as before",
        T0,
        0.21,
        0.2,
        "seconds",
        source="prometheus",
    ),
    Evidence(
        "traffic/checkout",
        "traffic",
        "checkout",
        "normal",
        "requests as before",
        T0,
        41.0,
        40.0,
        "per second",
        source="prometheus",
    ),
    Evidence(
        "changes/checkout",
        "changes",
        "checkout",
        "present",
        "image changed 4 min before the onset",
        T0 - timedelta(minutes=4),
        source="git",
    ),
)
DIAGNOSIS = Diagnosis(
    (
        Hypothesis(
            "new_deploy",
            "checkout",
            0.93,
            0.4,
            ("errors/checkout", "changes/checkout"),
            ("latency/checkout",),
            CHANGE,
        ),
        Hypothesis("dependency_failure", "payments", 0.05, 0.2, ("errors/checkout",), ("traffic/checkout",)),
        Hypothesis("traffic_spike", "checkout", 0.02, 0.1, (), ("traffic/checkout",)),
    ),
    EVIDENCE,
    (Gap("saturation/checkout", "saturation", "checkout", Unavailable("the query timed out after 10 s")),),
    "The deploy of checkout 1.5.0 began four minutes before its errors rose; nothing else changed.",
)
VERIFICATION = VerificationPlan(
    (Sli("error ratio", 'sum(rate(http_errors{service="checkout"}[5m]))', 0.02),),
    60.0,
    600.0,
    1800.0,
    (Reading("error ratio", 0.003),),
    (Reading("error ratio", 0.124),),
    'sum(rate(http_requests{service="checkout"}[5m]))',
)
PLAN = Plan(
    "rollback_image",
    TARGET,
    {"image": "shop/checkout", "to": "1.4.2"},
    "1.4.2 ran while the error ratio was within its objective",
    "new_deploy/checkout/c0ffee111111",
    0.93,
    CULPRIT,
    VERIFICATION,
)
EDIT = FieldEdit(FILE, 0, ("images", 0, "newTag"), "1.5.0", "1.4.2", "1.5.0", "1.4.2")
PROOF = Proof(
    Change(BASE, (EDIT,), (FileEdit(FILE, BEFORE, AFTER),)),
    (
        ObjectDiff(
            "Deployment",
            "shop-production",
            "checkout",
            "argocd/checkout-production",
            ("spec.template.spec.containers[0].image: shop/checkout:1.5.0 -> shop/checkout:1.4.2",),
            6,
        ),
    ),
    BlastRadius(1, 6, ("shop-production",), ("production",), ("critical",), 0.125, 1, 1),
    (
        Check("renders", Done("kustomize built 12 objects before and after")),
        Check("schema", Done("Kubernetes 1.37")),
        Check("image exists", Inconclusive("no registry is configured")),
    ),
    DIFF,
)


def verdict(level: Level = Level.L4, approvers: tuple[str, ...] = ()) -> Verdict:
    """A verdict with three reasons, the last one binding."""
    return Verdict(
        level,
        (
            Reason("action.rollback_image", Level.L4, "rollback_image may go up to L4 in tier critical"),
            Reason("limits.replicas", Level.L4, "6 replicas of at most 20"),
            Reason("confidence.minimum", level, "confidence 0.93, at least 0.8 is asked for"),
        ),
        approvers,
        BASE,
    )


def record(level: Level = Level.L4) -> ActionRecord:
    """The record of the sample's fix."""
    return ActionRecord("inc-0123456789ab", "fix", 1, (ALERT,), T0, PLAN, (EDIT,), BASE, verdict(level))


def pull(number: int = 7, kind: str = "fix", **changes: object) -> PullRequest:
    """An open pull request of the sample."""
    plain = PullRequest(
        number,
        f"https://github.com/acme/infra/pull/{number}",
        f"gitops-sre/inc-0123456789ab/{kind}-1",
        HEAD,
        "main",
        "open",
        False,
        True,
        T0 + timedelta(minutes=3),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # keyword arguments of a test's choice


def incident(level: Level = Level.L4, **changes: object) -> Incident:
    """The sample incident, planned and judged."""
    plain = Incident(
        "inc-0123456789ab",
        (ALERT,),
        State.PLANNED,
        T0 + timedelta(seconds=30),
        T0 + timedelta(minutes=2),
        severity="page",
        target=TARGET,
        diagnosis=DIAGNOSIS,
        plan=PLAN,
        proof=PROOF,
        verdict=verdict(level, ("bob", "carol") if level is Level.L3 else ()),
        record=record(level),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # keyword arguments of a test's choice


def assessment(state: str = "recovered", worse: bool = False) -> Assessment:
    """An assessment of the sample's one SLI."""
    value = {"recovered": 0.004, "not_recovered": 0.131, "inconclusive": None}[state]
    judged = SliJudgement("error ratio", state, value, 0.02, 0.124, 0.003, 40, 0.0 if state == "recovered" else 1.0)  # type: ignore[arg-type]  # one of its three words
    reason = {
        "recovered": "error ratio is back below its threshold for the whole window",
        "not_recovered": "error ratio stayed above its threshold",
        "inconclusive": "no traffic in the window",
    }[state]
    return Assessment(state, reason, (judged,), worse)  # type: ignore[arg-type]  # one of its three words
