"""What people are told of at once, beside the issue or pull request that is there anyway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gitops_sre.model.incident import Severity

NoticeKind = Literal["escalated", "approval_wanted", "resolved", "breaker_opened", "demoted", "halted"]
"""A person is needed; a pull request waits for one; the SLO is back; the bot's own record has opened its circuit
breaker, or lowered a level; somebody keeps it from writing."""


@dataclass(frozen=True)
class Notice:
    """One thing to be told, once to each channel that policy names for it.

    `subject` is the incident's id, or `bot` where it is about none; together with `key` it tells one notice from all
    others. `owners` are those whom CODEOWNERS names for what the incident is about. `url` is a page on the forge, empty
    while there is none.
    """

    kind: NoticeKind
    subject: str
    key: str
    at: datetime
    why: str
    severity: Severity = "info"
    service: str = ""
    environment: str = ""
    tier: str = ""
    owners: tuple[str, ...] = ()
    url: str = ""


@dataclass(frozen=True)
class Message:
    """A notice in words, for whatever shows plain text. `urgent`: somebody is to be woken."""

    title: str
    body: str
    urgent: bool = False
