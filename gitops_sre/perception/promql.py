"""PromQL as text, with every value that comes from outside quoted."""

from __future__ import annotations

from string import Template


def quoted(value: str) -> str:
    """A PromQL string literal. Backslash, quote and newline are what could end it or change its meaning."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def where(**labels: str) -> str:
    """Equality matchers without the braces: `environment="staging",service="cart"`."""
    return ",".join(f"{name}={quoted(value)}" for name, value in labels.items())


def duration(seconds: float) -> str:
    """A PromQL duration: whole seconds where they are, else milliseconds; one millisecond at least."""
    milliseconds = max(1, round(seconds * 1000))
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


def fill(template: str, *, matchers: str, by: str, window: float) -> str:
    """A query from the catalogue: `$where` matchers, `$by` grouping labels, `$window` the range of rates."""
    return Template(template).substitute(where=matchers, by=by, window=duration(window))
