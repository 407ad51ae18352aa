"""`investigate`, `run`, `serve` and `explain`."""

from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import click
from pydantic import TypeAdapter
from rich.console import RenderableType

from gitops_sre import wiring
from gitops_sre.cli import show
from gitops_sre.cli.common import (
    Failure,
    forgetful,
    load,
    load_all,
    records,
    settings_option,
    several_settings_option,
)
from gitops_sre.delivery import job, text
from gitops_sre.engine import notify
from gitops_sre.engine.advance import REHEARSED
from gitops_sre.engine.bot import Bot
from gitops_sre.model.incident import Incident
from gitops_sre.model.outcome import Done, Unavailable
from gitops_sre.model.signal import Alert
from gitops_sre.perception.alerts import AlertError, from_anything
from gitops_sre.policy import documents
from gitops_sre.ports import ConflictError, StoreError
from gitops_sre.settings import ConfigError
from gitops_sre.web.service import service as build_service

_INCIDENT: TypeAdapter[Incident] = TypeAdapter(Incident)


@click.command()
@settings_option
@click.option(
    "--alert",
    "alert_file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Alertmanager's webhook, or what its or Prometheus' API answers, as JSON; - reads standard input.",
)
@click.option("--firing", is_flag=True, help="Everything that fires now, from the configured sources.")
@click.option("--json", "as_json", is_flag=True, help="Print the incidents as JSON.")
def investigate(*, path: Path, alert_file: Path | None, firing: bool, as_json: bool) -> None:
    """Diagnose, plan, prove and judge, and print it all; never write anything.

    Exit status 1 when a source that is needed does not answer or the policies cannot be read; what is known is printed
    all the same.
    """
    if (alert_file is None) == (not firing):
        raise click.UsageError("give either --alert FILE or --firing")
    settings = forgetful(load(path))
    # Somebody asks now: no waiting for flaps to end.
    timing = settings.timing.model_copy(update={"investigate_after": 0})
    bot = wiring.bot(settings.model_copy(update={"timing": timing}))
    with closing(bot.world.repository):
        _investigate(bot, alert_file, as_json=as_json)


def _investigate(bot: Bot, alert_file: Path | None, *, as_json: bool) -> None:
    alerts = _read(alert_file) if alert_file is not None else _firing(bot.world)
    # An alert that a person hands in is looked into even if it has resolved since.
    incidents = bot.rehearse(replace(alert, status="firing", ends_at=None) for alert in alerts)
    if as_json:
        click.echo(json.dumps([json.loads(_INCIDENT.dump_json(incident)) for incident in incidents]))
    else:
        shown: list[RenderableType] = [show.incident(incident) for incident in incidents]
        show.printed(*(shown or ["Nothing fires."]))
    stuck = [f"{incident.id}: {incident.reason}" for incident in incidents if incident.state in REHEARSED]
    _complain([*stuck, *_policies(bot.world)])


def _complain(problems: list[str]) -> None:
    """One line for what has kept a command from doing all that it should."""
    if problems:
        raise Failure(f"{'; '.join(problems)}; `gitops-sre doctor` looks at everything that is needed")


def _policies(world: wiring.World) -> list[str]:
    """What is wrong with the policies of the protected branch. While it is, nothing new is changed."""
    head = world.repository.head()
    if isinstance(head, Unavailable):
        return [head.reason]
    try:
        documents.read(world.repository, head, world.settings.policy.path)
    except (documents.PolicyError, OSError) as error:
        return [f"policies at {head[:12]}: {error}"]
    return []


def _read(path: Path) -> tuple[Alert, ...]:
    name = "standard input" if str(path) == "-" else str(path)
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return from_anything(json.loads(content))
    except OSError as error:
        raise Failure(f"{name}: cannot be read ({error.strerror}); name a file, or - for standard input") from error
    except json.JSONDecodeError as error:
        raise Failure(f"{name}:{error.lineno}:{error.colno}: not JSON ({error.msg}); {_GIVE}") from error
    except (ValueError, RecursionError) as error:
        raise Failure(f"{name}: not usable JSON ({error}); {_GIVE}") from error
    except AlertError as error:
        raise Failure(f"{name}: {error}; {_GIVE}") from error


_GIVE = "give what Alertmanager or Prometheus sends, as it is"


def _firing(world: wiring.World) -> tuple[Alert, ...]:
    alerts: list[Alert] = []
    for source in world.alerts:
        answer = source.firing()
        if isinstance(answer, Unavailable):
            raise Failure(f"alerts cannot be polled: {answer.reason}; `gitops-sre doctor` says what is missing")
        alerts += answer
    return tuple(alerts)


