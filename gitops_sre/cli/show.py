"""Incidents for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.evidence import Evidence
from gitops_sre.model.incident import Incident
from gitops_sre.ports import LedgerEntry
from gitops_sre.redact import redact


def seen(text: str) -> str:
    """Text from outside as a terminal may show it: alerts and commits could hold control sequences."""
    shown = redact(text)
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in shown)


def printed(*parts: RenderableType) -> None:
    """For a terminal in its width; elsewhere wide, since nobody reads folded lines with another program."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=160)
    console.print(*parts, sep="\n")


def _cell(text: str) -> str:
    """The same in a table, where rich reads markup."""
    return escape(seen(text))


def overview(incidents: Iterable[Incident]) -> Table:
    """One line an incident."""
    table = Table()
    for column in ("Incident", "State", "Alerts", "Why", "Pull requests"):
        table.add_column(column, overflow="fold")
    for each in incidents:
        pulls = ", ".join(f"#{pull.number}" for pull in each.pulls)
        names = ", ".join(sorted({alert.name for alert in each.alerts}))
        table.add_row(each.id, each.state.value, _cell(names), _cell(each.reason), pulls)
    return table


def incident(each: Incident) -> RenderableType:
    """Everything that is known of one incident."""
    blocks: list[RenderableType] = [
        Text(f"{each.id}  {each.state.value}", style="bold"),
        Text(seen(f"  {each.reason}")),
        Text(f"  severity {each.severity}, attempt {each.attempt}, opened {each.opened_at:%Y-%m-%d %H:%M:%S} UTC"),
    ]
    if each.target is not None and each.target.service:
        blocks.append(Text(seen(f"  about {each.target.service} in {each.target.environment}")))
    if each.diagnosis is not None:
        blocks += _diagnosis(each.diagnosis)
    if each.opinion is not None:
        blocks.append(Text(seen(f"\nSecond opinion ({each.opinion.model}): {each.opinion.stopped}")))
        claims = each.opinion.conclusion.claims if each.opinion.conclusion else ()
        blocks += [Text(seen(f"  {claim.named}: {claim.why} ({', '.join(claim.evidence)})")) for claim in claims]
    if each.plan is not None:
        parameters = ", ".join(f"{name}={value}" for name, value in each.plan.parameters.items())
        blocks.append(Text(seen(f"\nPlan: {each.plan.action} ({parameters})\n  {each.plan.reason}")))
    if each.proof is not None:
        blocks += [Text("\nDiff:"), Syntax("", "diff").highlight(seen(each.proof.diff)), _proof(each)]
    if each.verdict is not None:
        blocks.append(Text(f"\nVerdict: {each.verdict.level.name}"))
        blocks += [Text(seen(f"  {r.rule}: {r.text} (at most {r.ceiling.name})")) for r in each.verdict.reasons]
    blocks += [Text(f"  {pull.url} ({pull.state})") for pull in each.pulls]
    if each.spent.total:
        blocks.append(Text(f"  GitHub was asked: {each.spent}"))
    return Group(*blocks, Text(""))


def _diagnosis(diagnosis: Diagnosis) -> list[RenderableType]:
    hypotheses = Table("Posterior", "Cause", "Service", "Change", title="Hypotheses", title_justify="left")
    for each in diagnosis.hypotheses[:8]:
        change = f"{each.change.commit.sha[:12]} {each.change.commit.subject}" if each.change else ""
        mark = " (refuted)" if each.refuted else ""
        hypotheses.add_row(f"{each.posterior:.3f}", each.cause + mark, _cell(each.service), _cell(change))
    evidence = Table("Id", "Symptom", "Finding", title="Evidence", title_justify="left")
    for item in _relevant(diagnosis):
        evidence.add_row(item.id, item.symptom, _cell(item.statement))
    for gap in diagnosis.gaps:
        evidence.add_row(gap.id, "missing", _cell(gap.why.reason))
    return [Text(seen(f"\nDiagnosis: {diagnosis.summary}")), hypotheses, evidence]


def _relevant(diagnosis: Diagnosis) -> list[Evidence]:
    """What the leading hypothesis rests on, then whatever else is out of the ordinary."""
    cited = (*diagnosis.top.supports, *diagnosis.top.opposes)
    first = [item for item in (diagnosis.find(each) for each in cited) if item is not None]
    odd = [item for item in diagnosis.evidence if item.id not in cited and item.symptom not in ("normal", "absent")]
    return [*first, *odd][:20]


def _proof(each: Incident) -> RenderableType:
    if each.proof is None:
        return Text("")
    radius = each.proof.radius
    lines = [
        f"Blast radius: {radius.objects} object(s), {radius.replicas} replica(s), "
        f"{', '.join(radius.environments)}, {radius.fleet_share:.0%} of the fleet"
    ]
    lines += [f"  {d.kind} {d.namespace}/{d.name}: {field}" for d in each.proof.objects for field in d.fields]
    lines += [f"  {check.name}: {check.outcome.kind}" for check in each.proof.checks]
    return Text(seen("\n".join(lines)))


def ledger(entries: Iterable[LedgerEntry], *, whose: bool = False) -> Table:
    """Every step with its number and time; `whose`: and its incident."""
    names = ("", "Time (UTC)", *(("Incident",) if whose else ()), "Event", "From", "To", "Why")
    table = Table(*names, title="Ledger", title_justify="left")
    for each in entries:
        begin = (str(each.sequence), f"{each.at:%Y-%m-%d %H:%M:%S}", *((each.incident,) if whose else ()))
        table.add_row(*begin, each.event, each.source, each.target, _cell(why(each)))
    return table


def why(entry: LedgerEntry) -> str:
    """The sentence in a ledger entry's detail."""
    return str(entry.facts.get("why", ""))
