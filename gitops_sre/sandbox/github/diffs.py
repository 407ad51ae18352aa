"""Differences between two commits of a bare repository, file by file, as GitHub shows them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitops_sre.sandbox.github.gitrepo import GitRepo

_STATUS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied", "T": "changed"}
_FLAGS = ("-M", "--no-ext-diff", "--no-textconv", "--no-color")


@dataclass(frozen=True)
class FileDiff:
    """One changed file. `sha` is the blob after the change (a removal: before); `patch` is empty for binaries."""

    status: str
    path: str
    previous: str
    sha: str
    additions: int
    deletions: int
    patch: str


def text(repo: GitRepo, old: str, new: str) -> str:
    """The unified diff between two trees."""
    return repo.fact("diff", *_FLAGS, old, new, "--").decode("utf-8", "replace")


def files(repo: GitRepo, old: str, new: str) -> tuple[FileDiff, ...]:
    """Changed files between two trees, with their hunks."""
    raw = repo.fact("diff", *_FLAGS, "--raw", "--no-abbrev", "-z", old, new, "--").decode("utf-8", "replace")
    numbers = _numbers(repo, old, new)
    patches = _patches(text(repo, old, new)) if raw else []
    changes = _raw(raw)
    return tuple(
        FileDiff(status, path, previous, sha, *numbers[path], patch=patch)
        for (status, path, previous, sha), patch in zip(changes, patches, strict=True)
    )


def totals(repo: GitRepo, old: str, new: str) -> tuple[int, int, int]:
    """Changed files, added lines and deleted lines between two trees."""
    numbers = _numbers(repo, old, new).values()
    return len(numbers), sum(added for added, _ in numbers), sum(deleted for _, deleted in numbers)


def _raw(out: str) -> list[tuple[str, str, str, str]]:
    """(status, path, previous path, blob) of each record `:modes shas status NUL path [NUL path]`."""
    changes = []
    tokens = iter(out.split("\0"))
    for head in tokens:
        if not head:
            continue
        _, _, old_sha, new_sha, code = head.split(" ")
        path, previous = next(tokens), ""
        if code[0] in "RC":
            previous, path = path, next(tokens)
        changes.append((_STATUS.get(code[0], "changed"), path, previous, old_sha if code[0] == "D" else new_sha))
    return changes


def _numbers(repo: GitRepo, old: str, new: str) -> dict[str, tuple[int, int]]:
    out = repo.fact("diff", *_FLAGS, "--numstat", "-z", old, new, "--").decode("utf-8", "replace")
    numbers = {}
    tokens = iter(out.split("\0"))
    for head in tokens:
        if not head:
            continue
        added, deleted, path = head.split("\t", 2)
        if not path:  # a rename: old and new name follow as records of their own
            next(tokens)
            path = next(tokens)
        numbers[path] = (0, 0) if added == "-" else (int(added), int(deleted))
    return numbers


def _patches(diff: str) -> list[str]:
    """Hunks of each file: within a hunk no line starts with `diff --git`, so the split is exact."""
    sections = re.split(r"^diff --git ", diff, flags=re.MULTILINE)[1:]
    hunks = (re.search(r"^@@ ", section, flags=re.MULTILINE) for section in sections)
    return [section[m.start() :].removesuffix("\n") if m else "" for section, m in zip(sections, hunks, strict=True)]
