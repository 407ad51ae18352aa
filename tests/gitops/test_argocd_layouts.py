"""The golden layouts of Argo CD: a small repository, a question and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from gitops_sre.gitops.argocd.charts import chart_owners
from gitops_sre.gitops.argocd.images import image_owners
from gitops_sre.gitops.files import AtCommit
from gitops_sre.gitops.target import at_path
from gitops_sre.model.change import Field
from gitops_sre.model.outcome import Refused
from gitops_sre.yamltext import show
from tests.gitops.infra import Infra

LAYOUTS = sorted((Path(__file__).parent.parent / "layouts").glob("argocd-*"))


def answer(world: Infra, at: AtCommit, asked: dict[str, str]) -> Sequence[tuple[Field, ...]]:
    """What the Applications decide, or, where they decide nothing, what the files do."""
    path, environment = asked["--path"], asked.get("--env", "")
    if "--chart" in asked:
        return chart_owners(at, path, asked["--chart"], environment)
    if found := image_owners(at, path, asked["--image"], environment):
        return found
    fields = world.locator.image_fields(at.commit, at_path(path, environment), asked["--image"])
    assert not isinstance(fields, Refused), fields.reason
    return [fields]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda path: path.name)
def test_the_layouts_question_has_its_answer(layout: Path, world: Infra) -> None:
    case = yaml.safe_load((layout / "case.yaml").read_text())
    asked = dict(zip(case["question"][::2], case["question"][1::2], strict=True))
    repo = layout / "repo"
    files = {str(path.relative_to(repo)): path.read_text() for path in repo.rglob("*") if path.is_file()}
    at = AtCommit(world.repository, world.commit(files))
    owners = answer(world, at, asked)
    assert len(owners) == 1, owners
    found = [{"file": f.file, "path": show(f.document, f.path), "value": f.value} for f in owners[0]]
    assert found == case["expect"]
    assert all(field.reason for field in owners[0])


def test_each_layout_is_there() -> None:
    assert len(LAYOUTS) == 12
