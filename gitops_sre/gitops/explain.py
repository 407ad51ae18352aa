"""Whether a rendered field's new value follows from the edited values, and from nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gitops_sre import yamltext
from gitops_sre.model.change import Change, FieldEdit, FileEdit
from gitops_sre.yamltext import Path, YamlTextError

_JOINTS = ":@/-_ =\"'"
"""What stands between a value and the text around it, e.g. an image's name and its tag."""
_CHECKSUM = re.compile(r"annotations\..*(?:checksum|sha\d*|hash)", re.I)
_HEX = re.compile(r"[0-9a-f]{32,128}")
_OPENED = "|yaml"
"""Marks, in a path, a block scalar that is itself YAML."""

Pair = tuple[str, str]


@dataclass(frozen=True)
class FieldDiff:
    """One field of an object; None: it is not there."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Explanation:
    """What a change puts in place of what: `swapped` pairs, values that `came` and values that `went`."""

    swapped: tuple[Pair, ...]
    came: frozenset[str]
    went: frozenset[str]

    def follows(self, field: FieldDiff) -> bool:
        """Whether a field's difference is the edit and no more.

        The new value is the old one with edited values in place of what they replace; or it is one that was
        inserted, or the old one is one that was removed (with the text around it unchanged); or it is the checksum
        by which a chart restarts pods when their configuration changes.
        """
        if field.before is None:
            return field.after in self.came
        if field.after is None:
            return field.before in self.went
        if self._swaps(field.before, field.after):
            return True
        if _CHECKSUM.search(field.path) and _HEX.fullmatch(field.before) and _HEX.fullmatch(field.after):
            return True
        return self._stands_alone(field.before, field.after)

    def _swaps(self, before: str, after: str) -> bool:
        return self._replaced(before) == after or any(
            _replaced_once(before, after, *pair) for pair in self.swapped if pair[0]
        )

    def _replaced(self, text: str) -> str:
        """Every edited value in place of what it replaces; longest first, or `v1` would alter `v10`."""
        new = dict(self.swapped)
        if text in new:
            return new[text]
        olds = sorted((old for old in new if old), key=len, reverse=True)
        if not olds:
            return text
        pattern = "|".join(re.escape(old) for old in olds)
        return re.sub(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", lambda found: new[found.group()], text)

    def _stands_alone(self, before: str, after: str) -> bool:
        """A value that came or went is all that tells the two texts apart, up to what it uncovers or covers.

        Taking an override off uncovers whatever stands below it, so that side is not known beforehand.
        """
        moved = self._replaced(before)
        return any(_around(after, each, moved) for each in self.came) or any(
            _around(moved, each, after) for each in self.went
        )


def explanation(change: Change, renamed: Sequence[Pair] = ()) -> Explanation:
    """What the edits of a change, and objects whose name changed with their content, can account for."""
    edits = change.edits
    swapped = [(each.before, each.after) for each in edits if each.before and each.after is not None]
    swapped += [pair for one, two in swapped if (pair := _literal(one, two)) is not None]
    files = {file.path: file for file in change.files}
    outer = [pair for each in edits if (pair := _outer(files.get(each.file), each)) is not None]
    whole = [(file.before, file.after) for file in change.files]
    stripped = [(one.rstrip("\n"), two.rstrip("\n")) for one, two in [*whole, *outer]]
    came = [leaf for each in edits if not each.before for leaf in _leaves(each.after, each.after_raw)]
    went = [leaf for each in edits if not each.after for leaf in _leaves(each.before, each.before_raw)]
    pairs = dict.fromkeys([*swapped, *renamed, *outer, *whole, *stripped])
    return Explanation(tuple(pairs), frozenset(came), frozenset(went))


def _literal(before: str, after: str) -> Pair | None:
    """The values of a generator's literal, `key=value`, whose key stays."""
    (one, joint, old), (two, _, new) = before.partition("="), after.partition("=")
    return (old, new) if joint and one == two and old else None


def _outer(file: FileEdit | None, edit: FieldEdit) -> Pair | None:
    """The block scalars, before and after, that hold an edited value inside."""
    if file is None or _OPENED not in edit.path:
        return None
    path: Path = edit.path[: edit.path.index(_OPENED)]
    try:
        one, two = (yamltext.get(text, edit.document, path) for text in (file.before, file.after))
    except YamlTextError:
        return None
    return None if one is None or two is None else (one, two)


def _leaves(value: str | None, raw: str) -> Iterator[str]:
    """The values of an entry that comes or goes: its own, and those nested in it."""
    if value:
        yield value
    try:
        yield from (scalar.value for scalar in yamltext.scalars(raw) if scalar.value)
    except YamlTextError:
        return


def _replaced_once(before: str, after: str, old: str, new: str) -> bool:
    """One occurrence of `old` is all that was replaced; a number is never cut out of a longer one."""
    at = before.find(old)
    while at >= 0:
        end = at + len(old)
        cut = (before[:at][-1:].isdigit() and old[:1].isdigit()) or (before[end:][:1].isdigit() and old[-1:].isdigit())
        if not cut and before[:at] + new + before[end:] == after:
            return True
        at = before.find(old, at + 1)
    return False


def _around(holder: str, value: str, other: str) -> bool:
    """The texts are the same but for `value`, a whole word of `holder`, and what stands there in `other`."""
    if holder == value:
        return True
    for found in re.finditer(rf"(?<![A-Za-z0-9.]){re.escape(value)}(?![A-Za-z0-9])", holder):
        start, end = holder[: found.start()], holder[found.end() :]
        for head in (start, start.rstrip(_JOINTS)):
            if head and other.startswith(head) and other.endswith(end) and len(other) >= len(head) + len(end):
                return True
    return False
