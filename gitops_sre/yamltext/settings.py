"""Files of `KEY=value` lines (`.env`, `.properties`), read into the same tree as a mapping of YAML."""

from __future__ import annotations

import re

from gitops_sre.yamltext.nouns import Entry, Node, Style

_LINE = re.compile(
    r"(?:export[ \t]+)?(?P<key>[A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*"
    r"(?P<value>\"(?:[^\"\\\n]|\\[^\n])*\"(?=[ \t]*(?:#.*)?\r?$)|'[^'\n]*'(?=[ \t]*(?:#.*)?\r?$)|[^\r\n]*?)"
    r"[ \t]*(?P<comment>(?<=['\"])[ \t]*#[^\r\n]*|(?<=[ \t])#[^\r\n]*)?\r?"
)
_ESCAPE = re.compile(r"\\([\"\\$`])")


def tree(text: str) -> Node | None:
    """The keys of a file in which every line that says something is `KEY=value`, each key once; None for any other."""
    root: Node | None = None
    start = 1 if text.startswith("\ufeff") else 0
    seen: set[str] = set()
    for number, line in enumerate(text[start:].split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            found = _LINE.fullmatch(line)
            if found is None or found["key"] in seen:
                return None
            seen.add(found["key"])
            root = root or Node("map", start, start, number)
            node = _scalar(found["value"], start + found.start("value"), number)
            root.entries.append(Entry(found["key"], start, node.end, node))
            root.end = node.end
        start += len(line) + 1
    return root


def _scalar(raw: str, start: int, line: int) -> Node:
    style: Style = "plain" if raw else "empty"
    value = raw
    if raw.startswith('"') and len(raw) > 1:
        style, value = "double", _ESCAPE.sub(r"\1", raw[1:-1])
    elif raw.startswith("'") and len(raw) > 1:
        style, value = "single", raw[1:-1]
    return Node("scalar", start, start + len(raw), line, value, style)
