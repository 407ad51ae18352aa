"""Every text that a person reads on the forge, made from nouns. Nothing here is ever read back as truth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from gitops_sre.delivery.neutral import Safe, title
from gitops_sre.delivery.page import page
from gitops_sre.delivery.page import said as shown
from gitops_sre.delivery.sections import filled
from gitops_sre.model.advice import Advice
from gitops_sre.model.autonomy import Ceiling
from gitops_sre.model.change import Proof
from gitops_sre.model.consult import Reply, Told
from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.evidence import Evidence
from gitops_sre.model.incident import Incident
from gitops_sre.model.opinion import Opinion
from gitops_sre.model.plan import Plan, Reading
from gitops_sre.model.postmortem import Postmortem
from gitops_sre.model.pull import PullRequest, Report
from gitops_sre.model.record import ActionRecord
from gitops_sre.model.target import NoTarget, Target
from gitops_sre.model.verdict import Level, Verdict

LABEL = "gitops-sre"
"""On everything that the bot opens."""

HALT = "gitops-sre/halt"
"""On any open issue or pull request it keeps the bot from writing anything."""

_DROP = (
    "drop_opinion",
    "drop_hypotheses",
    "drop_checks",
    "drop_evidence",
    "drop_verification_plan",
    "drop_rendered_change",
    "drop_assessment",
    "drop_verdict_reasons",
)
"""What a page does without when it gets too long, first to go first."""

_MEANING: Mapping[Level, str] = {
    Level.DENIED: "no change is allowed",
    Level.L1: "report only",
    Level.L2: "draft, a person merges",
    Level.L3: "merges on an approving review",
    Level.L4: "merges by itself",
}


def fix_title(plan: Plan) -> str:
    """Title of a fix's pull request: where, what, with which parameters (of a path its last part)."""
    words = plan.action.split("_")
    for name, value in plan.parameters.items():
        words += [value.rpartition("/")[2]] if name == words[-1] else [name, value.rpartition("/")[2]]
    return title(f"{plan.target.service} ({plan.target.environment}): {' '.join(words)}")


def fix_body(incident: Incident, template: str = "") -> str:
    """Body of a fix's pull request; worded as a proposal at L2. The incident has a plan and a verdict.

    `template` is the repository's own, whose sections are filled in first.
    """
    said = context(incident)
    return page("fix", {**said, "customs": Safe(filled(template, {**said, "undoes": False}))}, _DROP)


def revert_body(incident: Incident, proof: Proof | None = None, template: str = "") -> str:
    """Body of the pull request that takes the fix back; `proof` shows the revert itself."""
    said = {**context(incident), "proof": proof}
    return page("revert", {**said, "customs": Safe(filled(template, {**said, "undoes": True}))}, _DROP)


def full(incident: Incident) -> str:
    """The whole story for the verdict's check run: what the body may have no room for."""
    return page("full", context(incident), _DROP[:6])


def pull_title(record: ActionRecord) -> str:
    """Title of a record's pull request, fix or revert."""
    return fix_title(record.plan) if record.kind == "fix" else title(f"Take back: {fix_title(record.plan)}")


def commit_message(record: ActionRecord) -> tuple[str, str]:
    """Headline and body of an action's commit, without the seal. Plain text; everything hidden is shown."""
    changes = (
        f"{edit.file}: {'.'.join(map(str, edit.path))}: {shown(edit.before)} -> {shown(edit.after)}"
        for edit in record.edits
    )
    body = f"{'Undoes' if record.kind == 'fix' else 'Takes back the fix for'} {title(_undone(record), 300)}"
    # Indented, each on its line: no value ends the message early or passes for a trailer.
    return title(pull_title(record), 72), "\n".join((body, "", *(f"  {title(change, 300)}" for change in changes)))


def report(incident: Incident) -> Report:
    """The L1 report: what is wrong, and the change that it would have made."""
    what = fix_title(incident.plan) if incident.plan else f"{place(incident)}: {_alert(incident)}"
    body = page("report", context(incident), _DROP)
    return Report(_key(incident, "report"), title(f"Report: {what}"), body, (LABEL, f"{LABEL}/report"))


def escalation(incident: Incident) -> Report:
    """The call for a person, with the whole record."""
    body = page("escalation", context(incident), _DROP)
    heading = title(f"Needs a person: {place(incident)}: {_alert(incident)}")
    return Report(_key(incident, "escalation"), heading, body, (LABEL, f"{LABEL}/escalation"))


def _key(incident: Incident, kind: str) -> str:
    """By which a report is found again: each attempt has its own, so that a retry that fails is heard."""
    return f"{incident.id}/{kind}" + (f"-{incident.attempt}" if incident.attempt > 1 else "")


def dismissal(incident: Incident) -> str:
    """Why nothing was done."""
    return page("dismissal", context(incident), _DROP)


def reminder(incident: Incident) -> str:
    """Comment for reviewers who have not decided yet."""
    return page("reminder", context(incident))


def made_again(incident: Incident, pull: PullRequest) -> str:
    """Comment on a pull request that has got another commit."""
    return page("again", {**context(incident), "pull": pull})


def not_merged(why: str) -> str:
    """Comment on a pull request that GitHub refuses to merge for good."""
    return page("not_merged", {"why": why})


def waits_again(why: str) -> str:
    """Comment on a pull request that was about to merge and waits for a person instead."""
    return page("waits_again", {"why": why})


