"""Patterns that the repository brings, matched in bounded time.

The controllers' engines never backtrack; Python's does."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

_LONGEST = 500
_REPEATED_GROUP = re.compile(r"\)(?:[*+]|\{\d*,)")
_OPEN_ENDED = re.compile(r"(?<!\\)(?:[*+]|\{\d*,\d*\})")
_OPEN_ENDS = 4
"""Repetitions in one pattern; with more, a text of 128 characters could take minutes."""
_GO_GROUP = re.compile(r"\(\?P?<(?![=!])")


def search(pattern: str, text: str) -> re.Match[str] | None:
    """The match of a Go or JavaScript pattern.

    Raises ValueError for one that is no Python pattern or may take too long: a repeated group, many repetitions, or an
    overlong one."""
    costly = _REPEATED_GROUP.search(pattern) or len(_OPEN_ENDED.findall(pattern)) > _OPEN_ENDS
    if costly or max(len(pattern), len(text)) > _LONGEST:
        raise ValueError(f"{pattern[:80]!r} may take too long to match")
    try:
        return re.search(_GO_GROUP.sub("(?P<", pattern), text)
    except re.error as error:
        raise ValueError(f"{pattern[:80]!r} is no pattern: {error}") from error


def path_fits(parts: Iterable[str], path: str) -> bool:
    """Whether a path is its known parts with something between each two of them that holds no slash."""
    wanted = "*".join(glob.escape(part) for part in parts).split("/")
    segments = path.split("/")
    return len(wanted) == len(segments) and all(
        bool(segment) and fnmatchcase(segment, each) for each, segment in zip(wanted, segments, strict=True)
    )


def without_calls(text: str, name: str) -> str:
    """A jq path without its calls of a function (`| select(...)`), parentheses counted."""
    start = text.find(f"{name}(")
    while start >= 0:
        depth, end = 0, start + len(name)
        while end < len(text) and (depth > 0 or end == start + len(name)):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        text = text[:start].rstrip().removesuffix("|") + text[end:].lstrip().removeprefix("|")
        start = text.find(f"{name}(")
    return text


def literal(text: str) -> str:
    """The pattern of a text, readable: a hyphen outside brackets needs no escape."""
    return re.escape(text).replace("\\-", "-")
