"""Lines of a text: columns, line ends, and source that moves to another depth and back without losing a byte."""

from __future__ import annotations

import re


def column(text: str, index: int) -> int:
    """How many characters stand before a position on its line, a leading byte order mark not among them."""
    start = begin(text, index)
    return index - start - (1 if start == 0 and text.startswith("\ufeff") else 0)


def begin(text: str, index: int) -> int:
    """Where the line of a position begins."""
    return text.rfind("\n", 0, index) + 1


def after(text: str, index: int) -> int:
    """Where the line after the one of a position begins; the end of the text when it is the last."""
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1


def newline(text: str) -> str:
    """The line end that most of a text has."""
    crlf = text.count("\r\n")
    return "\r\n" if crlf * 2 > text.count("\n") else "\n"


def dedented(source: str, prefix: str) -> str:
    """Source whose later lines lose a prefix of blanks. Lines of blanks only stay as they are, and lines that stand
    further left are marked by a leading backspace character, which no YAML holds; `indented` gives every byte back."""
    first, *rest = source.split("\n")
    return "\n".join([first, *(_shorter(line, prefix) for line in rest)])


def indented(source: str, prefix: str) -> str:
    """The inverse of `dedented`."""
    first, *rest = source.split("\n")
    return "\n".join([first, *(_longer(line, prefix) for line in rest)])


def _shorter(line: str, prefix: str) -> str:
    if not line.strip():
        return line
    return line.removeprefix(prefix) if line.startswith(prefix) else _FURTHER_LEFT + line


def _longer(line: str, prefix: str) -> str:
    if not line.strip():
        return line
    return line[1:] if line.startswith(_FURTHER_LEFT) else prefix + line


_FURTHER_LEFT = "\b"
_COMMENT = re.compile(r"[ \t]*(#[^\n]*)?\r?")


def is_gap(line: str) -> bool:
    """Whether a line (without its line end) says nothing: blank, or a comment alone."""
    return bool(_COMMENT.fullmatch(line))


def margin(source: str) -> str:
    """The blanks before the first line of a source that says something."""
    first = next((line for line in source.split("\n") if not is_gap(line)), "")
    return first[: len(first) - len(first.lstrip(" "))]
