"""Searches and listings: a second answer costs what changed, and is the same as a first one."""

from __future__ import annotations

import random
import threading
from contextlib import closing

import pytest

from gitops_sre.adapters.git import LocalRepository
from tests.adapters.git.repositories import Remote

WORDS = ("web", "api:1", "ünï", "a\nb", "$(id)", "-x", "\udcff")


def test_texts_are_texts_and_no_patterns(made: Remote, repository: LocalRepository) -> None:
    head = made.commit({"a": "x.y [z] -e", "b": "xay", "c": "two\nlines here", "d": "two", "e": "", "sub/f": "X.Y"})
    assert repository.mentioning(head, "x.y") == ("a",)
    assert repository.mentioning(head, "[z]") == ("a",)
    assert repository.mentioning(head, "-e") == ("a",)
    assert repository.mentioning(head, "two\nlines") == ("c",)
    assert repository.mentioning(head, "two\n") == ("c",)
    assert repository.mentioning(head, "nowhere") == ()
    assert repository.mentioning(head, "X.Y", ["sub"]) == ("sub/f",)
    assert repository.mentioning(head, "X.Y", ["su"]) == ()
    assert repository.mentioning(head, "x", ["a/", "b"]) == ("a", "b")


def test_binary_files_count_and_links_do_not(made: Remote, repository: LocalRepository) -> None:
    (made.work / "link").symlink_to("needle")
    (made.work / "binary").write_bytes(b"\0\1needle\xff\0")
    head = made.commit({"text": "needle"})
    assert repository.mentioning(head, "needle") == ("binary", "text")
    assert repository.mentioning(head, "needle\udcff\0") == ("binary",)


def test_what_is_asked_again_is_what_is_asked_anew(made: Remote, repository: LocalRepository) -> None:
    chance = random.Random(3)
    commits = []
    there: set[str] = set()
    for _ in range(12):
        edits: dict[str, str | None] = {}
        for name in chance.sample([f"{folder}f{n}" for folder in ("", "d/", "d/e/") for n in range(4)], 4):
            edits[name] = None if name in there and chance.random() < 0.4 else "\n".join(chance.sample(WORDS[:6], 2))
        there = {name for name in there | set(edits) if edits.get(name, "") is not None}
        commits.append(made.commit(edits))
    for commit in [*commits, *chance.sample(commits, len(commits))]:
        with closing(LocalRepository(made.bare)) as fresh:
            assert repository.files(commit) == fresh.files(commit)
            assert repository.files(commit, "d/e") == fresh.files(commit, "d/e")
            for word in WORDS:
                assert repository.mentioning(commit, word) == fresh.mentioning(commit, word), word
                assert repository.mentioning(commit, word, ["d"]) == fresh.mentioning(commit, word, ["d"]), word


def test_a_second_question_starts_no_process_even_after_a_commit(
    made: Remote, repository: LocalRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = made.commit({f"d{n % 7}/f{n}": f"needle {n}" for n in range(60)})
    assert len(repository.mentioning(one, "needle")) == 60
    assert len(repository.files(one)) == 60
    two = made.commit({"d1/f1": "nothing", "d9/new": "needle", "d2/f2": None})
    (made.bare / "HEAD").unlink()  # any git that starts now would fail
    monkeypatch.setenv("PATH", "/nowhere")
    assert len(repository.mentioning(one, "needle")) == 60
    found = repository.mentioning(two, "needle")
    assert len(found) == 59
    assert "d9/new" in found
    assert "d1/f1" not in found
    assert len(repository.files(two)) == 60
    assert repository.read(two, "d9/new") == b"needle"
    assert [each.after_path for each in repository.changed(one)] == sorted(repository.files(one))


def test_threads_share_one_repository(made: Remote, repository: LocalRepository) -> None:
    commits = [made.commit({f"f{n}": f"needle {number} {n}" for n in range(9)}) for number in range(4)]
    wrong: list[object] = []

    def work(start: int) -> None:
        for step in range(12):
            number = (start + step) % 4
            if repository.read(commits[number], "f3") != f"needle {number} 3".encode():
                wrong.append(("read", number))
            if len(repository.mentioning(commits[number], f"needle {number}")) != 9:
                wrong.append(("mentioning", number))

    threads = [threading.Thread(target=work, args=(start,)) for start in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
