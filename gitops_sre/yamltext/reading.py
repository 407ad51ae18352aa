"""Read a text into scalars and leaves: by the exact parser for editing, by the fast one for looking."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from gitops_sre.yamltext import lines, settings
from gitops_sre.yamltext.nouns import (
    MAX_DEPTH,
    MAX_LEAVES,
    MAX_OPENED,
    MAX_SIZE,
    OPENED,
    Cut,
    Language,
    Leaves,
    Node,
    Path,
    Place,
    Scalar,
    YamlTextError,
)
from gitops_sre.yamltext.tree import Builder

_BEGINS = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n|---[^\n]*\n)*[ ]*(?:-[ \n]|[{\[]|[^\s#:{\[&*!|>%@`,][^\n]*?:(?:\s|$))")
"""How a block scalar that can be a mapping or a list begins: cheap, before it is parsed."""
_ODD_ANCHOR = re.compile(r"(?:^|[\s\[{,])[&*][\w-]+[^\w\s,\]}-]|[\x85\u2028\u2029]|(?!\A)\ufeff")
"""Names of anchors, line ends and inner byte order marks that YAML 1.1 and 1.2 read differently."""
_HEADER = re.compile(r"\|([-+]?)[ \t]*(?:#[^\n]*)?\r?\n")


@dataclass(frozen=True, eq=False)
class Inner:
    """A block scalar that is YAML itself: its text without the block's indentation, and where its lines stand."""

    text: str
    parsed: Parsed
    column: int
    outer: tuple[int, ...]
    """Where each line of `text` begins in the outer text."""
    starts: tuple[int, ...]
    """Where each line of `text` begins in it; one more at its end."""
    stripped: tuple[int, ...]
    """How many characters of indentation each line lost."""

    def position(self, index: int) -> int:
        """Where a position of the inner text stands in the outer one."""
        line = self._line(index)
        return self.outer[line] + self.stripped[line] + index - self.starts[line]

    def outward(self, cut: Cut) -> Cut:
        """A cut of the inner text as one of the outer text: whole lines, indented as the block is."""
        start = self.starts[self._line(cut.start)]
        whole = cut.end in self.starts[:-1] and (cut.text.endswith("\n") or (not cut.text and cut.start == start))
        end = cut.end if whole else lines.after(self.text, cut.end)
        text = self.text[start : cut.start] + cut.text + self.text[cut.end : end]
        moved = "".join(" " * self.column + line if line.strip("\r\n") else line for line in text.splitlines(True))
        last = self.outer[self._line(end)] if end in self.starts[:-1] else self.position(end)
        return Cut(self.outer[self._line(cut.start)], last, moved)

    def _line(self, index: int) -> int:
        return min(bisect_right(self.starts, index) - 1, len(self.outer) - 1)


@dataclass(frozen=True, eq=False)
class Parsed:
    """All that a text says, and its trees."""

    language: Language
    roots: tuple[Node, ...]
    scalars: tuple[Scalar, ...]
    """The leaves that are scalars, those of opened blocks among them."""
    opened: Mapping[Place, tuple[Scalar, Inner]]
    """Block scalars that are read as YAML, and their insides."""
    leaves: Leaves


@lru_cache(maxsize=64)
def parse(text: str) -> Parsed:
    """Read a text for editing. Raises YamlTextError."""
    return _read(text, fast=False)


@lru_cache(maxsize=64)
def glance(text: str) -> Parsed:
    """Read a text for looking only: what `parse` gives, several times faster. What is edited is always read by `parse`.

    Raises YamlTextError.
    """
    if not hasattr(yaml, "CSafeLoader") or _ODD_ANCHOR.search(text):
        return parse(text)
    try:
        return _read(text, fast=True)
    except YamlTextError:
        return parse(text)


@lru_cache(maxsize=512)
def leaves(text: str) -> Mapping[Place, str]:
    """Value by place, empty collections left out: what `scalars` says, several times faster, for looking only.

    Raises YamlTextError.
    """
    return {scalar.place: scalar.value for scalar in glance.__wrapped__(text).scalars}


def _read(text: str, *, fast: bool, depth: int = 0) -> Parsed:
    if len(text) > MAX_SIZE:
        raise YamlTextError(f"{len(text)} characters are more than {MAX_SIZE}; split the file")
    if depth == 0 and (root := settings.tree(text)) is not None:
        return _Walker(text, fast, depth).parsed("env", (root,))
    shift = 1 if text.startswith("\ufeff") else 0
    builder = Builder(text, shift)
    roots = tuple(builder.documents(_events(text[shift:], fast=fast)))
    _refuse_templates(text, builder.opaque)
    return _Walker(text, fast, depth).parsed("token" if depth == 0 and _is_token(text, roots) else "yaml", roots)


def _is_token(text: str, roots: Sequence[Node]) -> bool:
    return len(roots) == 1 and roots[0].style == "plain" and text.strip("\ufeff \t\r\n") == roots[0].value


def _events(text: str, *, fast: bool) -> Iterator[Any]:
    """The parser's events; no objects are built of them, so tags stay inert."""
    remedy = "this looks like a template; edit what fills it in" if "{{" in text else "mend the file"
    try:
        if fast:
            yield from yaml.parse(text, Loader=yaml.CSafeLoader)
        else:
            yield from YAML(typ="safe", pure=True).parse(text)
    except (MarkedYAMLError, yaml.MarkedYAMLError) as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise YamlTextError(f"{place}not valid YAML ({error.problem or error.context}); {remedy}") from error
    except (YAMLError, yaml.YAMLError, ValueError, OverflowError, RecursionError, AssertionError) as error:
        # Directives and escapes out of range reach plain errors in the parser.
        said = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise YamlTextError(f"not valid YAML ({said}); {remedy}") from error


