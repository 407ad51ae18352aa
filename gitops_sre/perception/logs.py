"""Log lines as templates: what a line says, without what it is about.

A small masker of our own: the template libraries in the registry (drain3, logparser3) had no release for years, and
what is needed here is only that the same statement gives the same text, twice and in every process.
"""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST = 300
"""Characters of a line that are looked at: statements come first, payloads last."""
WORDS = 8
"""Words of a template; what comes later is payload more often than statement."""

_IDS = re.compile(r"\b(?:trace|span)_?id[:=]\s*\S+\s?", re.IGNORECASE)
_VARIABLE = re.compile(
    r"=[^\s,\])}]*"  # values of keys
    r"|\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b"
    r"|[^\s\[\]=]*\d[^\s\[\],]*"  # words with a digit: numbers, ids, times, addresses
)
_PAYLOAD = re.compile(r"\{.*\}")
_BLANK = re.compile(r"[\s*]+")
_ERROR = re.compile(
    r"\b(?:ERROR|FATAL|SEVERE|CRITICAL|PANIC)\b|[a-z]Exception\b|\bTraceback\b|\blevel=(?:error|fatal)\b"
)


@lru_cache(maxsize=65_536)
def template(message: str) -> str:
    """The statement of a line: ids, values, dates, numbers and payloads taken out, cut after its first words."""
    text = _IDS.sub("", message[:LONGEST])
    text = _VARIABLE.sub("*", text)
    text = _PAYLOAD.sub("*", text)
    return " ".join(_BLANK.sub(" ", text).split()[:WORDS])


def is_error(text: str) -> bool:
    """Whether a line, or its template, reports an error."""
    return _ERROR.search(text) is not None
