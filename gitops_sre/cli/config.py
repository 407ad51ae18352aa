"""`config schema` and `config check`."""

from __future__ import annotations

import json
from pathlib import Path

import click
from click.core import ParameterSource

from gitops_sre.cli.common import load, settings_option
from gitops_sre.cli.policy.command import sound
from gitops_sre.policy import documents
from gitops_sre.settings import schema


@click.group()
def config() -> None:
    """Print the schema of settings and policies, or check them."""


@config.command("schema")
@click.option("--policy", is_flag=True, help="The schema of the policy documents.")
def print_schema(*, policy: bool) -> None:
    """Print JSON Schema of the settings file or of the policy documents."""
    click.echo(json.dumps(documents.schema() if policy else schema(), indent=2))


@config.command()
@settings_option
@click.option(
    "--policies",
    type=click.Path(path_type=Path),
    help="Check a local folder of policy documents too.",
)
def check(path: Path, policies: Path | None) -> None:
    """Check the settings file and, when given, a folder of policies. Prints every problem of the policies.

    With --policies alone, where there is no settings file, only the policies are checked: as the infra repository's own
    checks do.
    """
    source = click.get_current_context().get_parameter_source("path")
    if policies is None or path.exists() or source is not ParameterSource.DEFAULT:
        load(path)
        click.echo(f"{path}: ok")
    if policies is None:
        return
    sound(policies)
    click.echo(f"{policies}: ok")
