"""Policy documents of the infra repository, read at one commit: the ladder, the rules and the freeze windows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gitops_sre.policy.cel import ConditionError, compiled
from gitops_sre.policy.schema import (
    API_VERSION,
    KINDS,
    AutonomyLadder,
    Document,
    Input,
    LadderEntry,
    Notification,
    Ownership,
    PolicyTest,
    RemediationPolicy,
    Route,
    Rule,
    Team,
    TestCase,
    Window,
    schema,
)
from gitops_sre.policy.source import Data, PolicyError, Source, sources
from gitops_sre.ports import Tree

__all__ = ["Placed", "Policies", "PolicyError", "check", "read", "read_folder", "schema"]

Entry = TypeVar("Entry", LadderEntry, Rule, Window, Route, Team, TestCase)

_NAMED = f"name one of {', '.join(KINDS)}"


@dataclass(frozen=True)
class Placed(Generic[Entry]):
    """An entry of a document and the `file:line:column` where it stands."""

    entry: Entry
    place: str


@dataclass(frozen=True)
class Policies:
    """All policy at one commit. With nothing in it everything is L1."""

    commit: str
    ladder: tuple[Placed[LadderEntry], ...] = ()
    rules: tuple[Placed[Rule], ...] = ()
    windows: tuple[Placed[Window], ...] = ()
    routes: tuple[Placed[Route], ...] = ()
    teams: tuple[Placed[Team], ...] = ()
    tests: tuple[Placed[TestCase], ...] = ()


def read(repository: Tree, commit: str, path: str) -> Policies:
    """Policy below a folder at a commit of the protected branch; no folder: nothing is opened.

    Raises PolicyError for the first problem: a policy that cannot be read in full allows nothing.
    """
    reading = _Reading()
    for file in repository.files(commit, path.strip("/")):
        reading.add(file, repository.read(commit, file))
    return reading.policies(commit)


def check(folder: Path) -> tuple[PolicyError, ...]:
    """Every problem of the policy files below a local folder, one a document, in order. Places name the files by
    their path as given."""
    return tuple(_local(folder).problems)


def read_folder(folder: Path) -> Policies:
    """Policy below a local folder, for people who try one out. Raises PolicyError for the first problem."""
    return _local(folder).policies("")


def _local(folder: Path) -> _Reading:
    reading = _Reading()
    if not folder.is_dir():
        what, remedy = "is not a folder", "name the folder that holds the policy files"
        reading.problems.append(PolicyError(str(folder), what, remedy))
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        reading.add(str(file), file.read_bytes())
    return reading


def described_input(data: Mapping[str, Data]) -> Input:
    """A situation as people describe it in an example. Raises PolicyError."""
    try:
        return Input.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        what, remedy = _words(first)
        raise PolicyError(".".join(map(str, first["loc"])) or "input", what, remedy) from error


@dataclass
class _Reading:
    """What has been read so far."""

    ladder: list[Placed[LadderEntry]] = field(default_factory=list)
    rules: list[Placed[Rule]] = field(default_factory=list)
    windows: list[Placed[Window]] = field(default_factory=list)
    routes: list[Placed[Route]] = field(default_factory=list)
    teams: list[Placed[Team]] = field(default_factory=list)
    tests: list[Placed[TestCase]] = field(default_factory=list)
    problems: list[PolicyError] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    def policies(self, commit: str) -> Policies:
        """All of it. Raises PolicyError for the first problem."""
        if self.problems:
            raise self.problems[0]
        return Policies(
            commit,
            tuple(self.ladder),
            tuple(self.rules),
            tuple(self.windows),
            tuple(self.routes),
            tuple(self.teams),
            tuple(self.tests),
        )

    def add(self, file: str, content: bytes | None) -> None:
        """One file. Files that are not policy (a README) are left alone."""
        if file.endswith((".yml", ".json")):
            # Left out silently, a rule in it would silently not hold.
            self.problems.append(PolicyError(f"{file}:1:1", "policy files end in .yaml", "rename it"))
        if not file.endswith(".yaml"):
            return
        if content is None:
            self.problems.append(PolicyError(f"{file}:1:1", "is not a regular file", "replace it by the file itself"))
            return
        try:
            found = list(sources(file, content))
        except PolicyError as error:
            self.problems.append(error)
            return
        for source in found:
            try:
                self._take(source, _document(source))
            except PolicyError as error:
                self.problems.append(error)

    def _take(self, source: Source, document: Document) -> None:
        if isinstance(document, AutonomyLadder):
            self.ladder.extend(_placed(source, "levels", document.spec.levels))
        elif isinstance(document, RemediationPolicy):
            placed = list(_placed(source, "rules", document.spec.rules))
            self._name(placed)
            for index, rule in enumerate(document.spec.rules):
                _compile(source, rule, ("spec", "rules", index, "when"))
            self.rules.extend(placed)
        elif isinstance(document, Notification):
            routes = list(_placed(source, "routes", document.spec.routes))
            self._name(routes)
            self.routes.extend(routes)
        elif isinstance(document, Ownership):
            teams = list(_placed(source, "teams", document.spec.teams))
            self._name(teams, "team ")
            self.teams.extend(teams)
        elif isinstance(document, PolicyTest):
            self.tests.extend(_placed(source, "cases", document.spec.cases))
        else:
            windows = list(_placed(source, "windows", document.spec.windows))
            self._name(windows)
            self.windows.extend(windows)

    def _name(
        self, placed: Iterable[Placed[Rule] | Placed[Window] | Placed[Route] | Placed[Team]], of: str = ""
    ) -> None:
        """Names are unique over all files, so that a reason in a verdict points to one place."""
        for item in placed:
            before = self.names.setdefault(f"{of}{item.entry.name}", item.place)
            if before != item.place:
                what = f"the name `{item.entry.name}` stands already at {before}"
                raise PolicyError(item.place, what, "choose another name")


def _placed(source: Source, key: str, entries: Iterable[Entry]) -> Iterator[Placed[Entry]]:
    for index, entry in enumerate(entries):
        yield Placed(entry, source.place(("spec", key, index)))


def _compile(source: Source, rule: Rule, path: tuple[str | int, ...]) -> None:
    try:
        compiled(rule.when)
    except ConditionError as error:
        place = source.place_in_value(path, error.line, error.column)
        where = f" (line {error.line}, column {error.column} of the expression)" if error.line else ""
        what = f"`when` of rule `{rule.name}` does not compile: {error}{where}"
        raise PolicyError(place, what, "see docs/policy.md for the variables and their types") from error


def _document(source: Source) -> Document:
    """Validate one document. Strict JSON rules: a number in quotes is text, and stays an error."""
    kind = source.data.get("kind") if isinstance(source.data, dict) else None
    if not isinstance(source.data, dict):
        raise PolicyError(source.place(), "a policy document is a mapping", f"begin with `apiVersion: {API_VERSION}`")
    if not isinstance(kind, str) or kind not in KINDS:
        what = "`kind` is missing" if kind is None else f"`{kind}` is not a kind of policy document"
        raise PolicyError(source.place(("kind",)), what, _NAMED)
    try:
        return KINDS[kind].model_validate_json(json.dumps(source.data), strict=True)
    except ValidationError as error:
        raise _explained(source, error) from error


def _explained(source: Source, error: ValidationError) -> PolicyError:
    """The problem that stands first in the file."""
    problems = error.errors(include_url=False)
    # A list is "too short" too when an item of it is wrong: the item is what is to be mended.
    inner = {problem["loc"][: len(problem["loc"]) - 1] for problem in problems}
    told = [problem for problem in problems if problem["type"] != "too_short" or problem["loc"] not in inner]
    first = min(told, key=lambda problem: source.position(problem["loc"]))
    path = tuple(first["loc"])
    name = ".".join(str(part) for part in path)
    what, remedy = _words(first)
    return PolicyError(source.place(path), f"`{name}`: {what}" if name else what, remedy)


def _words(problem: ErrorDetails) -> tuple[str, str]:
    """What is wrong and what to do about it."""
    message = problem["msg"].removeprefix("Value error, ")
    match problem["type"]:
        case "extra_forbidden":
            return "unknown key", "remove it or correct its spelling (docs/policy.md lists the keys)"
        case "missing":
            return "is missing", "add it"
        case "string_type":
            return "must be text", "put it in quotes"
        case "too_short" | "string_too_short":
            return "is empty", "give at least one value or remove the key"
        case _:
            return message, "correct the value (docs/policy.md lists what is possible)"
