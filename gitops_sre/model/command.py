"""What people say to the bot in comments on its pull requests and reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Verb = Literal["help", "explain", "why-not", "retry", "hold", "resume", "revert", "close", "approve-level"]


LASTING: frozenset[Verb] = frozenset({"hold", "resume"})
"""Orders that go on having an effect after they have been answered."""


@dataclass(frozen=True)
class Order:
    """What a comment asks for. `verb` is empty when the word after `/sre` is none that is known; `span` is the time
    that a hold is to last, None: until somebody says resume; `word` is what was written, for the answer."""

    verb: Verb | Literal[""]
    span: timedelta | None = None
    word: str = ""


@dataclass(frozen=True)
class Command:
    """An order with who gave it and where. `id` is the comment's, `number` the issue's or pull request's.

    `writer`: by a person with write permission, which is not asked of what is answered and does not last. `answered`:
    the bot has answered it.
    """

    id: int
    number: int
    login: str
    at: datetime
    order: Order
    writer: bool
    answered: bool


@dataclass(frozen=True)
class Reply:
    """A reaction to the comment, and a short reply in Markdown; empty: none."""

    reaction: Literal["+1", "-1", "confused"]
    body: str


@dataclass(frozen=True)
class Hold:
    """Somebody has asked to wait with merging. `until` None: until somebody says resume."""

    by: str
    since: datetime
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether it still holds at a moment."""
        return self.until is None or at < self.until
