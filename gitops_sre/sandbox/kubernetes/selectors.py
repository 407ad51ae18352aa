"""Label and field selectors, as the API's query parameters spell them."""

from __future__ import annotations

import re
from collections.abc import Callable

from gitops_sre.sandbox.kubernetes.resources import Manifest

Predicate = Callable[[Manifest], bool]

FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "involvedObject.kind",
    "involvedObject.name",
    "involvedObject.namespace",
    "reason",
    "type",
    "status.phase",
)
"""Fields one may select by."""


class SelectorError(Exception):
    """The selector cannot be parsed."""


def labels(selector: str) -> Predicate:
    """A predicate for a label selector: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, by commas."""
    requirements = [_requirement(part) for part in re.split(r",(?![^(]*\))", selector) if part.strip()]

    def matches(manifest: Manifest) -> bool:
        found = manifest["metadata"].get("labels") or {}
        return all(requirement(found) for requirement in requirements)

    return matches


def fields(selector: str) -> Predicate:
    """A predicate for a field selector: `a.b=c` and `a.b!=c`, by commas; only `FIELDS`."""
    requirements = []
    for part in filter(None, (part.strip() for part in selector.split(","))):
        match = re.fullmatch(r"([\w.]+)(==?|!=)(.*)", part)
        if match is None or match[1] not in FIELDS:
            raise SelectorError(f"field label not supported: {part}")
        requirements.append((match[1].split("."), match[3], match[2] != "!="))
    return lambda manifest: all((_at(manifest, path) == wanted) is equal for path, wanted, equal in requirements)


def _at(manifest: Manifest, path: list[str]) -> str:
    value: object = manifest
    for name in path:
        value = value.get(name, "") if isinstance(value, dict) else ""
    return str(value)


def _requirement(text: str) -> Callable[[dict[str, str]], bool]:
    text = text.strip()
    if match := re.fullmatch(r"(!?)([\w./-]+)", text):
        absent, name = match[1] == "!", match[2]
        return lambda found: (name in found) is not absent
    if match := re.fullmatch(r"([\w./-]+)\s*(==?|!=)\s*([\w.-]*)", text):
        name, equal, wanted = match[1], match[2] != "!=", match[3]
        return lambda found: (found.get(name) == wanted) is equal
    if match := re.fullmatch(r"([\w./-]+)\s+(in|notin)\s+\(([^)]*)\)", text):
        name, inside = match[1], match[2] == "in"
        values = {value.strip() for value in match[3].split(",")}
        return lambda found: (found.get(name) in values) is inside
    raise SelectorError(f"unable to parse requirement: {text}")
