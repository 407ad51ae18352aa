"""Lines of a chart's template that hold nothing but expressions: conditions are taken as met, loops are remembered.

Charts that make Applications (the app-of-apps pattern) wrap whole documents in `{{ if }}` and `{{ range }}`. Without
these lines the rest is YAML, and a loop over values gives parameters like an ApplicationSet's list. Source: Go's
text/template.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gitops_sre.gitops.argocd.templates import Parameter, Parameters, evaluated, is_field, keys, trimmed
from gitops_sre.yamltext import Path

_LINES = re.compile(r"^[ \t]*\{\{(?:(?!\}\}).){0,500}\}\}[ \t]*\r?$", re.M | re.S)
"""Lines that an expression fills alone: control, inclusions, assignments."""
_CONTROL = re.compile(r"\{\{-?[ \t]*(if|else|end|with|range|define|block)\b((?:(?!\}\}).){0,300})\}\}", re.S)
_ASSIGNMENT = re.compile(r"\{\{-?[ \t]*(\$\w{1,60})[ \t]*:=((?:(?!\}\}).){1,300})\}\}", re.S)
_RANGE = re.compile(r"(?:(\$\w+)(?:,\s*(\$\w+))?\s*:=\s*)?\$?((?:\.\w+)+)")
NOTE = "conditions and inclusions in the chart's template are not evaluated"


@dataclass(frozen=True)
class Loop:
    """A loop over a list or a mapping in the values. `key` and `item` are its variables, where it names any."""

    over: Path
    key: str = ""
    item: str = ""

    def turns(self, values: Parameters) -> Iterator[dict[Path, Parameter]]:
        """The parameters of each turn: those of the item, by the dot and by the variables."""
        size = len(self.over)
        below = {path[size:]: value for path, value in values.items() if path[:size] == self.over and len(path) > size}
        for key in dict.fromkeys(path[0] for path in below):
            one = {path[1:]: value for path, value in below.items() if path[0] == key}
            named = {(self.item, *path): value for path, value in one.items()} if self.item else {}
            yield {**one, **named, **({(self.key,): Parameter(str(key))} if self.key else {})}


def blanked(text: str) -> str:
    """The text with such lines as comments, every place kept."""
    return _LINES.sub(lambda found: re.sub(r"[^\r\n]+", lambda line: "#".ljust(len(line[0])), found[0]), text)


def assigned(text: str, position: int, parameters: Parameters) -> dict[Path, Parameter]:
    """The variables that a template sets before a position, of which the last setting counts."""
    found: dict[Path, Parameter] = dict(parameters)
    for each in _ASSIGNMENT.finditer(text, 0, position):
        name, expression = each[1], trimmed(each[2])
        source = keys(expression) if is_field(expression) else None
        if source is not None:
            size = len(source)
            found |= {(name, *path[size:]): value for path, value in found.items() if path[:size] == source}
        elif (value := evaluated(expression, found)) is not None:
            found[name,] = value
    return found


def loops_at(text: str, position: int) -> tuple[Loop | None, ...]:
    """The loops around a position, outermost first; None for one that cannot be followed."""
    stack: list[tuple[str, Loop | None]] = []
    for found in _CONTROL.finditer(text):
        if found.start() >= position:
            break
        word = found[1]
        if word in ("if", "with", "range", "define", "block"):
            stack.append((word, _loop(found[2]) if word == "range" else None))
        elif word == "end" and stack:
            stack.pop()
    return tuple(loop for word, loop in stack if word in ("range", "with", "define", "block"))


def _loop(expression: str) -> Loop | None:
    found = _RANGE.fullmatch(trimmed(expression))
    if found is None:
        return None
    key, item = (found[1] or "", found[2]) if found[2] else ("", found[1] or "")
    return Loop(tuple(found[3][1:].split(".")), key, item)
