"""YAML as text: find a scalar's exact span, replace its bytes, and compare what two texts say.

Nothing is ever dumped: the text outside a replaced span stays as its author left it, whatever its style, line
ends or comments. Types follow the union of YAML 1.1 and 1.2, because the readers of one file (kustomize, Helm, the
API server) disagree and a value must mean the same to all of them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[str | int, ...]
Place = tuple[int, Path]
"""Document number (from 0) and key path in it; keys are text, sequence positions are numbers."""

Style = Literal["plain", "single", "double", "block", "empty"]

MAX_SIZE = 512 * 1024
"""Characters. The parser reads about 100,000 a second; hand-written manifests are far smaller."""
MAX_DEPTH = 64
MAX_LEAVES = 50_000
"""Values after aliases are followed: bounds what an alias bomb can cost."""

_STYLES: Mapping[str | None, Style] = {None: "plain", "'": "single", '"': "double", "|": "block", ">": "block"}
_CORE = "tag:yaml.org,2002:"

_WORDS: Mapping[str, str] = dict.fromkeys(("", "~", "null"), "null") | dict.fromkeys(
    ("y", "n", "yes", "no", "on", "off", "true", "false"), "bool"
)
_NUMBERS = (
    ("int", re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-f_]+|[0-9][0-9_]*|[0-9][0-9_]*(:[0-5]?[0-9])+)", re.I)),
    ("float", re.compile(r"[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)(e[-+]?[0-9]+)?", re.I)),
    ("float", re.compile(r"[-+]?([0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*|\.inf|\.nan|0x[0-9a-f_.]+p[-+]?[0-9]+)", re.I)),
    ("timestamp", re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T \t].*)?", re.I)),
    ("merge", re.compile(r"<<|=")),
)
_CANONICAL: Mapping[str, re.Pattern[str]] = {
    "int": re.compile(r"-?(0|[1-9][0-9]*)"),
    "float": re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]*[1-9]"),
    "bool": re.compile(r"true|false"),
}
_SAFE_PLAIN = re.compile(r"(?!\.\.\.)[A-Za-z0-9_./]([A-Za-z0-9_./@:+=~-]*[A-Za-z0-9_./@+=~-])?")
_PROPERTIES = re.compile(r"(?:[&!]\S*(?:\s+|(?<=\s)#[^\r\n]*)+)+")


class YamlTextError(Exception):
    """The text cannot be read or edited safely; the message names line, column and remedy. Never retried."""


@dataclass(frozen=True)
class Scalar:
    """One scalar where it stands. `text[start:end]` is `raw`, its source with quotes but without anchor or tag.

    `value` is what the source says after unquoting; `type` how readers take it (`str`, `int`, `float`, `bool`,
    `null`, `timestamp`, `merge` or a foreign tag); `line` counts from 1. An aliased scalar appears once a path.
    """

    document: int
    path: Path
    value: str
    raw: str
    start: int
    end: int
    line: int
    type: str
    style: Style

    @property
    def place(self) -> Place:
        """Document and path."""
        return self.document, self.path


@dataclass(frozen=True)
class _Parsed:
    scalars: tuple[Scalar, ...]
    leaves: Mapping[Place, tuple[str, str]]
    """Everything that the text says: type and value by place, empty collections included."""


def scalars(text: str) -> tuple[Scalar, ...]:
    """Every scalar value in the order of its document. Raises YamlTextError."""
    return _parse(text).scalars


def locate(text: str, document: int, path: Path) -> Scalar:
    """The scalar at a place. Raises YamlTextError when there is none."""
    found = next((scalar for scalar in scalars(text) if scalar.place == (document, path)), None)
    if found is None:
        raise YamlTextError(f"{show(document, path)}: no scalar stands there; look the field up again")
    return found


def get(text: str, document: int, path: Path) -> str | None:
    """The value at a place as text, or None."""
    leaf = _parse(text).leaves.get((document, path))
    return None if leaf is None else leaf[1]


def reached(text: str, document: int, path: Path) -> tuple[Place, ...]:
    """All places that the scalar's bytes decide: itself, and one more for each alias of its anchor."""
    span = locate(text, document, path).start
    return tuple(scalar.place for scalar in scalars(text) if scalar.start == span and scalar.style != "empty")


