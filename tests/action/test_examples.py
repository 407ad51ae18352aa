"""Every golden example comes out as it is written down, and its inverse restores every byte."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from gitops_sre.action import ACTIONS
from gitops_sre.adapters.render import ToolRenderer
from gitops_sre.gitops import diff, edit, environments
from gitops_sre.model.change import Change
from gitops_sre.model.outcome import Refused, Unavailable
from gitops_sre.model.target import Source
from tests.action.examples_run import Example, all_examples, at_head, commit_all, git, run
from tests.gitops.infra import tool

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


@pytest.mark.parametrize("example", [each for each in all_examples() if each.rendered], ids=name)
@tool("kubectl")
@tool("helm")
def test_what_is_built_holds_the_values_and_other_environments_stay(example: Example, tmp_path: Path) -> None:
    made = run(example, tmp_path)
    assert isinstance(made.change, Change), made.change
    others = [replace(example.target.source, path=path, kind="kustomize") for path in _of_others(made.work, example)]
    before = [_built(made.work, source) for source in (example.target.source, *others)]
    for file in made.change.files:
        made.work.joinpath(file.path).write_bytes(file.after.encode())
    after = [_built(made.work, source) for source in (example.target.source, *others)]
    for place, value in example.rendered.items():
        assert _at(after[0], place) == value != _at(before[0], place)
    assert before[0].keys() == after[0].keys()
    assert before[1:] == after[1:]


def _of_others(work: Path, example: Example) -> list[str]:
    """Overlays of other environments."""
    found = (path.parent.relative_to(work).as_posix() for path in work.rglob("kustomization.yaml"))
    return [path for path in found if not environments.fits(path, example.target.environment)]


def _built(work: Path, source: Source) -> dict[str, object]:
    objects = ToolRenderer().render(work, replace(source, release_name="web"))
    assert not isinstance(objects, Unavailable), objects.reason
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in objects}


def _at(objects: dict[str, object], place: str) -> str | None:
    name, _, path = place.partition(" ")
    node: object = objects[name]
    for key in re.split(r"(?<!\\)\.", path):
        word = key.replace("\\.", ".")
        node = node[int(word)] if isinstance(node, list) else node.get(word) if isinstance(node, dict) else None
    return None if node is None else str(node)


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_action_has_an_example_that_edits_and_a_page(action: str) -> None:
    mine = [example for example in all_examples() if example.action == action]
    assert any(not example.refused for example in mine), f"tests/action/examples/{action}/ has no example with a diff"
    page = DOCS.joinpath(f"{action}.md").read_text()
    assert page.startswith(f"# {action}\n")
    for parameter in ACTIONS[action].spec.parameters:
        assert f"`{parameter.name}`" in page, f"{action}.md does not explain {parameter.name}"
