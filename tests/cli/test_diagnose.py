from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitops_sre.cli.main import main
from tests.cases import case, metrics, recorded, rows, write


def test_json_has_one_line_a_case_with_a_ranking_of_services(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagnose", "--cases", str(recorded(tmp_path)), "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert found["id"] == "one"
    services = [entry["service"] for entry in found["ranking"]]
    assert sorted(services) == ["cart", "db", "web"]
    assert services[0] == "db"
    assert sum(entry["posterior"] for entry in found["ranking"]) + found["no_fault"] + found[
        "unexplained"
    ] == pytest.approx(1, abs=1e-3)
    assert found["seconds"] > 0
    assert any("db" in item["statement"] for item in found["evidence"])


def test_people_get_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", "--cases", str(recorded(tmp_path))]) == 0
    printed = capsys.readouterr().out
    assert "db" in printed.splitlines()[1]
    assert "%" in printed


def test_a_quiet_case_blames_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", "--cases", str(recorded(tmp_path, "")), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)["ranking"][0]
    assert (first["service"], first["cause"]) == ("", "no_fault")


def test_a_broken_case_is_named_and_the_others_are_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics(tmp_path / "metrics/a.csv.gz", rows())
    file = write(tmp_path, case("bad", "metrics/gone.csv.gz"), case("good"))
    assert main(["diagnose", "--cases", str(file), "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["id"] == "good"
    assert "case bad" in printed.err
    assert "gone.csv.gz" in printed.err


def test_a_page_is_written_for_each_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = recorded(tmp_path, id="../a<b>")
    assert main(["diagnose", "--cases", str(file), "--json", "--report", str(tmp_path / "pages")]) == 0
    (page,) = (tmp_path / "pages").iterdir()
    assert page.suffix == ".html"
    text = page.read_text(encoding="utf-8")
    assert "<svg" in text
    assert "a<b>" not in text
    assert "db" in text
    assert str(page) in capsys.readouterr().err


def test_an_unknown_id_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", "--cases", str(recorded(tmp_path)), "--id", "nope"]) == 1
    assert "no case nope" in capsys.readouterr().err


def test_a_broken_file_of_cases_is_one_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cases.jsonl").write_text("{\n")
    assert main(["diagnose", "--cases", str(tmp_path / "cases.jsonl")]) == 1
    assert "cases.jsonl:1" in capsys.readouterr().err
