"""What commits did: git's raw log as nouns, and files followed under the names that they had before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gitops_sre.model.change_feed import Commit, FileChange, Revision
from gitops_sre.redact import redact

FORMAT = "%x00%x00%H%x00%P%x00%ct%x00%an%x00%s%x00"
OPTIONS = (
    "-z", f"--format={FORMAT}", "--raw", "--no-abbrev", "--no-renames", "--full-diff", "--no-ext-diff",
    "--no-textconv", "--no-mailmap", "--no-decorate", "--no-show-signature", "--encoding=UTF-8",
)  # fmt: skip
"""Of `git log`: every commit with everything that it changed, whatever a configuration says."""


@dataclass(frozen=True)
class Logged:
    """A commit with all that it changed against its first parent, renames not yet found."""

    commit: Commit
    changes: tuple[FileChange, ...]

    def having(self, changes: tuple[FileChange, ...]) -> Logged:
        """The same commit with other changes."""
        files = tuple(sorted({change.after_path or change.before_path for change in changes}))
        return Logged(replace(self.commit, files=files), changes)


def logged(output: bytes) -> Iterator[Logged]:
    """Parse what `git log` says with OPTIONS."""
    fields = output.decode("utf-8", "surrogateescape").split("\0")
    at = 0
    while at + 7 < len(fields):
        sha, parents, time, author, subject = fields[at + 2 : at + 7]
        at += 8
        end = at
        while end < len(fields) and fields[end].lstrip("\n").startswith(":"):
            end += 2
        changes = tuple(raw_changes(fields[at:end]))
        moment = datetime.fromtimestamp(int(time), UTC)
        yield Logged(Commit(sha, moment, redact(author), redact(subject), (), tuple(parents.split())), ()).having(
            changes
        )
        at = end


def raw_changes(fields: Sequence[str]) -> Iterator[FileChange]:
    """Parse raw diff lines: `:mode mode id id status`, then one path, or two for a rename."""
    rest = iter(fields)
    for line in rest:
        if not line:
            continue
        modes = line.lstrip("\n:").split(" ")
        before_mode, after_mode, before, after, status = modes
        path = next(rest)
        other = next(rest) if status[0] in "RC" else path
        yield change(path, other, (before_mode, before), (after_mode, after))


def change(before_path: str, after_path: str, before: tuple[str, str], after: tuple[str, str]) -> FileChange:
    """One change from modes and ids; an id of zeros, or an empty one, means that nothing is there."""
    was, is_ = (bool(oid.strip("0")) for _, oid in (before, after))
    regular = [mode.startswith("100") for (mode, _), there in ((before, was), (after, is_)) if there]
    plain = all(regular) and (not (was and is_) or before[0] == after[0])
    return FileChange(
        before_path if was else "",
        after_path if is_ else "",
        before[1] if was else "",
        after[1] if is_ else "",
        plain,
    )


def merged(segments: Iterable[Sequence[Revision]]) -> Iterator[Revision]:
    """Several stretches of history as one, newest first; what they say about the same commit is put together."""
    together: dict[str, tuple[datetime, Revision]] = {}
    for segment in segments:
        at = datetime.max.replace(tzinfo=UTC)
        for each in segment:
            at = min(at, each.commit.at)  # a clock that went wrong does not change a stretch's own order
            before = together.get(each.commit.sha)
            changes = dict.fromkeys((*(before[1].changes if before else ()), *each.changes))
            together[each.commit.sha] = (before[0] if before else at, Revision(each.commit, tuple(changes)))
    yield from (each for _, each in sorted(together.values(), key=lambda pair: pair[0], reverse=True))


def touching(changes: Iterable[FileChange], paths: Sequence[str]) -> tuple[FileChange, ...]:
    """The changes to any of some paths (files, or folders with what is below; none: all)."""
    return tuple(each for each in changes if below(each.before_path, paths) or below(each.after_path, paths))


def below(path: str, paths: Sequence[str]) -> bool:
    """Whether a path is one of some paths or below one of them; with no paths every path is."""
    return bool(path) and (not paths or any(not part or path == part or path.startswith(f"{part}/") for part in paths))
