"""Tables that a command puts into a page between two comments, and nothing else of the page."""

from __future__ import annotations

from pathlib import Path


def put(page: Path, name: str, text: str) -> None:
    """Replace what lies between `<!-- name:begin -->` and `<!-- name:end -->`. Raises SystemExit where the page does
    not have both, before anything is written."""
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    head, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{page}: put a line {begin.strip()} and after it a line {end} where the table belongs")
    page.write_text(f"{head}{begin}{text.rstrip()}\n{end}{tail}", encoding="utf-8")
