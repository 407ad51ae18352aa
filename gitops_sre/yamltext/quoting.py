"""How a value is written so that every YAML reader takes it for what it is.

Types follow the union of YAML 1.1 and 1.2, because the readers of one file (kustomize, Helm, the API server) disagree
and a value must mean the same to all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from gitops_sre.yamltext.nouns import YamlTextError

_WORDS: Mapping[str, str] = dict.fromkeys(("", "~", "null"), "null") | dict.fromkeys(
    ("y", "n", "yes", "no", "on", "off", "true", "false"), "bool"
)
_NUMBERS = (
    ("int", re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-f_]+|[0-9][0-9_]*|[0-9][0-9_]*(:[0-5]?[0-9])+)", re.I)),
    ("float", re.compile(r"[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)(e[-+]?[0-9]+)?", re.I)),
    ("float", re.compile(r"[-+]?([0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*|\.inf|\.nan|0x[0-9a-f_.]+p[-+]?[0-9]+)", re.I)),
    ("timestamp", re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T \t].*)?", re.I)),
    ("merge", re.compile(r"<<|=")),
)
_CANONICAL: Mapping[str, re.Pattern[str]] = {
    "int": re.compile(r"-?(0|[1-9][0-9]*)"),
    "float": re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]*[1-9]"),
    "bool": re.compile(r"true|false"),
}
_SAFE_PLAIN = re.compile(r"(?!\.\.\.)[A-Za-z0-9_./]([A-Za-z0-9_./@:+=~-]*[A-Za-z0-9_./@+=~-])?")
_FIRST_INDENT = re.compile(r"^[^\r\n]*\r?\n(?:[ \t]*\r?\n)*( +)\S")


def plain_type(value: str) -> str:
    """How a reader takes an unquoted scalar; anything but `str` is what some YAML 1.1 or 1.2 reader would see."""
    if (word := _WORDS.get(value.lower())) is not None:
        return word
    return next((name for name, pattern in _NUMBERS if pattern.fullmatch(value)), "str")


def quoted_like(raw: str, value: str) -> str:
    """The source text for a value in the style of `raw`; quotes are added where a reader would take another type.

    A plain number stays plain only when every reader prints the new one as it is written (`1.10` and `0123` are
    quoted). A block scalar stays one. What is empty is filled as a new value is. Raises YamlTextError for values with
    control or invisible formatting characters, and with line breaks where no block scalar stood.
    """
    if raw[:1] in ("|", ">"):
        return block(value, _indent_of(raw))
    if not raw:
        return new_scalar(value, text=False, json_style=False)
    if not value.isprintable():
        raise YamlTextError(f"the value {value!r} holds control or formatting characters; give a printable one")
    if raw.startswith("'"):
        return "'" + value.replace("'", "''") + "'"
    if raw.startswith('"') or not _plain_fits(raw, value):
        return quoted(value)
    return value


def quoted(value: str) -> str:
    """A value in double quotes, as YAML and JSON read it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def new_scalar(value: str, *, text: bool, json_style: bool) -> str:
    """The source text of a value where none stood. A number or boolean that every reader takes for the same stays
    plain unless the place wants `text`; JSON quotes every text. Raises YamlTextError for control characters."""
    if not value.isprintable():
        raise YamlTextError(f"the value {value!r} holds control or formatting characters; give a printable one")
    kind = plain_type(value)
    if not text and kind in _CANONICAL and _CANONICAL[kind].fullmatch(value):
        return value
    if json_style:
        return json.dumps(value, ensure_ascii=False)
    return value if kind == "str" and _SAFE_PLAIN.fullmatch(value) else quoted(value)


def block(value: str, indent: int) -> str:
    """A literal block scalar; its lines are indented by `indent` relative to its entry. Raises YamlTextError."""
    body = value.rstrip("\n")
    tail = len(value) - len(body)
    if not body or any(not line.isprintable() and "\t" not in line for line in body.split("\n")):
        raise YamlTextError("a block scalar holds at least one line of printable characters; edit it by hand")
    lines = body.split("\n")
    if not lines[0].strip() or lines[0][0] in " \t":
        raise YamlTextError("a block scalar that begins with a blank is read differently; edit it by hand")
    chomping = ("-", "", "+")[min(tail, 2)]
    kept = [""] * (tail - 1) if tail > 1 else []
    return "\n".join([f"|{chomping}", *(f"{' ' * indent}{line}" if line else "" for line in lines), *kept])


def _indent_of(raw: str) -> int:
    found = _FIRST_INDENT.match(raw)
    return len(found[1]) if found else 2


def _plain_fits(raw: str, value: str) -> bool:
    kind = plain_type(value)
    if not _SAFE_PLAIN.fullmatch(value):
        return kind == plain_type(raw) == "int" and bool(_CANONICAL["int"].fullmatch(value))
    if kind == "str":
        return plain_type(raw) == "str"
    return kind == plain_type(raw) and kind in _CANONICAL and bool(_CANONICAL[kind].fullmatch(value))
