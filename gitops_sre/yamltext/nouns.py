"""What reading YAML as text speaks of: places, scalars, trees with spans, and the one error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Path = tuple[str | int, ...]
Place = tuple[int, Path]
"""Document number (from 0) and key path in it; keys are text, sequence positions are numbers. What stands in a block
scalar that is YAML itself has the path of the block, `OPENED`, the number of the document in it, and its path there."""

OPENED = "|yaml"

Style = Literal["plain", "single", "double", "block", "empty"]
Kind = Literal["scalar", "map", "list"]
Language = Literal["yaml", "env", "token"]
"""How a file is written: YAML (and JSON, which is YAML too), `KEY=value` lines, or a single token such as a tag."""

MAX_SIZE = 512 * 1024
"""Characters. The parser reads about 100,000 a second; hand-written manifests are far smaller."""
MAX_DEPTH = 64
MAX_LEAVES = 50_000
"""Values after aliases are followed: bounds what an alias bomb can cost."""
MAX_OPENED = 3
"""Block scalars within block scalars that are read as YAML."""


class YamlTextError(Exception):
    """The text cannot be read or edited safely; the message names line, column and remedy. Never retried."""


@dataclass(frozen=True)
class Scalar:
    """One scalar where it stands, at `text[start:end]`. `raw` is its source with quotes but without anchor or tag; the
    later lines of one that spans several are dedented by the column of its entry.

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


@dataclass(slots=True, eq=False)
class Node:
    """A scalar or collection with its span, anchor and tag left out; a block collection ends with its last child."""

    kind: Kind
    start: int
    end: int
    line: int
    value: str = ""
    style: Style = "plain"
    type: str = "str"
    flow: bool = False
    anchored: bool = False
    literal: bool = False
    entries: list[Entry] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Entry:
    """A key or an item of a collection. `start` is where its key stands (of a list item: its value), and `end` where
    the value ends as it is written here: an alias ends long before the node that it names."""

    key: str | int
    start: int
    end: int
    node: Node
    alias: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """What to put in the place of `text[start:end]`."""

    start: int
    end: int
    text: str

    def applied(self, text: str) -> str:
        """The text with the cut made."""
        return text[: self.start] + self.text + text[self.end :]


Leaves = Mapping[Place, tuple[str, str]]
"""Everything that a text says: type and value by place, empty collections included."""


def show(document: int, path: Path) -> str:
    """A place for people: `spec.containers[0].image`, with `document 2: ` before it when it is not the first."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    return f"document {document + 1}: {text}" if document else text
