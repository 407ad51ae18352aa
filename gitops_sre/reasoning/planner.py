"""From a diagnosis to one typed plan, or the reason why a person is needed. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from gitops_sre.model.change_feed import ChangeRecord
from gitops_sre.model.diagnosis import Diagnosis, Hypothesis, certainty
from gitops_sre.model.evidence import Doubt, Evidence
from gitops_sre.model.plan import Declared, NeedsHuman, Plan, Sli, VerificationPlan
from gitops_sre.model.target import NoTarget, Target
from gitops_sre.reasoning import capacity, remedies
from gitops_sre.reasoning.remedies import Remedy
from gitops_sre.settings import DecisionSettings

COMPARABLE = 0.25
"""Another change whose posterior is at least this part of the first one's is a rival: which one it was is not clear."""
WORSE_SIGMAS = 3.0
WORSE_RATIO = 1.25
"""Pods of a new version are worse from this many standard deviations of the old one on, where that is also more than
this part of what the old one's show."""
SOON = 3600.0
"""Seconds after a change of limits or replicas within which it is to blame for what runs out."""
LASTING = "lasting"
"""Signal of the findings that say whether users still feel anything now."""
BEFORE: Mapping[str, str] = {"early": "at first", "version": "while both served"}
"""How a version may be compared with the old one apart from what it has come to."""
LEAVING = "leaving"
"""The old version beside the new one, compared with what it was used to."""
FELT = ("errors", "latency", "restarts", "saturation", "cpu", "memory")
"""Signals in which a version may be worse."""


def plan(
    diagnosis: Diagnosis,
    target: Target | NoTarget,
    decision: DecisionSettings,
    verification: VerificationPlan,
    declared: Declared | None = None,
) -> Plan | NeedsHuman:
    """The remediation of the most probable hypothesis, when one fits and everything needed for it is known.

    `target` is that of the blamed service, and `declared` the room that Git gives it (None: not read). What has passed
    is left alone, and so is a change whose new pods are seen to be no worse than the old ones.
    """
    top = diagnosis.top
    doubt = _doubt(diagnosis, decision) or _mismatch(top, target, verification)
    if doubt or isinstance(target, NoTarget):
        return NeedsHuman(doubt)
    if why := _passed(diagnosis, top, verification) or _no_worse(diagnosis, top):
        return NeedsHuman(f"{_named(top)}: {why}")
    found = _remedy(diagnosis, target, declared)
    if isinstance(found, NeedsHuman):
        return NeedsHuman(f"{_named(top)}: {found.reason}")
    return Plan(
        action=found.action,
        target=target,
        parameters=found.parameters,
        reason=f"{_named(top)}: {found.what}",
        hypothesis=top.key,
        confidence=top.posterior,
        culprit=found.culprit,
        verification=verification,
    )


def _remedy(diagnosis: Diagnosis, target: Target, declared: Declared | None) -> Remedy | NeedsHuman:
    """What takes the most probable hypothesis back. Where room has run out shortly after a change of limits or of
    replicas, that change is taken back before anything is given more."""
    top = diagnosis.top
    if top.change is not None or top.cause not in capacity.CAUSES:
        return remedies.remedy(top, target.source.kind)
    cut = {
        each.change.commit.sha: each.change
        for each in diagnosis.hypotheses
        if each.service == top.service and each.change is not None and not each.refuted and _cuts(each.change)
    }
    if len(cut) > 1:
        names = ", ".join(sha[:12] for sha in sorted(cut))
        return NeedsHuman(f"several changes of its limits or replicas came shortly before: {names}")
    if cut:
        return remedies.undo(next(iter(cut.values())), target.source.kind)
    return capacity.more(top, diagnosis.evidence, declared)


def _cuts(change: ChangeRecord) -> bool:
    return change.kind in ("resources", "scale") and 0 <= change.lead <= SOON


def _doubt(diagnosis: Diagnosis, decision: DecisionSettings) -> str:
    """Why the diagnosis is not good enough to act on, or an empty string."""
    top = diagnosis.top
    rival = next(
        (
            each
            for each in diagnosis.hypotheses[1:]
            if top.change is not None and each.change is not None and each.posterior >= COMPARABLE * top.posterior
        ),
        None,
    )
    if rival is not None:
        return f"two changes may be the cause and cannot be told apart: {_named(top)}, {_named(rival)}"
    if top.refuted or top.posterior < decision.act_above:
        second = f"; next {_named(diagnosis.hypotheses[1])}" if len(diagnosis.hypotheses) > 1 else ""
        return f"not sure enough: {_named(top)}, and {decision.act_above:.0%} are needed{second}"
    return ""


