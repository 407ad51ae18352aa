"""PromQL as text, with every value that comes from outside quoted."""

from __future__ import annotations

import re
from collections.abc import Collection
from string import Template


def quoted(value: str) -> str:
    """A PromQL string literal. Backslash, quote and newline are what could end it or change its meaning."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def where(**labels: str) -> str:
    """Equality matchers without the braces: `environment="staging",service="cart"`."""
    return ",".join(f"{name}={quoted(value)}" for name, value in labels.items())


def within(label: str, globs: Collection[str]) -> str:
    """A matcher for series whose label is one of some names, of which `*` and `?` stand for anything, or that do not
    have the label."""
    parts = "".join(f"{_expression(glob)}|" for glob in sorted(globs))
    return f"{label}=~{quoted(parts)}"


def _expression(glob: str) -> str:
    """A glob as a regular expression of RE2, which knows every character that is escaped so."""
    return "".join({"*": ".*", "?": "."}.get(each) or re.sub(r"([^\w])", r"\\\1", each) for each in glob)


def duration(seconds: float) -> str:
    """A PromQL duration: whole seconds where they are, else milliseconds; one millisecond at least."""
    milliseconds = max(1, round(seconds * 1000))
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


def fill(template: str, *, matchers: str, by: str, window: float) -> str:
    """A query from the catalogue: `$where` matchers, `$by` grouping labels, `$window` the range of rates."""
    return Template(template).substitute(where=matchers, by=by, window=duration(window))
