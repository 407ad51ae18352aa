"""Trees of nodes with spans, built from the events of a YAML parser: bounded, inert, one tree a document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gitops_sre.yamltext.nouns import MAX_DEPTH, Entry, Kind, Node, Style, YamlTextError
from gitops_sre.yamltext.quoting import plain_type

_STYLES: dict[str | None, Style] = {
    None: "plain", "": "plain", "'": "single", '"': "double", "|": "block", ">": "block"
}  # fmt: skip
_CORE = "tag:yaml.org,2002:"
_BRANCHES = re.compile(r"\{\{-?\s*(if|else|end|range|with|define|block|template|include)\b")
_PROPERTIES = re.compile(r"(?:[&!]\S*(?:\s+|(?<=\s)#[^\r\n]*)+)+")
_COLON = re.compile(r"[ \t]*:")
_STARTS: dict[str, Kind] = {"MappingStartEvent": "map", "SequenceStartEvent": "list"}


@dataclass(slots=True)
class _Open:
    """A collection that is being filled, and the key that waits for its value."""

    node: Node
    key: str | None = None
    key_start: int = 0
    key_end: int = 0
    seen: set[str] = field(default_factory=set)


class Builder:
    """Makes trees of one text's events. `shift` is what a leading byte order mark took away from the positions.

    The events of ruamel.yaml and of PyYAML have the same names and attributes, and no type in common.
    """

    def __init__(self, text: str, shift: int = 0) -> None:
        self._text = text
        self._shift = shift
        self._root: Node | None = None
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self.opaque: list[tuple[int, int]] = []
        """Spans of scalars in which braces are only text."""

    def documents(self, events: Iterable[Any]) -> Iterator[Node]:
        """The root of each document. Raises YamlTextError for what cannot be edited safely."""
        for event in events:
            name = type(event).__name__
            if name == "ScalarEvent":
                self._hang(self._scalar(event), event)
            elif name in _STARTS:
                self._open(event, _STARTS[name])
            elif name in ("MappingEndEvent", "SequenceEndEvent"):
                self._close(event)
            elif name == "AliasEvent":
                self._hang(self._aliased(event), event, alias=True)
            elif name == "DocumentStartEvent":
                self._anchors, self._root = {}, None
            elif name == "DocumentEndEvent" and self._root is not None:
                yield self._root

    def _hang(self, node: Node, event: Any, *, alias: bool = False) -> None:
        """Put a node where it belongs: into the open collection, or at the root."""
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        start = event.start_mark.index + self._shift
        end = event.end_mark.index + self._shift if alias else node.end
        if parent.node.kind == "list":
            parent.node.entries.append(Entry(len(parent.node.entries), start, end, node, alias))
        elif parent.key is not None:
            parent.node.entries.append(Entry(parent.key, parent.key_start, end, node, alias))
            parent.key = None
        else:
            self._key(parent, node, event, end)

    def _key(self, parent: _Open, node: Node, event: Any, end: int) -> None:
        place = f"line {event.start_mark.line + 1}, column {event.start_mark.column + 1}"
        if node.kind != "scalar":
            raise YamlTextError(f"{place}: a key that is no scalar; templates are edited where they are filled in")
        if node.value in parent.seen:
            raise YamlTextError(f"{place}: the key {node.value!r} stands twice; remove one")
        parent.seen.add(node.value)
        parent.key, parent.key_start, parent.key_end = node.value, event.start_mark.index + self._shift, end

    def _open(self, event: Any, kind: Kind) -> None:
        node = self._node(event, kind)
        node.flow = bool(event.flow_style)
        self._hang(node, event)
        self._stack.append(_Open(node))
        if len(self._stack) > MAX_DEPTH:
            raise YamlTextError(f"line {node.line}: nested deeper than {MAX_DEPTH} levels; split the file")

    def _close(self, event: Any) -> None:
        node = self._stack.pop().node
        if node.flow:
            node.end = event.end_mark.index + self._shift
        elif node.entries:
            node.end = node.entries[-1].end
        if self._stack and (above := self._stack[-1].node.entries) and above[-1].node is node:
            above[-1].end = node.end

    def _aliased(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            line = event.start_mark.line + 1
            raise YamlTextError(f"line {line}: not valid YAML (undefined alias {event.anchor!r}); mend the file")
        return node

    def _node(self, event: Any, kind: Kind) -> Node:
        start, end = event.start_mark.index + self._shift, event.end_mark.index + self._shift
        if event.anchor is not None or event.tag is not None:
            properties = _PROPERTIES.match(self._text, start)
            start = properties.end() if properties else start
            if kind == "scalar":
                start = min(start, end) if self._text[start : start + 1] else end
        node = Node(kind, start, max(start, end), event.start_mark.line + 1, anchored=event.anchor is not None)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _scalar(self, event: Any) -> Node:
        node = self._node(event, "scalar")
        source = self._text[node.start : node.end]
        if source[:1] in ("&", "!") and event.style in (None, ""):
            node.start = node.end  # properties alone: the scalar itself is empty
        if node.start == node.end and event.anchor is None and event.tag is None:
            node.start = node.end = self._nothing(node.start)
        node.line += self._lines_between(event.start_mark.index + self._shift, node.start)
        node.value = event.value
        node.style = "empty" if node.start == node.end else _STYLES[event.style]
        node.literal = event.style == "|"
        if node.style == "block":
            node.end = _content_end(self._text, node.start, node.end)
        tag = "" if event.tag is None else str(event.tag)
        node.type = _type(tag, node)
        if node.style in ("single", "double", "block") or _is_only_text(source):
            self.opaque.append((node.start, node.end))
        return node

    def _lines_between(self, one: int, two: int) -> int:
        return self._text.count("\n", one, two) if one <= two else -self._text.count("\n", two, one)

    def _nothing(self, index: int) -> int:
        """Where a value would stand that is not there: parsers give any position up to the next token."""
        if not self._stack:
            return index
        parent = self._stack[-1]
        if parent.node.kind == "map":
            colon = _COLON.match(self._text, parent.key_end) if parent.key is not None else None
            return colon.end() if colon else index
        entries = parent.node.entries
        return dash(self._text, entries[-1].end if entries else parent.node.start, index) + 1


def _is_only_text(source: str) -> bool:
    """Whether braces in an unquoted scalar are a part of what it says: no line begins with them and nothing branches,
    so that whoever fills them in finds the same keys and values as stand here."""
    return "{{" in source and not any(line.lstrip().startswith("{{") for line in source.splitlines()[1:]) \
        and not _BRANCHES.search(source)  # fmt: skip


def dash(text: str, start: int, limit: int) -> int:
    """Where the dash of a list's item stands, from the end of what is before it; `limit` when there is none."""
    at = start
    while at < limit and text[at] != "-":
        at = text.find("\n", at) if text[at] == "#" else at + 1
    return min(at, limit)


def _type(tag: str, node: Node) -> str:
    if tag.startswith(_CORE) and node.style == "plain" and tag != f"{_CORE}str":
        return tag.removeprefix(_CORE)
    if tag and tag != "!" and not tag.startswith(_CORE):
        return tag
    return plain_type(node.value) if node.style in ("plain", "empty") and tag in ("", f"{_CORE}null") else "str"


def _content_end(text: str, start: int, end: int) -> int:
    """Where a block scalar's own lines end: before the line end of its last line, and for `+` of its last blank one."""
    header = text[start:end].split("\n", 1)[0].partition("#")[0]
    if "+" in header:
        end = text.rfind("\n", start, end) if text[start:end].rpartition("\n")[2].strip() == "" else end
        return end - 1 if end > start and text[end - 1] == "\r" and text[end : end + 1] == "\n" else end
    return start + len(text[start:end].rstrip())