def _mismatch(top: Hypothesis, target: Target | NoTarget, verification: VerificationPlan) -> str:
    """Why the target is not the one to act on, or success could not be known; or an empty string."""
    if isinstance(target, NoTarget):
        return f"no unique workload of {top.service}: {target.reason}"
    if target.service != top.service:
        return f"{top.service} is to blame, but the target is {target.service}"
    if not verification.slis:
        return f"no objective applies to {target.service}: success could not be known; add one to slos"
    return ""


def _passed(diagnosis: Diagnosis, top: Hypothesis, verification: VerificationPlan) -> str:
    """Why there is nothing left to act on, or an empty string: what users of the blamed service and of the one that
    alerts felt is gone, or no objective of the blamed one has been missed lately. Where neither is known, it is there.
    """
    now = [item for item in diagnosis.evidence if item.signal == LASTING and item.subject in ("", top.service)]
    if now and all(item.symptom == "normal" for item in now):
        return f"it has passed: {'; '.join(dict.fromkeys(item.statement for item in now))}"
    limits = {sli.name: sli for sli in verification.slis}
    readings = [(limits[each.sli], each.value) for each in verification.incident if each.sli in limits]
    if not readings or any(value is None or _missed(sli, value) for sli, value in readings):
        return ""
    shown = ", ".join(f"{sli.name} {value:.3g} (objective {sli.threshold:.3g})" for sli, value in readings)
    return f"it has passed, or success could not be seen: every objective is met: {shown}"


def _missed(sli: Sli, value: float) -> bool:
    return value > sli.threshold if sli.worse_when == "above" else value < sli.threshold


def _no_worse(diagnosis: Diagnosis, top: Hypothesis) -> str:
    """Why taking a change back would not help: pods of before and after it are seen, and those after it are no worse.

    Empty where they are worse, and where they cannot be compared.
    """
    if top.change is None:
        return ""
    compared = [item for item in diagnosis.evidence if _of_change(item, top) and not _only_doubts(item)]
    if not compared or any(_worse(item) for item in compared):
        return ""
    seen = "; ".join(item.statement for item in compared if item.signal.partition("_")[2] in FELT[:2])
    return f"pods with the change are no worse than those without it, so taking it back would not help ({seen})"


def doubts(diagnosis: Diagnosis) -> tuple[Doubt, ...]:
    """Why a person should judge the remedy of a hypothesis however probable it is.

    A version that was no worse than the old one at first, or while both served, and is worse now: what came later and
    from elsewhere would look just like that, and nothing but the time speaks against the version. An old version that
    gets worse beside the new one: what comes from elsewhere strikes both.
    """
    compared = {item.signal: item for item in diagnosis.evidence if _of_change(item, diagnosis.top)}
    felt = [signal for signal in FELT if (item := compared.get(f"replaced_{signal}")) is not None and _worse(item)]
    found: list[Doubt] = []
    for how, when in BEFORE.items():
        known = {signal: item for signal in FELT if (item := compared.get(f"{how}_{signal}")) is not None}
        if not any(_worse(item) for item in known.values()):
            said = [known[signal].statement for signal in felt if signal in known]
            found += [Doubt(f"the new version was no worse {when}: {each}") for each in said]
    leaving = (compared.get(f"{LEAVING}_{signal}") for signal in felt)
    found += [
        Doubt(f"the old version got worse as well: {item.statement}")
        for item in leaving
        if item is not None and _worse(item)
    ]
    return tuple(found)


def _only_doubts(item: Evidence) -> bool:
    """Whether it speaks of another time or of another version than of what the new one has come to."""
    return item.signal.startswith(("early_", f"{LEAVING}_"))


def _of_change(item: Evidence, top: Hypothesis) -> bool:
    """Whether a finding compares the pods of before and after the change that a hypothesis blames."""
    how, _, signal = item.signal.partition("_")
    if how not in ("replaced", LEAVING, *BEFORE) or signal not in FELT or item.subject != top.service:
        return False
    if item.symptom == "unknown":
        return False
    if not item.version:
        return top.change is not None and top.change.kind == "image"
    return top.rollout is not None and item.version == top.rollout.after


def _worse(item: Evidence) -> bool:
    if item.score is None:
        return item.symptom == "high"
    if item.score < WORSE_SIGMAS:
        return False
    return item.value is None or item.baseline is None or item.value >= WORSE_RATIO * item.baseline


def _named(hypothesis: Hypothesis) -> str:
    return f"{hypothesis.key} ({certainty(hypothesis.posterior)})"