@click.command()
@several_settings_option
@click.option("--once", is_flag=True, required=True, help="One pass: load, poll, advance, exit.")
@click.option(
    "--summary",
    "summary_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Append what the pass saw and did as Markdown, such as to $GITHUB_STEP_SUMMARY.",
)
def run(*, paths: tuple[Path, ...], once: bool, summary_file: Path | None) -> None:  # noqa: ARG001 - `once` is required so that the command reads as what it does
    """One pass over everything, as a scheduled job calls it. Writes pull requests, within policy.

    Exit status 1 when GitHub cannot be asked (then nothing is done), and when an alert source or the cluster cannot,
    the policies cannot be read or people cannot be called (then all is done that can be).
    """
    with _summarised(summary_file) as say:
        several = load_all(paths)
        problems = []
        for settings in several:
            begin = f"{settings.github.repository}: " if len(several) > 1 else ""
            try:
                bot = wiring.bot(settings)
                with closing(bot.world.repository):
                    _pass(bot, begin, say)
            except (
                Failure,
                ConfigError,
                StoreError,
                ConflictError,
            ) as error:  # the others have their pass all the same
                problems.append(f"{begin}{error}")
        if problems:
            raise Failure("\n".join(problems))


@contextmanager
def _summarised(path: Path | None) -> Iterator[Callable[[str], None]]:
    """Where a pass says what it did, as Markdown; what keeps it from coming that far is said there too."""

    def say(text: str) -> None:
        if path is not None:
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{text}\n")

    try:
        yield say
    except (Failure, ConfigError) as error:
        say(job.failure(str(error)))
        raise


def _pass(bot: Bot, begin: str, say: Callable[[str], None]) -> None:
    identity = bot.world.forge.check()
    if not isinstance(identity, Done):
        raise Failure(f"{identity.reason}; nothing was done: `gitops-sre doctor` says what is missing")
    journal = bot.world.journal
    busy = journal.begin() if journal is not None else ""
    if busy:
        show.printed(f"{begin}{busy}; nothing was done")
        say(job.idle(bot.world.settings.github.repository, busy))
        return
    incidents = bot.once()
    lost = journal.finish() if journal is not None else ""
    show.printed(*([begin.rstrip()] if begin else []), show.overview(incidents) if incidents else "Nothing to do.")
    asked = [*(source.firing() for source in bot.world.alerts), bot.world.cluster.applications()]
    blind = [answer.reason for answer in asked if isinstance(answer, Unavailable)]
    halted = bot.world.forge.halted()
    stopped = [f"nothing was written: {halted}"] if isinstance(halted, str) and halted else []
    silent = notify.silent(bot.world, bot.world.clock.now())
    problems = [*blind, *stopped, *silent, *_policies(bot.world), *([lost] if lost else [])]
    say(_summary(bot.world, incidents))
    _complain(problems)


def _summary(world: wiring.World, incidents: Sequence[Incident]) -> str:
    entries = {one.id: world.store.ledger(one.id) for one in incidents}
    return job.summary(
        world.settings.github.repository, incidents, entries, world.clock.now(), spent=world.forge.spent()
    )


@click.command()
@several_settings_option
def serve(*, paths: tuple[Path, ...]) -> None:
    """Run as a service: webhooks, polling and durable timers. Writes pull requests, within policy.

    With several settings, `web` and `log` of the first one count.
    """
    several = load_all(paths)
    for settings in several:
        if settings.engine.state == "branch":
            repository = settings.github.repository
            raise Failure(f"{repository}: engine.state: branch is for `run --once`; a service needs a database")
    web = several[0].web
    _assert_free(web.host, web.port, "web.port")
    if web.metrics_port is not None:
        _assert_free(web.host, web.metrics_port, "web.metrics_port")
    service = build_service(several)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # how a container is told to stop: as by hand
    service.start()
    try:
        click.echo(f"listening on {service.url}", err=True)
        if service.metrics_url:
            click.echo(f"metrics at {service.metrics_url}", err=True)
        while True:
            service.sweep()
            service.wait()
    except KeyboardInterrupt:
        click.echo("stopping", err=True)
    finally:
        service.stop()


def _assert_free(host: str, port: int, setting: str) -> None:
    """Better before anything has started than from a thread of the server."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise Failure(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another web.host or {setting}"
        ) from error


@click.command()
@settings_option
@click.argument("incident_id", metavar="INCIDENT")
@click.option("--opinion", is_flag=True, help="What a language model was sent and answered about it, word for word.")
def explain(*, path: Path, incident_id: str, opinion: bool) -> None:
    """Tell the whole story of an incident: evidence, hypotheses, diff, verdict, and every step with its time."""
    store = records(load(path))
    incident = store.load(incident_id)
    if incident is None:
        known = ", ".join(each.id for each in store.recent(10)) or "none"
        raise Failure(f"no incident {incident_id}; the latest are: {known}")
    if not opinion:
        show.printed(show.incident(incident), show.ledger(store.ledger(incident_id)))
    elif incident.opinion is None:
        raise Failure(f"nobody was asked about {incident_id}; see `investigator` in docs/configuration.md")
    else:
        click.echo(text.transcript(incident.opinion), nl=False)
