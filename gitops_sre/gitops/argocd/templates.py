"""Template expressions of ApplicationSets and of charts of Applications, filled in from known parameters.

Two languages, by the ApplicationSet's `goTemplate`: `{{values.x}}` names a flattened parameter; `{{ .values.x }}` is
Go's text/template, of which plain fields, `index`, and a few functions without side effects are read. Anything else
stays as it is written, so that whoever meets it knows that it is not known. Source: Argo CD's ApplicationSet manual,
"Templates" and "Go Template".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gitops_sre.gitops.flux.objects import Held, Tree
from gitops_sre.gitops.flux.variables import Resolved
from gitops_sre.yamltext import Path

_EXPRESSION = re.compile(r"\{\{((?:(?!\}\}).){0,500})\}\}", re.S)
"""Bounded, so that no text takes longer than its length allows."""
_FIELD = re.compile(r"(?:\$\w*)?(?:\.[A-Za-z_]\w*)+|\$\w+|\.")
_WORD = re.compile(r'"[^"]*"|`[^`]*`|\S+')


@dataclass(frozen=True)
class Parameter:
    """What an expression stands for. `held` is the place that decides it; None where no single place does (a path)."""

    text: str
    held: Held | None = None


Parameters = Mapping[Path, Parameter]
"""Parameters by the path that a Go template names them with: `("path", "basename")`, `("values", "x")`."""


def of_tree(tree: Tree) -> dict[Path, Parameter]:
    """The values of a tree as parameters."""
    return {path: Parameter(held.value, held) for path, held in tree.items()}


def of_path(folder: str, filename: str = "") -> dict[Path, Parameter]:
    """What the Git generators say of a path."""
    segments = folder.split("/")
    said = {("path",): folder, ("basename",): segments[-1], ("basenameNormalized",): normalized(segments[-1])}
    if filename:
        said |= {("filename",): filename, ("filenameNormalized",): normalized(filename)}
    found: dict[Path, Parameter] = {("path", *path): Parameter(text) for path, text in said.items()}
    return found | {("path", "segments", at): Parameter(part) for at, part in enumerate(segments)}


def normalized(text: str) -> str:
    """A name as Kubernetes allows it: lower case, other characters as dashes."""
    return re.sub(r"[^a-z0-9.-]", "-", text.lower()).strip("-.")


def filled(text: str, parameters: Parameters, *, go: bool) -> Resolved:
    """A text with the expressions filled in that are known, and the places that gave them."""
    if "{{" not in text:
        return Resolved(text)
    places: dict[str, Held] = {}

    def fill(match: re.Match[str]) -> str:
        name = trimmed(match[1])
        found = evaluated(name, parameters) if go else _flat(name, parameters)
        if found is None:
            return match[0]
        if found.held is not None:
            places[name] = found.held
        return found.text

    return Resolved(_EXPRESSION.sub(fill, text), tuple(places.items()))


def derived(held: Held, parameters: Parameters, *, go: bool) -> Parameter:
    """A parameter whose value is a template itself."""
    found = filled(held.value, parameters, go=go)
    if "{{" not in held.value:
        return Parameter(held.value, held)
    owner = found.owner[1] if found.owner else None
    return Parameter(found.text, owner if owner is not None and owner.value == found.text else None)


def trimmed(expression: str) -> str:
    """An expression without the blanks and trim markers around it."""
    return expression.removeprefix("-").removesuffix("-").strip()


def _flat(name: str, parameters: Parameters) -> Parameter | None:
    """A parameter by its flattened name; `path` is the path itself and `path[0]` its first part."""
    at = re.fullmatch(r"((?:.+\.)?path)\[(\d+)\]", name)
    keys: Path = (*at[1].split("."), "segments", int(at[2])) if at else tuple(name.split("."))
    for path in (keys, (*keys, "path")):
        if path in parameters:
            return parameters[path]
    # A key may hold dots itself, and a list's position is a number.
    return next((value for path, value in parameters.items() if ".".join(map(str, path)) == name), None)


def evaluated(expression: str, parameters: Parameters) -> Parameter | None:
    """The value of a pipeline of known functions."""
    found: Parameter | None = None
    for at, step in enumerate(expression.split("|")):
        words = _WORD.findall(step)
        if not words:
            return None
        found = _call(words, parameters) if at == 0 else _piped(words, found, parameters)
        if found is None and "default" not in expression:
            return None
    return found


def _call(words: list[str], parameters: Parameters) -> Parameter | None:
    if len(words) == 1:
        return _operand(words[0], parameters)
    if words[0] == "index" and _FIELD.fullmatch(words[1]):
        steps = [int(word) if word.isdigit() else word.strip('"`') for word in words[2:]]
        return parameters.get((*keys(words[1]), *steps))
    if words[0] == "printf" and words[1][:1] == '"':
        return _printed(words[1].strip('"'), [_operand(word, parameters) for word in words[2:]])
    return _piped(words[:-1], _operand(words[-1], parameters), parameters)


def _printed(pattern: str, operands: list[Parameter | None]) -> Parameter | None:
    known = [each.text for each in operands if each is not None]
    verbs = re.findall(r"%.", pattern)
    if len(known) != len(operands) or len(verbs) != len(known) or not set(verbs) <= {"%s", "%v", "%d"}:
        return None
    parts = re.split(r"%.", pattern)
    return Parameter("".join(part for pair in zip(parts, [*known, ""], strict=True) for part in pair))


def _piped(words: list[str], given: Parameter | None, parameters: Parameters) -> Parameter | None:
    """One function with its last argument given."""
    if words[0] == "default" and len(words) == 2:
        return given if given is not None and given.text else _operand(words[1], parameters)
    function = _FUNCTIONS.get(words[0])
    if given is None or function is None or len(words) != 1:
        return None
    text = function(given.text)
    return Parameter(text, given.held if text == given.text else None)


_FUNCTIONS: dict[str, Callable[[str], str]] = {
    "lower": str.lower,
    "upper": str.upper,
    "trim": str.strip,
    "normalize": normalized,
    "toString": str,
    "quote": str,  # the quotes are for YAML, which takes them off again
    "squote": str,
}


def _operand(word: str, parameters: Parameters) -> Parameter | None:
    if word[:1] in ('"', "`") and word[-1:] == word[:1] and len(word) > 1:
        return Parameter(word[1:-1])
    return parameters.get(keys(word)) if _FIELD.fullmatch(word) else None


def is_field(expression: str) -> bool:
    """Whether an expression only names a field."""
    return _FIELD.fullmatch(expression) is not None


def keys(field: str) -> tuple[str, ...]:
    """The path that a field names: `.a.b`, `$.a.b` (from the root), `$item.a`, and the dot alone."""
    return tuple(part for part in field.split(".") if part not in ("", "$"))
