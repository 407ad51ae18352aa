"""A repository's own pull-request template, filled in: its headings stay in its order, the answers are the bot's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from gitops_sre.delivery.page import page

_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*?)\s*#*\s*")
_UNDERLINED = re.compile(r"^(?P<text>[^\n]+)\n(?:=+|-+)[ \t]*$", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?^ {0,3}\1[`~]*[ \t]*$", re.DOTALL | re.MULTILINE)
_TOPICS = tuple(
    (topic, re.compile(rf"(?i)\b(?:{words})"))
    for topic, words in (
        ("rollback", r"roll(?:ing)?[ -]?back|revert|back[ -]?out|undo"),
        ("testing", r"test|verif|validat|proof|how .* check"),
        ("risk", r"risk|impact|blast|affect|breaking|downtime"),
        ("ticket", r"ticket|issue|jira|incident|reference|related|link|fixes|closes"),
        ("why", r"why|motivation|context|background|reason|problem|purpose"),
        ("summary", r"what|descri|summary|change|overview|proposed|details|type of"),
    )
)
_LONGEST = 200
MOST = 30
"""Sections that are filled in; a template with more is cut off there."""


def filled(template: str, said: Mapping[str, object]) -> str:
    """The template's headings with the bot's answers, as Markdown; empty when it has no heading.

    Hints in HTML comments and check boxes are left out: a box that the bot ticks would say that somebody has looked.
    What it has no answer for says so. `said` is what the page's own templates speak of.
    """
    parts = []
    for level, heading in islice(_headings(template), MOST):
        topic = next((topic for topic, words in _TOPICS if words.search(heading)), "")
        answer = (
            page(f"sections/{topic}", said).strip() if topic else "_Nothing to say from the bot; a person may know._"
        )
        parts.append(f"{level} {heading}\n\n{answer}")
    return "\n\n".join(parts)


def _headings(template: str) -> Iterator[tuple[str, str]]:
    text = _FENCE.sub("", _COMMENT.sub("", template.replace("\r\n", "\n")))
    text = _UNDERLINED.sub(lambda found: f"## {found['text']}", text)
    for line in text.splitlines():
        found = _HEADING.fullmatch(line)
        if found is not None and found[2]:
            yield found[1], found[2][:_LONGEST]
