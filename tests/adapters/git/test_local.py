"""Repositories on disk: any kind of them is read, none is touched, nothing that they name is run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gitops_sre.adapters.git import LocalRepository, RepositoryError
from gitops_sre.model.outcome import Refused, Unavailable
from tests.adapters.git.repositories import ENV, Remote


@pytest.fixture
def bare(made: Remote) -> Iterator[LocalRepository]:
    with closing(LocalRepository(made.bare)) as opened:
        yield opened


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder, with its time of change and its bytes."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
@pytest.mark.parametrize("kind", ["work", "bare", "linked"])
def test_every_kind_of_repository_is_read_at_its_own_head(tmp_path: Path, kind: str, object_format: str) -> None:
    made = Remote(tmp_path, object_format=object_format)
    first = made.commit({"a/b.yaml": "x: 1\r\n"})
    head = made.commit({"a/b.yaml": "x: 2\n", "c": "text"})
    made.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"), first)
    with closing(LocalRepository(tmp_path / {"bare": "remote.git"}.get(kind, kind))) as repository:
        assert repository.head() == (first if kind == "linked" else head)
        assert len(head) == (64 if object_format == "sha256" else 40)
        assert repository.read(head, "a/b.yaml") == b"x: 2\n"
        assert repository.read(first, "a/b.yaml") == b"x: 1\r\n"
        assert repository.files(head) == ("a/b.yaml", "c")
        assert repository.mentioning(head, "x: 2") == ("a/b.yaml",)
        assert [each.commit.sha for each in repository.revisions(head, ["a/b.yaml"])] == [head, first]
        assert repository.contains(head, first) is True


def test_revisions_are_resolved_and_hostile_ones_refused(made: Remote, bare: LocalRepository) -> None:
    one = made.commit({"a": "1"})
    two = made.commit({"a": "2"})
    three = made.commit({"a": "3"})
    made.git("tag", "-a", "-m", "x", "v1", one, cwd=made.bare)
    made.git("branch", "feature/x", two, cwd=made.bare)
    for name, commit in {"HEAD": three, "main": three, "HEAD~2": one, "v1": one, "feature/x": two, three[:9]: three,
                         two: two, "main^": two}.items():  # fmt: skip
        assert bare.resolve(name) == commit, name
    for name in ("--help", "-x", "", "a\nb", "a\0b", "nope", "HEAD:a", "HEAD~9", "a b;$(id)", "f" * 40):
        assert isinstance(bare.resolve(name), Refused), name


def test_a_repository_without_commits_has_no_head(made: Remote, bare: LocalRepository) -> None:
    answer = bare.head()
    assert isinstance(answer, Unavailable)
    assert "no commit yet" in answer.reason


@pytest.mark.parametrize("what", ["nothing", "empty folder", "file", "broken", "subfolder"])
def test_what_is_no_repository_is_said_to_be_none(made: Remote, tmp_path: Path, what: str) -> None:
    made.commit({"sub/a": "1"})
    place = made.work / "sub" if what == "subfolder" else tmp_path / "place"
    if what == "file":
        place.write_text("x")
    elif what not in ("nothing", "subfolder"):
        place.mkdir()
    if what == "broken":
        (place / ".git").write_text("gitdir: /nowhere\n")
    with pytest.raises(RepositoryError, match="name the root of"):
        LocalRepository(place)


def test_nothing_in_the_repository_changes(made: Remote, tmp_path: Path) -> None:
    old = made.commit({"a/x.yaml": "image: web\n" * 20, "b": "1"})
    made.git("mv", "a", "c")
    head = made.commit({"b": "2"})
    os.utime(made.work / "b", (1, 1))  # an index refresh would note it
    (made.work / "c/x.yaml").write_text("not committed")
    before = snapshot(made.work), snapshot(made.bare)
    for place in (made.work, made.bare):
        with closing(LocalRepository(place)) as repository:
            assert repository.head() == head
            repository.files(head)
            assert repository.read(head, "c/x.yaml") == b"image: web\n" * 20
            repository.log(head)
            repository.changed(head)
            repository.revisions(head, ["c/x.yaml"])
            repository.mentioning(head, "web")
            repository.contains(head, old)
            repository.export(head, tmp_path / f"out-{place.name}")
    assert (snapshot(made.work), snapshot(made.bare)) == before


def test_no_program_that_the_repository_names_is_run(made: Remote, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    script = tmp_path / "canary"
    script.write_text(f'#!/bin/sh\necho "$0 $@" >> {mark}\n')
    script.chmod(0o755)
    old = made.commit({"a.yaml": "image: web:1\n", "b": "x"})
    made.git("mv", "a.yaml", "c.yaml")
    head = made.commit({".gitattributes": "* filter=f diff=d text\n", "b": "y"})
    for key in ("core.fsmonitor", "filter.f.smudge", "filter.f.clean", "filter.f.process", "diff.d.command",
                "diff.d.textconv", "diff.external", "core.pager", "pager.log", "gpg.program", "core.sshCommand",
                "core.alternateRefsCommand", "credential.helper", "core.editor", "uploadpack.packObjectsHook",
                "alias.log", "alias.grep", "remote.origin.vcs"):  # fmt: skip
        value = f"!{script}" if key.startswith(("alias", "credential")) else str(script)
        made.git("config", key, value)
    for key, value in {"core.hooksPath": f"{tmp_path}/hooks", "log.showSignature": "true", "log.follow": "true",
                       "diff.renames": "copies", "grep.patternType": "perl", "submodule.recurse": "true",
                       "log.showRoot": "false", "diff.noprefix": "true", "log.diffMerges": "m"}.items():  # fmt: skip
        made.git("config", key, value)
    (tmp_path / "hooks").mkdir()
    for hook in ("reference-transaction", "post-index-change", "pre-auto-gc", "post-checkout", "fsmonitor-watchman"):
        (tmp_path / "hooks" / hook).symlink_to(script)
        (made.work / ".git/hooks").mkdir(exist_ok=True)
        (made.work / ".git/hooks" / hook).symlink_to(script)
    mark.unlink(missing_ok=True)
    with closing(LocalRepository(made.work)) as repository:
        assert repository.head() == head
        assert repository.read(head, "c.yaml") == b"image: web:1\n"
        assert repository.mentioning(head, "web:1") == ("c.yaml",)
        assert [each.commit.sha for each in repository.revisions(head, ["c.yaml"])] == [head, old]
        assert [each.sha for each in repository.log(head)] == [head, old]
        assert ("a.yaml", "c.yaml") in [(each.before_path, each.after_path) for each in repository.changed(head)]
        repository.export(head, tmp_path / "out")
    assert not mark.exists()


def test_variables_of_ours_lead_git_nowhere_else(
    made: Remote, bare: LocalRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = made.commit({"a": "1"})
    for name in ("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CEILING_DIRECTORIES"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "0")
    with closing(LocalRepository(made.work)) as repository:
        assert repository.head() == head
        assert repository.read(head, "a") == b"1"
    assert not (tmp_path / "trace").exists()


def test_a_shallow_clone_answers_what_it_knows_and_names_the_remedy(made: Remote, tmp_path: Path) -> None:
    one = made.commit({"a": "1"})
    two = made.commit({"a": "2"})
    head = made.commit({"a": "3"})
    made.git("clone", "-q", "--depth=2", made.url, str(tmp_path / "shallow"), cwd=tmp_path)
    with closing(LocalRepository(tmp_path / "shallow")) as repository:
        assert repository.read(two, "a") == b"2"
        assert [each.commit.sha for each in repository.revisions(head, ["a"])] == [head]
        assert repository.changed(head)[0].after_path == "a"
        for ask in (lambda: repository.changed(two), lambda: repository.revisions(two, ["a"]),
                    lambda: repository.read(one, "a"), lambda: repository.log(two)):  # fmt: skip
            with pytest.raises(RepositoryError, match="--unshallow"):
                ask()
        answer = repository.contains(head, one)
        assert isinstance(answer, Unavailable)


def test_a_partial_clone_is_not_completed_behind_anyones_back(made: Remote, tmp_path: Path) -> None:
    old = made.commit({"a": "1", "b": "here"})
    head = made.commit({"a": "2"})
    made.git("clone", "-q", "--bare", "--filter=blob:none", made.url, str(tmp_path / "partial.git"), cwd=tmp_path)
    with closing(LocalRepository(tmp_path / "partial.git")) as repository:
        assert repository.files(head) == ("a", "b")
        revisions = repository.revisions(head, ["a"])
        assert [each.commit.sha for each in revisions] == [head, old]
        for ask in (lambda: repository.read(head, "a"), lambda: repository.blobs([revisions[0].changes[0].after_blob]),
                    lambda: repository.mentioning(head, "here")):  # fmt: skip
            with pytest.raises(RepositoryError, match="--refetch"):
                ask()


def test_a_repository_of_somebody_else_is_read(made: Remote, bare: LocalRepository, tmp_path: Path) -> None:
    head = made.commit({"a": "1"})
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to another user")
    subprocess.run(["chown", "-R", "12345:12345", str(made.work)], check=True, env=ENV)
    with closing(LocalRepository(made.work)) as repository:
        assert repository.head() == head
        assert repository.read(head, "a") == b"1"


def test_a_repository_that_grows_and_is_repacked_is_still_read(made: Remote, bare: LocalRepository) -> None:
    one = made.commit({"a": "1"})
    assert bare.read(one, "a") == b"1"
    two = made.commit({"a": "2"})
    made.git("gc", "-q", "--prune=now", cwd=made.bare)
    assert bare.head() == two
    assert bare.read(two, "a") == b"2"
    assert bare.read(one, "a") == b"1"


def test_objects_of_a_wrong_kind_are_no_commits_and_no_files(made: Remote, bare: LocalRepository) -> None:
    head = made.commit({"d/a": "1"})
    tree = made.git("rev-parse", "HEAD^{tree}")
    blob = made.git("rev-parse", "HEAD:d/a")
    assert bare.blobs([blob, blob]) == {blob: b"1"}
    for ask in (lambda: bare.read(tree, "d/a"), lambda: bare.files(blob), lambda: bare.blobs([head]),
                lambda: bare.blobs(["main"]), lambda: bare.changed("HEAD")):  # fmt: skip
        with pytest.raises(RepositoryError, match=r"is a |not a full commit SHA"):
            ask()
