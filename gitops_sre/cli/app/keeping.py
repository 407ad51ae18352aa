"""Where the App's credentials go: files that only their owner may read, and the settings, which name them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitops_sre import yamltext
from gitops_sre.adapters.github.apps import Credentials
from gitops_sre.cli.common import Failure, private_folder
from gitops_sre.model.change import FieldEdit
from gitops_sre.yamltext import YamlTextError

ENV_FILE = "gitops-sre.env"
"""Beside the key: what a service manager or `docker run --env-file` reads."""
WEBHOOK_SECRET = "GITOPS_SRE_WEBHOOK_SECRET"  # noqa: S105 - a name


@dataclass(frozen=True)
class Written:
    """What the settings file says of GitHub, read as text: it may not be complete yet. A missing file says nothing."""

    path: Path
    text: str
    values: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> Written:
        """Raises Failure for a file that cannot be read."""
        try:
            text = path.read_bytes().decode("utf-8")
            found = yamltext.scalars(text)
        except FileNotFoundError:
            return cls(path, "", {})
        except (OSError, UnicodeDecodeError, YamlTextError) as error:
            raise Failure(f"{path}: cannot be read ({error}); mend it, or name another with --settings") from error
        values = {
            str(each.path[1]): each.value for each in found if each.path[:1] == ("github",) and len(each.path) == 2
        }
        return cls(path, text, {name: value for name, value in values.items() if value})

    def keys(self, repository: str) -> Path:
        """The file for the App's private key."""
        named = self.values.get("private_key_file") or f"~/.config/gitops-sre/{repository}/app.pem"
        return self.path.resolve().parent / Path(named).expanduser()

    def fill(self, values: Mapping[str, str]) -> str:
        """Set what is left empty or not there in the `github` section, every other byte kept; what was done, for
        people. Raises Failure."""
        lines = ", ".join(f"{name}: {value}" for name, value in values.items())
        if not self.text:
            return f"{self.path} is not there: `gitops-sre init` writes it; then set github: {lines}"
        now = Written.read(self.path)
        edits = [now._edit(name, value) for name, value in values.items() if now.values.get(name) != value]
        try:
            after = yamltext.rewrite(now.text, edits).text
            self.path.write_bytes(after.encode())
        except (OSError, YamlTextError) as error:
            return f"{self.path} could not be edited ({error}): set github: {lines}"
        return f"{self.path}: {lines}"

    def _edit(self, name: str, value: str) -> FieldEdit:
        there = any(each.path == ("github", name) for each in yamltext.scalars(self.text))
        before = self.values.get(name, "") if there else None
        source = "" if there else f"{name}: {value}"
        return FieldEdit(str(self.path), 0, ("github", name), before, value, "", source)


def assert_free(*files: Path) -> None:
    """Before anything is made: none of these files is there, and their folder can be made. Raises Failure."""
    for file in files:
        if file.exists() or file.is_symlink():
            raise Failure(f"{file} exists; credentials are never overwritten: move it, or use --print")
        private_folder(file.parent)


def store(app: Credentials, key: Path) -> list[str]:
    """Write the private key, and the webhook's secret beside it; what was written, for people. Raises Failure."""
    _write(key, app.private_key_pem)
    said = [f"{key}: the private key (mode 0600)"]
    if app.webhook_secret:
        _write(key.parent / ENV_FILE, f"{WEBHOOK_SECRET}={app.webhook_secret}\n")
        said.append(f"{key.parent / ENV_FILE}: the webhook's secret (mode 0600), for the environment of `serve`")
    return said


def _write(path: Path, text: str) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Failure(
            f"{path}: cannot be written ({error.strerror}); make a new private key on the App's settings page, "
            "and delete the one that was lost"
        ) from error
