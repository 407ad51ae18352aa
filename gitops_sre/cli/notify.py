"""`notify`: whether people can be called."""

from __future__ import annotations

from pathlib import Path

import click

from gitops_sre import wiring
from gitops_sre.cli.common import Failure, load, settings_option
from gitops_sre.cli.show import seen
from gitops_sre.delivery.notice import trial
from gitops_sre.model.outcome import Done


@click.group()
def notify() -> None:
    """Call people beside GitHub (docs/notifications.md)."""


@notify.command()
@settings_option
@click.argument("channel", required=False)
def test(*, path: Path, channel: str | None) -> None:
    """Send a test message to CHANNEL, or to every channel of the settings.

    Exit status 1 when one could not be told.
    """
    settings = load(path)
    channels = wiring.channels(settings)
    if channels is None:
        raise Failure(f"{path}: notifications.channels is empty; docs/notifications.md says how to name channels")
    failed = []
    for name in (channel,) if channel else channels.names():
        answer = channels.send(name, trial(settings.github.repository))
        if isinstance(answer, Done):
            click.echo(seen(f"ok  {name}: {answer.note}"))
        else:
            failed.append(seen(f"{name}: {answer.reason}"))
    if failed:
        raise Failure("\n".join(failed))
