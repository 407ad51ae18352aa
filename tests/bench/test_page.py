"""Tables between markers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.page import put

PAGE = "before\n<!-- a:begin -->\nold\n<!-- a:end -->\nbetween\n<!-- b:begin -->\n<!-- b:end -->\nafter\n"


def test_only_what_lies_between_its_own_markers_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    put(page, "b", "| new |\n")
    put(page, "b", "| newer |")
    assert page.read_text() == PAGE.replace("<!-- b:begin -->\n", "<!-- b:begin -->\n| newer |\n")


@pytest.mark.parametrize("missing", ["<!-- a:begin -->\n", "<!-- a:end -->\n"])
def test_a_page_without_a_marker_stays_as_it_is(tmp_path: Path, missing: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.replace(missing, ""))
    with pytest.raises(SystemExit, match="a:begin"):
        put(page, "a", "new")
    assert page.read_text() == PAGE.replace(missing, "")
