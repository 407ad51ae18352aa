"""A bare git repository by plumbing: argv only, an allow-listed environment, no work tree and no user configuration.

Needs git >= 2.38 (`git merge-tree --write-tree`).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
ZERO = "0" * 40
_LOG_FORMAT = "%x00".join(("%H", "%T", "%P", "%an", "%ae", "%at", "%cn", "%ce", "%ct", "%B"))
_LOG_FIELDS = 10
_KEPT_FACTS = 4096


class GitError(Exception):
    """A git command failed: its command and standard error."""


@dataclass(frozen=True)
class Signature:
    """Who and when; git keeps whole seconds."""

    name: str
    email: str
    when: datetime


@dataclass(frozen=True)
class GitCommit:
    """One commit object."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


@dataclass(frozen=True)
class TreeEntry:
    """One entry of a tree; `size` in bytes for blobs."""

    mode: str
    kind: str
    sha: str
    size: int | None
    path: str


def environment(home: Path) -> dict[str, str]:
    """The only variables a git child process gets: nothing of the caller's configuration or credentials."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }


class GitRepo:
    """One bare repository."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._facts: dict[tuple[str, ...], bytes] = {}

    @classmethod
    def create(cls, path: Path) -> GitRepo:
        """Make an empty bare repository that serves partial clones and takes pushes over HTTP."""
        path.mkdir(parents=True)
        repo = cls(path)
        repo.run("init", "--quiet", "--bare", "--initial-branch=main", "--template=", "--", str(path))
        options = {
            "uploadpack.allowFilter": "true",
            "uploadpack.allowAnySHA1InWant": "true",
            "http.receivepack": "true",
            "core.logAllRefUpdates": "false",
            "gc.auto": "0",
            "receive.autogc": "false",
        }
        with (path / "config").open("a", encoding="utf-8") as config:
            for key, value in options.items():
                section, _, name = key.partition(".")
                config.write(f"[{section}]\n\t{name} = {value}\n")
        return repo

    def run(
        self, *args: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, accept: Sequence[int] = (0,)
    ) -> bytes:
        """Run one git command in the repository; its standard output. Raises `GitError` on another exit status."""
        done = subprocess.run(
            ["git", *args],
            cwd=self.path,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=60,
            env={**environment(self.path), "GIT_DIR": str(self.path), **(env or {})},
        )
        if done.returncode not in accept:
            raise GitError(f"git {' '.join(args)} -> {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def fact(self, *args: str, accept: Sequence[int] = (0,)) -> bytes:
        """As `run`; an answer about objects named by full id only never changes, so it is kept.

        Nothing is no such answer: an object that is missing may come yet.
        """
        named = args[1 : args.index("--") if "--" in args else None]
        if not all(is_sha(word.removeprefix("^")) for word in named if not word.startswith("-") and word != "blob"):
            return self.run(*args, accept=accept)
        if found := self._facts.get(args):
            return found
        if len(self._facts) >= _KEPT_FACTS:
            self._facts.clear()
        if out := self.run(*args, accept=accept):
            self._facts[args] = out
        return out

    # refs

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """Names and object ids of all refs that start with `prefix`, sorted by name."""
        lines = self.run("for-each-ref", "--format=%(refname) %(objectname)").decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines)
        return {name: sha for name, sha in pairs if name.startswith(prefix)}

    def ref(self, name: str) -> str | None:
        """Object id of one full ref name."""
        return (
            self.run("rev-parse", "--verify", "--quiet", "--end-of-options", name, accept=(0, 1)).decode().strip()
            or None
        )

    def resolve(self, revision: str) -> str | None:
        """The commit a branch, tag, full ref or SHA names; branches come before everything else."""
        for candidate in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            out = self.run(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{candidate}^{{commit}}", accept=(0, 1, 128)
            )
            if out.strip():
                return out.decode().strip()
        return None

    def valid_ref(self, name: str) -> bool:
        """Whether a full ref name is well-formed."""
        return not name.startswith("-") and self._exit("check-ref-format", name) == 0

    def update_ref(self, name: str, new: str, old: str) -> bool:
        """Compare-and-swap a ref (`old` = ZERO: must not exist; `new` = ZERO: delete); False when it had moved."""
        return self._exit("update-ref", "--no-deref", "--", name, new, old) == 0

    def _exit(self, *args: str) -> int:
        try:
            self.run(*args)
        except GitError:
            return 1
        return 0

    # objects

    def kind(self, sha: str) -> str | None:
        """Type of an object (commit, tree, blob, tag), None when it is not there."""
        if not is_sha(sha):
            return None
        return self.run("cat-file", "-t", sha, accept=(0, 1, 128)).decode().strip() or None

    def blob(self, sha: str) -> bytes:
        """A blob's bytes."""
        return self.fact("cat-file", "blob", sha)

    def commit(self, sha: str) -> GitCommit:
        """One commit by its id."""
        return self.commits([sha])[0]

    def commits(self, shas: Sequence[str]) -> tuple[GitCommit, ...]:
        """Commits by id, in the order given."""
        if not shas:
            return ()
        out = self.fact("log", "-z", "--no-walk=unsorted", f"--format={_LOG_FORMAT}", *shas, "--")
        fields = out.decode("utf-8", "replace").split("\0")
        starts = range(0, len(fields) - _LOG_FIELDS + 1, _LOG_FIELDS)
        found = {commit.sha: commit for commit in (_commit(fields[i : i + _LOG_FIELDS]) for i in starts)}
        return tuple(found[sha] for sha in shas)  # git names a commit once, however often it is asked for

    def rev_list(
        self, include: str, *, exclude: str = "", path: str = "", since: str = "", until: str = ""
    ) -> tuple[str, ...]:
        """Commit ids reachable from `include`, newest first, optionally limited to a path or a time."""
        limits = [f"--since={since}"] * bool(since) + [f"--until={until}"] * bool(until)
        revisions = [include, *([f"^{exclude}"] if exclude else [])]
        tail = ["--", path] if path else ["--"]
        return tuple(self.fact("rev-list", *limits, *revisions, *tail).decode().split())

    def tree(self, treeish: str, *, recursive: bool = False, path: str = "") -> tuple[TreeEntry, ...]:
        """Entries of a tree, or of the folder/file at `path` in it (a trailing slash lists inside a folder)."""
        options = ["-r", "-t"] if recursive else []
        out = self.run("ls-tree", "-z", "--long", "--full-tree", *options, treeish, "--", *([path] if path else []))
        return tuple(_tree_entry(record) for record in out.decode("utf-8", "replace").split("\0") if record)

    def entry(self, treeish: str, path: str) -> TreeEntry | None:
        """The tree entry at exactly this path."""
        return next((e for e in self.tree(treeish, path=path.rstrip("/")) if e.path == path.rstrip("/")), None)

    def write_blob(self, data: bytes) -> str:
        """Store a blob; its id."""
        return self.run("hash-object", "-w", "--stdin", stdin=data).decode().strip()

    def write_tree(self, base: str | None, entries: Iterable[tuple[str, str, str | None]]) -> str:
        """A tree from (mode, path, sha or None to delete) over a base tree; its id."""
        index = {"GIT_INDEX_FILE": str(self.path / "sandbox-index")}
        lines = [f"{mode if sha else '0'} {sha or ZERO}\t{path}" for mode, path, sha in entries]
        try:
            self.run("read-tree", base or "--empty", env=index)
            self.run(
                "update-index", "-z", "--index-info", stdin="".join(f"{line}\0" for line in lines).encode(), env=index
            )
            return self.run("write-tree", env=index).decode().strip()
        finally:
            (self.path / "sandbox-index").unlink(missing_ok=True)

    def write_commit(
        self, tree: str, parents: Sequence[str], message: str, author: Signature, committer: Signature
    ) -> str:
        """Store a commit; its id."""
        env = {**_identity("AUTHOR", author), **_identity("COMMITTER", committer)}
        flags = [flag for parent in parents for flag in ("-p", parent)]
        return self.run("commit-tree", tree, *flags, stdin=message.encode(), env=env).decode().strip()

    def commit_files(
        self,
        branch: str,
        parent: str | None,
        files: Mapping[str, bytes | None],
        message: str,
        author: Signature,
        committer: Signature,
    ) -> str:
        """One commit on top of `parent`, written straight to a branch by one `git fast-import`.

        None deletes a path. The mode of a file that exists is kept, as GitHub does. Raises `GitError` when the branch
        is not at `parent`.
        """
        modes = {e.path: e.mode for e in self.tree(parent, recursive=True)} if parent else {}
        ref = f"refs/heads/{branch}"
        parts = [f"commit {ref}\nmark :1\n".encode()]
        parts.append(_person("author", author) + _person("committer", committer) + _data(message.encode()))
        if parent:
            parts.append(f"from {parent}\n".encode())
        for path, content in sorted(files.items()):
            if content is None:
                parts.append(b"D " + _quoted(path) + b"\n")
            else:
                mode = modes.get(path, "100644")
                parts.append(f"M {mode} inline ".encode() + _quoted(path) + b"\n" + _data(content))
        parts.append(b"get-mark :1\ndone\n")
        return self.run("fast-import", "--quiet", "--done", stdin=b"".join(parts)).decode().strip()

    # ancestry and merging

    def merge_base(self, one: str, other: str) -> str | None:
        """Best common ancestor, None when there is none (or one of the two is no commit here)."""
        return self.fact("merge-base", one, other, accept=(0, 1, 128)).decode().strip() or None

    def contains(self, descendant: str, ancestor: str) -> bool:
        """Whether `ancestor` is `descendant` or one of its ancestors."""
        return self.merge_base(descendant, ancestor) == ancestor

    def merge_tree(self, ours: str, theirs: str) -> str | None:
        """The tree of a clean merge of two commits, None on a conflict."""
        out = self.fact("merge-tree", "--write-tree", "--no-messages", ours, theirs, accept=(0, 1)).decode()
        lines = out.split("\n")
        return lines[0] if lines[1:] in ([], [""]) else None