def differing(before: str, after: str) -> tuple[Place, ...]:
    """Places whose value or type differs, or that only one text has, in order."""
    one, two = _parse(before).leaves, _parse(after).leaves
    return tuple(place for place in {**one, **two} if one.get(place) != two.get(place))


def splice(text: str, edits: Iterable[tuple[int, Path, str]]) -> str:
    """Replace values, keeping each scalar's quoting style; see `quoted_like`. Raises YamlTextError."""
    return splice_raw(
        text, [(number, path, quoted_like(locate(text, number, path).raw, value)) for number, path, value in edits]
    )


def splice_raw(text: str, edits: Iterable[tuple[int, Path, str]]) -> str:
    """Replace the source text of scalars and verify that nothing else says something new. Raises YamlTextError.

    An anchored scalar changes every place that `reached` names; two edits of one span must agree.
    """
    spans: dict[tuple[int, int], str] = {}
    intended: dict[Place, str] = {}
    for number, path, raw in edits:
        scalar = _editable(locate(text, number, path))
        if spans.setdefault((scalar.start, scalar.end), raw) != raw:
            raise YamlTextError(f"{_at(scalar)}: two edits give one scalar different values; edit its anchor once")
        intended.update(dict.fromkeys(reached(text, number, path), raw))
    edited = text
    for (start, end), raw in sorted(spans.items(), reverse=True):
        edited = edited[:start] + raw + edited[end:]
    _verify(text, edited, intended)
    return edited


def quoted_like(raw: str, value: str) -> str:
    """The source text for a value in the style of `raw`; quotes are added where a reader would take another type.

    A plain number stays plain only when every reader prints the new one as it is written (`1.10` and `0123` are
    quoted). Raises YamlTextError for values with line breaks, control or invisible formatting characters.
    """
    if not value.isprintable():
        raise YamlTextError(f"the value {value!r} holds control or formatting characters; give a printable one")
    if raw.startswith("'"):
        return "'" + value.replace("'", "''") + "'"
    if raw.startswith('"') or not _plain_fits(raw, value):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return value


def plain_type(value: str) -> str:
    """How a reader takes an unquoted scalar; anything but `str` is what some YAML 1.1 or 1.2 reader would see."""
    if (word := _WORDS.get(value.lower())) is not None:
        return word
    return next((name for name, pattern in _NUMBERS if pattern.fullmatch(value)), "str")


