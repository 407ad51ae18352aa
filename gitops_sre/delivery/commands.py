"""Comments as orders: `/sre VERB` at the start of a line. One order a comment, the first; what is quoted or stands in
a code block is somebody else's word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import get_args

from gitops_sre.model.command import Order, Verb

LONGEST_HOLD = timedelta(days=7)
"""A longer hold is cut off here: what is to stay longer is closed, or frozen by policy."""

_VERBS: dict[str, Verb] = {verb: verb for verb in get_args(Verb)}
_ORDER = re.compile(r"[ ]{0,3}/sre(?:[ \t]+(?P<rest>.*))?", re.IGNORECASE)
_SPAN = re.compile(r"(?:for\s+)?(?P<amount>[0-9]{1,6})\s*(?P<unit>m|min|mins|minutes?|h|hours?|d|days?)", re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(?P<ticks>`{3,}|~{3,})")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_SHOWN = 40


def parse(body: str) -> Order | None:
    """The order in a comment, None when there is none. What is not understood is an order without a verb."""
    for line in _spoken(body):
        found = _ORDER.fullmatch(line.rstrip())
        if found is not None:
            return _order((found["rest"] or "help").strip())
    return None


def _spoken(body: str) -> Iterator[str]:
    """The comment's own lines: no code block, no quote (which begins with >), no HTML comment."""
    fence = ""
    for line in re.sub(r"<!--.*?(?:-->|\Z)", "", body, flags=re.DOTALL).splitlines():
        found = _FENCE.match(line)
        if fence:
            if found is not None and found["ticks"].startswith(fence):
                fence = ""
        elif found is not None:
            fence = found["ticks"]
        else:
            yield line


def _order(rest: str) -> Order:
    word, _, argument = rest.partition(" ")
    verb = _VERBS.get(word.lower())
    argument = argument.strip()
    shown = rest[:_SHOWN]
    if verb is None:
        return Order("", word=shown)
    if not argument:
        return Order(verb, word=shown)
    span = _span(argument) if verb == "hold" else None
    return Order("", word=shown) if span is None else Order(verb, span, shown)


def _span(text: str) -> timedelta | None:
    found = _SPAN.fullmatch(text)
    if found is None or int(found["amount"]) == 0:
        return None
    return min(int(found["amount"]) * _UNITS[found["unit"][0].lower()], LONGEST_HOLD)
