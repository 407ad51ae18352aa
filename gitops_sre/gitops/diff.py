"""Unified diffs as git prints and applies them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from gitops_sre.model.change import FileEdit

_ESCAPES = {
    '"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\v": "\\v", "\f": "\\f",
}  # fmt: skip
"""What git writes for these characters in a quoted name (quote.c of its source)."""


def unified(files: Sequence[FileEdit]) -> str:
    """The diff of some files, which `git apply` takes: line ends kept, a missing last newline marked."""
    return "".join(line for file in files for line in _of(file))


def created(files: Sequence[FileEdit]) -> str:
    """The diff that makes some files that are not there yet."""
    return "".join(_from_nothing(unified([file])) for file in files)


def _from_nothing(change: str) -> str:
    first, _, rest = change.split("\n", 2)
    return f"{first}\nnew file mode 100644\n--- /dev/null\n{rest}"


def _of(file: FileEdit) -> Iterator[str]:
    one, two = quoted(f"a/{file.path}"), quoted(f"b/{file.path}")
    lines = list(difflib.unified_diff(_lines(file.before), _lines(file.after), n=3))[2:]
    if not lines:
        return
    # A tab ends the name where it holds a blank, or readers would take the rest for a date.
    end = "\t" if " " in file.path else ""
    yield f"diff --git {one} {two}\n"
    yield f"--- {one}{end}\n"
    yield f"+++ {two}{end}\n"
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(text: str) -> list[str]:
    # not str.splitlines: it also breaks at characters that git takes for text
    return [line for line in text.replace("\n", "\n\0").split("\0") if line]


def quoted(name: str) -> str:
    """A file name as git writes it in a diff: in quotes with octal escapes where it is not plain ASCII."""
    data = name.encode("utf-8", "surrogateescape")
    if all(0x20 <= byte < 0x7F and byte not in b'"\\' for byte in data):
        return name
    text = "".join(_ESCAPES.get(chr(b), chr(b) if 0x20 <= b < 0x7F else f"\\{b:03o}") for b in data)
    return f'"{text}"'
