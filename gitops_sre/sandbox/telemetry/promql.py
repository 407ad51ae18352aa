r"""The query language of the embedded endpoint: a subset of PromQL, and its parser.

What is not derived from this grammar is refused (`QueryError`), never guessed at. Keywords, the precedence of
operators and the meaning are Prometheus'. `{x}` is repetition, `[x]` an option; blanks and `# comments` may stand
between tokens.

    query       = or
    or          = and {"or" and}
    and         = compare {("and" | "unless") compare}
    compare     = sum {("==" | "!=" | ">" | ">=" | "<" | "<=") sum}
    sum         = product {("+" | "-") product}
    product     = signed {("*" | "/") signed}
    signed      = ["+" | "-"] (number | selector | function | aggregate | "(" query ")")
    selector    = (metric [matchers] | matchers) ["[" duration "]"] ["offset" ["-"] duration]
    matchers    = "{" [matcher {"," matcher} [","]] "}"
    matcher     = label ("=" | "!=" | "=~" | "!~") string
    function    = ("rate" | "increase" | "avg_over_time" | "min_over_time" | "max_over_time") "(" query ")"
                | "histogram_quantile" "(" query "," query ")"
                | "time" "(" ")"
    aggregate   = ("sum" | "avg" | "min" | "max" | "count") ([by] "(" query ")" | "(" query ")" by)
    by          = "by" "(" [label {"," label} [","]] ")"
    metric      = [a-zA-Z_:][a-zA-Z0-9_:]*          label = [a-zA-Z_][a-zA-Z0-9_]*
    number      = decimal without leading zeros, with optional fraction and exponent; "Inf" or "NaN"
    duration    = one or more of <integer>(y|w|d|h|m|s|ms), units descending
    string      = "..." or '...' with the escapes \\ \" \' \n \t, or `...` without escapes

Types are checked as the query is read. Each operand of `or`, `and`, `unless` is an instant vector; an arithmetic or
comparing operator takes scalars or instant vectors, but does not compare two scalars. Two vectors match one to one
on all labels but the name; comparisons filter and keep the left side (the vector's side against a scalar). `rate`,
`increase` and `*_over_time` take a selector with a range, `histogram_quantile` a scalar and an instant vector,
aggregates an instant vector. A selector needs at least one matcher that does not match the empty string (the
metric's name counts as one). A query has at most 500 tokens and 50 levels of nesting.

Regular expressions match whole values. They may use what RE2 and Python share: literals, escapes of punctuation and
of the classes \d \w \s (ASCII), `.`, sets, alternation, groups `(...)` and `(?:...)`, greedy and lazy
`* + ? {n,m}` with n given and both below 100.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitops_sre.sandbox.telemetry.nodes import (
    AGGREGATES,
    COMPARISONS,
    KIND_NAMES,
    SET_OPERATORS,
    Aggregate,
    Binary,
    Kind,
    Matcher,
    Negation,
    Node,
    Number,
    OverRange,
    Quantile,
    QueryError,
    Selector,
    Time,
)

RANGE_FUNCTIONS = ("rate", "increase", "avg_over_time", "min_over_time", "max_over_time")
_PRECEDENCE: tuple[tuple[str, ...], ...] = (("or",), ("and", "unless"), COMPARISONS, ("+", "-"), ("*", "/"))
_MAX_DEPTH = 50
_MAX_TOKENS = 500

_TOKEN = re.compile(
    r"""(?:\s+|\#[^\n]*)*(?:
      (?P<duration>(?:\d+(?:ms|[smhdwy]))+(?![\w.:]))
    | (?P<number>(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.:]))
    | (?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
    | (?P<string>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | `[^`]*`)
    | (?P<symbol>=~|!~|==|!=|>=|<=|[-+*/(){}\[\],=<>])
    | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_UNITS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_ESCAPES = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "t": "\t"}
_RESERVED = {
    *SET_OPERATORS,
    *AGGREGATES,
    "by",
    "offset",
    "without",
    "on",
    "ignoring",
    "bool",
    "group_left",
    "group_right",
}
_RESERVED |= {"topk", "bottomk", "quantile", "count_values", "stddev", "stdvar", "group", "atan2", "inf", "nan"}
_NOT_SHARED_REGEX = re.compile(
    r"\\[^\W\d_dDwWsS]|\\\d|\(\?(?!:)"  # other escapes, back references, other groups
    r"|[*+?}]\+|\{,|\{\d*,?\d{3}"  # possessive, without a minimum, beyond RE2's bounds
    r"|\[[^\]]*\[|\[\^?\]|&&|--|\|\||~~"  # nested sets and set operations
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(query: str) -> Node:
    """Parse a query; raises `QueryError` (`bad_data`) with the place of the first thing outside the grammar."""
    tokens = _tokens(query)
    if len(tokens) > _MAX_TOKENS:
        raise QueryError(f"parse error: more than {_MAX_TOKENS} tokens")
    return _Parser(tokens).whole()


def parse_duration(text: str) -> int:
    """A duration such as `1h30m` in milliseconds; raises `QueryError`."""
    parts = re.findall(r"(\d+)(ms|[smhdwy])", text)
    sizes = [_UNITS[unit] for _, unit in parts]
    well_formed = "".join(amount + unit for amount, unit in parts) == text and bool(parts)
    if not well_formed or sizes != sorted(set(sizes), reverse=True):
        raise QueryError(f"not a valid duration string: {text!r}; write for example 90s or 1h30m")
    return sum(int(amount) * _UNITS[unit] for amount, unit in parts)


def _tokens(query: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while not tokens or tokens[-1].kind != "end":
        match = _TOKEN.match(query, position)
        if match is None:
            raise QueryError(f"parse error at char {position + 1}: nothing of the grammar starts here")
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match.group(kind), match.start(kind) + 1))
        position = match.end()
    return tokens


def _string(token: _Token) -> str:
    body = token.text[1:-1]
    if token.text[0] == "`":
        return body

    def unescape(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES or (match[1] in "\"'" and match[1] != token.text[0]):
            raise QueryError(f"parse error at char {token.at}: escape {match[0]} is not in the grammar")
        return _ESCAPES[match[1]]

    return re.sub(r"\\(.)", unescape, body, flags=re.DOTALL)


def _matcher(label: str, operator: str, value: str) -> Matcher:
    if operator == "=":
        return Matcher(label, operator, value, lambda actual: actual == value)
    if operator == "!=":
        return Matcher(label, operator, value, lambda actual: actual != value)
    try:
        if _NOT_SHARED_REGEX.search(value):
            raise QueryError(f"regular expression {value!r} uses what RE2 and Python do not share")
        fits = re.compile(value, re.ASCII).fullmatch
    except re.error as error:
        raise QueryError(f"regular expression {value!r}: {error}") from error
    if operator == "=~":
        return Matcher(label, operator, value, lambda actual: fits(actual) is not None)
    return Matcher(label, operator, value, lambda actual: fits(actual) is None)


class _Parser:
    """Recursive descent over the tokens; one method a rule of the grammar."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._query()
        if self._peek().kind != "end":
            raise self._unexpected("the end of the query")
        return node

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        self._next += 1
        return self._tokens[self._next - 1]

    def _unexpected(self, wanted: str) -> QueryError:
        token = self._peek()
        found = repr(token.text) if token.text else "the end of the query"
        return QueryError(f"parse error at char {token.at}: expected {wanted}, found {found}")

    def _accept(self, text: str) -> bool:
        """Take the symbol or keyword `text` if it is next (keywords in any case)."""
        token = self._peek()
        if token.kind in ("symbol", "name") and token.text.lower() == text:
            self._next += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._unexpected(repr(text))

    def _expect_kind(self, kind: str, wanted: str) -> _Token:
        if self._peek().kind != kind:
            raise self._unexpected(wanted)
        return self._take()

    def _expression(self, level: int) -> Node:
        if level == len(_PRECEDENCE):
            return self._signed()
        left = self._expression(level + 1)
        while True:
            operator = next((op for op in _PRECEDENCE[level] if self._accept(op)), None)
            if operator is None:
                return left
            left = self._binary(operator, left, self._expression(level + 1))

    def _binary(self, operator: str, left: Node, right: Node) -> Binary:
        for side in (left, right):
            if side.kind == "matrix":
                raise self._mistyped(f"binary operator {operator!r}", "scalar or instant vector", side.kind)
        if operator in SET_OPERATORS and "scalar" in (left.kind, right.kind):
            raise QueryError(f"parse error: set operator {operator!r} not allowed in binary scalar expression")
        if left.kind == right.kind == "scalar":
            if operator in COMPARISONS:
                raise QueryError("parse error: comparisons between scalars are not in the grammar")
            return Binary(operator, left, right, "scalar")
        return Binary(operator, left, right, "vector")

    def _mistyped(self, where: str, wanted: str, found: Kind) -> QueryError:
        return QueryError(f"parse error: expected type {wanted} in {where}, got {KIND_NAMES[found]}")

    def _typed(self, node: Node, kind: Kind, where: str) -> Node:
        if node.kind != kind:
            raise self._mistyped(where, KIND_NAMES[kind], node.kind)
        return node

    def _signed(self) -> Node:
        negative = self._accept("-")
        signed = negative or self._accept("+")
        node = self._operand()
        if signed and node.kind == "matrix":
            raise self._mistyped("unary expression", "scalar or instant vector", node.kind)
        return Negation(node, node.kind) if negative else node

    def _operand(self) -> Node:
        token = self._peek()
        if token.kind == "number":
            return Number(float(self._take().text))
        if token.text == "{":
            return self._selector(None)
        if token.text == "(":
            return self._parenthesized()
        if token.kind == "name":
            return self._named(self._take())
        raise self._unexpected("an expression of the grammar")

    def _parenthesized(self) -> Node:
        self._expect("(")
        node = self._query()
        self._expect(")")
        return node

    def _query(self) -> Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise QueryError(f"parse error: more than {_MAX_DEPTH} levels of nesting")
        node = self._expression(0)
        self._depth -= 1
        return node

    def _named(self, name: _Token) -> Node:
        keyword = name.text.lower()
        if keyword in AGGREGATES:
            return self._aggregate(keyword)
        if keyword in ("inf", "nan"):
            return Number(float(keyword))
        if keyword not in _RESERVED:
            return self._function(name) if self._peek().text == "(" else self._selector(name.text)
        self._next -= 1
        raise self._unexpected("an expression of the grammar")

    def _function(self, name: _Token) -> Node:
        if name.text in RANGE_FUNCTIONS:
            argument = self._parenthesized()
            if not isinstance(argument, Selector) or argument.window is None:
                raise self._mistyped(f"call to function {name.text!r}", "range vector", argument.kind)
            return OverRange(name.text, argument)
        if name.text == "time":
            self._expect("(")
            self._expect(")")
            return Time()
        if name.text == "histogram_quantile":
            where = "call to function 'histogram_quantile'"
            self._expect("(")
            quantile = self._typed(self._query(), "scalar", where)
            self._expect(",")
            buckets = self._typed(self._query(), "vector", where)
            self._expect(")")
            return Quantile(quantile, buckets)
        raise QueryError(f"parse error at char {name.at}: function {name.text!r} is not in the grammar")

    def _aggregate(self, operator: str) -> Node:
        by = self._by()
        argument = self._typed(self._parenthesized(), "vector", "aggregation expression")
        if by is None:
            by = self._by()
        return Aggregate(operator, by or (), argument)

    def _by(self) -> tuple[str, ...] | None:
        if not self._accept("by"):
            return None
        self._expect("(")
        labels: list[str] = []
        while not self._accept(")"):
            labels.append(self._label())
            if not self._accept(","):
                self._expect(")")
                break
        return tuple(dict.fromkeys(labels))

    def _label(self) -> str:
        token = self._expect_kind("name", "a label name")
        if ":" in token.text:
            raise QueryError(f"parse error at char {token.at}: {token.text!r} is not a label name")
        return token.text

    def _selector(self, metric: str | None) -> Selector:
        matchers = [_matcher("__name__", "=", metric)] if metric is not None else []
        if self._accept("{"):
            matchers += self._matchers(metric)
        if all(matcher.accepts("") for matcher in matchers):
            raise QueryError("parse error: vector selector must contain at least one non-empty matcher")
        window = None
        if self._accept("["):
            window = self._duration()
            self._expect("]")
            if window == 0:
                raise QueryError("parse error: duration must be greater than 0")
        offset = 0
        if self._accept("offset"):
            sign = -1 if self._accept("-") else 1
            offset = sign * self._duration()
        return Selector(tuple(matchers), window, offset)

    def _duration(self) -> int:
        return parse_duration(self._expect_kind("duration", "a duration such as 5m").text)

    def _matchers(self, metric: str | None) -> list[Matcher]:
        matchers: list[Matcher] = []
        while not self._accept("}"):
            label = self._label()
            if label == "__name__" and metric is not None:
                raise QueryError("parse error: metric name must not be set twice")
            operator = next((op for op in ("=", "!=", "=~", "!~") if self._accept(op)), None)
            if operator is None:
                raise self._unexpected("one of = != =~ !~")
            value = _string(self._expect_kind("string", "a string"))
            matchers.append(_matcher(label, operator, value))
            if not self._accept(","):
                self._expect("}")
                break
        return matchers
