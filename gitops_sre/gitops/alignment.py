"""Which place in one text is which place in another: what a commit changed, and where that stands today.

Keys pair by name. Items of a list pair by what identifies them (Kubernetes merges lists by `name`, and most other
schemas have such a key), or by being equal; only then by their order. Documents pair by kind, namespace and name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from gitops_sre.yamltext import Path, Place

IDENTITIES = (("name",), ("key",), ("id",), ("metadata", "name"), ("alias",), ("host",), ("containerPort",), ("path",))
"""Keys by which items of a list are told apart, most telling first."""
_MAX_ITEMS = 2_000
"""Longer lists pair by position: comparing them costs more than it tells."""

Leaves = Mapping[Place, str]
"""Everything that a text says: value by place."""


@dataclass(frozen=True)
class Pair:
    """A place of one text and the same place of the other. None: it is only in one of them, and then the place is that
    of the highest entry that is missing."""

    one: Place | None
    two: Place | None


Tree = str | dict[str, "Tree"] | list["Tree"]
"""A document as nested values; the leaves are text."""


def pairs(one: Leaves, two: Leaves) -> Iterator[Pair]:
    """Every leaf of both texts, paired."""
    first, second = _documents(one), _documents(two)
    for left, right in _matched([_identity_of_document(tree) for tree in first],
                                [_identity_of_document(tree) for tree in second]):  # fmt: skip
        if left is None or right is None:
            yield Pair(None if left is None else (left, ()), None if right is None else (right, ()))
            continue
        for a, b in _paired(first[left], second[right], (), ()):
            yield Pair(None if a is None else (left, a), None if b is None else (right, b))


class Follower:
    """Where places of one text stand in another."""

    def __init__(self, one: Leaves, two: Leaves) -> None:
        self._leaves: dict[Place, Place] = {}
        self._entries: dict[Place, Place] = {}
        for pair in pairs(one, two):
            if pair.one is not None and pair.two is not None:
                self._leaves[pair.one] = pair.two
                (number, here), (other, there) = pair.one, pair.two
                for size in range(len(here)):
                    self._entries.setdefault((number, here[:size]), (other, there[:size]))

    def leaf(self, place: Place) -> Place | None:
        """Where a scalar stands, or None when it is gone."""
        return self._leaves.get(place)

    def entry(self, place: Place) -> Place | None:
        """Where a scalar or a collection stands, or None when nothing of it is left."""
        return self._leaves.get(place) or self._entries.get(place)


def _paired(one: Tree, two: Tree, here: Path, there: Path) -> Iterator[tuple[Path | None, Path | None]]:
    if isinstance(one, dict) and isinstance(two, dict):
        for key in {**one, **two}:
            yield from _child(one.get(key), two.get(key), (*here, key), (*there, key))
    elif isinstance(one, list) and isinstance(two, list):
        for left, right in sorted(_items(one, two), key=_order):
            yield from _child(
                None if left is None else one[left],
                None if right is None else two[right],
                (*here, -1 if left is None else left),
                (*there, -1 if right is None else right),
            )
    elif isinstance(one, str) and isinstance(two, str):
        yield here, there
    else:  # a value became a collection: the whole entry was exchanged
        yield here, None
        yield None, there


def _child(one: Tree | None, two: Tree | None, here: Path, there: Path) -> Iterator[tuple[Path | None, Path | None]]:
    if one is None or two is None:
        yield (None if one is None else here), (None if two is None else there)
    else:
        yield from _paired(one, two, here, there)


def _items(one: Sequence[Tree], two: Sequence[Tree]) -> Iterator[tuple[int | None, int | None]]:
    """Positions of items that belong together."""
    if len(one) == len(two) == 1 or max(len(one), len(two)) > _MAX_ITEMS:
        yield from _by_position(range(len(one)), range(len(two)))
        return
    for keys in IDENTITIES:
        first, second = [_at(item, keys) for item in one], [_at(item, keys) for item in two]
        if _distinct(first) and _distinct(second):
            yield from _by_name(first, second)
            return
    yield from _matched([repr(item) for item in one], [repr(item) for item in two])


def _by_name(one: Sequence[str | None], two: Sequence[str | None]) -> Iterator[tuple[int | None, int | None]]:
    """Equal names pair wherever they stand; a single item that is left on both sides, in the same position, was given
    a new name."""
    where = {name: at for at, name in enumerate(two)}
    yield from ((at, where[name]) for at, name in enumerate(one) if name in where)
    gone = [at for at, name in enumerate(one) if name not in where]
    names = set(one)
    come = [at for at, name in enumerate(two) if name not in names]
    yield from _by_position(gone, come, together=len(gone) == 1 and gone == come)


def _order(pair: tuple[int | None, int | None]) -> int:
    return next(at for at in pair if at is not None)


def _distinct(names: Sequence[str | None]) -> bool:
    return None not in names and len(set(names)) == len(names)


def _matched(one: Sequence[str | None], two: Sequence[str | None]) -> Iterator[tuple[int | None, int | None]]:
    """Equal names pair in order; what is left between two pairs goes by position when it is of the same number."""
    matcher = SequenceMatcher(None, [name or "" for name in one], [name or "" for name in two], autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal" or b - a == d - c:
            yield from zip(range(a, b), range(c, d), strict=True)
        else:
            yield from _by_position(range(a, b), range(c, d), together=False)


def _by_position(
    one: Sequence[int], two: Sequence[int], *, together: bool = True
) -> Iterator[tuple[int | None, int | None]]:
    size = min(len(one), len(two)) if together else 0
    yield from zip(one[:size], two[:size], strict=True)
    yield from ((left, None) for left in one[size:])
    yield from ((None, right) for right in two[size:])


def _identity_of_document(tree: Tree) -> str:
    names = [_at(tree, keys) or "" for keys in (("kind",), ("metadata", "namespace"), ("metadata", "name"))]
    return "/".join(names)


def _at(tree: Tree, keys: Sequence[str]) -> str | None:
    for key in keys:
        if not isinstance(tree, dict) or key not in tree:
            return None
        tree = tree[key]
    return tree if isinstance(tree, str) else None


def _documents(leaves: Leaves) -> list[Tree]:
    """Documents as trees; numbers are consecutive in a list and may leave gaps among documents without a value."""
    count = max((number for number, _ in leaves), default=-1) + 1
    roots: list[dict[str, Tree]] = [{} for _ in range(count)]
    for (number, path), text in leaves.items():
        _put(roots[number], ("", *path), text)
    return [_listed(root.get("", {})) for root in roots]


def _put(node: dict[str, Tree], path: Path, text: str) -> None:
    """Lists are built as mappings with their positions as marked keys; `_listed` makes lists of them."""
    for part in path[:-1]:
        child = node.setdefault(_key(part), {})
        if not isinstance(child, dict):  # an opened block scalar has a value of its own beside its leaves
            child = node[_key(part)] = {}
        node = child
    if not isinstance(node.get(_key(path[-1])), dict):
        node[_key(path[-1])] = text


_ITEM = "\0item "


def _key(part: str | int) -> str:
    return f"{_ITEM}{part}" if isinstance(part, int) else part


def _listed(tree: Tree) -> Tree:
    if isinstance(tree, (str, list)):
        return tree
    children = {key: _listed(child) for key, child in tree.items()}
    if children and all(key.startswith(_ITEM) for key in children):
        size = max(int(key.removeprefix(_ITEM)) for key in children) + 1
        return [children.get(f"{_ITEM}{at}", {}) for at in range(size)]
    return children
