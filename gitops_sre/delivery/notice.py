"""Notices in words: a line for the eye, and where to read on. What comes from outside is inert in any chat."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from gitops_sre.delivery.neutral import spoken
from gitops_sre.model.notice import Message, Notice, NoticeKind

_TITLES: Mapping[NoticeKind, str] = {
    "escalated": "A person is needed",
    "approval_wanted": "A fix waits for a person",
    "resolved": "Resolved",
    "breaker_opened": "The circuit breaker opened",
    "demoted": "Autonomy was lost",
    "halted": "The bot is halted",
}
_AT_ONCE = frozenset({"escalated", "approval_wanted"})
"""What somebody is woken for when the incident's severity is `page`."""


def message(notice: Notice, repository: str) -> Message:
    """A notice for people. `repository` is the infra repository's owner/name."""
    where = f"{notice.service} ({notice.environment})" if notice.service and notice.environment else notice.service
    heading = spoken(": ".join(part for part in (_TITLES[notice.kind], where) if part), 120)
    facts = {
        "Why": spoken(notice.why, 600),
        "Incident": "" if notice.subject == "bot" else spoken(f"{notice.subject} ({notice.severity})"),
        "Repository": spoken(repository),
        "Since": f"{notice.at:%Y-%m-%d %H:%M:%S} UTC",
        "Read on": _page(notice.url),
    }
    body = "\n".join(f"{name}: {fact}" for name, fact in facts.items() if fact)
    return Message(heading, body, urgent=notice.kind in _AT_ONCE and notice.severity == "page")


def trial(repository: str) -> Message:
    """What a channel is tried with."""
    return Message(
        "A test of gitops-sre", f"Nothing has happened: this is how {spoken(repository)}'s bot would call you."
    )


def _page(url: str) -> str:
    """A page of the forge, as a link; anything else is left out."""
    parts = urlsplit(url)
    whole = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
    return url if whole and url.isascii() and url.isprintable() and not set(url) & set(" <>()[]`|\"'\\") else ""
