"""The people of the shop: who they are, and how one of them reviews the bot's pull requests."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import requests

TIMEOUT = 10.0
"""Seconds a request to GitHub may take."""


@dataclass(frozen=True)
class Proposal:
    """A pull request as a person sees it in the list. `by_bot` is true for a GitHub App."""

    number: int
    title: str
    author: str
    by_bot: bool
    state: str
    draft: bool
    merged: bool
    branch: str
    head: str


class GitHubUser:
    """Somebody who uses GitHub's REST API with a token of their own."""

    def __init__(self, login: str, token: str, repository_url: str) -> None:
        self.login = login
        self._url = repository_url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"token {token}"

    def close(self) -> None:
        """Give back the connections."""
        self._session.close()

    def proposals(self, state: str = "open") -> tuple[Proposal, ...]:
        """The pull requests, newest first; `state` is open, closed or all."""
        answer = self._session.get(f"{self._url}/pulls", params={"state": state, "per_page": "100"}, timeout=TIMEOUT)
        answer.raise_for_status()
        return tuple(
            Proposal(
                number=pull["number"],
                title=pull["title"],
                author=pull["user"]["login"],
                by_bot=pull["user"]["type"] == "Bot",
                state=pull["state"],
                draft=bool(pull["draft"]),
                merged=pull["merged_at"] is not None,
                branch=pull["head"]["ref"],
                head=pull["head"]["sha"],
            )
            for pull in answer.json()
        )

    def approve(self, proposal: Proposal) -> None:
        """Approve exactly the commit that was looked at."""
        body = {"event": "APPROVE", "commit_id": proposal.head, "body": "Makes sense, go ahead."}
        answer = self._session.post(f"{self._url}/pulls/{proposal.number}/reviews", json=body, timeout=TIMEOUT)
        answer.raise_for_status()


class Approver:
    """A person on call who approves what the bot leaves open, `delay` seconds after it is ready.

    Drafts, other people's and her own pull requests are left alone; each head commit is approved once.
    """

    def __init__(self, user: GitHubUser, delay: float = 2.0, interval: float = 0.5) -> None:
        self._user = user
        self._delay = delay
        self._interval = interval
        self._ready_since: dict[str, float] = {}
        self._done: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Look again and again until told to stop."""
        while not stop.wait(self._interval):
            try:
                self.look(time.monotonic())
            except requests.RequestException:
                continue  # GitHub does not answer right now; she looks again later

    def look(self, now: float) -> None:
        """One look at the open pull requests; `now` is a monotonic time in seconds."""
        for proposal in self._user.proposals():
            if proposal.draft or not proposal.by_bot or proposal.author == self._user.login:
                self._ready_since.pop(proposal.head, None)
            elif proposal.head not in self._done:
                since = self._ready_since.setdefault(proposal.head, now)
                if now - since >= self._delay:
                    self._review(proposal)

    def _review(self, proposal: Proposal) -> None:
        self._done.add(proposal.head)
        self._user.approve(proposal)