def show(document: int, path: Path) -> str:
    """A place for people: `spec.containers[0].image`, with `document 2: ` before it when it is not the first."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    return f"document {document + 1}: {text}" if document else text


def _plain_fits(raw: str, value: str) -> bool:
    kind = plain_type(value)
    if not _SAFE_PLAIN.fullmatch(value):
        return kind == plain_type(raw) == "int" and bool(_CANONICAL["int"].fullmatch(value))
    if kind == "str":
        return plain_type(raw) == "str"
    return kind == plain_type(raw) and kind in _CANONICAL and bool(_CANONICAL[kind].fullmatch(value))


def _editable(scalar: Scalar) -> Scalar:
    if scalar.style in ("block", "empty"):
        raise YamlTextError(f"{_at(scalar)}: {scalar.style} scalars are not edited; write the value on one line")
    if scalar.type.startswith("!"):
        raise YamlTextError(f"{_at(scalar)}: tagged {scalar.type}, whose meaning is unknown; edit it by hand")
    return scalar


def _verify(before: str, after: str, intended: Mapping[Place, str]) -> None:
    """An edit may only change the intended values, and each must stand as the scalar that was written."""
    stranger = next((place for place in differing(before, after) if place not in intended), None)
    if stranger is not None:
        raise YamlTextError(f"the edit would also change {show(*stranger)}; edit it by hand")
    written = {scalar.place: scalar.raw for scalar in scalars(after)}
    if any(not raw or written.get(place) != raw for place, raw in intended.items()):
        raise YamlTextError("the new text does not read as one scalar; quote it")


def _at(scalar: Scalar) -> str:
    return f"line {scalar.line} ({show(scalar.document, scalar.path)})"


@lru_cache(maxsize=128)
def _parse(text: str) -> _Parsed:
    if len(text) > MAX_SIZE:
        raise YamlTextError(f"{len(text)} characters are more than {MAX_SIZE}; split the file")
    walker = _Walker(text)
    for number, root in enumerate(_compose(text)):
        walker.walk(number, root, ())
    _refuse_templates(text, walker.opaque)
    return _Parsed(tuple(walker.scalars), walker.leaves)


def _compose(text: str) -> Iterator[Node]:
    """Documents as node graphs; the composer builds no objects, so tags stay inert."""
    yaml = YAML(typ="rt", pure=True)
    yaml.max_depth = MAX_DEPTH
    yaml.composer.warn_double_anchors = False
    remedy = "this looks like a template; edit what fills it in" if "{{" in text else "mend the file"
    try:
        yield from (node for node in yaml.compose_all(text) if node is not None)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise YamlTextError(f"{place}not valid YAML ({error.problem or error.context}); {remedy}") from error
    except (YAMLError, ValueError, RecursionError) as error:
        # Hostile texts also reach ValueError (directives, escapes out of range) in the parser.
        raise YamlTextError(f"not valid YAML ({str(error).splitlines()[0][:120]}); {remedy}") from error


class _Walker:
    """Follows a node graph along its paths, within bounds."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._active: set[int] = set()
        self.scalars: list[Scalar] = []
        self.leaves: dict[Place, tuple[str, str]] = {}
        self.opaque: set[tuple[int, int]] = set()
        """Spans of quoted and block scalars, where braces are only text."""

    def walk(self, number: int, node: Node, path: Path) -> None:
        """Collect what stands at and below a node."""
        if isinstance(node, ScalarNode):
            self._leaf(node, self._scalar(number, node, path))
            return
        if id(node) in self._active or len(path) > MAX_DEPTH:
            raise YamlTextError(f"line {node.start_mark.line + 1}: an alias leads to itself; write the values out")
        self._active.add(id(node))
        children = list(self._children(node))
        if not children:
            self._keep((number, path), ("{}" if isinstance(node, MappingNode) else "[]", ""))
        for key, child in children:
            self.walk(number, child, (*path, key))
        self._active.remove(id(node))

    def _children(self, node: Node) -> Iterator[tuple[str | int, Node]]:
        if isinstance(node, SequenceNode):
            yield from enumerate(node.value)
            return
        seen: set[str] = set()
        for key, child in node.value:
            line = f"line {key.start_mark.line + 1}, column {key.start_mark.column + 1}"
            if not isinstance(key, ScalarNode):
                raise YamlTextError(f"{line}: a key that is no scalar; templates are edited where they are filled in")
            if key.value in seen:
                raise YamlTextError(f"{line}: the key {key.value!r} stands twice; remove one")
            seen.add(key.value)
            self._mark_opaque(key)
            yield key.value, child

    def _scalar(self, number: int, node: ScalarNode, path: Path) -> Scalar:
        start, end = node.start_mark.index, node.end_mark.index
        if node.anchor is not None or self._text[start : start + 1] == "!":
            properties = _PROPERTIES.match(self._text, start, end)
            start = properties.end() if properties else end
        style: Style = "empty" if start == end else _STYLES[node.style]
        raw = self._text[start:end]
        return Scalar(number, path, node.value, raw, start, end, node.start_mark.line + 1, _type(node, style), style)

    def _leaf(self, node: ScalarNode, scalar: Scalar) -> None:
        self._mark_opaque(node)
        self.scalars.append(scalar)
        self._keep(scalar.place, (scalar.type, scalar.value))

    def _keep(self, place: Place, leaf: tuple[str, str]) -> None:
        self.leaves[place] = leaf
        if len(self.leaves) > MAX_LEAVES:
            raise YamlTextError(f"more than {MAX_LEAVES} values once aliases are followed; split the file")

    def _mark_opaque(self, node: ScalarNode) -> None:
        if node.style is not None:
            self.opaque.add((node.start_mark.index, node.end_mark.index))


def _type(node: ScalarNode, style: Style) -> str:
    tag = str(node.tag)
    if not tag.startswith(_CORE):
        return tag if tag.startswith("!") and tag != "!" else "str"
    if style == "plain" and tag != f"{_CORE}str":
        return tag.removeprefix(_CORE)
    return plain_type(node.value) if style in ("plain", "empty") else "str"


def _refuse_templates(text: str, opaque: Iterable[tuple[int, int]]) -> None:
    """Braces outside quoted scalars and comments mean that a template engine reads the file before YAML does."""
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
