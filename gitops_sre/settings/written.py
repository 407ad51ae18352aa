"""The settings file as text, taken apart narrowly: plain YAML, and complaints that name the line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError

MAX_DEPTH = 16
"""Levels of nesting; the deepest setting stands on the fourth."""


class ConfigError(Exception):
    """The configuration cannot be used; the message names file, place and remedy. Never retried."""


def text_of(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name the file with --settings") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8 text; save it as UTF-8") from error


def compose(path: Path, text: str) -> yaml.Node | None:
    """The file as nodes that know their line. Nesting is bounded before anything recurses over it."""
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise _refused(event, f"nested deeper than {MAX_DEPTH} levels")
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                raise _refused(event, "anchors and aliases are not read here")
            if getattr(event, "tag", None) is not None:
                raise _refused(event, "tags are not read here")
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{place}: not usable YAML: {error.problem}; write plain YAML") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"character U+{int(error.character):04X} is not allowed"
        raise ConfigError(f"{path}:{line}: not usable YAML: {what}; remove it") from error


def _refused(event: yaml.Event, what: str) -> yaml.MarkedYAMLError:
    mark = event.start_mark
    return yaml.MarkedYAMLError(problem=what, problem_mark=mark if isinstance(mark, yaml.Mark) else None)


_Data = str | int | float | bool | list["_Data"] | dict[str, "_Data"] | None
_Place = tuple[str | int, ...]


def mapping(path: Path, node: yaml.MappingNode, place: _Place) -> dict[str, _Data]:
    """A mapping as JSON has it. A key left empty is left out: its default holds; an environment may have none set."""
    found: dict[str, _Data] = {}
    first: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
            raise ConfigError(_complaint(path, _line(key), place, "a key must be a plain word; write the keys out"))
        here, line = (*place, key.value), _line(key)
        if key.value in first:
            what = f"given twice, first in line {first[key.value]}; keep one of them"
            raise ConfigError(_complaint(path, line, here, what))
        first[key.value] = line
        data = _data(path, value, here)
        if data is not None:
            found[key.value] = data
        elif place == ("environments",):
            found[key.value] = {}
    return found


def _data(path: Path, node: yaml.Node, place: _Place) -> _Data:
    if isinstance(node, yaml.MappingNode):
        return mapping(path, node, place)
    if isinstance(node, yaml.SequenceNode):
        return [_data(path, item, (*place, index)) for index, item in enumerate(node.value)]
    text = str(node.value)
    if not text.isprintable():
        what = "holds a line break or a character that cannot be seen; remove it"
        raise ConfigError(_complaint(path, _line(node), place, what))
    return _plain(text) if isinstance(node, yaml.ScalarNode) and node.style is None else text


_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,3})?")
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


def _plain(text: str) -> _Data:
    """An unquoted scalar."""
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else _WORDS.get(text, text)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def explain(path: Path, node: yaml.Node, error: ValidationError) -> str:
    """The problem that stands first in the file, with the line of the deepest key that exists there."""
    problems = error.errors(include_url=False, include_input=False)
    line, first = min(((_line_of(node, problem["loc"]), problem) for problem in problems), key=lambda found: found[0])
    what = _REMEDIES.get(first["type"])
    if what is None:
        what = f"{first['msg'].removeprefix('Value error, ')}; `gitops-sre config schema` says what is possible"
    more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
    return _complaint(path, line, first["loc"], what) + more


_REMEDIES = {
    "extra_forbidden": "unknown key; remove it or see `gitops-sre config schema`",
    "missing": "is missing; add it",
    "string_type": "must be text; put it in quotes",
    "path_type": "must be text; put it in quotes",
    "int_type": "must be a whole number, written without quotes",
    "float_type": "must be a number, written without quotes",
    "bool_type": "must be true or false, written without quotes",
    "tuple_type": "must be a list",
    "model_type": "must be a mapping of keys",
    "mapping_type": "must be a mapping of keys",
    "dict_type": "must be a mapping of keys",
}
"""By pydantic's type of error; the others say it well enough themselves."""


def _complaint(path: Path, line: int, place: _Place, what: str) -> str:
    name = ".".join(str(part) if str(part).isprintable() else ascii(part) for part in place)
    return f"{path}:{line}: {name}: {what}" if name else f"{path}:{line}: {what}"


def _line_of(node: yaml.Node, place: _Place) -> int:
    """1-based line of the deepest node on the key path that the file has; 1 when it has none."""
    line = 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            line, node = _line(pair[0]), pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = _line(node)
        else:
            break
    return line
