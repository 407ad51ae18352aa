"""What a commit changed, value by value, and what puts it back on a later commit; the last good values of a field.

A field-level undo does not conflict where a line-level one does: each value is looked up where it stands today, and
is put back only while it still holds what the commit gave it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gitops_sre import yamltext
from gitops_sre.gitops import coupling, entries, environments
from gitops_sre.gitops.alignment import pairs
from gitops_sre.gitops.files import decoded, inside, plain_path
from gitops_sre.gitops.lookback import LOOK_BACK, Change, Looker, follower
from gitops_sre.model.change import Draft, Field, FieldEdit, Left
from gitops_sre.model.change_feed import FileChange
from gitops_sre.model.image import Image
from gitops_sre.model.outcome import Refused
from gitops_sre.model.target import Target
from gitops_sre.ports import Repository
from gitops_sre.yamltext import Place, YamlTextError, leaves


@dataclass(frozen=True)
class Scope:
    """What an undo may touch: files below `paths` (none: all), of one environment (empty: any)."""

    paths: tuple[str, ...] = ()
    environment: str = ""

    @classmethod
    def of(cls, target: Target, fields: Sequence[Field] = ()) -> Scope:
        """A target's own folder and environment, its value files, and the files of fields that decide for it from
        elsewhere.

        Where the target names no environment and all fields are of one, that counts.
        """
        path = plain_path(target.source.path)
        files = dict.fromkeys(field.file for field in fields)
        theirs = {environments.of(file) for file in files}
        known = target.environment or (theirs.pop() if len(theirs) == 1 else "")
        values = (plain_path(file) for file in target.source.value_files)
        return cls((path, *values, *files) if path else (), known)

    def excludes(self, file: str) -> str:
        """Why a file is not the target's, or the empty string."""
        if self.paths and not any(inside(file, path) for path in self.paths):
            return f"outside {self.paths[0]}"
        if not environments.fits(file, self.environment):
            return f"environment {environments.of(file, self.environment)}, not {self.environment}"
        return ""


@dataclass(frozen=True)
class Step:
    """A commit to take back: how it is called in reasons, and what it did."""

    name: str
    changes: tuple[FileChange, ...]


def undo(repository: Repository, commit: str, culprit: str, scope: Scope) -> Draft | Refused:
    """What restores, at `commit`, the values from before `culprit`.

    Refused when nothing can be put back. Raises OSError when the repository cannot be read.
    """
    return restore(repository, commit, [Step(culprit[:12], repository.changed(culprit))], scope)


def restore(repository: Repository, commit: str, steps: Sequence[Step], scope: Scope) -> Draft | Refused:
    """What takes some commits (newest first) back at `commit`, each value to where it stood before the oldest."""
    found: list[FieldEdit | Left] = []
    by_file: dict[str, list[_Texts]] = {}
    for step in steps:
        moved = _moved(repository, commit, step.changes)
        blobs = repository.blobs({b for c in step.changes for b in (c.before_blob, c.after_blob) if b and c.plain})
        for change in step.changes:
            path = moved.get(change.after_path, change.after_path) or change.before_path
            if problem := scope.excludes(path) or _whole_file(change, step.name):
                found.append(Left(path, 0, (), problem))
            else:
                texts = _Texts(step.name, blobs[change.before_blob], blobs[change.after_blob])
                by_file.setdefault(path, []).append(texts)
    for path, of_file in by_file.items():
        found += _file(path, of_file, repository.read(commit, path))
    edits = tuple(each for each in found if isinstance(each, FieldEdit))
    left = tuple(each for each in found if isinstance(each, Left))
    if not edits:
        return Refused(f"nothing of {steps[0].name} can be put back: {_why(left)}")
    return Draft(edits, left)


@dataclass(frozen=True)
class _Texts:
    """A file before and after a commit."""

    name: str
    before: bytes
    after: bytes


def _file(path: str, steps: Sequence[_Texts], now: bytes | None) -> tuple[FieldEdit | Left, ...]:
    if now is None:
        return (Left(path, 0, (), f"the file is gone since {steps[0].name}"),)
    try:
        return tuple(_undone(path, steps, decoded(path, now)))
    except YamlTextError as error:
        return (Left(path, 0, (), str(error)),)


def _why(left: Sequence[Left]) -> str:
    if not left:
        return "it changed no value"
    more = f" (and {len(left) - 3} more)" if len(left) > 3 else ""
    return "; ".join(f"{each.file}: {each.reason}" for each in left[:3]) + more


def _whole_file(change: FileChange, name: str) -> str:
    if not change.plain:
        return f"{name} changed its type or mode; use git revert"
    if not change.before_blob:
        return f"{name} added the file; remove it by hand"
    if not change.after_blob:
        return f"{name} removed the file; restore it with git revert"
    return ""


