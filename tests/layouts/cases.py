"""Layouts by example: a small repository each, a question to `gitops-sre locate`, and the answer."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Layout:
    """One layout. `expect` holds (file, path, value) of every field; or the answer is refused, and says `refused`."""

    name: str
    title: str
    what: str
    question: tuple[str, ...]
    expect: tuple[tuple[str, str, str], ...]
    refused: str

    @property
    def repository(self) -> Path:
        """Its files."""
        return HERE / self.name / "repo"

    def files(self) -> dict[str, str]:
        """Its files as text, by path."""
        paths = sorted(path for path in self.repository.rglob("*") if path.is_file())
        return {str(path.relative_to(self.repository)): path.read_bytes().decode() for path in paths}

    def copy(self, into: Path) -> None:
        """Put its files into a folder."""
        shutil.copytree(self.repository, into, dirs_exist_ok=True)


def layouts() -> tuple[Layout, ...]:
    """All of them, by name."""
    return tuple(_read(path) for path in sorted(HERE.glob("*/case.yaml")))


def _read(path: Path) -> Layout:
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    wanted = said.get("expect", ())
    refused = str(said.get("refused", ""))
    if isinstance(wanted, dict):
        refused, wanted = str(wanted["refused"]), ()
    expect = tuple((each["file"], str(each["path"]), str(each["value"])) for each in wanted)
    return Layout(path.parent.name, said["title"], said["what"].strip(), tuple(map(str, said["question"])), expect,
                  refused)  # fmt: skip
