"""The diff, its exact inverse, and the proof of what it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gitops_sre.model.outcome import Outcome


@dataclass(frozen=True)
class Field:
    """A scalar that decides a value. `role` says which part of an image it holds; `value` is the scalar as text, `raw`
    its source text with quoting; `reason` says why this place owns the value."""

    file: str
    document: int
    path: tuple[str | int, ...]
    role: Literal["tag", "digest", "image"]
    value: str
    raw: str
    reason: str


@dataclass(frozen=True)
class FieldEdit:
    """One scalar to change. `path` is the key path in document number `document` of `file`; `before`/`after` are
    the scalar's values as text, `before_raw`/`after_raw` their source text with quoting. Restoring `before_raw`
    undoes it byte for byte."""

    file: str
    document: int
    path: tuple[str | int, ...]
    before: str
    after: str
    before_raw: str
    after_raw: str

    def inverted(self) -> FieldEdit:
        """The edit that takes this one back."""
        return FieldEdit(self.file, self.document, self.path, self.after, self.before, self.after_raw, self.before_raw)


@dataclass(frozen=True)
class FileEdit:
    """A file before and after, as bytes-preserving text (UTF-8, newlines kept)."""

    path: str
    before: str
    after: str


@dataclass(frozen=True)
class Change:
    """A set of field edits against `base` (a commit SHA) and the files that result."""

    base: str
    edits: tuple[FieldEdit, ...]
    files: tuple[FileEdit, ...]

    @property
    def inverse(self) -> tuple[FieldEdit, ...]:
        """The edits that restore what stood before."""
        return tuple(edit.inverted() for edit in reversed(self.edits))


@dataclass(frozen=True)
class ObjectDiff:
    """One rendered Kubernetes object that the change alters; `fields` are `path: before -> after` lines."""

    kind: str
    namespace: str
    name: str
    application: str
    fields: tuple[str, ...]
    replicas: int = 0


@dataclass(frozen=True)
class BlastRadius:
    """What the change touches, counted on rendered objects. `fleet_share` is touched replicas / all replicas of the
    environment's workloads, 0..1."""

    objects: int
    replicas: int
    namespaces: tuple[str, ...]
    environments: tuple[str, ...]
    tiers: tuple[str, ...]
    fleet_share: float
    files: int
    lines: int


@dataclass(frozen=True)
class Check:
    """One thing that was checked about a change. Anything but Done caps the level; Refused forbids."""

    name: str
    outcome: Outcome


@dataclass(frozen=True)
class Proof:
    """What the change does, shown by rendering before and after. Only gitops/ makes one."""

    change: Change
    objects: tuple[ObjectDiff, ...]
    radius: BlastRadius
    checks: tuple[Check, ...]
    diff: str
    """Unified diff of the files."""
