"""Markdown pages from templates/: every value is made harmless unless a filter says how, and a page is never too long.

A template is a row of blocks. When a page would be longer than GitHub takes, blocks named `drop_*` are left out, last
named first, and the page says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from gitops_sre.delivery.neutral import Safe, code, fence, plain
from gitops_sre.model.diagnosis import certainty
from gitops_sre.model.outcome import Outcome
from gitops_sre.settings import shipped

LIMIT = 60_000
"""Longest page in UTF-8 bytes; GitHub takes 65,536 characters, and markers are still to be added."""


def page(name: str, context: Mapping[str, object], dropping: tuple[str, ...] = ()) -> str:
    """Render `templates/<name>.md.j2`. `dropping` names the blocks that may go when it gets long, first to go first."""
    template = _environment().get_template(f"{name}.md.j2")
    blocks = {block: _block(template, block, context) for block in template.blocks}
    gone: list[str] = []
    for block in dropping:
        if _size(blocks) <= LIMIT:
            break
        if blocks.pop(block, ""):
            gone.append(block.replace("_", " "))
    if gone:
        blocks["note"] = f"_Left out, since GitHub takes no longer text: {', '.join(gone)}._"
    text = "\n\n".join(text for text in blocks.values() if text) + "\n"
    return text.encode()[:LIMIT].decode(errors="ignore")


def _block(template: Template, name: str, context: Mapping[str, object]) -> str:
    return "".join(template.blocks[name](template.new_context(dict(context)))).strip()


def _size(blocks: Mapping[str, str]) -> int:
    return sum(len(text.encode()) + 2 for text in blocks.values()) + 200


@cache
def _environment() -> Environment:
    # Markdown, not HTML: `finalize` neutralises what no filter has declared safe, so forgetting one is harmless.
    environment = Environment(  # noqa: S701
        loader=FileSystemLoader(shipped("templates")),
        undefined=StrictUndefined,
        finalize=lambda value: value if isinstance(value, Safe) else plain(value),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    environment.filters.update(
        code=code,
        codes=codes,
        sentence=sentence,
        sha=lambda text: code(str(text)[:12]),
        verbatim=fence,
        diff=lambda text: fence(clipped(text, 400), "diff"),
        amount=amount,
        percent=percent,
        certainty=certainty,
        duration=duration,
        moment=moment,
        link=link,
        words=lambda text: plain(str(text).replace("_", " ")),
        outcome=outcome,
        rows=rows,
        said=said,
    )
    return environment


def rows(items: tuple[object, ...], most: int = 25) -> tuple[object, ...]:
    """The first items of a list that may be long."""
    return items[:most]


def said(value: str | None) -> str:
    """A value as it is shown; None is a place where nothing stands."""
    return "(not set)" if value is None else value


def codes(items: Iterable[object], separator: str = ", ", most: int = 10) -> Safe:
    """Values as a list of code spans; `separator` is ours."""
    every = [code(item) for item in items]
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return Safe(separator.join(every[:most]) + more)


def sentence(text: object) -> Safe:
    """Prose from elsewhere with exactly one full stop at its end."""
    return Safe(f"{plain(str(text).rstrip(' .'))}.")


def percent(share: float) -> Safe:
    """A share of 0..1 as a percentage with what precision it deserves."""
    value = 100 * share
    return Safe(f"{value:.0f}%" if value >= 10 or value == 0 else f"{value:.2g}%")


def amount(value: float | None, unit: str = "") -> Safe:
    """A measured value with its unit; an en dash for one that could not be read."""
    if value is None:
        return Safe("–")
    if unit == "ratio":
        return percent(value)
    if unit in {"s", "seconds"}:
        return duration(value)
    return Safe(f"{value:.4g} {plain(unit, 40)}".strip())


def duration(seconds: float) -> Safe:
    """Seconds in the largest units that read well."""
    if abs(seconds) < 1:
        return Safe(f"{1000 * seconds:.3g} ms")
    if abs(seconds) < 120:
        return Safe(f"{seconds:.3g} s")
    minutes = round(seconds / 60)
    if abs(minutes) < 120:
        return Safe(f"{minutes} min")
    return Safe(f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h")


def moment(at: datetime) -> Safe:
    """A moment in UTC, to the second."""
    return Safe(at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"))


def link(url: str) -> Safe:
    """A URL that the forge gave us, as a bare link; anything else is shown as code."""
    harmless = url.startswith(("https://", "http://")) and url.isascii() and not set(url) & set(" <>()[]`|\"'\\")
    return Safe(url) if harmless and url.isprintable() else code(url)


def outcome(value: Outcome) -> Safe:
    """How a check ended, with the reason when it did not pass."""
    word = {"done": "passed", "refused": "failed", "unavailable": "could not run", "inconclusive": "not known"}
    more = value.note if value.kind == "done" else value.reason
    return Safe(word[value.kind] + (f": {plain(more)}" if more else ""))


def clipped(text: str, lines: int) -> str:
    """The first lines of a text, saying how many there were."""
    every = [line if len(line) <= 400 else f"{line[:400]}…" for line in text.splitlines()]
    if len(every) <= lines:
        return "\n".join(every)
    return "\n".join((*every[:lines], f"... {len(every) - lines} more lines"))