class _Walker:
    """Follows trees along their paths, within bounds."""

    def __init__(self, text: str, fast: bool, depth: int) -> None:
        self._text = text
        self._fast = fast
        self._depth = depth
        self._active: set[int] = set()
        self._insides: dict[int, Inner | None] = {}
        self._scalars: list[Scalar] = []
        self._opened: dict[Place, tuple[Scalar, Inner]] = {}
        self._leaves: dict[Place, tuple[str, str]] = {}

    def parsed(self, language: Language, roots: Sequence[Node]) -> Parsed:
        """Everything that the trees say."""
        for number, root in enumerate(roots):
            self._walk(number, root, (), lines.column(self._text, root.start) if root.kind != "scalar" else 0)
        return Parsed(language, tuple(roots), tuple(self._scalars), self._opened, self._leaves)

    def _walk(self, number: int, node: Node, path: Path, column: int) -> None:
        if node.kind == "scalar":
            self._leaf(number, node, path, column)
            return
        if id(node) in self._active or len(path) > MAX_DEPTH:
            raise YamlTextError(f"line {node.line}: an alias leads to itself; write the values out")
        self._active.add(id(node))
        if not node.entries:
            self._keep((number, path), ("{}" if node.kind == "map" else "[]", ""))
        inside = lines.column(self._text, node.start) if not node.flow else column
        for entry in node.entries:
            self._walk(number, entry.node, (*path, entry.key), inside)
        self._active.remove(id(node))

    def _leaf(self, number: int, node: Node, path: Path, column: int) -> None:
        source = self._text[node.start : node.end]
        raw = lines.dedented(source, " " * column) if "\n" in source else source
        scalar = Scalar(number, path, node.value, raw, node.start, node.end, node.line, node.type, node.style)
        inner = self._inside(node) if node.literal and self._depth < MAX_OPENED else None
        if inner is None:
            self._scalars.append(scalar)
            self._keep(scalar.place, (scalar.type, scalar.value))
            return
        self._opened[scalar.place] = scalar, inner
        for place, leaf in inner.parsed.leaves.items():
            self._keep(_outward(scalar, place), leaf)
        self._scalars += (_outer(scalar, inner, each) for each in inner.parsed.scalars)
        for place, (each, deeper) in inner.parsed.opened.items():
            self._opened[_outward(scalar, place)] = _outer(scalar, inner, each), deeper

    def _inside(self, node: Node) -> Inner | None:
        if id(node) not in self._insides:
            self._insides[id(node)] = _open(self._text, node, self._fast, self._depth)
        return self._insides[id(node)]

    def _keep(self, place: Place, leaf: tuple[str, str]) -> None:
        self._leaves[place] = leaf
        if len(self._leaves) > MAX_LEAVES:
            raise YamlTextError(f"more than {MAX_LEAVES} values once aliases are followed; split the file")


def _outward(block: Scalar, place: Place) -> Place:
    return block.document, (*block.path, OPENED, place[0], *place[1])


def _outer(block: Scalar, inner: Inner, scalar: Scalar) -> Scalar:
    """A scalar of an opened block as one of the whole text."""
    number, path = _outward(block, scalar.place)
    start, end = inner.position(scalar.start), inner.position(scalar.end)
    return replace(scalar, document=number, path=path, start=start, end=end, line=block.line + scalar.line)


def _open(text: str, node: Node, fast: bool, depth: int) -> Inner | None:
    """The inside of a literal block scalar, when it is a mapping or a list in YAML."""
    if not _BEGINS.match(node.value):
        return None
    header = _HEADER.match(text, node.start, node.end)
    if header is None:
        return None
    source = text[header.end() : node.end].splitlines(keepends=True)
    column = next((len(line) - len(line.lstrip(" ")) for line in source if line.strip()), 0)
    kept = [line[column:] if line[:column].isspace() and line.strip("\r\n")[column:] else line.lstrip(" ")
            for line in source]  # fmt: skip
    inner = "".join(kept)
    if inner.replace("\r\n", "\n").rstrip("\n") != node.value.rstrip("\n"):
        return None
    try:
        parsed = _read(inner, fast=fast, depth=depth + 1)
    except YamlTextError:
        return None
    if not any(root.entries for root in parsed.roots):
        return None
    outer = tuple(accumulate((len(line) for line in source[:-1]), initial=header.end()))
    starts = tuple(accumulate((len(line) for line in kept), initial=0))
    stripped = tuple(len(line) - len(short) for line, short in zip(source, kept, strict=True))
    return Inner(inner, parsed, column, outer, starts, stripped)


def _refuse_templates(text: str, opaque: Iterable[tuple[int, int]]) -> None:
    """Braces outside quoted scalars and comments mean that a template engine reads the file before YAML does."""
    if "{{" not in text:
        return
    spans = sorted(opaque)
    starts = [start for start, _ in spans]
    for found in re.finditer(r"\{\{", text):
        if not _inside(found.start(), spans, starts) and not _in_comment(text, found.start(), spans, starts):
            line = text.count("\n", 0, found.start()) + 1
            raise YamlTextError(f"line {line}: template braces; edit the values that fill the template in")


def _inside(index: int, spans: Sequence[tuple[int, int]], starts: Sequence[int]) -> bool:
    position = bisect_right(starts, index) - 1
    return position >= 0 and index < spans[position][1]


def _in_comment(text: str, index: int, spans: Sequence[tuple[int, int]], starts: Sequence[int]) -> bool:
    line = text.rfind("\n", 0, index) + 1
    hashes = (at for at, (left, here) in enumerate(pairwise("\n" + text[line:index])) if here == "#" and left.isspace())
    return any(not _inside(line + at, spans, starts) for at in hashes)
