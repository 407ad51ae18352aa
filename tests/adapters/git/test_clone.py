"""The infra repository through git: real bare repositories, hostile names, damage and missing credentials."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gitops_sre.adapters.git import GitRepository, RepositoryError
from gitops_sre.model.outcome import Unavailable
from tests.adapters.git.repositories import ENV, Remote
from tests.receivers import web


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path)


@pytest.fixture
def repository(remote: Remote, tmp_path: Path) -> Iterator[GitRepository]:
    opened = GitRepository(remote.url, "main", tmp_path / "cache", timeout=20)
    yield opened
    opened.close()


def test_head_follows_the_branch_and_reads_exact_bytes(remote: Remote, repository: GitRepository) -> None:
    one = remote.commit({"a/b.yaml": "x: 1\r\ny: é"})
    assert repository.head() == one
    two = remote.commit({"a/b.yaml": "x: 2\n", "c.txt": ""})
    assert repository.head() == two
    assert repository.read(one, "a/b.yaml") == "x: 1\r\ny: é".encode()
    assert repository.read(two, "a/b.yaml") == b"x: 2\n"
    assert repository.read(two, "c.txt") == b""
    assert repository.read(two, "nothing") is None
    assert repository.read(two, "a") is None
    assert repository.files(two) == ("a/b.yaml", "c.txt")
    assert repository.files(two, "a/") == ("a/b.yaml",)
    assert repository.files(one, "a/b") == ()


@pytest.mark.parametrize("partial", [True, False])
def test_a_server_without_filters_works_too(tmp_path: Path, partial: bool) -> None:
    remote = Remote(tmp_path, partial=partial)
    old = remote.commit({"f": "old"})
    remote.commit({"f": "new"})
    repository = GitRepository(remote.url, "main", tmp_path / "cache")
    head = repository.head()
    assert isinstance(head, str)
    assert repository.read(head, "f") == b"new"
    assert repository.read(old, "f") == b"old"
    repository.close()


def test_a_partial_clone_reads_its_head_and_its_log_without_the_remote(
    remote: Remote, repository: GitRepository
) -> None:
    old = remote.commit({"f": "old"})
    middle = remote.commit({"f": "middle"})
    head = remote.commit({"f": "new"})
    assert repository.head() == head
    assert not has_blob(repository, f"{old}:f")
    repository.log(head, limit=1)
    remote.bare.rename(remote.bare.with_name("gone.git"))
    assert repository.read(head, "f") == b"new"
    assert repository.read(middle, "f") == b"middle"
    with pytest.raises(RepositoryError, match="fetch"):
        repository.read(old, "f")
    assert isinstance(repository.head(), Unavailable)


def has_blob(repository: GitRepository, name: str) -> bool:
    folder = next(Path(repository._folder).parent.glob("*.git"))
    command = ["git", "--git-dir", str(folder), "rev-list", "--objects", "--missing=print", "--all"]
    missing = subprocess.run(command, env=ENV, check=True, capture_output=True, text=True).stdout
    ids = subprocess.run(
        ["git", "--git-dir", str(folder), "rev-parse", name], env=ENV, check=True, capture_output=True, text=True
    ).stdout.strip()
    return f"?{ids}" not in missing


@pytest.mark.parametrize("name", ["-x", "a;b$(id)", "new\nline", "tab\there", "*", ":(glob)**", "ünï", "\u202ertl"])
def test_hostile_file_names_are_only_names(
    remote: Remote, repository: GitRepository, name: str, tmp_path: Path
) -> None:
    remote.commit({"other": "no"})
    head = remote.commit({f"d/{name}": "yes", name: "top"}, subject=f"-x; {name!r}")
    assert repository.head() == head
    assert repository.read(head, name) == b"top"
    assert repository.files(head, "d") == (f"d/{name}",)
    assert [found.sha for found in repository.log(head, paths=[name])] == [head]
    assert set(repository.log(head)[0].files) == {name, f"d/{name}"}
    repository.export(head, tmp_path / "out", [name])
    assert (tmp_path / "out" / name).read_bytes() == b"top"
    assert not (tmp_path / "out" / "other").exists()


def test_symlinks_and_submodules_are_never_followed(remote: Remote, repository: GitRepository, tmp_path: Path) -> None:
    (remote.work / "link").symlink_to("/etc/passwd")
    (remote.work / "dir").symlink_to("real")
    sha = remote.commit({"real/f": "x", ".gitmodules": '[submodule "s"]\n path = s\n url = file:///etc\n'})
    remote.git("update-index", "--add", "--cacheinfo", f"160000,{sha},s")
    head = remote.commit({"real/g": "y"})
    remote.git("update-index", "--add", "--cacheinfo", f"160000,{sha},s")
    remote.git("commit", "-q", "-m", "submodule")
    remote.git("push", "-q", str(remote.bare), "HEAD:main")
    head = remote.git("rev-parse", "HEAD")
    assert repository.head() == head
    for path in ("link", "dir", "dir/f", "s", "s/f", "real/../real/f", "/real/f"):
        assert repository.read(head, path) is None, path
    assert repository.files(head) == (".gitmodules", "real/f", "real/g")
    repository.export(head, tmp_path / "out")
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()) == [
        ".gitmodules", "real/f", "real/g",
    ]  # fmt: skip


def test_log_tells_who_changed_what_when_newest_first(remote: Remote, repository: GitRepository) -> None:
    one = remote.commit({"a": "1", "b": "1"}, "first")
    two = remote.commit({"a": "2"}, "second: with\ttab")
    empty = remote.commit({}, "nothing")
    remote.git("checkout", "-q", "-b", "side", two)
    side = remote.commit({"c": "1"}, "side")
    remote.git("checkout", "-q", "--detach", empty)
    remote.git("merge", "-q", "--no-ff", "-m", "merge side", side)
    merge = remote.git("rev-parse", "HEAD")
    remote.git("push", "-q", "-f", str(remote.bare), "HEAD:main")
    assert repository.head() == merge
    log = repository.log(merge)
    assert [(c.sha, c.subject, c.files, c.parents) for c in log] == [
        (merge, "merge side", ("c",), (empty, side)),
        (empty, "nothing", (), (two,)),
        (two, "second: with\ttab", ("a",), (one,)),
        (one, "first", ("a", "b"), ()),
    ]  # fmt: skip
    assert {(c.author, c.at.tzinfo) for c in log} == {("Ann", UTC)}
    assert log[3].at == datetime(2026, 3, 1, 0, 1, tzinfo=UTC)
    assert [c.sha for c in repository.log(merge, since=datetime(2026, 3, 1, 0, 2, tzinfo=UTC))] == [merge, empty, two]
    assert [c.sha for c in repository.log(merge, paths=["b"])] == [one]
    assert repository.log(merge, paths=["b"])[0].files == ("a", "b")
    assert len(repository.log(merge, limit=2)) == 2


def test_contains_follows_every_parent_and_says_when_it_cannot_know(remote: Remote, repository: GitRepository) -> None:
    one = remote.commit({"a": "1"})
    two = remote.commit({"a": "2"})
    assert isinstance(repository.contains(two, one), Unavailable)
    repository.head()
    assert repository.contains(two, one) is True
    assert repository.contains(one, one) is True
    assert repository.contains(one, two) is False
    for strange in ("main", "--help", "HEAD", two[:12], "0" * 40, "a\nb"):
        assert isinstance(repository.contains(strange, one), Unavailable), strange


def test_rewritten_history_is_followed(remote: Remote, repository: GitRepository) -> None:
    remote.commit({"a": "1"})
    repository.head()
    remote.git("checkout", "-q", "--orphan", "fresh")
    remote.git("commit", "-q", "-m", "again")
    remote.git("push", "-q", "-f", str(remote.bare), "HEAD:main")
    assert repository.head() == remote.git("rev-parse", "HEAD")


@pytest.mark.parametrize("damage", ["objects", "HEAD", "refs", "config"])
def test_a_damaged_cache_is_cloned_again(remote: Remote, tmp_path: Path, damage: str) -> None:
    head = remote.commit({"a": "1", "b": "2"})
    first = GitRepository(remote.url, "main", tmp_path / "cache")
    assert first.head() == head
    first.close()
    folder = next((tmp_path / "cache").glob("*.git"))
    if damage == "objects":
        for pack in folder.glob("objects/pack/*"):
            pack.chmod(0o600)
            pack.write_bytes(b"garbage")
    elif damage == "refs":
        (folder / "refs/heads/main").write_text("garbage")
    else:
        (folder / damage).write_bytes(b"\0garbage")
    again = GitRepository(remote.url, "main", tmp_path / "cache")
    assert again.head() == head
    assert again.read(head, "b") == b"2"
    again.close()


def test_hooks_and_filters_of_the_remote_and_of_the_user_do_not_run(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "ran"
    home = tmp_path / "home"
    hooks = home / "hooks"
    hooks.mkdir(parents=True)
    for hook in ("reference-transaction", "post-checkout", "fsmonitor"):
        (hooks / hook).write_text(f"#!/bin/sh\necho {hook} >> {mark}\n")
        (hooks / hook).chmod(0o755)
    (home / ".gitconfig").write_text(
        f'[core]\n hooksPath = {hooks}\n[filter "f"]\n smudge = touch {mark}\n[url "file:///nowhere"]\n insteadOf = file://\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'core.hooksPath={hooks}'")
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    head = remote.commit({".gitattributes": "* filter=f\n", "a": "$Id$"})
    repository = GitRepository(remote.url, "main", tmp_path / "cache")
    assert repository.head() == head
    repository.export(head, tmp_path / "out")
    assert (tmp_path / "out/a").read_bytes() == b"$Id$"
    assert not mark.exists()
    assert not (tmp_path / "trace").exists()
    repository.close()


class Server(ThreadingHTTPServer):
    """Answers every request with one status and remembers the credentials that came with it."""

    def __init__(self, status: int, location: str = "") -> None:
        self.seen: list[str | None] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append(self.headers.get("Authorization"))
                self.send_response(status)
                self.send_header("Location", location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


@pytest.mark.parametrize("status", [401, 302, 500])
def test_the_token_goes_to_the_remote_and_nowhere_else(tmp_path: Path, status: int) -> None:
    with Server(200) as elsewhere, Server(status, elsewhere.url) as server:
        repository = GitRepository(
            f"{server.url}o/r.git", "main", tmp_path / "cache", lambda: "canary-token", timeout=10
        )
        answer = repository.head()
        for each in (server, elsewhere):
            each.shutdown()
    assert isinstance(answer, Unavailable)
    assert "canary" not in answer.reason
    assert server.seen[0] == "Basic eC1hY2Nlc3MtdG9rZW46Y2FuYXJ5LXRva2Vu"
    assert "eC1hY2Nlc3M" not in answer.reason
    assert elsewhere.seen == []
    for path in (tmp_path / "cache").rglob("*"):
        assert path.is_dir() or b"canary" not in path.read_bytes()


def test_a_silent_remote_is_given_up_on(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as silent:  # never answers
        url = f"http://127.0.0.1:{silent.server_port}/o/r.git"
        answer = GitRepository(url, "main", tmp_path / "cache", timeout=1).head()
    assert isinstance(answer, Unavailable)
    assert "took more than 1 s" in answer.reason


@pytest.mark.parametrize(
    "url", ["ext::sh -c id", "-u", "http://u:secret@host/x", "https://token@host/x", "ftp://host/x", "ssh://-oX/x", ""]
)
def test_urls_that_git_must_not_see_are_refused_without_showing_secrets(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="URL must") as refused:
        GitRepository(url, "main", tmp_path)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("branch", ["-x", "a..b", "a;b", "a\nb", "", "a b", "/a/", "@{-1}", "x.lock"])
def test_names_that_are_no_branch_are_refused(branch: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a branch name"):
        GitRepository("https://example.com/o/r", branch, tmp_path)


def test_a_missing_branch_or_repository_is_unavailable(remote: Remote, tmp_path: Path) -> None:
    remote.commit({"a": "1"})
    for url, branch in ((remote.url, "nope"), (f"file://{tmp_path}/nowhere", "main")):
        answer = GitRepository(url, branch, tmp_path / "cache").head()
        assert isinstance(answer, Unavailable)


def test_a_missing_git_is_named(remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(tools))
    answer = GitRepository(remote.url, "main", tmp_path / "cache").head()
    assert isinstance(answer, Unavailable)
    assert "git is not on PATH" in answer.reason


def test_two_processes_and_many_threads_share_one_cache(remote: Remote, tmp_path: Path) -> None:
    head = remote.commit({f"f{n}": str(n) for n in range(20)})
    repositories = [GitRepository(remote.url, "main", tmp_path / "cache") for _ in range(3)]
    answers: list[object] = []

    def work(repository: GitRepository) -> None:
        answers.append(repository.head())
        answers.append(repository.read(head, "f7"))

    threads = [threading.Thread(target=work, args=(repository,)) for repository in repositories * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(head) == 6
    assert answers.count(b"7") == 6
    for repository in repositories:
        repository.close()


def test_export_wants_an_empty_folder(remote: Remote, repository: GitRepository, tmp_path: Path) -> None:
    head = remote.commit({"a/x": "1", "ab/y": "2"})
    repository.head()
    repository.export(head, tmp_path / "out", ["a"])
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a"]
    with pytest.raises(FileExistsError, match="new folder"):
        repository.export(head, tmp_path / "out")


def test_a_tree_whose_paths_lead_outside_is_not_written(
    remote: Remote, repository: GitRepository, tmp_path: Path
) -> None:
    remote.commit({"ok": "x"})
    blob = remote.git("hash-object", "-w", "ok")
    inner = subprocess.run(
        ["git", "mktree"], input=f"100644 blob {blob}\tevil\n", cwd=remote.work, env=ENV, check=True,
        capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    for name in ("..", ".git", ".GIT"):
        tree = subprocess.run(
            ["git", "mktree"], input=f"040000 tree {inner}\t{name}\n", cwd=remote.work, env=ENV, check=True,
            capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        head = remote.git("commit-tree", "-m", "evil", tree)
        remote.git("push", "-q", "-f", str(remote.bare), f"{head}:refs/heads/main")
        assert repository.head() == head
        with pytest.raises(RepositoryError, match="leads outside"):
            repository.export(head, tmp_path / f"out{name}" / "tree")
        assert list(tmp_path.rglob("evil")) == []


def test_reading_goes_on_when_its_process_is_killed(remote: Remote, repository: GitRepository) -> None:
    head = remote.commit({f"f{n}": f"{n}" * 9 for n in range(4)})
    assert repository.head() == head
    assert repository.read(head, "f1") == b"1" * 9
    reader = repository._objects._batch._process
    assert reader is not None
    assert reader.proc is not None
    reader.proc.kill()
    assert repository.read(head, "f2") == b"2" * 9
    assert repository.read(head, "f3") == b"3" * 9


def test_credentials_that_cannot_be_had_are_a_reason(tmp_path: Path) -> None:
    def none() -> str:
        raise ConnectionError("the forge gives no token")

    answer = GitRepository("https://127.0.0.1:9/o/r.git", "main", tmp_path / "cache", none).head()
    assert isinstance(answer, Unavailable)
    assert "the forge gives no token" in answer.reason


def test_a_redirect_to_another_host_is_not_followed_and_gets_no_token(tmp_path: Path) -> None:
    with web() as elsewhere, web() as there:
        there.status, there.location = 302, f"{elsewhere.url}/acme/infra.git/info/refs?service=git-upload-pack"
        repository = GitRepository(f"{there.url}/acme/infra.git", "main", tmp_path, lambda: "ghs_only_for_there")
        assert isinstance(repository.head(), Unavailable)
        repository.close()
    assert there.got
    assert elsewhere.got == []
