"""What the ledger keeps of each event: facts from which somebody can tell later who decided what, on which evidence.

Long things are kept by digest (SHA-256 of their canonical JSON, or of the text): the incident holds them whole, the
policy stands in the repository at the commit that is named, and the digest says whether what is shown is what was
judged.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache, singledispatch

from pydantic import TypeAdapter

from gitops_sre.engine import messages as m
from gitops_sre.model.consult import Reply, Told
from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.evidence import Evidence
from gitops_sre.model.incident import Incident
from gitops_sre.policy import situation

Facts = dict[str, object]
_TOP = 3
"""Hypotheses that are named."""


def detail(event: m.Event) -> str:
    """The facts of an event, as canonical JSON."""
    return json.dumps({"why": event.why, **_facts(event)}, sort_keys=True, ensure_ascii=False)


@singledispatch
def _facts(event: m.Event) -> Facts:  # noqa: ARG001 - the registered ones read it
    return {}


@_facts.register
def _(event: m.Triaged) -> Facts:
    return {"onset": event.onset.isoformat()} if event.onset is not None else {}


@_facts.register(m.Diagnosed)
@_facts.register(m.NoFault)
def _(event: m.Diagnosed | m.NoFault) -> Facts:
    if event.diagnosis is None:
        return {}
    top = [
        {
            "cause": each.cause,
            "service": each.service,
            "posterior": round(each.posterior, 4),
            "change": each.change.commit.sha if each.change else "",
        }
        for each in event.diagnosis.hypotheses[:_TOP]
    ]
    found = len(event.diagnosis.evidence)
    began = event.diagnosis.find("disturbance")
    onset = {"onset": began.at.isoformat()} if began is not None and began.score else {}
    return {"evidence": found, "evidence_digest": evidence_digest(event.diagnosis), "hypotheses": top, **onset}


@_facts.register
def _(event: m.Consulted) -> Facts:
    if event.opinion is None:
        return {}
    said, spent = event.opinion, event.opinion.spent
    kept = said.conclusion.claims if said.conclusion else ()
    dropped = said.conclusion.dropped if said.conclusion else ()
    return {
        "model": said.model,
        "calls": spent.calls,
        "tokens": spent.tokens.total,
        "money": spent.money,
        "claims": [each.named for each in kept],
        "dropped": len(dropped),
        "chosen": list(said.chosen),
        "turns_digest": digest(_turns().dump_python(said.turns, mode="json")),
    }


@_facts.register
def _(event: m.Planned) -> Facts:
    plan = event.plan
    if plan is None:
        return {}
    return {
        "action": plan.action,
        "parameters": dict(plan.parameters),
        "confidence": round(plan.confidence, 4),
        "service": plan.target.service,
        "environment": plan.target.environment,
        "tier": plan.target.tier,
    }


@_facts.register
def _(event: m.Judged) -> Facts:
    facts: Facts = {}
    if event.verdict is not None:
        facts["level"] = event.verdict.level.name
        facts["quorum"] = event.verdict.quorum
        facts["policy"] = event.verdict.policy_commit
        facts["reasons"] = [str(reason) for reason in event.verdict.reasons]
    if event.judged is not None:
        facts["judged"] = situation.dump(event.judged)
    if event.proof is not None:
        facts["tiers"] = list(event.proof.radius.tiers)
        facts["diff_digest"] = _sha(event.proof.diff)
        facts["checks"] = {check.name: check.outcome.kind for check in event.proof.checks}
    if event.record is not None:
        facts["base"] = event.record.base
        facts["files"] = sorted({edit.file for edit in event.record.edits})
    return facts


@_facts.register
def _(event: m.PullEvent) -> Facts:
    pull = event.pull
    return {"pull": pull.number, "head": pull.head, "merge": pull.merge_sha} if pull is not None else {}


@_facts.register
def _(event: m.Approved) -> Facts:
    return {**_facts.dispatch(m.PullEvent)(event), "approver": event.approver}


@_facts.register
def _(event: m.WentLive) -> Facts:
    return {"live_at": event.live_at.isoformat()} if event.live_at is not None else {}


@_facts.register
def _(event: m.Assessed) -> Facts:
    found = event.assessment
    return {"verification": found.state, "worse": found.worse} if found is not None else {}


@_facts.register
def _(event: m.Compared) -> Facts:
    return {"shadow": event.shadow}


@_facts.register
def _(event: m.Asked) -> Facts:
    return {"by": event.by, "comment": event.command}


def found(incident: Incident) -> str:
    """The facts of an incident that was rebuilt from the forge: enough to count it in the bot's own record."""
    facts: Facts = {"why": incident.reason, "attempt": incident.attempt, "taken_back": incident.revert is not None}
    if incident.plan is not None:
        target = incident.plan.target
        facts |= {"action": incident.plan.action, "tier": target.tier}
        facts |= {"service": target.service, "environment": target.environment}
    if incident.merged_at is not None:
        facts["merged_at"] = incident.merged_at.isoformat()
    if incident.verdict is not None:
        facts["level"] = incident.verdict.level.name
    return json.dumps(facts, sort_keys=True, ensure_ascii=False)


def evidence_digest(diagnosis: Diagnosis) -> str:
    """SHA-256 over the evidence of a diagnosis as canonical JSON."""
    return digest(_evidence().dump_python(diagnosis.evidence, mode="json"))


def digest(plain: object) -> str:
    """SHA-256 of plain data as canonical JSON."""
    return _sha(json.dumps(plain, sort_keys=True, separators=(",", ":")))


@cache
def _evidence() -> TypeAdapter[tuple[Evidence, ...]]:
    return TypeAdapter(tuple[Evidence, ...])


@cache
def _turns() -> TypeAdapter[tuple[Told | Reply, ...]]:
    return TypeAdapter(tuple[Told | Reply, ...])


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
