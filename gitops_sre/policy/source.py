"""A policy file as text: its documents as plain data, and the line and column of everything in them.

A narrow reading of YAML, because two people must not read one policy differently: no tags, anchors or aliases, no
duplicate keys, no empty values; `yes` and `on` are words, `010` is not a number, times stay text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

MAX_SIZE = 256 * 1024
"""Bytes of one policy file."""
MAX_DEPTH = 32

Data = str | int | float | bool | None | list["Data"] | dict[str, "Data"]
"""What JSON can say. It lives only until it has been validated."""

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,20}")
_WORDS: dict[str, bool] = {"true": True, "false": False}


class PolicyError(Exception):
    """A policy cannot be used: what is wrong at which place (`file:line:column`) and what to do about it. While it
    stands the bot must change nothing. Never retried: only a new commit mends it."""

    def __init__(self, place: str, what: str, remedy: str) -> None:
        super().__init__(f"{place}: {what}; {remedy}")
        self.place = place
        self.what = what
        self.remedy = remedy


def _guard(text: str) -> None:
    """Refuse what a policy has no use for, before anything is built from it."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refused("anchors and aliases are not read in policies", event)
        if getattr(event, "tag", None) is not None:
            raise _refused("tags are not read in policies", event)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _refused(f"nested deeper than {MAX_DEPTH} levels", event)


def _refused(what: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    mark = event.start_mark
    return yaml.MarkedYAMLError(problem=what, problem_mark=mark if isinstance(mark, yaml.Mark) else None)


@dataclass(frozen=True)
class Source:
    """One document of a policy file."""

    file: str
    text: str
    node: yaml.Node
    data: Data

    def position(self, path: tuple[str | int, ...] = ()) -> tuple[int, int]:
        """Line and column (from 1) of the deepest node on a key path; of the key itself where the path ends in one."""
        mark = self._find(path)[0]
        return mark.line + 1, mark.column + 1

    def place(self, path: tuple[str | int, ...] = ()) -> str:
        """The same as `file:line:column`."""
        return _place(self.file, self._find(path)[0])

    def place_in_value(self, path: tuple[str | int, ...], line: int, column: int) -> str:
        """`file:line:column` of a character of a scalar, by its line and column (from 1) in the value.

        Where quoting or folding has moved the characters, the place where the value begins.
        """
        node = self._find(path)[1]
        mark = node.start_mark
        block = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")
        if line < 1 or (line > 1 and not block):
            return _place(self.file, mark)
        lines = self.text.splitlines()
        if block:
            row, offset = mark.line + line, _indentation(lines, mark.line + 1)
        else:
            row, offset = mark.line, mark.column + (lines[mark.line][mark.column] in "'\"")
        before = node.value.split("\n")[line - 1][: column - 1]
        if row < len(lines) and lines[row][offset:].startswith(before):
            return f"{self.file}:{row + 1}:{offset + column}"
        return _place(self.file, mark)

    def _find(self, path: tuple[str | int, ...]) -> tuple[yaml.Mark, yaml.Node]:
        """Where the deepest part of a path stands (a key's own place), and its value."""
        mark, node = self.node.start_mark, self.node
        for part in path:
            if isinstance(node, yaml.MappingNode):
                pair = next((pair for pair in node.value if pair[0].value == part), None)
                if pair is None:
                    break
                mark, node = pair[0].start_mark, pair[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                mark = node.start_mark
            else:
                break
        return mark, node


def _place(file: str, mark: yaml.Mark) -> str:
    return f"{file}:{mark.line + 1}:{mark.column + 1}"


def _indentation(lines: list[str], row: int) -> int:
    """Spaces before the first line of a block scalar that is not blank."""
    first = next((line for line in lines[row:] if line.strip()), "")
    return len(first) - len(first.lstrip(" "))


def sources(file: str, content: bytes) -> Iterator[Source]:
    """The documents of one file, empty ones left out. Raises PolicyError."""
    if len(content) > MAX_SIZE:
        raise PolicyError(f"{file}:1:1", f"larger than {MAX_SIZE} bytes", "split it into several files")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PolicyError(f"{file}:{line}:1", "not UTF-8 text", "save it as UTF-8") from error
    for node in _nodes(file, text):
        if not (isinstance(node, yaml.ScalarNode) and node.value == "" and node.style is None):
            yield Source(file, text, node, _data(file, node))


def _nodes(file: str, text: str) -> list[yaml.Node]:
    try:
        _guard(text)
        return list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file}:1:1" if mark is None else _place(file, mark)
        raise PolicyError(place, f"not usable YAML: {error.problem}", "write plain YAML") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"character U+{int(error.character):04X} is not allowed in YAML"
        raise PolicyError(f"{file}:{line}:1", what, "remove it") from error


def _data(file: str, node: yaml.Node) -> Data:
    if isinstance(node, yaml.SequenceNode):
        return [_data(file, item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return _mapping(file, node)
    return _plain(file, node) if isinstance(node, yaml.ScalarNode) and node.style is None else str(node.value)


def _mapping(file: str, node: yaml.MappingNode) -> Data:
    pairs: dict[str, Data] = {}
    for key, value in node.value:
        place = _place(file, key.start_mark)
        if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
            raise PolicyError(place, "a key must be a plain word", "write the keys out")
        if key.value in pairs:
            raise PolicyError(place, f"`{key.value}` is given twice", "keep one of them")
        pairs[key.value] = _data(file, value)
    return pairs


def _plain(file: str, node: yaml.Node) -> Data:
    """An unquoted scalar."""
    text = str(node.value)
    if text in ("", "~", "null"):
        raise PolicyError(_place(file, node.start_mark), "a value is missing", "give one or remove the key")
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else _WORDS.get(text, text)
