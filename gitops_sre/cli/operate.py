"""`investigate`, `run`, `serve` and `explain`."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import click
from pydantic import TypeAdapter
from rich.console import Console

from gitops_sre import wiring
from gitops_sre.cli import show
from gitops_sre.cli.common import Failure, load, settings_option
from gitops_sre.model.incident import Incident
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.signal import Alert
from gitops_sre.perception.alerts import AlertError, from_anything
from gitops_sre.web.service import service as build_service

_INCIDENT: TypeAdapter[Incident] = TypeAdapter(Incident)


@click.command()
@settings_option
@click.option(
    "--alert",
    "alert_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    help="Alertmanager webhook, Alertmanager or Prometheus API answer, as JSON.",
)
@click.option("--firing", is_flag=True, help="Everything that fires now, from the configured sources.")
@click.option("--json", "as_json", is_flag=True, help="Print the incidents as JSON.")
def investigate(*, path: Path, alert_file: Path | None, firing: bool, as_json: bool) -> None:
    """Diagnose, plan, prove and judge, and print it all. Never writes anything anywhere."""
    if (alert_file is None) == (not firing):
        raise click.UsageError("give either --alert FILE or --firing")
    bot = wiring.bot(load(path))
    alerts = _read(alert_file) if alert_file is not None else _firing(bot.world)
    # An alert that a person hands in is looked into even if it has resolved since.
    incidents = bot.rehearse(replace(alert, status="firing", ends_at=None) for alert in alerts)
    if as_json:
        click.echo(json.dumps([json.loads(_INCIDENT.dump_json(incident)) for incident in incidents]))
        return
    console = Console(highlight=False)
    for incident in incidents:
        console.print(show.incident(incident))
    if not incidents:
        console.print("Nothing fires.")


def _read(path: Path) -> tuple[Alert, ...]:
    with click.open_file(str(path), encoding="utf-8") as file:
        text = file.read()
    try:
        return from_anything(json.loads(text))
    except (ValueError, RecursionError, AlertError) as error:
        raise Failure(f"{path}: {error}; give what Alertmanager or Prometheus sends") from error


def _firing(world: wiring.World) -> tuple[Alert, ...]:
    alerts: list[Alert] = []
    for source in world.alerts:
        answer = source.firing()
        if isinstance(answer, Unavailable):
            raise Failure(f"alerts cannot be polled: {answer.reason}; see `gitops-sre doctor`")
        alerts += answer
    return tuple(alerts)


@click.command()
@settings_option
@click.option("--once", is_flag=True, required=True, help="One pass: load, poll, advance, exit.")
def run(*, path: Path, once: bool) -> None:  # noqa: ARG001 - required so that the command reads as what it does
    """One pass over everything, as a scheduled job calls it. Writes pull requests, within policy."""
    settings = load(path)
    bot = wiring.bot(settings)
    incidents = bot.once()
    console = Console(highlight=False)
    console.print(show.overview(incidents) if incidents else "Nothing to do.")


@click.command()
@settings_option
def serve(*, path: Path) -> None:
    """Run as a service: webhooks, polling and durable timers. Writes pull requests, within policy."""
    service = build_service(load(path))
    service.start()
    click.echo(f"listening on {service.url}", err=True)
    try:
        while True:
            service.sweep()
            time.sleep(service.poll)
    except KeyboardInterrupt:
        click.echo("stopping", err=True)
    finally:
        service.stop()


@click.command()
@settings_option
@click.argument("incident_id", metavar="INCIDENT")
def explain(*, path: Path, incident_id: str) -> None:
    """Tell the whole story of an incident: evidence, hypotheses, diff, verdict, and every step with its time."""
    store = wiring.open_store(load(path))
    incident = store.load(incident_id)
    if incident is None:
        known = ", ".join(each.id for each in store.recent(10)) or "none"
        raise Failure(f"no incident {incident_id}; the latest are: {known}")
    console = Console(highlight=False)
    console.print(show.incident(incident))
    console.print(show.ledger(store.ledger(incident_id)))
