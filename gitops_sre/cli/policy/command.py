"""The commands of `policy`. They read a local folder (or the protected branch) and the bot's own records; they write
nothing."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from gitops_sre import wiring
from gitops_sre.cli.common import Failure, forgetful, load, records, settings_option
from gitops_sre.cli.policy import text
from gitops_sre.cli.policy.given import described, flags
from gitops_sre.model.outcome import Unavailable
from gitops_sre.policy import documents, examples, explain, simulate
from gitops_sre.policy.gate import judge
from gitops_sre.policy.situation import Situation
from gitops_sre.settings import PolicySettings, Settings

folder_option = click.option(
    "--policies",
    "folder",
    type=click.Path(path_type=Path),
    default=Path(PolicySettings().path),
    show_default=True,
    help="A local folder of policy documents.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def policy() -> None:
    """Check policies, test them, ask them why, and try them on past incidents. Writes nothing."""


@policy.command()
@folder_option
def check(*, folder: Path) -> None:
    """Read a folder of policies and print every problem with its place and remedy. Exit status 1 when there is one."""
    sound(folder)
    click.echo(f"{folder}: ok")


def sound(folder: Path) -> None:
    """Print every problem of a folder of policies. Raises Failure when there is one."""
    problems = documents.check(folder)
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        raise Failure(f"{folder}: {len(problems)} problem(s); mend them and run this again")


@policy.command()
@folder_option
@json_option
def test(*, folder: Path, as_json: bool) -> None:
    """Run the examples (kind PolicyTest) that stand beside the policies. Exit status 1 when one does not hold."""
    results = examples.run(_read(folder))
    if not results:
        raise Failure(f"{folder}: there are no examples; write some as kind PolicyTest (docs/policy.md)")
    failed = [each for each in results if each.differences]
    if as_json:
        click.echo(json.dumps([text.plain_result(each) for each in results], indent=2))
    else:
        for each in results:
            click.echo(text.result(each))
    if failed:
        raise Failure(f"{folder}: {len(failed)} of {len(results)} examples do not hold; correct them or the policies")


@policy.command("explain")
@settings_option
@folder_option
@click.option("--incident", default="", help="An incident of the bot's own records, as it was judged last.")
@click.option(
    "--input",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A YAML file with the keys of an example's `input`.",
)
@flags
@json_option
def explain_(
    *,
    path: Path,
    folder: Path,
    incident: str,
    file: Path | None,
    as_json: bool,
    given: tuple[str, ...],
    **known: str | None,
) -> None:
    """Say which entries of which documents apply to a plan, and why, in order; and the verdict that follows.

    The plan is told by flags, by a file or by an incident: `policy explain --action scale --service cart --environment
    staging --set replicas=4 --set alertAge=2h`.
    """
    situation = _judged(incident, load(path)) if incident else described(file, given, known)
    policies = _read(folder)
    verdict, words = judge(situation, policies), explain.words(situation, policies)
    if as_json:
        click.echo(json.dumps(text.plain_explanation(situation, words, verdict), indent=2))
    else:
        for line in text.explanation(words, verdict):
            click.echo(line)


def _judged(incident: str, settings: Settings) -> Situation:
    """The situation of an incident's latest verdict."""
    told = simulate.past(records(settings).ledger(incident, events=simulate.EVENTS))
    if not told:
        raise Failure(f"{incident}: no verdict in the ledger; `gitops-sre ledger show` lists what is known")
    found = told[-1].situation
    if found is None:
        raise Failure(f"{incident}: an older version judged it and did not record what the verdict was made of")
    return found


@policy.command("simulate")
@settings_option
@folder_option
@click.option("--since", default="", metavar="DATE|DAYS", help="Only verdicts from then on: 2026-03-01, or 30d.")
@click.option("--branch", is_flag=True, help="The policies of the protected branch, not of the folder.")
@click.option("--all", "every", is_flag=True, help="Also the verdicts that stay as they were.")
@json_option
def simulate_(*, path: Path, folder: Path, since: str, branch: bool, every: bool, as_json: bool) -> None:
    """Judge the past incidents of the ledger again, under the policies of a folder, and print which verdicts differ.

    What the bot's own record took away then is taken away again. Entries of versions that did not record what a verdict
    was made of cannot be judged again; they are counted.
    """
    settings = load(path)
    policies = _protected(settings) if branch else _read(folder)
    begin = _begin(since)
    told = [each for each in simulate.past(records(settings).ledger(events=simulate.EVENTS)) if each.at >= begin]
    found = simulate.replay(told, policies)
    if as_json:
        click.echo(json.dumps(text.plain_simulation(found, len(told) - len(found)), indent=2))
    else:
        for line in text.simulation(found, len(told) - len(found), every=every):
            click.echo(line)


def _begin(since: str) -> datetime:
    if not since:
        return datetime.min.replace(tzinfo=UTC)
    if since.endswith("d") and since[:-1].isdecimal() and len(since) < 6:
        return datetime.now(UTC) - timedelta(days=int(since[:-1]))
    try:
        found = datetime.fromisoformat(since)
    except ValueError:
        raise click.UsageError(f"--since {since}: give a date such as 2026-03-01, or days such as 30d") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _protected(settings: Settings) -> documents.Policies:
    repository = wiring.build(forgetful(settings)).repository
    with closing(repository):
        head = repository.head()
        if isinstance(head, Unavailable):
            raise Failure(f"{head.reason}; `gitops-sre doctor` looks at everything that is needed")
        return documents.read(repository, head, settings.policy.path)


def _read(folder: Path) -> documents.Policies:
    sound(folder)
    return documents.read_folder(folder)
