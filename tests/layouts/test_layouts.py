"""For each layout that teams use, the field that decides is found, or the reason is said why none is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitops_sre.cli.main import main
from tests.gitops.commits import History
from tests.layouts.cases import Layout, layouts


@pytest.mark.parametrize("layout", layouts(), ids=lambda layout: layout.name)
def test_a_layout_answers_its_question(layout: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = History(tmp_path / "infra")
    made.commit(layout.files())
    code = main(["locate", "--repo", str(made.folder), *layout.question, "--json"])
    answer = json.loads(capsys.readouterr().out)
    if layout.refused:
        assert code == 1
        assert layout.refused in answer["refused"]
        return
    assert answer["refused"] is None
    assert {(each["file"], each["where"], each["value"]) for each in answer["fields"]} == set(layout.expect)
    assert all(each["reason"] for each in answer["fields"])
    assert code == 0
