"""`kpi`, `label` and `postmortem`: how good the bot is by its own record, and what is learned from an incident."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.table import Table

from gitops_sre import wiring
from gitops_sre.cli.common import Failure, forgetful, load, records, settings_option
from gitops_sre.cli.show import printed
from gitops_sre.delivery import text
from gitops_sre.learning.kpi import Kpis, Share, Span, kpis
from gitops_sre.learning.postmortem import BUDGET_WINDOW
from gitops_sre.learning.postmortem import postmortem as about
from gitops_sre.learning.stories import LABELLED, stories
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.story import Story
from gitops_sre.ports import Transition
from gitops_sre.reasoning.causes import CAUSES


@click.command()
@settings_option
@click.option("--since", default="", metavar="WHEN", help="A day or moment (2026-11-01), or days back (30d).")
@click.option("--json", "as_json", is_flag=True, help="One object, with counts and intervals.")
def kpi(*, path: Path, since: str, as_json: bool) -> None:
    """How fast, how right and how harmful the bot was, by its ledger.

    docs/kpi.md defines each figure.
    """
    begin = _moment(since)
    settings = load(path)
    told = stories(records(settings).ledger())
    figures = kpis(told, begin, settings.learning.baseline_detect, settings.learning.baseline_recover)
    if as_json:
        click.echo(json.dumps(_plain(figures), indent=2))
        return
    when = f" opened since {begin:%Y-%m-%d %H:%M} UTC" if begin else ""
    printed(f"{figures.incidents} incidents with a fault{when} have ended.", table(figures))


def _moment(since: str) -> datetime | None:
    if not since:
        return None
    if since.endswith("d") and since[:-1].isdecimal():
        return datetime.now(UTC) - timedelta(days=min(int(since[:-1]), 36_500))
    try:
        found = datetime.fromisoformat(since)
    except ValueError as error:
        raise click.UsageError(f"--since: {since!r} is no day, moment or number of days such as 30d") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def table(figures: Kpis) -> Table:
    """A line a figure. What it resolves by itself stands right above what it did wrong."""
    shown = Table("Figure", "Value", "95 % interval", "Of")
    shown.add_row("Time to detect", *_span(figures.detect))
    shown.add_row("Time to diagnose", *_span(figures.diagnose))
    shown.add_row("Time to recover", *_span(figures.recover))
    shown.add_row("Resolved", *_share(figures.resolved))
    shown.add_row("Resolved without a person", *_share(figures.unaided))
    shown.add_row("False actions", *_share(figures.false_actions))
    shown.add_row("Escalated", *_share(figures.escalated))
    shown.add_row("Proposals rejected", *_share(figures.rejected))
    shown.add_row("Diagnoses right", *_share(figures.rca))
    brier = "–" if figures.brier is None else f"{figures.brier:.3f}"
    shown.add_row("Brier score of posteriors", brier, "", str(figures.rca.of))
    for each in figures.reliability:
        shown.add_row(f"  stated {each.low:.0%} to {each.high:.0%}: {each.stated:.0%}", *_share(each.right))
    shown.add_row("Tokens of a language model", str(figures.tokens), "", str(figures.asked))
    shown.add_row("Money for it", f"{figures.money:.4f}", "", str(figures.asked))
    return shown


def _share(share: Share) -> tuple[str, str, str]:
    if share.value is None:
        return "–", "", "0"
    low, high = share.interval
    return f"{share.value:.1%}", f"{low:.1%} to {high:.1%}", f"{share.count} of {share.of}"


def _span(span: Span) -> tuple[str, str, str]:
    if span.mean is None or span.median is None:
        return "–", "", "0"
    before = f"; before the bot {span.baseline:.0f} s" if span.baseline is not None else ""
    return f"{span.mean:.0f} s (median {span.median:.0f} s){before}", "", str(span.of)


def _plain(figures: Kpis) -> dict[str, object]:
    """Everything, with the values and intervals of shares."""
    found = asdict(figures)
    for name, value in vars(figures).items():
        if isinstance(value, Share):
            found[name] |= {"value": value.value, "interval": value.interval}
    for plain, each in zip(found["reliability"], figures.reliability, strict=True):
        plain["right"] |= {"value": each.right.value, "interval": each.right.interval}
    return found


@click.command()
@settings_option
@click.argument("incident_id", metavar="INCIDENT")
@click.option("--cause", required=True, type=click.Choice(CAUSES), help="What it really was.")
@click.option("--service", default="", help="Which service was to blame.")
@click.option("--commit", default="", help="The culprit, by seven characters of its SHA at least.")
@click.option("--by", default="", help="Who says so. Default: the user of this machine.")
def label(*, path: Path, incident_id: str, cause: str, service: str, commit: str, by: str) -> None:
    """Put on record what an incident really was. The bot's diagnoses are held against it; the last word counts."""
    if commit and (len(commit) < 7 or set(commit.lower()) - set("0123456789abcdef")):
        raise click.UsageError("--commit: give at least seven characters of the SHA")
    world = wiring.build(load(path))
    if world.journal is not None and (lost := world.journal.begin()):
        raise Failure(f"{lost}; try again then")
    story = _story(stories(world.store.ledger()), incident_id)
    who = by or getpass.getuser()
    facts = {"cause": cause, "service": service, "commit": commit.lower(), "by": who, "why": f"{who} says: {cause}"}
    said = json.dumps(facts, sort_keys=True, ensure_ascii=False)
    world.store.note(incident_id, Transition(LABELLED, "", "", said, world.clock.now()))
    if world.journal is not None and (lost := world.journal.finish()):
        raise Failure(f"{lost}; try again")
    believed = story.beliefs[0] if story.beliefs else None
    said = f"the bot believed {believed.cause} of {believed.service}" if believed else "the bot had no diagnosis"
    click.echo(f"{incident_id} was {cause}{f' of {service}' if service else ''}; {said}")


def _story(told: tuple[Story, ...], incident: str) -> Story:
    for each in told:
        if each.incident == incident:
            return each
    known = ", ".join(each.incident for each in told[-10:]) or "none"
    raise Failure(f"no incident {incident} in the ledger; the latest are: {known}")


@click.command()
@settings_option
@click.argument("incident_id", metavar="INCIDENT")
@click.option("--publish", is_flag=True, help="Make or update an issue in the infra repository, and say where.")
def postmortem(*, path: Path, incident_id: str, publish: bool) -> None:
    """Write down what happened, what it cost, what worked and what is to be done, from the record alone (Markdown)."""
    settings = load(path)
    store = records(settings)
    window = settings.breaker.budget_window or BUDGET_WINDOW
    found = about(_story(stories(store.ledger()), incident_id), store.load(incident_id), window)
    report = text.postmortem(found)
    if not publish:
        click.echo(f"# {report.title}\n\n{report.body}", nl=False)
        return
    url = wiring.build(forgetful(settings)).forge.report(report)
    if isinstance(url, Unavailable):
        raise Failure(f"GitHub: {url.reason}; try again")
    click.echo(url)
