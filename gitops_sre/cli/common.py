"""What commands share."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gitops_sre import settings as s


class Failure(Exception):  # noqa: N818 - the field speaks of failures
    """An expected failure: the message names place and remedy. Exit code 1."""


settings_option = click.option(
    "--settings",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path(".gitops-sre.yaml"),
    show_default=True,
    envvar="GITOPS_SRE_SETTINGS",
    help="The settings file.",
)


def load(path: Path) -> s.Settings:
    """Settings from a file and the environment. Raises ConfigError."""
    return s.load(path, os.environ)
