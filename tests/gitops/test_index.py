"""Which kustomizations may read a file, at any commit, in any order of asking."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gitops_sre.adapters.git import LocalRepository
from gitops_sre.gitops.index import Inclusions, inclusions
from tests.adapters.git.repositories import Remote


@pytest.fixture
def made(tmp_path: Path) -> Remote:
    return Remote(tmp_path)


@pytest.fixture
def repository(made: Remote) -> Iterator[LocalRepository]:
    with closing(LocalRepository(made.bare)) as opened:
        yield opened


def entries(*names: str) -> str:
    return "resources:\n" + "".join(f"  - {name}\n" for name in names)


BASE = {
    "app/base/kustomization.yaml": entries("web.yaml", "./more/../svc.yaml"),
    "app/base/web.yaml": "kind: Deployment\n",
    "app/base/svc.yaml": "kind: Service\n",
    "app/prod/kustomization.yml": entries('"../base/"  # shared'),
    "app/dev/Kustomization": "resources: [../base, 'x y.yaml']\nconfigMapGenerator: [{files: [a=../files/f.txt]}]\n",
    "app/files/f.txt": "1",
    "other/kustomization.yaml": entries("../app/prod", "https://example.com/app/base"),
    "alone/kustomization.yaml": entries("web.yaml", "base"),
}


def test_readers_are_found_through_every_layer_and_spelling(made: Remote, repository: LocalRepository) -> None:
    head = made.commit(dict(BASE))
    index = Inclusions(repository)
    assert index.readers(head, "app/base/web.yaml") == ("app/base", "app/dev", "app/prod", "other")
    assert index.readers(head, "app/base/svc.yaml") == ("app/base", "app/dev", "app/prod", "other")
    assert index.readers(head, "app/base/kustomization.yaml") == ("app/base", "app/dev", "app/prod", "other")
    assert index.readers(head, "app/files/f.txt") == ("app/dev",)
    assert index.readers(head, "app/dev/x y.yaml") == ("app/dev",)
    assert index.readers(head, "alone/web.yaml") == ("alone",)
    assert index.readers(head, "nothing") == ()
    assert index.leading_into(head, "app/base") == (("app/dev", "app/prod", "other"), ("app/dev", "other"))
    assert index.leading_into(head, "app") == (("other",), ("other",))
    assert index.leading_into(head, "") == ((), ())


def test_a_commit_moves_the_index_and_an_older_one_moves_it_back(made: Remote, repository: LocalRepository) -> None:
    one = made.commit(dict(BASE))
    two = made.commit(
        {"app/prod/kustomization.yml": entries("own.yaml"), "new/kustomization.yaml": entries("../app/base")}
    )
    three = made.commit({"app/dev/Kustomization": None})
    index = inclusions(repository)
    assert inclusions(repository) is index
    expected = {
        one: ("app/base", "app/dev", "app/prod", "other"),
        two: ("app/base", "app/dev", "new"),
        three: ("app/base", "new"),
    }
    for commit in (one, two, three, one, three, two, one):
        assert index.readers(commit, "app/base/web.yaml") == expected[commit]


def test_moving_gives_what_building_anew_gives(made: Remote, repository: LocalRepository) -> None:
    chance = random.Random(5)
    folders = [f"{top}/{name}" for top in ("a", "b") for name in ("base", "x", "y")]
    commits = []
    there: set[str] = set()
    for _ in range(10):
        edits: dict[str, str | None] = {}
        for folder in chance.sample(folders, 3):
            path = f"{folder}/kustomization.yaml"
            edits[path] = (
                None
                if path in there and chance.random() < 0.3
                else entries(
                    *(f"../{chance.choice(['base', 'x', 'y'])}" for _ in range(2)),
                    f"../../{chance.choice(folders)}",
                    "f.yaml",
                )
            )
        there = {path for path in there | set(edits) if edits.get(path, "") is not None}
        commits.append(made.commit(edits))
    index = Inclusions(repository)
    for commit in [*commits, *chance.sample(commits, len(commits))]:
        anew = Inclusions(repository)
        for folder in folders:
            assert index.readers(commit, f"{folder}/f.yaml") == anew.readers(commit, f"{folder}/f.yaml")
            assert index.leading_into(commit, folder) == anew.leading_into(commit, folder)


def test_links_and_submodules_called_kustomization_are_not_read(made: Remote, repository: LocalRepository) -> None:
    one = made.commit({"a/f.yaml": "1", "b/kustomization.yaml": entries("../a/f.yaml")})
    (made.work / "c").mkdir()
    (made.work / "c/kustomization.yaml").symlink_to("../a/f.yaml")
    made.git("update-index", "--add", "--cacheinfo", f"160000,{one},d/kustomization.yaml")
    (made.work / "d/kustomization.yaml").mkdir(parents=True)
    head = made.commit({"e": "1"})
    assert Inclusions(repository).readers(head, "a/f.yaml") == ("b",)
