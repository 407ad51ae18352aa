"""The forge, and other ways to reach people. What is written is written here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from gitops_sre.model.advice import Unadvised
from gitops_sre.model.change import FileEdit, Proof
from gitops_sre.model.command import Command, Reply
from gitops_sre.model.grant import Grant
from gitops_sre.model.live import Notice
from gitops_sre.model.notice import Message
from gitops_sre.model.outcome import Done, Outdated, Refused, Unavailable
from gitops_sre.model.pull import Cover, PullRequest, Report
from gitops_sre.model.record import ActionRecord
from gitops_sre.model.usage import Usage
from gitops_sre.model.verdict import Verdict


@dataclass(frozen=True)
class OpenedAction:
    """An action found on the forge: its signed record and its pull request as it stands now.

    `outcome` is the terminal word that the bot has left as a check run on its head, or empty while it is under way.
    """

    record: ActionRecord
    pull: PullRequest
    outcome: str = ""


class Forge(Protocol):
    """The GitHub side. Every effect is find-or-adopt: calling it again finds what the first call made."""

    def spent(self) -> Usage:
        """Requests that this thread has made since it began."""
        ...

    def wait(self) -> float:
        """Seconds for which the forge wants to be left alone; 0 when it may be asked."""
        ...

    def check(self) -> Done | Refused | Unavailable:
        """Whether the credentials work, and who the bot is with them."""
        ...

    def granted(self) -> Grant | Refused | Unavailable:
        """What the bot was granted there, as the forge tells it."""
        ...

    def halted(self) -> str | Unavailable:
        """Who or what keeps the bot from writing anything now; empty when nobody does."""
        ...

    def halt(self, report: Report) -> str | Unavailable:
        """Keep the bot from writing anything until the issue that this opens is closed; the issue's URL."""
        ...

    def resume(self, report: Report) -> str | Unavailable:
        """Close that issue. What still says stop; empty when nothing does."""
        ...

    def actions(self) -> tuple[OpenedAction, ...] | Unavailable:
        """The bot's own actions: open ones and those closed lately, verified by identity and signature."""
        ...

    def propose(
        self, record: ActionRecord, files: Sequence[FileEdit], proof: Proof, verdict: Verdict, cover: Cover
    ) -> PullRequest | Outdated | Refused | Unavailable:
        """Find or create branch, verified commit and pull request of an action (draft at L2)."""
        ...

    def look(self, number: int) -> PullRequest | Unavailable:
        """A pull request with its reviews, as it stands now."""
        ...

    def notices(self, commits: Sequence[str]) -> tuple[Notice, ...] | Unavailable:
        """Commit statuses and deployments of these commits, of whatever context or environment."""
        ...

    def merge(self, pull: PullRequest) -> Done | Refused | Unavailable:
        """Merge with the expected head."""
        ...

    def unqueue(self, pull: PullRequest) -> Done | Unavailable:
        """Take a pull request out of the merge queue, when it stands in one."""
        ...

    def close(self, pull: PullRequest, comment: str) -> Done | Unavailable:
        """Close with a comment and delete the branch."""
        ...

    def comment(self, number: int, key: str, body: str) -> Done | Unavailable:
        """Say something once: `key` finds an earlier comment of ours."""
        ...

    def conclude(self, pull: PullRequest, outcome: str, summary: str) -> Done | Unavailable:
        """Leave the terminal outcome as a check run on the head commit."""
        ...

    def commands(self, numbers: Collection[int]) -> tuple[Command, ...] | Unavailable:
        """Orders in people's comments of the last days on these issues and pull requests, the oldest first."""
        ...

    def answer(self, command: Command, reply: Reply) -> Done | Unavailable:
        """React to an order, and reply where there is something to say."""
        ...

    def unadvised(self) -> tuple[Unadvised, ...]:
        """Open pull requests of others, as `actions` last saw them, whose heads bear no advice of the bot's yet."""
        ...

    def advise(self, head: str, title: str, summary: str) -> Done | Unavailable:
        """Leave advice on the head commit of somebody's pull request, as a check run that blocks nothing."""
        ...

    def board(self, report: Report) -> Done | Unavailable:
        """Find or create an issue by its key and bring its title and body up to date; one that a person has closed is
        left alone."""
        ...

    def report(self, report: Report) -> str | Unavailable:
        """Find or create an issue by its key; the URL."""
        ...


class Channels(Protocol):
    """Ways to call people beside the forge. Their addresses are secrets, which stay behind this."""

    def names(self) -> tuple[str, ...]:
        """The channels there are."""
        ...

    def check(self, channel: str) -> Done | Refused:
        """Whether a channel has an address that is understood; nothing is sent. `Done.note` names the service."""
        ...

    def send(self, channel: str, message: Message) -> Done | Refused | Unavailable:
        """Tell a channel, within a bounded time. Refused: there is no such channel, or it has no usable address."""
        ...
