"""The diff, its exact inverse, and the proof of what it does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from gitops_sre.model.outcome import Outcome

Role = Literal["tag", "digest", "image", "name", "chart", "ref", "value"]
"""What a field holds: an image's tag, its digest, a whole reference or its name alone; a chart's version; a Git or OCI
revision (`?ref=`, `targetRevision`); or any other value."""

Part = Literal["target", "coupled", "pin"]
"""Why an edit is made: it is what was asked for, it moves together with that, or it keeps an automation from undoing
it."""


@dataclass(frozen=True)
class Field:
    """A scalar that decides a value. `value` is the scalar as text, `raw` its source text with quoting; `reason` says
    why this place owns the value. With `present` False the value is not set (both are empty) and this is the place
    where it would be inserted."""

    file: str
    document: int
    path: tuple[str | int, ...]
    role: Role
    value: str
    raw: str
    reason: str
    present: bool = True


@dataclass(frozen=True)
class FieldEdit:
    """One place to change. `path` is the key path in document number `document` of `file`; `before`/`after` are the
    values as text, None where the key is not there: a None before inserts it, a None after removes it.

    `before_raw`/`after_raw` are source text: of the scalar with its quoting, or, of an entry that comes or goes, of
    the whole entry (`key: value`, comments and nested lines included, dedented; empty on the other side).
    `position` is the entry's place among its siblings (None: last). Restoring `before_raw` undoes it byte for byte.
    """

    file: str
    document: int
    path: tuple[str | int, ...]
    before: str | None
    after: str | None
    before_raw: str
    after_raw: str
    position: int | None = None
    part: Part = "target"
    reason: str = ""

    def inverted(self) -> FieldEdit:
        """The edit that takes this one back."""
        return replace(self, before=self.after, after=self.before, before_raw=self.after_raw, after_raw=self.before_raw)


@dataclass(frozen=True)
class Left:
    """A place that an action knows of and does not edit, with the reason."""

    file: str
    document: int
    path: tuple[str | int, ...]
    reason: str


@dataclass(frozen=True)
class Draft:
    """What an action would edit, each edit with its reason, and what it leaves alone. Nothing is applied yet.

    `notes` say how it was found: which revision was the last good one, what changes together and how often.
    `follow_ups` are edits for a later pull request, e.g. taking a pin off again.
    """

    edits: tuple[FieldEdit, ...]
    left: tuple[Left, ...] = ()
    notes: tuple[str, ...] = ()
    follow_ups: tuple[FieldEdit, ...] = ()


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
    """One rendered Kubernetes object that the change alters; `fields` are `path: before -> after` lines. `origin` is
    the file that it came from, where kustomize tells (its origin annotations), else empty."""

    kind: str
    namespace: str
    name: str
    application: str
    fields: tuple[str, ...]
    replicas: int = 0
    origin: str = ""


@dataclass(frozen=True)
class BlastRadius:
    """What the change touches, counted on rendered objects. `fleet_share` is touched replicas / all replicas of the
    environment's workloads, 0..1; `service_share` the same of the target's service there, None where that is not known.

    `steps` says how far values move: for `cpu`, `memory` and `replicas` the largest factor between old and new, 1 or
    more whichever way it goes, None where a value comes, goes or is no quantity. None as a whole: nothing was shown.
    """

    objects: int
    replicas: int
    namespaces: tuple[str, ...]
    environments: tuple[str, ...]
    tiers: tuple[str, ...]
    fleet_share: float
    files: int
    lines: int
    service_share: float | None = None
    steps: tuple[tuple[str, float | None], ...] | None = None


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
