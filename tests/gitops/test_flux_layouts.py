"""The golden layouts of Flux: a small repository, a question and the answer."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gitops_sre.gitops.files import AtCommit
from gitops_sre.gitops.flux.charts import chart_owners
from gitops_sre.gitops.flux.images import image_owners
from gitops_sre.model.change import Field
from gitops_sre.yamltext import YamlTextError, show
from tests.gitops.infra import Infra

LAYOUTS = sorted((Path(__file__).parent.parent / "layouts").glob("flux-*"))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda path: path.name)
def test_the_layouts_question_has_its_answer(layout: Path, world: Infra) -> None:
    case = yaml.safe_load((layout / "case.yaml").read_text())
    asked = dict(zip(case["question"][::2], case["question"][1::2], strict=True))
    repo = layout / "repo"
    files = {str(path.relative_to(repo)): path.read_text() for path in repo.rglob("*") if path.is_file()}
    at = AtCommit(world.repository, world.commit(files))
    if "refused" in case["expect"]:
        with pytest.raises(YamlTextError, match=case["expect"]["refused"]):
            _owners(at, asked)
        return
    owners = _owners(at, asked)
    assert len(owners) == 1, owners
    found = [{"file": f.file, "path": show(f.document, f.path), "value": f.value} for f in owners[0]]
    assert found == case["expect"]
    assert all(field.reason for field in owners[0])


def _owners(at: AtCommit, asked: dict[str, str]) -> list[tuple[Field, ...]]:
    if "--image" in asked:
        return image_owners(at, asked["--path"], asked["--image"])
    return chart_owners(at, asked["--path"], asked["--chart"])


def test_each_layout_is_there() -> None:
    assert len(LAYOUTS) == 11