def _moved(repository: Repository, commit: str, changes: Sequence[FileChange]) -> Mapping[str, str]:
    """Files that carry another name today."""
    gone = [c.after_path for c in changes if c.after_path and repository.read(commit, c.after_path) is None]
    return {path: new for path in gone if (new := _new_name(repository, commit, path))}


def _new_name(repository: Repository, commit: str, path: str) -> str:
    """The name that a file was given by a rename that git can see, or the empty string."""
    for revision in repository.revisions(commit, [path], limit=1):
        change = next((c for c in repository.changed(revision.commit.sha) if c.before_path == path), None)
        if change is not None and change.after_path not in ("", path):
            return change.after_path
    return ""


def _undone(path: str, steps: Sequence[_Texts], now: str) -> Iterator[FieldEdit | Left]:
    """Edits of `now` that put back what the steps (newest first) changed: values, then entries that came or went."""
    values: dict[Place, FieldEdit | Left] = {}
    unpaired: list[FieldEdit | Left] = []
    for step in steps:
        before, after = decoded(path, step.before), decoded(path, step.after)
        old, new = leaves(before), leaves(after)
        follow = follower(after, now)
        matched = tuple(pairs(old, new))
        unpaired += entries.undone(path, before, after, now, step.name, matched, alone=len(steps) == 1)
        for pair in matched:
            if pair.one is None or pair.two is None or old[pair.one] == new[pair.two]:
                continue
            there = follow.leaf(pair.two)
            if there is None:
                yield Left(path, *pair.two, f"it is gone since {step.name}")
                continue
            raw, was = yamltext.locate(before, *pair.one).raw, old[pair.one]
            known = values.get(there)
            if isinstance(known, FieldEdit):  # changed more than once: back to the oldest
                values[there] = replace(known, after=was, after_raw=raw, reason=f"{step.name} changed it from {was}")
            elif known is None:
                values[there] = _value_back(path, there, was, raw, new[pair.two], leaves(now)[there], step.name)
    yield from (each for each in values.values() if isinstance(each, Left) or each.before != each.after)
    yield from unpaired


def _value_back(path: str, there: Place, was: str, raw: str, given: str, today: str, name: str) -> FieldEdit | Left:
    if today != given:
        return Left(path, *there, f"changed again since {name}: {given} -> {today}")
    return FieldEdit(path, *there, given, was, "", raw, reason=f"{name} changed it from {was}")


def last_good(
    repository: Repository, commit: str, target: Target, fields: Sequence[Field], to: str = "", good: str = ""
) -> Draft | Refused:
    """What restores the last different values of the fields, with everything that their last change changed too.

    With `to`, the last values that say this version; with `good`, those of that commit. Refused when the history knows
    none. Raises OSError when the repository cannot be read.
    """
    scope = Scope.of(target, fields)
    changes: list[Change] = []
    looker = Looker(repository, commit, fields)
    try:
        for change in looker.changes():
            if good and repository.contains(good, change.revision.commit.sha) is not False:
                break
            changes.append(change)
            if None in change.before and not any(change.before):
                return Refused(f"{_named(change)} set it first: there is no earlier value")
            if not good and (not to or to in version_of(fields, change.before)):
                break
        else:
            wanted = f"{to} does not appear" if to else "there is no earlier value"
            return Refused(f"{fields[0].file}: {wanted} in the last {LOOK_BACK} commits that touched it")
    except YamlTextError as error:
        return Refused(f"{fields[0].file}: its history cannot be read further back ({error})")
    if not changes:
        return Refused(f"{fields[0].file}: it holds what it held at {good[:12]}")
    return _restored(repository, commit, scope, looker, changes)


def version_of(fields: Sequence[Field], values: Sequence[str | None]) -> tuple[str, ...]:
    """What fields with these values say of a version: as one text, and its tag and digest by themselves."""
    images = [
        Image.read(text) if field.role == "image" else Image.read_version(text)
        for field, text in zip(fields, values, strict=True)
        if text and field.role != "name"
    ]
    tag = next((image.tag for image in images if image.tag), "")
    digest = next((image.digest for image in images if image.digest), "")
    return tuple(filter(None, (Image("", tag, digest).version, tag, digest)))


def _restored(
    repository: Repository, commit: str, scope: Scope, looker: Looker, changes: Sequence[Change]
) -> Draft | Refused:
    """Undo the changes, newest first, all in one draft."""
    oldest = changes[-1]
    shas = [change.revision.commit.sha for change in changes]
    steps = [Step(sha[:12], repository.changed(sha)) for sha in shas]
    draft = restore(repository, commit, steps, scope)
    if isinstance(draft, Refused):
        return draft
    draft = coupling.told(repository, looker, draft, shas[0])
    return replace(draft, notes=(f"the last good values are from before {_named(oldest)}", *draft.notes))


def _named(change: Change) -> str:
    commit = change.revision.commit
    return f"{commit.sha[:12]} ({commit.at:%Y-%m-%d}, {commit.subject[:60]!r})"
