"""Reading a GraphQL request: one operation of fields, arguments, variables, inline fragments; no more."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

_TOKEN = re.compile(
    r"""[\s,\ufeff]+ | \#[^\n]* | (?P<punct>\.\.\.|[{}()\[\]:!$=@|&])
    | (?P<name>[A-Za-z_]\w*) | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?) | (?P<string>"(?:[^"\\\n]|\\.)*")""",
    re.VERBOSE,
)
_DEPTH = 24


class GraphQLError(Exception):
    """An entry of `errors`: its type (empty for errors of syntax and validation) and message."""

    def __init__(self, message: str, kind: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.code = code


@dataclass(frozen=True)
class Field:
    """One selected field. `on` names the type of the inline fragment that it stands in, if any."""

    name: str
    alias: str
    arguments: Mapping[str, Any]
    selection: tuple[Field, ...]
    on: str = ""


@dataclass(frozen=True)
class Operation:
    """What a request asks for."""

    kind: Literal["query", "mutation"]
    fields: tuple[Field, ...]


def parse(query: str, variables: Mapping[str, Any]) -> Operation:
    """Parse a document of one operation, with its variables filled in. Raises `GraphQLError`."""
    return _Parser(_tokens(query), variables).operation()


def _tokens(query: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while at < len(query):
        match = _TOKEN.match(query, at)
        if match is None:
            raise GraphQLError(f"Expected a token, actual: {query[at]!r} at offset {at}")
        if match.lastgroup:
            tokens.append((match.lastgroup, match[0]))
        at = match.end()
    return [*tokens, ("end", "")]


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], variables: Mapping[str, Any]) -> None:
        self._tokens = tokens
        self._at = 0
        self._given = variables
        self._variables: dict[str, Any] = {}

    def operation(self) -> Operation:
        kind: Literal["query", "mutation"] = "query"
        if self._peek() != ("punct", "{"):
            word = self._take("name")
            if word not in ("query", "mutation"):
                raise GraphQLError(f"The sandbox does not know the operation {word!r}.")
            kind = "mutation" if word == "mutation" else "query"
            if self._peek()[0] == "name":
                self._take("name")
            if self._maybe("("):
                self._declarations()
        fields = self._selection(0)
        if self._peek()[0] != "end":
            raise GraphQLError("The sandbox takes one operation and no named fragments in a request.")
        return Operation(kind, fields)

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at]

    def _take(self, kind: str, text: str = "") -> str:
        found = self._peek()
        if found[0] != kind or (text and found[1] != text):
            raise GraphQLError(f"Expected {text or kind}, actual: {found[1] or 'end of document'!r}")
        self._at += 1
        return found[1]

    def _maybe(self, text: str) -> bool:
        if self._peek() == ("punct", text):
            self._at += 1
            return True
        return False

    def _declarations(self) -> None:
        while not self._maybe(")"):
            self._take("punct", "$")
            name = self._take("name")
            self._take("punct", ":")
            required = self._type()
            default = self._value(0) if self._maybe("=") else None
            if required and self._given.get(name) is None:
                raise GraphQLError(f"Variable ${name} of a required type was provided invalid value")
            self._variables[name] = self._given.get(name, default)

    def _type(self) -> bool:
        """Read a type; whether it is required. Its name is not checked: the fields check what they are given."""
        if self._maybe("["):
            self._type()
            self._take("punct", "]")
        else:
            self._take("name")
        return self._maybe("!")

    def _selection(self, depth: int) -> tuple[Field, ...]:
        if depth > _DEPTH:
            raise GraphQLError(f"The selection is nested deeper than {_DEPTH} levels.")
        self._take("punct", "{")
        fields: list[Field] = []
        while not self._maybe("}"):
            if self._maybe("..."):
                self._take("name", "on")
                on = self._take("name")
                inner = self._selection(depth + 1)
                fields.extend(Field(f.name, f.alias, f.arguments, f.selection, on) for f in inner)
            else:
                fields.append(self._field(depth))
        return tuple(fields)

    def _field(self, depth: int) -> Field:
        alias = name = self._take("name")
        if self._maybe(":"):
            name = self._take("name")
        arguments: dict[str, Any] = {}
        if self._maybe("("):
            while not self._maybe(")"):
                key = self._take("name")
                self._take("punct", ":")
                arguments[key] = self._value(depth)
        selection = self._selection(depth + 1) if self._peek() == ("punct", "{") else ()
        return Field(name, alias, arguments, selection)

    def _value(self, depth: int) -> Any:
        if depth > _DEPTH:
            raise GraphQLError(f"A value is nested deeper than {_DEPTH} levels.")
        if self._maybe("$"):
            return self._variable()
        if self._maybe("["):
            items = []
            while not self._maybe("]"):
                items.append(self._value(depth + 1))
            return items
        if self._maybe("{"):
            return self._object(depth)
        kind, text = self._peek()
        self._at += 1
        if kind in ("number", "string"):
            return json.loads(text)
        if kind == "name":
            return {"true": True, "false": False, "null": None}.get(text, text)  # other names are enum values
        raise GraphQLError(f"Expected a value, actual: {text or 'end of document'!r}")

    def _variable(self) -> Any:
        name = self._take("name")
        if name not in self._variables:
            raise GraphQLError(f"Variable ${name} is used but not declared", code="variableNotDefined")
        return self._variables[name]

    def _object(self, depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        while not self._maybe("}"):
            key = self._take("name")
            self._take("punct", ":")
            value[key] = self._value(depth + 1)
        return value
