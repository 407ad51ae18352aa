"""A scenario on disk: what happened, what the bot may see of it, and what would be right.

A folder holds `scenario.yaml`, `telemetry/cases.jsonl` with one case, `infra.bundle` and `cluster.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gitops_sre.action import ACTIONS
from gitops_sre.adapters.cases import Case, CaseError, read_cases
from gitops_sre.adapters.kubernetes import application, workload
from gitops_sre.cli.common import Failure
from gitops_sre.model.diagnosis import Cause
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.signal import Alert

MAX_BYTES = 1_000_000
"""Of `scenario.yaml`."""
MAX_DEPTH = 12
NO_ACTION = ("none", "escalate")
NAMES = ("scenario.yaml", "telemetry/cases.jsonl", "infra.bundle", "cluster.json")
ARGOCD = "argocd"
"""Where Argo CD lives in a recorded cluster."""

Word = Annotated[str, Field(min_length=1, max_length=253)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Fired(_Part):
    """The alert. `ends_at` where it had resolved by the moment of asking."""

    name: Word
    labels: Mapping[str, str]
    starts_at: AwareDatetime
    ends_at: AwareDatetime | None = None


class Expected(_Part):
    """What is right. `services` are all that may be blamed rightly, none where nothing is wrong; `change` is the
    culprit's full SHA; `action` is `none` (leave it), `escalate` (call a person) or an action, with its `diff`."""

    services: tuple[Word, ...] = ()
    cause: Cause
    change: Annotated[str, Field(pattern=r"^([0-9a-f]{40}([0-9a-f]{24})?)?$")] = ""
    action: Literal["none", "escalate"] | Word
    diff: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Expected:
        if self.action not in (*NO_ACTION, *ACTIONS):
            raise ValueError(f"action is {self.action!r}; give none, escalate or one of {', '.join(sorted(ACTIONS))}")
        if (self.action in ACTIONS) != bool(self.diff):
            raise ValueError("diff belongs to an action and to nothing else: give both, or neither")
        if (self.cause == "no_fault") == bool(self.services):
            raise ValueError("services are to blame for every cause but no_fault: name them there and only there")
        return self


class Told(_Part):
    """`scenario.yaml`."""

    title: str = ""
    environment: Word
    tier: Word = "standard"
    layout: str = ""
    misleading: str = ""
    repository_url: Word
    asked_at: AwareDatetime
    alert: Fired
    expected: Expected


@dataclass(frozen=True)
class Scenario:
    """A scenario, read. `id` is its folder's name."""

    id: str
    folder: Path
    told: Told
    case: Case
    applications: tuple[Application, ...]
    workloads: tuple[Workload, ...]

    @property
    def bundle(self) -> Path:
        """The infra repository."""
        return self.folder / "infra.bundle"

    @property
    def alert(self) -> Alert:
        """The alert as the bot gets it."""
        fired, asked = self.told.alert, self.told.asked_at
        resolved = fired.ends_at is not None and fired.ends_at <= asked
        return Alert(
            fingerprint=self.id,
            name=fired.name,
            labels=fired.labels,
            annotations={},
            starts_at=fired.starts_at,
            ends_at=fired.ends_at if resolved else None,
            status="resolved" if resolved else "firing",
        )


def folders(place: Path) -> tuple[Path, ...]:
    """The scenarios at a place: itself, or the folders in it, by name. Raises Failure where there are none."""
    if (place / NAMES[0]).is_file():
        return (place,)
    found = tuple(sorted(each.parent for each in place.glob(f"*/{NAMES[0]}")))
    if not found:
        raise Failure(f"{place}: no folder with a {NAMES[0]} in it; name a scenario or a folder of scenarios")
    return found


def read(folder: Path) -> Scenario:
    """One scenario. Raises Failure, which names the file and what is expected there."""
    if missing := [name for name in NAMES if not (folder / name).is_file()]:
        raise Failure(f"{folder / missing[0]}: not there; a scenario has {', '.join(NAMES)}")
    told = _told(folder / NAMES[0])
    try:
        headers = read_cases(folder / NAMES[1])
    except CaseError as error:
        raise Failure(str(error)) from error
    if len(headers) != 1:
        raise Failure(f"{folder / NAMES[1]}: {len(headers)} cases; a scenario has exactly one")
    case = Case(headers[0], folder / "telemetry", max(0.0, told.asked_at.timestamp() - headers[0].alert_ts))
    applications, workloads = _cluster(folder / NAMES[3])
    return Scenario(folder.name, folder, told, case, applications, workloads)


def _told(path: Path) -> Told:
    try:
        return Told.model_validate(_plain(path))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise Failure(f"{path}: {where}: {first['msg']}{more}; docs/evaluation.md says what belongs there") from error


def _plain(path: Path) -> object:
    """The file as plain data: short, not deep, each key once, no anchors, aliases or tags. Raises Failure."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Failure(f"{path}: longer than {MAX_BYTES:,} bytes; make it shorter")
        text = path.read_text(encoding="utf-8")
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            marked = isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or getattr(event, "tag", None)
            if depth > MAX_DEPTH or marked:
                mark = event.start_mark
                line = mark.line + 1 if mark else 1
                raise Failure(f"{path}:{line}: anchors, aliases, tags and deep nesting are not read; write plain YAML")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        _once(path, node)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader that leaves times as text
    except UnicodeDecodeError as error:
        raise Failure(f"{path}: not UTF-8 text; save it as UTF-8") from error
    except OSError as error:
        raise Failure(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, ValueError) as error:
        raise Failure(f"{path}: not usable YAML: {' '.join(str(error).split())[:200]}; write plain YAML") from error


def _once(path: Path, node: yaml.Node | None) -> None:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _once(path, item)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise Failure(f"{path}:{key.start_mark.line + 1}: {name} is given twice; keep one of them")
            seen.add(name)
            _once(path, value)


class _Loader(yaml.SafeLoader):
    """Times and dates stay text; the model reads them."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _cluster(path: Path) -> tuple[tuple[Application, ...], tuple[Workload, ...]]:
    """Applications and workloads as the Kubernetes API gives them. Raises Failure."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        applications = [application(each) for each in raw["applications"]]
        workloads = [workload(str(each["kind"]), each, ARGOCD) for each in raw["workloads"]]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        what = (
            f"lists `applications` and `workloads` of Kubernetes objects are expected ({type(error).__name__}: {error})"
        )
        raise Failure(f"{path}: {what}") from error
    if None in applications or None in workloads:
        raise Failure(f"{path}: an object has no name, or an Application no source; give it both")
    return tuple(each for each in applications if each), tuple(each for each in workloads if each)
