"""`autonomy`: what the bot has earned and lost, and how a person forgives."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from gitops_sre import settings as s
from gitops_sre import wiring
from gitops_sre.cli.common import Failure, forgetful, load, records, settings_option
from gitops_sre.cli.show import printed
from gitops_sre.engine import autonomy as record
from gitops_sre.model.autonomy import Ceiling, Standing
from gitops_sre.model.outcome import Unavailable
from gitops_sre.policy.documents import read
from gitops_sre.policy.experience import EVENTS, RESET, SUBJECT
from gitops_sre.ports import Transition


@click.group(invoke_without_command=True)
@settings_option
@click.option("--json", "as_json", is_flag=True, help="An object an action and tier.")
@click.pass_context
def autonomy(context: click.Context, *, path: Path, as_json: bool) -> None:
    """Where each action stands in each tier: what policy opens, what the record has lowered, and the figures behind.

    Rows are those with a record or a level above L1; docs/autonomy.md says how it is counted.
    """
    if context.invoked_subcommand is not None:
        return
    found = _standings(load(path))
    if as_json:
        click.echo(json.dumps([_plain(each) for each in found], indent=2))
    else:
        printed(table(found) if found else "Nothing is opened, and there is no record yet: everything is L1.")


def _standings(settings: s.Settings) -> tuple[Standing, ...]:
    """From the bot's own records and the policies of the protected branch."""
    entries = records(settings).ledger(events=EVENTS)
    repository = wiring.build(settings.model_copy(update={"engine": forgetful(settings).engine})).repository
    with closing(repository):
        head = repository.head()
        if isinstance(head, Unavailable):
            raise Failure(f"{head.reason}; `gitops-sre doctor` looks at everything that is needed")
        return record.standings(entries, read(repository, head, settings.policy.path), settings)


def _plain(each: Standing) -> dict[str, object]:
    ceiling, counted = each.ceiling, each.figures
    return {
        "action": each.action,
        "tier": each.tier,
        "policy": each.opened.name,
        "ceiling": ceiling.level.name if ceiling else None,
        "incidents": list(ceiling.incidents) if ceiling else [],
        "effective": each.effective.name,
        "cases": counted.cases,
        **asdict(counted),
        "due": each.due,
        "mean": round(each.mean, 4),
        "lower_bound": round(each.lower, 4),
        "missing": each.missing,
    }


def table(found: Iterable[Standing]) -> Table:
    """A line an action and tier."""
    columns = ("Action", "Tier", "Policy", "Ceiling", "Holds", "Cases", "Verified", "False", "Rejected", "Reverted")
    shown = Table(*columns, "Shadow", "Mean", "At least (95 %)", "For the next level")
    for each in found:
        f, ceiling = each.figures, each.ceiling
        counts = (f.cases, f.verified, f.false, f.rejected, f.reverted)
        shown.add_row(
            *(each.action, each.tier, each.opened.name, ceiling.level.name if ceiling else "", each.effective.name),
            *map(str, counts),
            f"{f.agreed} of {f.agreed + f.disagreed}",
            f"{each.mean:.3f}",
            f"{each.lower:.3f}",
            each.missing or "earned: see the issue",
        )
    return shown


@autonomy.command()
@settings_option
@click.argument("action")
@click.option("--tier", required=True, help="The environment tier, as the settings call it.")
@click.option("--why", required=True, help="The reason; it stands in the ledger for good.")
@click.option("--by", default="", help="Who decides. Default: the user of this machine.")
def reset(*, path: Path, action: str, tier: str, why: str, by: str) -> None:
    """Lift what false actions have lowered: from now on policy alone says how far ACTION may go in a tier.

    The false actions stay in the figures. Takes effect with the next verdict; what is judged already stays.
    """
    if not why.strip():
        raise click.UsageError("--why: say why it may be trusted again")
    world = wiring.build(load(path))
    if world.journal is not None and (lost := world.journal.begin()):
        raise Failure(f"{lost}; try again then")
    ceiling = _ceiling(record.ceilings(world.store), action, tier)
    who = by or getpass.getuser()
    facts = {"why": why, "by": who, "action": action, "tier": tier, "ceiling": ceiling.level.name}
    said = json.dumps(facts, sort_keys=True, ensure_ascii=False)
    world.store.note(SUBJECT, Transition(RESET, "", "", said, world.clock.now()))
    if world.journal is not None and (lost := world.journal.finish()):
        raise Failure(f"{lost}; try again")
    click.echo(f"{action} in tier {tier} is no longer held at {ceiling.level.name}; {who} lifted it: {why}")


def _ceiling(found: tuple[Ceiling, ...], action: str, tier: str) -> Ceiling:
    for each in found:
        if (each.action, each.tier) == (action, tier):
            return each
    held = ", ".join(f"{each.action} in {each.tier}" for each in found) or "nothing is"
    raise Failure(f"{action} in tier {tier} is not held back (held: {held}); `gitops-sre autonomy` shows all")
