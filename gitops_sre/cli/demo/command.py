"""The command itself."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live
from rich.syntax import Syntax

from gitops_sre import wiring
from gitops_sre.cli.common import Failure, load
from gitops_sre.cli.demo import processes, screen, story
from gitops_sre.model.outcome import Unavailable
from gitops_sre.ports import OpenedAction


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout; progress goes to stderr.")
@click.option("--story", "only", type=click.IntRange(1, 4), help="Play only this story.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the world, the repositories and the bot's records in this folder.",
)
@click.option("--serve", is_flag=True, help="Leave everything running afterwards, and print the URLs.")
def demo(*, as_json: bool, only: int | None, keep: Path | None, serve: bool) -> int:
    """Play four incidents, from alert to outcome, in an embedded world.

    Real Git, a GitHub API over HTTP, a Prometheus API (the real one when it is installed) and a reconciler that behaves
    as Argo CD does. Exit status 0 only if every story ends as it must.
    """
    console = Console(stderr=as_json, highlight=False)
    with ExitStack() as stack:
        root = _root(keep, stack)
        console.print("Starting the embedded world: GitHub, Argo CD, Kubernetes, Prometheus, a shop ...")
        place = stack.enter_context(processes.world(root / "world", root / "world.log"))
        console.print(f"Ready; metrics come from {place.prometheus_kind} Prometheus. Starting the bot ...\n")
        settings_file = processes.write_settings(place, root / "bot")
        stack.enter_context(processes.bot(settings_file, root / "bot.log"))
        settings = load(settings_file)
        store = wiring.open_store(settings)
        chosen = [each for each in place.stories if only in (None, each.number)]
        with Live(console=console, refresh_per_second=5, transient=False) as display:
            progress = story.play(chosen, place, store, lambda all_: display.update(screen.live(all_)))
        actions = _actions(wiring.build(settings))
        console.print(screen.summary(progress, actions))
        written = list(screen.pages(progress, actions, place))
        if as_json:
            sys.stdout.write(screen.machine(progress, actions, place) + "\n")
        elif only is not None:
            for title, page in written:
                console.rule(title)
                console.print(Syntax(page, "markdown", word_wrap=True))
        if keep is not None:
            (root / "texts.md").write_text("".join(f"# {title}\n\n{page}\n\n" for title, page in written))
        _leave(console, place, root, keep=keep, serve=serve)
    return 0 if all(each.passed for each in progress) else 1


def _root(keep: Path | None, stack: ExitStack) -> Path:
    if keep is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gitops-sre-demo-")))
    if keep.exists() and any(keep.iterdir()):
        raise Failure(f"{keep} is not empty; name a new folder with --keep")
    keep.mkdir(parents=True, exist_ok=True)
    return keep.resolve()


def _actions(world: wiring.World) -> Mapping[str, Sequence[OpenedAction]]:
    """What stands on GitHub, by incident, oldest first."""
    found = world.forge.actions()
    if isinstance(found, Unavailable):
        raise Failure(f"GitHub cannot be asked: {found.reason}")
    grouped: dict[str, list[OpenedAction]] = {}
    for action in sorted(found, key=lambda action: action.pull.number):
        grouped.setdefault(action.record.incident, []).append(action)
    return grouped


def _leave(console: Console, place: processes.Place, root: Path, *, keep: Path | None, serve: bool) -> None:
    if keep is not None:
        console.print(f"Kept in {root}: texts.md (what was written for people), world/ (repositories), bot/ (settings,")
        console.print("ledger), bot.log")
    if serve:
        console.print(f"GitHub API {place.api_url}\nGit        {place.git_url}\nPrometheus {place.prometheus_url}")
        console.print(f"Kubernetes kubeconfig {place.kubeconfig}\nSettings   {root / 'bot' / 'settings.yaml'}")
        click.pause("Running; press any key to end it.", err=True)
