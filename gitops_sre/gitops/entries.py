"""Entries that a commit added or removed, taken out or put in again where their place is today."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from gitops_sre import yamltext
from gitops_sre.gitops.alignment import Follower, Pair
from gitops_sre.gitops.lookback import follower
from gitops_sre.model.change import FieldEdit, Left
from gitops_sre.yamltext import Path, Place, leaves


def undone(
    path: str, before: str, after: str, now: str, name: str, matched: Iterable[Pair], *, alone: bool
) -> Iterator[FieldEdit | Left]:
    """Edits of `now`, in the order in which they are to be made, that take out what `after` has over `before` and put
    in what it lacks. `matched` are the pairs of the two. Several commits (not `alone`) are not undone at once: their
    entries are left and named.

    Raises YamlTextError when an entry cannot be taken apart.
    """
    found = [pair for pair in matched if pair.one is None or pair.two is None]
    if not alone:
        for pair in found:
            yield Left(path, *(pair.one or pair.two or (0, ())), f"{name} added or removed it, and it changed since")
        return
    added = [_removal(path, after, now, pair.two, name) for pair in found if pair.two is not None]
    taken = [each for each in added if isinstance(each, FieldEdit)]
    yield from (each for each in added if isinstance(each, Left))
    # From the last to the first, so that no removal moves the place of another.
    yield from sorted(taken, key=lambda edit: (edit.document, _order(edit.path)), reverse=True)
    put: list[FieldEdit] = []
    for pair in found:
        if pair.one is not None:
            each = _insertion(path, before, now, pair.one, name)
            if isinstance(each, FieldEdit):
                each = replace(each, path=_moved(each.path, each.document, taken, put))
                put.append(each)
            yield each


def _removal(path: str, after: str, now: str, place: Place, name: str) -> FieldEdit | Left:
    there = follower(after, now).entry(place)
    if there is None or not there[1]:
        return Left(path, *place, f"{name} added it, and it is gone since")
    if _below(after, place) != _below(now, there):
        return Left(path, *there, f"{name} added it, and it was changed since")
    raw = yamltext.source(now, *there).raw
    value = leaves(now).get(there, raw)
    return FieldEdit(path, *there, value, None, raw, "", reason=f"{name} added it")


def _insertion(path: str, before: str, now: str, place: Place, name: str) -> FieldEdit | Left:
    number, here = place
    if not here:
        return Left(path, number, here, f"{name} removed the document; put it back by hand")
    follow = follower(before, now)
    parent = follow.entry((number, here[:-1]))
    if parent is None:
        return Left(path, *place, f"{name} removed it, and what it stood in is gone since")
    entry = yamltext.source(before, number, here)
    value = leaves(before).get(place, entry.raw)
    key, position = here[-1], entry.position
    if isinstance(key, int):
        position = _after_neighbours(follow, number, here, key, parent[1])
        key = position
    elif any(at[0] == parent[0] and at[1][: len(parent[1]) + 1] == (*parent[1], key) for at in leaves(now)):
        return Left(path, parent[0], (*parent[1], key), f"{name} removed it, and it was set again since")
    return FieldEdit(
        path, parent[0], (*parent[1], key), None, value, "", entry.raw, position, reason=f"{name} removed it"
    )


def _after_neighbours(follow: Follower, number: int, here: Path, last: int, parent: Path) -> int:
    """Where an item stands today: after the nearest of the items before it that is still there."""
    for at in range(last - 1, -1, -1):
        there = follow.entry((number, (*here[:-1], at)))
        if there is not None and there[1][: len(parent)] == parent and isinstance(index := there[1][len(parent)], int):
            return index + 1
    return 0


def _below(text: str, place: Place) -> dict[Path, str]:
    """What stands at and below a place."""
    number, path = place
    size = len(path)
    return {
        at[size:]: value for (document, at), value in leaves(text).items() if document == number and at[:size] == path
    }


def _order(path: Path) -> tuple[tuple[int, str], ...]:
    return tuple((part, "") if isinstance(part, int) else (0, part) for part in path)


def _moved(path: Path, number: int, taken: list[FieldEdit], put: list[FieldEdit]) -> Path:
    """A path of the text of today as one of the text after the edits before it: items that went or came shift it."""
    found = list(path)
    for edit, step in [*((each, -1) for each in taken), *((each, 1) for each in put)]:
        at = len(edit.path) - 1
        if edit.document != number or len(path) <= at or edit.path[:at] != path[:at]:
            continue
        last, here, shifted = edit.path[at], path[at], found[at]
        if isinstance(last, int) and isinstance(here, int) and isinstance(shifted, int):
            found[at] = shifted + (step if last < here or (step > 0 and last == here) else 0)
    return tuple(found)
