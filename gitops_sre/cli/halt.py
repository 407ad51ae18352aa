"""`halt`: the kill switch at a terminal."""

from __future__ import annotations

from pathlib import Path

import click

from gitops_sre import wiring
from gitops_sre.cli.common import Failure, load, settings_option
from gitops_sre.delivery import text
from gitops_sre.model.outcome import Unavailable


@click.command()
@settings_option
@click.option("--why", default="", metavar="TEXT", help="What people read in the issue.")
@click.option("--off", is_flag=True, help="Let it go on.")
def halt(*, path: Path, why: str, off: bool) -> None:
    """Keep the bot from writing anything to the repository, from its next write on, wherever it runs.

    Opens an issue with the label gitops-sre/halt; closing it lets the bot go on, as --off does. Exit status 1 with
    --off when something else still says stop.
    """
    if why and off:
        raise click.UsageError("--why is for the issue that halts the bot; leave it away with --off")
    forge = wiring.build(load(path)).forge
    report = text.halt(why or "nobody said why")
    answer = forge.resume(report) if off else forge.halt(report)
    if isinstance(answer, Unavailable):
        remedy = (
            "set GITOPS_SRE_HALT where it runs and restart it, or stop it" if not off else "close the issue by hand"
        )
        raise Failure(f"GitHub: {answer.reason}; {remedy}")
    if off and answer:
        raise Failure(f"still halted: {answer}; take that away too")
    click.echo("It goes on." if off else f"Halted: {answer}")
