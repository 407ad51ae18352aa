"""The query catalogue as a table for people."""

from __future__ import annotations

from collections.abc import Iterator

from gitops_sre.perception.presets.catalogue import Catalogue, Labels, Preset, Row, load


def table(catalogue: Catalogue | None = None) -> str:
    """Every preset with its rows, as Markdown."""
    return "\n".join(_preset(preset) for preset in (catalogue or load()).presets)


def _preset(preset: Preset) -> str:
    known = ", ".join(f"`{name}`" for name in preset.recognise)
    head = f"## `{preset.name}`\n\n{_sentence(preset.means)} *Recognised by:* {known}. *Source:* {preset.source}.\n\n"
    columns = "| row | signal | unit | cost | metrics | labels | why |\n|---|---|---|---|---|---|---|\n"
    return head + columns + "".join(f"| {' | '.join(_cells(row))} |\n" for row in preset.rows)


def _cells(row: Row) -> Iterator[str]:
    yield f"`{row.id}`"
    yield row.signal
    yield row.unit
    yield str(row.cost)
    yield ", ".join(f"`{name}`" for name in row.metrics) or "by pattern"
    yield _labels(row.labels)
    yield row.why.replace("|", "\\|")


def _labels(labels: Labels) -> str:
    """`service`: `deployment`, else `statefulset`."""
    return "; ".join(
        f"{name}: {', else '.join(str(source).replace('|', chr(92) + '|') for source in sources)}"
        for name, sources in labels
        if sources
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
