"""What commands share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from gitops_sre import settings as s
from gitops_sre import wiring
from gitops_sre.adapters.store import SqlStore
from gitops_sre.ports import Store


class Failure(Exception):  # noqa: N818 - the field speaks of failures
    """An expected failure: the message names place and remedy. Exit code 1."""


SETTINGS_FILE = ".gitops-sre.yaml"
"""Where commands look for settings, in the working directory; in an infra repository it stands at the root."""

settings_option = click.option(
    "--settings",
    "path",
    type=click.Path(path_type=Path),
    default=Path(SETTINGS_FILE),
    show_default=True,
    envvar="GITOPS_SRE_SETTINGS",
    help="The settings file.",
)

several_settings_option = click.option(
    "--settings",
    "paths",
    type=click.Path(path_type=Path),
    multiple=True,
    default=[Path(SETTINGS_FILE)],
    show_default=True,
    envvar="GITOPS_SRE_SETTINGS",
    help="The settings file; give it several times for several infra repositories.",
)


def load(path: Path) -> s.Settings:
    """Settings from a file and the environment. Raises ConfigError."""
    return s.load(path, os.environ)


def load_all(paths: Sequence[Path]) -> tuple[s.Settings, ...]:
    """Settings of several infra repositories, in order. Raises ConfigError, or Failure when two of them share what each
    must have for itself."""
    found: list[s.Settings] = []
    taken: dict[str, Path] = {}
    for path in paths:
        settings = load(path)
        repository, database = settings.github.repository.lower(), settings.engine.database_url
        shared = f"database {database}" if settings.engine.state == "database" else f"ledger branch of {repository}"
        for key, what, remedy in (
            (f"repository {repository}", "github.repository", "name each repository once"),
            (shared, "engine.database_url", "give each its own, and leave DATABASE_URL unset"),
            (f"clone {settings.cache_dir.resolve()}", "cache_dir", "give each its own"),
        ):
            if key in taken:
                raise Failure(f"{path}: {what}: is that of {taken[key]} too; {remedy}")
            taken[key] = path
        found.append(settings)
    if len({bool(each.network.only) for each in found}) > 1:
        raise Failure("network.only holds for the whole process; name hosts in every settings file, or in none")
    return tuple(found)


def private_folder(folder: Path) -> None:
    """A folder for keys, which only its owner may enter when it is made here. Raises Failure."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"{folder}: cannot be made ({error.strerror}); name another folder for keys") from error


def forgetful(settings: s.Settings) -> s.Settings:
    """The same settings with a database in memory, for commands that must leave nothing behind."""
    engine = {"database_url": wiring.memory(), "state": "database"}
    return settings.model_copy(update={"engine": settings.engine.model_copy(update=engine)})


def database_file(settings: s.Settings) -> Path | None:
    """The SQLite file of the settings; None for a database server."""
    scheme, _, rest = settings.engine.database_url.partition(":///")
    return Path(rest.partition("?")[0]) if scheme.startswith("sqlite") and rest else None


def existing_store(settings: s.Settings) -> SqlStore:
    """The bot's own records, for reading. Raises Failure when there are none yet: looking must not make a database."""
    file = database_file(settings)
    if file is not None and not file.exists():
        raise Failure(f"{file}: no database yet; `gitops-sre run --once` or `serve` makes it, with these settings")
    return wiring.open_store(settings)


def records(settings: s.Settings) -> Store:
    """What the bot remembers, wherever that is kept; nothing is written. Raises Failure, StoreError or ConfigError."""
    if settings.engine.state == "database":
        return existing_store(settings)
    world = wiring.build(settings)
    if world.journal is not None:
        world.journal.begin()
    return world.store