def safe_path(path: str) -> bool:
    """Whether a path may stand in a tree: relative, no empty, `.`, `..` or `.git` part, no NUL."""
    return "\0" not in path and not any(part.lower() in ("", ".", "..", ".git") for part in path.split("/"))


def is_sha(text: str) -> bool:
    """Whether a text is a full object id."""
    return len(text) == 40 and all(c in "0123456789abcdef" for c in text)


def _commit(fields: Sequence[str]) -> GitCommit:
    sha, tree, parents, an, ae, at, cn, ce, ct, message = fields
    return GitCommit(
        sha=sha.strip(),
        tree=tree,
        parents=tuple(parents.split()),
        author=Signature(an, ae, datetime.fromtimestamp(int(at), UTC)),
        committer=Signature(cn, ce, datetime.fromtimestamp(int(ct), UTC)),
        message=message.rstrip("\n"),
    )


def _tree_entry(record: str) -> TreeEntry:
    head, _, path = record.partition("\t")
    mode, kind, sha, size = head.split()
    return TreeEntry(mode, kind, sha, None if size == "-" else int(size), path)


def _identity(role: str, who: Signature) -> dict[str, str]:
    return {
        f"GIT_{role}_NAME": who.name,
        f"GIT_{role}_EMAIL": who.email,
        f"GIT_{role}_DATE": f"{int(who.when.timestamp())} +0000",
    }


def _person(role: str, who: Signature) -> bytes:
    return f"{role} {who.name} <{who.email}> {int(who.when.timestamp())} +0000\n".encode()


def _data(content: bytes) -> bytes:
    return f"data {len(content)}\n".encode() + content + b"\n"


def _quoted(path: str) -> bytes:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'.encode()
