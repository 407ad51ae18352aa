"""What commits did and where values came from: renames, merges, roots, strange entries and hostile names."""

from __future__ import annotations

import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from gitops_sre.adapters.git import GitRepository, LocalRepository
from gitops_sre.model.change_feed import FileChange
from tests.adapters.git.repositories import ENV, Remote

LONG = "".join(f"line {number}\n" for number in range(30))
HOSTILE = ["-x", "a;b$(id)", "new\nline", "tab\there", "*", ":(glob)**", "ünï", "\u202ertl", ":1:x", "a\\b", '"q"']


def blob(made: Remote, name: str) -> str:
    return made.git("rev-parse", name)


def names(changes: tuple[FileChange, ...]) -> list[tuple[str, str]]:
    return [(each.before_path, each.after_path) for each in changes]


def subjects(repository: LocalRepository, commit: str, *paths: str, limit: int = 200) -> list[str]:
    return [each.commit.subject for each in repository.revisions(commit, paths, limit=limit)]


def test_changes_name_both_sides_by_path_and_content(made: Remote, repository: LocalRepository) -> None:
    root = made.commit({"a": "1", "d/b": "1", "gone": "x"})
    head = made.commit({"a": "2", "d/new": "different", "d/b": "1"})
    assert repository.changed(root) == tuple(
        FileChange("", path, "", blob(made, f"{root}:{path}")) for path in ("a", "d/b", "gone")
    )
    assert repository.changed(head) == (
        FileChange("a", "a", blob(made, f"{root}:a"), blob(made, f"{head}:a")),
        FileChange("", "d/new", "", blob(made, f"{head}:d/new")),
    )
    last = made.commit({"gone": None})
    assert repository.changed(last) == (FileChange("gone", "", blob(made, f"{root}:gone"), ""),)
    assert repository.changed(made.commit({})) == ()
    assert repository.between(root, last) == (
        FileChange("a", "a", blob(made, f"{root}:a"), blob(made, f"{head}:a")),
        FileChange("gone", "", blob(made, f"{root}:gone"), ""),
        FileChange("", "d/new", "", blob(made, f"{head}:d/new")),
    )
    assert {each.after_path for each in repository.between("", last)} == {"a", "d/b", "d/new"}
    assert [each.after_path for each in repository.between("", last, ["b", "a"])] == ["a", "d/b"]
    assert [each.after_path for each in repository.between(root, last, ["new"])] == ["d/new"]


def test_a_file_that_moved_is_one_change_and_is_followed(made: Remote, repository: LocalRepository) -> None:
    made.commit({"old/a": LONG, "other": "1"}, "begin")
    made.commit({"old/a": f"{LONG}two\n"}, "two")
    made.commit({"other": "2"}, "aside")
    made.git("mv", "old", "mid")
    moved = made.commit({"mid/a": f"{LONG}two\nthree\n"}, "move")
    made.git("mv", "mid", "new")
    head = made.commit({"new/a": f"{LONG}four\n", "old/a": "another file"}, "move again")
    made.commit({"old/a": "another file, changed"}, "not ours")
    head = made.commit({"new/a": f"{LONG}five\n"}, "five")
    assert ("old/a", "mid/a") in names(repository.changed(moved))
    assert subjects(repository, head, "new/a") == ["five", "move again", "move", "two", "begin"]
    assert subjects(repository, head, "new") == ["five", "move again", "move", "two", "begin"]
    assert subjects(repository, head, "new/a", limit=3) == ["five", "move again", "move"]
    found = repository.revisions(head, ["new/a"])
    assert [names(each.changes) for each in found] == [
        [("new/a", "new/a")], [("mid/a", "new/a")], [("old/a", "mid/a")], [("old/a", "old/a")], [("", "old/a")],
    ]  # fmt: skip
    assert subjects(repository, head, "old/a")[:2] == ["not ours", "move again"]


def test_a_new_file_is_no_rename_of_one_that_stays_or_is_unlike(made: Remote, repository: LocalRepository) -> None:
    made.commit({"a": LONG, "b": "quite\nanother\nthing\n"}, "begin")
    copied = made.commit({"copy": LONG}, "copy")
    swapped = made.commit({"b": None, "c": LONG.upper()}, "swap")
    assert names(repository.changed(copied)) == [("", "copy")]
    assert names(repository.changed(swapped)) == [("b", ""), ("", "c")]
    assert subjects(repository, swapped, "copy") == ["copy"]
    assert subjects(repository, swapped, "c") == ["swap"]


def test_a_value_is_found_where_it_was_set_and_not_at_the_merge(made: Remote, repository: LocalRepository) -> None:
    base = made.commit({"a": LONG, "b": LONG}, "begin")
    made.git("checkout", "-q", "-b", "side")
    side = made.commit({"a": f"{LONG}side\n"}, "side")
    made.git("checkout", "-q", "--detach", base)
    main = made.commit({"b": f"{LONG}main\n"}, "main")
    made.git("merge", "-q", "--no-ff", "-m", "clean merge", side)
    made.git("push", "-q", "-f", str(made.bare), "HEAD:main")
    merge = made.git("rev-parse", "HEAD")
    assert subjects(repository, merge, "a") == ["side", "begin"]
    assert subjects(repository, merge, "b") == ["main", "begin"]
    assert subjects(repository, merge, "a", "b") == ["clean merge", "main", "side", "begin"]
    assert names(repository.changed(merge)) == [("a", "a")]
    assert repository.log(merge)[0].parents == (main, side)


