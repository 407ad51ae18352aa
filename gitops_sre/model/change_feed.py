"""What changed in the infra repository lately, mapped to workloads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ChangeKind = Literal["image", "config", "flag", "scale", "resources", "infrastructure", "other"]


@dataclass(frozen=True)
class FieldChange:
    """One scalar that a commit changed. `path` is the key path inside document number `document` of `file`;
    values are the scalars as YAML reads them, as text (None: the field is new or gone)."""

    file: str
    document: int
    path: tuple[str | int, ...]
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Commit:
    """One commit of the branch that the reconciler watches. `at` is the committer's time in UTC."""

    sha: str
    at: datetime
    author: str
    subject: str
    files: tuple[str, ...]
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChangeRecord:
    """A commit's effect on one workload (`service` in `environment`).

    `lead` is seconds from the change to the onset: positive when the change came first.
    """

    commit: Commit
    service: str
    environment: str
    kind: ChangeKind
    fields: tuple[FieldChange, ...]
    lead: float
