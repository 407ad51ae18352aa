"""`locate` and `propose` on hostile names and files: a right diff or one clear line, never a traceback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_sre.cli.main import main
from tests.gitops.commits import History

IMAGE = "ghcr.io/acme/web"
POD = (
    f"apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n  - name: web\n    image: {IMAGE}:1.0\n"
)
BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(22)
)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = History(tmp_path / "infra")
    yield made
    made.close()


def _propose(history: History, image: str = IMAGE) -> int:
    where = ["--repo", str(history.folder), "--path", "apps/web", f"--image={image}", "--to", "0.9", "--no-proof"]
    return main(["propose", "rollback_image", *where])


@pytest.mark.parametrize(
    "text",
    [
        POD + "    image: ghcr.io/acme/web:3.0\n",
        POD + "---\nx: !!python/object/apply:os.system ['touch canary']\n",
        POD + "---\n" + BOMB,
        POD + "---\na: &a\n  b: *a\n",
    ],
    ids=["duplicate key", "python object", "bomb", "alias cycle"],
)
def test_hostile_yaml_ends_in_a_diff_or_one_line(
    history: History, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    history.commit({"apps/web/pod.yaml": text})
    code = _propose(history)
    said = capsys.readouterr()
    assert code in (0, 1), said.err
    assert bool(said.out) == (code == 0)
    assert code == 0 or said.err.count("\n") == 1
    assert not Path("canary").exists()


@pytest.mark.parametrize("image", ["$(touch canary)", "--output=canary", "../../x", "a\nb", "\u202eweb", "a;b"])
def test_hostile_image_name_is_refused(history: History, image: str, capsys: pytest.CaptureFixture[str]) -> None:
    history.commit({"apps/web/pod.yaml": POD})
    assert _propose(history, image) == 1
    assert capsys.readouterr().out == ""
    assert not Path("canary").exists()


def test_only_the_target_changes_among_many_with_the_image(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.commit({f"apps/{name}/pod.yaml": POD for name in ("web", *(f"other{n}" for n in range(15)))})
    assert _propose(history) == 0
    named = [line for line in capsys.readouterr().out.splitlines() if line.startswith("+++ ")]
    assert [line.split("\t")[0] for line in named] == ["+++ b/apps/web/pod.yaml"]


def test_link_out_of_the_repository_is_not_followed(
    history: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "outside.yaml").write_text(POD)
    (history.folder / "apps/web").mkdir(parents=True)
    os.symlink("../../../outside.yaml", history.folder / "apps/web/pod.yaml")
    history.commit({})
    assert _propose(history) == 1
    assert capsys.readouterr().out == ""
    assert (tmp_path / "outside.yaml").read_text() == POD