def test_a_merge_that_made_up_a_value_counts(made: Remote, repository: LocalRepository) -> None:
    base = made.commit({"a": "1\n"}, "begin")
    made.git("checkout", "-q", "-b", "side")
    made.commit({"a": "side\n"}, "side")
    made.git("checkout", "-q", "--detach", base)
    made.commit({"a": "main\n"}, "main")
    subprocess.run(["git", "merge", "-q", "side"], cwd=made.work, env=ENV, check=False, capture_output=True)
    evil = made.commit({"a": "both\n"}, "by hand")
    assert subjects(repository, evil, "a") == ["by hand", "main", "side", "begin"]
    first = repository.revisions(evil, ["a"])[0]
    assert first.changes == (FileChange("a", "a", blob(made, "HEAD^1:a"), blob(made, "HEAD:a")),)


def test_links_submodules_and_modes_are_not_plain(made: Remote, repository: LocalRepository) -> None:
    one = made.commit({"file": "x", "script": "#!/bin/sh\n", "turns": "plain"})
    (made.work / "link").symlink_to("file")
    (made.work / "script").chmod(0o755)
    (made.work / "turns").unlink()
    (made.work / "turns").symlink_to("file")
    made.git("update-index", "--add", "--cacheinfo", f"160000,{one},sub")
    (made.work / "sub").mkdir()
    head = made.commit({"file": "y"})
    assert {each.after_path: each.plain for each in repository.changed(head)} == {
        "file": True, "link": False, "script": False, "turns": False, "sub": False,
    }  # fmt: skip
    assert repository.read(head, "turns") is None
    assert repository.mentioning(head, "file") == ()


def test_a_file_in_place_of_a_folder_is_both_changes(made: Remote, repository: LocalRepository) -> None:
    made.commit({"d/a": "1", "d/b": "2"})
    made.git("rm", "-q", "-r", "d")
    head = made.commit({"d": "now a file"})
    assert sorted(names(repository.changed(head))) == [("", "d"), ("d/a", ""), ("d/b", "")]
    assert repository.read(head, "d") == b"now a file"
    assert repository.read(head, "d/a") is None


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_only_names(made: Remote, repository: LocalRepository, name: str) -> None:
    one = made.commit({name: LONG, "other": "needle"}, "one")
    two = made.commit({f"d/{name}": "a needle", name: f"{LONG}x"}, "two; $(id)\u202e")
    assert [each.commit.sha for each in repository.revisions(two, [name])] == [two, one]
    assert repository.revisions(two, [name])[0].commit.files == tuple(sorted((name, f"d/{name}")))
    assert ("", f"d/{name}") in names(repository.changed(two))
    assert repository.mentioning(two, "needle", ["d"]) == (f"d/{name}",)
    assert repository.mentioning(two, "needle", [f"d/{name}"]) == (f"d/{name}",)
    made.git("mv", "--", name, "plain")
    three = made.commit({}, "three")
    assert names(repository.changed(three)) == [(name, "plain")]
    assert [each.commit.sha for each in repository.revisions(three, ["plain"])] == [three, two, one]


def packs(folder: Path) -> int:
    """Each fetch of a partial clone leaves one pack."""
    return len(list(folder.glob("*.git/objects/pack/*.pack")))


def test_older_contents_are_fetched_in_one_batch_for_the_files_asked_for(made: Remote, tmp_path: Path) -> None:
    for number in range(6):
        made.commit({"app/values.yaml": f"{LONG}tag: {number}\n", "big": f"unrelated {number}\n" * 9}, f"{number}")
    made.git("mv", "app", "moved")
    head = made.commit({"moved/values.yaml": f"{LONG}tag: 9\n"}, "moved")
    with closing(GitRepository(made.url, "main", tmp_path / "cache")) as repository:
        assert repository.head() == head
        before = packs(tmp_path / "cache")
        revisions = repository.revisions(head, ["moved/values.yaml"])
        assert [each.commit.subject for each in revisions] == ["moved", "5", "4", "3", "2", "1", "0"]
        assert packs(tmp_path / "cache") - before <= 1  # what the rename is told from
        before = packs(tmp_path / "cache")
        wanted = [each.changes[0].after_blob for each in revisions]
        contents = repository.blobs(wanted)
        assert [contents[oid].decode().splitlines()[-1] for oid in wanted] == [
            "tag: 9", "tag: 5", "tag: 4", "tag: 3", "tag: 2", "tag: 1", "tag: 0",
        ]  # fmt: skip
        assert packs(tmp_path / "cache") - before == 1
        made.bare.rename(tmp_path / "away.git")
        assert repository.blobs(wanted) == contents
        assert repository.revisions(head, ["moved/values.yaml"]) == revisions
        with pytest.raises(OSError, match="fetch"):
            repository.read(revisions[-1].commit.sha, "big")


def test_an_older_commit_is_searched_read_and_written_out_with_one_fetch_each(made: Remote, tmp_path: Path) -> None:
    commits = [made.commit({f"f{n}": f"{n} in {number}" for n in range(5)}) for number in range(4)]
    with closing(GitRepository(made.url, "main", tmp_path / "cache")) as repository:
        assert repository.head() == commits[-1]
        count = packs(tmp_path / "cache")
        assert repository.mentioning(commits[0], "in 0", ["f1", "f2"]) == ("f1", "f2")
        assert packs(tmp_path / "cache") == (count := count + 1)
        assert [repository.read(commits[1], f"f{n}") for n in range(5)] == [f"{n} in 1".encode() for n in range(5)]
        assert packs(tmp_path / "cache") == (count := count + 1)
        repository.export(commits[2], tmp_path / "out")
        assert (tmp_path / "out/f4").read_text() == "4 in 2"
        assert packs(tmp_path / "cache") == count + 1
