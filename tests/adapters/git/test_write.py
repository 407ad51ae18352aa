"""Commit objects: exactly the files that were edited differ, and nothing points to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_sre.adapters.git import CommitWriter, LocalRepository, RepositoryError
from gitops_sre.model.change import FileEdit
from tests.adapters.git.repositories import Remote

WHO = "The Bot <bot@example.com>"
WHEN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["sha1", "sha256"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    return Remote(tmp_path, object_format=request.param)


@pytest.fixture
def writer(made: Remote) -> Iterator[CommitWriter]:
    with closing(CommitWriter(made.bare)) as opened:
        yield opened


def test_only_the_edited_files_differ_and_modes_stay(made: Remote, writer: CommitWriter) -> None:
    made.commit({"run.sh": "#!/bin/sh\n"})
    (made.work / "run.sh").chmod(0o755)
    (made.work / "link").symlink_to("run.sh")
    base = made.commit({"a/b/c.yaml": "tag: 1\r\n", "a/b.txt": "x", "a/b-": "y", "a.b": "z", "ünï/\u202e": "1"})
    refs = made.git("for-each-ref", cwd=made.bare)
    edits = [
        FileEdit("a/b/c.yaml", "tag: 1\r\n", "tag: 2\r\n"),
        FileEdit("run.sh", "#!/bin/sh\n", "#!/bin/sh\nid\n"),
        FileEdit("new/folder/ü", "", "fresh"),
        FileEdit("ünï/\u202e", "1", "2"),
    ]
    commit = writer.write(base, edits, "Back to 1\n\nBecause.", WHO, WHEN)
    assert made.git("for-each-ref", cwd=made.bare) == refs
    made.git("fsck", "--strict", "--no-dangling", commit, cwd=made.bare)
    with closing(LocalRepository(made.bare)) as repository:
        assert {(each.before_path, each.after_path, each.plain) for each in repository.changed(commit)} == {
            (edit.path if edit.before else "", edit.path, True) for edit in edits
        }
        for edit in edits:
            assert repository.read(commit, edit.path) == edit.after.encode()
    assert made.git("ls-tree", commit, "run.sh", cwd=made.bare).startswith("100755")
    shown = made.git("show", "-s", "--format=%P|%an|%ae|%ct|%cn|%B", commit, cwd=made.bare)
    assert shown == f"{base}|The Bot|bot@example.com|{int(WHEN.timestamp())}|The Bot|Back to 1\n\nBecause."
    assert writer.write(base, edits, "Back to 1\n\nBecause.", WHO, WHEN) == commit
    again = writer.write(commit, [FileEdit("a/b/c.yaml", "tag: 2\r\n", "tag: 1\r\n")], "Undo", WHO, WHEN)
    assert made.git("rev-parse", f"{again}:a", cwd=made.bare) == made.git("rev-parse", f"{base}:a", cwd=made.bare)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (FileEdit("../x", "", "1"), "leads outside"),
        (FileEdit(".git/config", "", "1"), "leads outside"),
        (FileEdit("/etc/passwd", "", "1"), "leads outside"),
        (FileEdit("link", "", "1"), "no regular file"),
        (FileEdit("d", "", "1"), "no regular file"),
        (FileEdit("f/below", "", "1"), "is no folder"),
        (FileEdit("f", "old", "1"), "not what it was"),
        (FileEdit("gone", "old", "1"), "not what it was"),
    ],
)
def test_what_must_not_be_written_is_refused(made: Remote, writer: CommitWriter, edit: FileEdit, reason: str) -> None:
    (made.work / "link").symlink_to("f")
    base = made.commit({"f": "text", "d/x": "y"})
    with pytest.raises(RepositoryError, match=reason):
        writer.write(base, [edit], "m", WHO, WHEN)
    with pytest.raises(RepositoryError, match="twice"):
        writer.write(base, [FileEdit("f", "text", "1"), FileEdit("f", "text", "2")], "m", WHO, WHEN)


@pytest.mark.parametrize("author", ["", "x", "a <b>\nparent 0", "a <b c>", "<a@b>", "a <b> <c>"])
def test_an_author_is_a_name_and_an_address(made: Remote, writer: CommitWriter, author: str) -> None:
    base = made.commit({"f": "text"})
    with pytest.raises(RepositoryError, match="is no `Name"):
        writer.write(base, [FileEdit("f", "text", "1")], "m", author, WHEN)
