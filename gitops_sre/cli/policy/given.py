"""A situation as somebody describes it on the command line or in a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from gitops_sre.action import ACTIONS
from gitops_sre.cli.common import Failure
from gitops_sre.policy.documents import described_input
from gitops_sre.policy.situation import Situation, example
from gitops_sre.policy.source import Data, PolicyError, sources

_F = TypeVar("_F", bound=Callable[..., Any])
_FLAGS: Mapping[str, str] = {
    "action": "The action, such as rollback_image.",
    "service": "The service that it is for.",
    "environment": "The environment.",
    "tier": "Its tier. Default: standard.",
    "confidence": "Probability of the diagnosis, 0 to 1. Default: 1.",
}


def flags(command: _F) -> _F:
    """The options that describe a plan."""
    wrapped = click.option(
        "--set",
        "given",
        multiple=True,
        metavar="KEY=VALUE",
        help="Any other key of an example's `input`; VALUE is YAML, such as environments=[dev, staging].",
    )(command)
    for name, meaning in reversed(list(_FLAGS.items())):
        wrapped = click.option(f"--{name}", default=None, help=meaning)(wrapped)
    return wrapped


def described(file: Path | None, given: tuple[str, ...], known: Mapping[str, str | None]) -> Situation:
    """The situation that flags and a file describe, flags over the file. Raises Failure or PolicyError."""
    data: dict[str, Data] = dict(_file(file)) if file is not None else {}
    for name, value in known.items():
        if value is not None:
            data[name] = _yaml(f"--{name}", value)
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise click.UsageError(f"--set {each}: give KEY=VALUE")
        data[name] = _yaml(f"--set {name}", value)
    missing = [name for name in ("action", "service", "environment") if name not in data]
    if missing:
        raise click.UsageError(f"give --{', --'.join(missing)}; or --input FILE, or --incident ID")
    spec = ACTIONS.get(str(data["action"]))
    if spec is not None:
        data.setdefault("reversible", spec.spec.reversible)
    return example(described_input(data))


def _file(path: Path) -> Mapping[str, Data]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Failure(f"{path}: cannot be read ({error.strerror}); name a YAML file") from error
    found = [source.data for source in sources(str(path), content)]
    if len(found) != 1 or not isinstance(found[0], dict):
        raise Failure(f"{path}: must be one mapping; give the keys of an example's `input`")
    return found[0]


def _yaml(where: str, value: str) -> Data:
    found = [source.data for source in sources(where, value.encode())]
    if len(found) != 1:
        raise PolicyError(where, "is not one YAML value", "put it in quotes")
    return found[0]