def advice_title(advice: Advice) -> str:
    """Title of the check run on somebody's pull request."""
    count, objects = len(advice.risks), advice.radius.objects
    replicas = advice.radius.replicas
    reach = f"{objects} object{'s' if objects != 1 else ''}, {replicas} replica{'s' if replicas != 1 else ''}"
    look = f"{count} thing{'s' if count != 1 else ''} to look at" if count else "nothing stands out"
    return title(f"{reach}: {look}" if not advice.unseen else f"{reach}: {look}; not all could be shown")


def advice(advice: Advice, frozen: Sequence[str], meets: Sequence[str]) -> str:
    """What a pull request reaches; `frozen`: freeze windows that are open, `meets`: incidents about the same things."""
    said = {"advice": advice, "frozen": frozen, "meets": meets}
    return page("advice", said, ("drop_objects",))


def postmortem(found: Postmortem) -> Report:
    """What is written down after an incident, as an issue."""
    body = page("postmortem", {"p": found, "s": found.story}, ("drop_timeline",))
    key = f"{found.story.incident}/postmortem"
    return Report(key, title(f"Postmortem: {found.title}"), body, (LABEL, f"{LABEL}/postmortem"))


def transcript(opinion: Opinion) -> str:
    """All that a language model was sent and answered, and which of its claims count."""
    turns = [{"who": who, "texts": texts} for who, texts in map(_turn, opinion.turns)]
    return page("transcript", {"opinion": opinion, "turns": turns})


def _turn(turn: Told | Reply) -> tuple[str, list[str]]:
    """Who speaks, and what is said: text, then each tool call or result."""
    if isinstance(turn, Told):
        return "We say", [*(each.text for each in turn.results), *([turn.text] if turn.text else [])]
    calls = [f"{call.name} {json.dumps(call.arguments, indent=1, ensure_ascii=False)}" for call in turn.calls]
    return f"It answers ({turn.tokens.total} tokens)", [*([turn.text] if turn.text else []), *calls]


def hands_off(pull: PullRequest) -> str:
    """Comment on a pull request that a person has pushed to."""
    return page("hands_off", {"pull": pull})


def closing(incident: Incident) -> str:
    """Comment on a pull request that the bot closes itself."""
    return page("closing", context(incident))


def outcome(incident: Incident, head: str = "", ceilings: Sequence[Ceiling] = ()) -> str:
    """Summary of the outcome's check run. `head` names the ledger's last entry on it as `NUMBER:HASH`: noted
    outside of the ledger, it shows whether that was cut off. `ceilings` are those that the incident has a part in."""
    return page("outcome", {**context(incident), "head": head, "ceilings": tuple(ceilings)}, _DROP)


def halt(why: str) -> Report:
    """The issue that halts the bot while it is open."""
    return Report("halt", "gitops-sre is halted", page("halt", {"why": why}), (LABEL, HALT))


def verdict_title(verdict: Verdict) -> str:
    """The verdict in a few words."""
    return f"{verdict.level.name}: {_MEANING[verdict.level]}"


def verdict_summary(verdict: Verdict) -> str:
    """Summary of the verdict's check run: every reason."""
    return page("verdict", {"verdict": verdict, "meaning": _MEANING[verdict.level]}, ("drop_reasons",))


def context(incident: Incident) -> dict[str, object]:
    """What the templates speak of; absent nouns are None, so that a page can be made in any state."""
    verdict, plan, diagnosis, target = incident.verdict, incident.plan, incident.diagnosis, incident.target
    edits = incident.proof.change.edits if incident.proof else incident.record.edits if incident.record else ()
    checked = plan.verification if plan else None
    return {
        "i": incident,
        "target": target if isinstance(target, Target) else None,
        "no_target": target if isinstance(target, NoTarget) else None,
        "plan": plan,
        "proof": incident.proof,
        "verdict": verdict,
        "level": verdict.level.name if verdict else "",
        "binding": verdict.binding if verdict else (),
        "diagnosis": diagnosis,
        "top": diagnosis.top if diagnosis else None,
        "culprit": diagnosis.top.change if diagnosis else None,
        "evidence": _sides(diagnosis) if diagnosis else (),
        "edits": edits,
        "inverse": tuple(edit.inverted() for edit in reversed(edits)),
        "pulls": incident.pulls,
        "refuted": incident.refuted,
        "baseline": _by_name(checked.baseline if checked else ()),
        "during": _by_name(checked.incident if checked else ()),
    }


def _sides(diagnosis: Diagnosis) -> tuple[tuple[str, Evidence], ...]:
    """Evidence with its side towards the top hypothesis: for, then against, then what else is out of the ordinary."""
    top = diagnosis.top
    for_, against = _found(diagnosis, top.supports), _found(diagnosis, top.opposes)
    cited = {item.id for item in (*for_, *against)}
    rest = tuple(e for e in diagnosis.evidence if e.id not in cited and e.symptom not in ("normal", "absent"))
    sides = (("for", for_), ("against", against), ("", rest))
    return tuple((side, item) for side, items in sides for item in items)


def _found(diagnosis: Diagnosis, ids: tuple[str, ...]) -> tuple[Evidence, ...]:
    return tuple(item for item in map(diagnosis.find, ids) if item is not None)


def _by_name(readings: tuple[Reading, ...]) -> dict[str, float | None]:
    return {reading.sli: reading.value for reading in readings}


def place(incident: Incident) -> str:
    """Which service where, or the incident's id while that is not known."""
    target = incident.target
    if target is None or not target.service:
        return incident.id
    return f"{target.service} ({target.environment})" if target.environment else target.service


def _alert(incident: Incident) -> str:
    return incident.alerts[0].name


def _undone(record: ActionRecord) -> str:
    culprit = f" after {record.plan.culprit[:12]}" if record.plan.culprit else ""
    return f"{record.plan.hypothesis} ({record.incident}){culprit}"
