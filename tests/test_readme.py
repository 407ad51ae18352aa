"""What the pages for people name exists: links, files, make targets, commands with their options, settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gitops_sre.cli.main import cli
from gitops_sre.perception import presets

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
OWN = {"docs", "gitops_sre", "policies", "requirements", "templates", "tests", ".ci", ".github"}
"""Folders at the top; words of other people's repositories (`apps/`) are not looked up."""
THEIRS = {"check.py", ".github/renovate/"}
"""Files of other repositories that our pages name: of recorded cases, and of Renovate's users."""
MODULES = sorted(path.relative_to(ROOT / "gitops_sre") for path in (ROOT / "gitops_sre").rglob("*.py"))

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def _code(page: Path) -> Iterator[str]:
    """Code spans, and the lines of code blocks."""
    text = page.read_text(encoding="utf-8")
    fenced = re.compile(r"^(?:> )?```[^\n]*\n(.*?)^(?:> )?```", re.S | re.M)
    for block in fenced.findall(text):
        yield from block.splitlines()
    for span in re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", fenced.sub("", text)):
        yield " ".join(span.split())


def _slug(heading: str) -> str:
    """A heading's anchor as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@each_page
def test_internal_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}, which is not there"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.M)
            assert anchor in map(_slug, headings), f"{page.name} links to {link}, which has no such heading"


@each_page
def test_files_that_are_named_exist(page: Path) -> None:
    if page.name == "layouts.md":
        return  # generated: its files are those of its examples
    for code in _code(page):
        for name in re.findall(r"[\w.*<>/-]+", code):
            if not _is_ours(name) or name in THEIRS or re.search(r"[*<>]", name):
                continue
            places = (ROOT / name, ROOT / "gitops_sre" / name)
            bare = "/" not in name and any(module.name == name for module in MODULES)
            assert bare or any(place.exists() for place in places), f"{page.name} names {name}, which is not there"


def _is_ours(name: str) -> bool:
    """Whether a word is a path of this repository: by its first folder, or because it is a module."""
    first, slash, _ = name.partition("/")
    packages = {module.parts[0] for module in MODULES if len(module.parts) > 1}
    return (bool(slash) and first in OWN | packages) or name.endswith(".py")


@each_page
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for code in _code(page):
        for target in re.findall(r"(?:^|\$ |run: |`)make ([a-z][a-z-]*)", code):
            assert target in targets, f"{page.name} names `make {target}`"


@each_page
def test_commands_and_their_options_exist(page: Path) -> None:
    for code in _code(page):
        for words in re.findall(r"(?:^|[\s/])gitops-sre((?:\s+[^\s#;]+)+)", code):
            complaint = _unknown(words.split())
            assert not complaint, f"{page.name}: `gitops-sre{words}`: {complaint}"


def _unknown(words: list[str]) -> str:
    """The first word that the command line does not know, or an empty string."""
    command: click.Command = cli
    for word in words:
        if word.startswith("||"):
            return ""
        if word.startswith("--"):
            known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
            if word not in known:
                return word
        elif isinstance(command, click.Group) and re.fullmatch(r"[a-z|]+", word):
            choices = word.split("|")
            if missing := [choice for choice in choices if choice not in command.commands]:
                return missing[0]
            command = command.commands[choices[0]]
    return ""


@each_page
def test_settings_that_are_named_exist(page: Path) -> None:
    table = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^(?:\||###) `([\w.\[\]]+)`", table, re.M))
    # `labels` is also what conditions of policies call the alert's labels, which may be any.
    sections = {name.partition(".")[0] for name in known if "." in name} - {"labels"}
    known |= set(presets.load().rows)  # rows of the query catalogue are named alike
    for code in _code(page):
        if re.fullmatch(r"[a-z]+\.[a-z_]+", code) and code.partition(".")[0] in sections and not code.endswith(".py"):
            assert code in known, f"{page.name} names the setting {code}"


def test_architecture_names_every_module() -> None:
    """By its own name, or by a row of a table for its whole folder. The sandbox is described by groups of files."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    folders = set(re.findall(r"^\| `(?:gitops_sre/)?([\w/]+)/` \|", text, re.M))
    for module in MODULES:
        parents = {parent.as_posix() for parent in module.parents}
        if module.name.startswith("__") or "sandbox" in parents or parents & folders:
            continue
        name = module.name if module.parts[0] == "model" else module.as_posix()
        assert f"{name}`" in text, f"docs/architecture.md says nothing of {module}"


def test_every_catalogued_cause_stands_in_the_diagnosis_page_with_its_prior() -> None:
    from gitops_sre.reasoning.catalogue import load_catalogue

    text = (ROOT / "docs" / "diagnosis.md").read_text(encoding="utf-8")
    for cause, entry in load_catalogue().causes.items():
        row = f"| `{cause}` | {entry.prior:.2f} | {', '.join(entry.changes)}".rstrip()
        assert row in text, f"docs/diagnosis.md: expected a row that begins {row!r}"
