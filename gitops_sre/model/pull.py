"""Pull requests and reports as seen on the forge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

PullKind = Literal["fix", "revert"]


@dataclass(frozen=True)
class Review:
    """One submitted review. `commit` is the head that was reviewed; `writer`: has write permission, is a person."""

    login: str
    state: Literal["approved", "changes_requested", "commented", "dismissed"]
    commit: str
    at: datetime
    writer: bool


@dataclass(frozen=True)
class PullRequest:
    """One of the bot's pull requests as it stands now.

    `ours` is true when every commit on the branch is by the bot's identity: false means that a person pushed to it.
    `merge_sha` is the commit that landed on the base branch, empty until merged; `base_tip` the commit at the base
    branch's tip when this was asked, empty when the branch is gone.
    """

    number: int
    url: str
    branch: str
    head: str
    base: str
    state: Literal["open", "closed", "merged"]
    draft: bool
    ours: bool
    created_at: datetime
    title: str = ""
    merge_sha: str = ""
    merged_at: datetime | None = None
    closed_by: str = ""
    reviews: tuple[Review, ...] = ()
    base_tip: str = ""


@dataclass(frozen=True)
class Cover:
    """What people see of a pull request beside its diff, in Markdown: `body`; `full`, the whole story for the verdict's
    check run, where the body has no room for it; `reviewers`: logins and teams (`owner/team`) to ask for a review."""

    body: str
    full: str = ""
    reviewers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """An issue on the forge: the whole of L1, and how a person is called. `key` makes it find-or-adopt."""

    key: str
    title: str
    body: str
    labels: tuple[str, ...] = ()
