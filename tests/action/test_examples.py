"""Every golden example comes out as it is written down, and its inverse restores every byte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitops_sre.action import ACTIONS
from gitops_sre.gitops import diff, edit
from gitops_sre.model.change import Change
from gitops_sre.model.outcome import Refused
from tests.action.examples_run import Example, all_examples, at_head, commit_all, git, run

DOCS = Path(__file__).parents[2] / "docs" / "actions"


def name(example: Example) -> str:
    return f"{example.action}/{example.folder.name}"


@pytest.mark.parametrize("example", all_examples(), ids=name)
def test_example_comes_out_as_written(example: Example, tmp_path: Path) -> None:
    made = run(example, tmp_path)
    if example.refused:
        assert isinstance(made.change, Refused), "it was not refused"
        assert example.refused in made.change.reason
        assert not example.expected.exists(), "a refusal has no diff"
        return
    assert isinstance(made.change, Change), made.change
    text = diff.unified(made.change.files)
    if os.environ.get("UPDATE_GOLDEN"):
        example.expected.write_bytes(text.encode())
    assert text == example.expected.read_bytes().decode(), f"UPDATE_GOLDEN=1 rewrites {example.expected.name}"
    git("apply", "--check", str(example.expected), cwd=made.work)
    git("apply", str(example.expected), cwd=made.work)
    for file in made.change.files:
        assert made.work.joinpath(file.path).read_bytes() == file.after.encode()
    commit_all(made.work)
    with at_head(made.work) as (repository, commit):
        back = edit.apply(repository, commit, made.change.inverse, "policies")
    assert isinstance(back, Change), back
    assert {file.path: file.after for file in back.files} == {file.path: file.before for file in made.change.files}


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_action_has_an_example_that_edits_and_a_page(action: str) -> None:
    mine = [example for example in all_examples() if example.action == action]
    assert any(not example.refused for example in mine), f"tests/action/examples/{action}/ has no example with a diff"
    page = DOCS.joinpath(f"{action}.md").read_text()
    assert page.startswith(f"# {action}\n")
    for parameter in ACTIONS[action].spec.parameters:
        assert f"`{parameter.name}`" in page, f"{action}.md does not explain {parameter.name}"
