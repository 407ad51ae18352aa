"""Source text for entries that were not there: with the file's own indentation, or as JSON where JSON stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from gitops_sre.yamltext import lines
from gitops_sre.yamltext.nouns import Node, Path, YamlTextError
from gitops_sre.yamltext.quoting import new_scalar, plain_type, quoted

_TEXT_MAPS = frozenset({"annotations", "labels", "matchLabels", "nodeSelector", "data", "stringData", "commonLabels",
                        "commonAnnotations"})  # fmt: skip
"""Keys of Kubernetes whose values are always text: a number there is quoted."""


def wants_text(path: Path) -> bool:
    """Whether Kubernetes takes only text at a place: labels, annotations, ConfigMap data, environment variables."""
    parents = [part for part in path[:-1] if isinstance(part, str)]
    if path[-1:] == ("value",) and parents[-1:] == ["env"]:
        return True
    return bool(parents) and parents[-1] in _TEXT_MAPS


def block_entry(text: str, roots: Sequence[Node], path: Path, size: int, value: str) -> str:
    """The lines of a new entry of a block collection: `path[size:]` is missing."""
    step, dash = steps(text, roots)
    scalar = new_scalar(value, text=wants_text(path), json_style=False)
    body = [f" {scalar}"]
    for at in range(len(path) - 1, size - 1, -1):
        key, inside = path[at], at + 1 < len(path)
        offset = dash if inside and isinstance(path[at + 1], int) else step
        if isinstance(key, int):
            first, *rest = body
            body = [f"-{first}", *(f"  {line}" for line in rest)] if not inside else _item(body)
        elif inside:
            body = [f"{_key(key)}:", *(" " * offset + line for line in body)]
        else:
            body = [f"{_key(key)}:{body[0]}"]
    return "\n".join(body)


def flow_entry(path: Path, size: int, value: str, *, json_style: bool) -> str:
    """A new entry of a flow collection, on one line."""
    body = new_scalar(value, text=wants_text(path), json_style=json_style)
    for at in range(len(path) - 1, size - 1, -1):
        key = path[at]
        own = body if isinstance(key, int) else f"{quoted(key) if json_style else _key(key)}: {body}"
        body = own if at == size else f"[{own}]" if isinstance(key, int) else f"{{{own}}}"
    return body


def setting(key: str, value: str) -> str:
    """A `KEY=value` line."""
    if not value.isprintable() or not key.isprintable() or "=" in key:
        raise YamlTextError(f"{key!r} and {value!r} hold characters that such a file cannot; give printable ones")
    plain = not set(value) & set(" \t#'\"\\$`")
    return f"{key}={value if plain else quoted(value)}"


def json_like(text: str, node: Node) -> bool:
    """Whether a flow collection quotes its keys, as JSON does."""
    keys = [entry.start for entry in node.entries] if node.kind == "map" else []
    return text[keys[0]] == '"' if keys else text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")


def steps(text: str, roots: Sequence[Node]) -> tuple[int, int]:
    """By how many columns mappings, and lists, stand deeper than the key that holds them, mostly."""
    maps, lists = Counter[int](), Counter[int]()
    for root in roots:
        for parent, child in _nested(root):
            by = lines.column(text, child.start) - lines.column(text, parent.start)
            if parent.kind == "map" and by >= 0:
                (lists if child.kind == "list" else maps)[by] += 1
    step = _most(maps) if maps else 2
    return step, _most(lists) if lists else step


def _most(counts: Counter[int]) -> int:
    return max(counts, key=lambda by: (counts[by], -by))


def _nested(node: Node) -> Iterator[tuple[Node, Node]]:
    for entry in node.entries:
        if not entry.alias and not node.flow and entry.node.kind != "scalar" and not entry.node.flow:
            yield node, entry.node
            yield from _nested(entry.node)


def _item(body: list[str]) -> list[str]:
    return [f"- {body[0]}", *(f"  {line}" for line in body[1:])]


def _key(key: str | int) -> str:
    word = str(key)
    plain = plain_type(word) == "str" and new_scalar(word, text=True, json_style=False) == word
    return word if plain else quoted(word)
