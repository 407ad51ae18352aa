"""The kill switch: what keeps the bot from writing anything, and is looked at before every write.

Whoever can say stop must be able to say it where they are: at the repository (a file on the watched branch, or a label
on any open issue or pull request), at the bot's machine (an environment variable), at a terminal (`gitops-sre halt`,
which opens an issue with that label). It holds reverts back too: it is the one thing that stops everything. Only the
ledger branch is still written.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from github.Issue import Issue

from gitops_sre.adapters.github import marks
from gitops_sre.adapters.github.session import Session
from gitops_sre.delivery.text import HALT as LABEL
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.pull import Report

FILE = ".gitops-sre/HALT"
"""On the watched branch; what it holds does not count."""
VARIABLE = "GITOPS_SRE_HALT"
"""Not empty: halted; its text is the reason."""
_AGE = 1.0
"""Seconds for which one look serves the writes of one step, which follow each other at once."""
_QUERY = """query($owner: String!, $name: String!, $file: String!, $label: String!) {
  repository(owner: $owner, name: $name) {
    object(expression: $file) { __typename }
    issues(labels: [$label], states: [OPEN], first: 1) { nodes { number } }
    pullRequests(labels: [$label], states: [OPEN], first: 1) { nodes { number } }
  }
}"""


class Switch:
    """The switch of one repository. Safe for threads."""

    def __init__(self, session: Session, branch: str, environment: Mapping[str, str]) -> None:
        self._session, self._branch = session, branch
        self._said = environment.get(VARIABLE, "").strip()
        self._free_until = 0.0

    def before_write(self) -> Unavailable | None:
        """To be asked before each write. Raises what a request raises: what cannot be asked is not written either."""
        if time.monotonic() < self._free_until:
            return None
        why = self.why()
        if why:
            return Unavailable(f"halted: {why}")
        self._free_until = time.monotonic() + _AGE
        return None

    def why(self) -> str:
        """Who or what says stop now; empty when nobody does."""
        if self._said:
            return f"{VARIABLE} says {self._said!r}"
        owner, _, name = self._session.repository.partition("/")
        given = {"owner": owner, "name": name, "file": f"{self._branch}:{FILE}", "label": LABEL}
        found = self._session.repo.requester.graphql_query(_QUERY, given)[1]["data"]["repository"]
        if found["object"] is not None:
            return f"{FILE} stands on {self._branch}"
        labelled = [node["number"] for kind in ("issues", "pullRequests") for node in found[kind]["nodes"]]
        return f"#{labelled[0]} has the label {LABEL}" if labelled else ""

    def halt(self, report: Report) -> str:
        """Open the issue that halts the bot, or find the open one; its URL."""
        there = self._own(report)
        return (there or marks.open_issue(self._session, report, guarded=False)).html_url

    def resume(self, report: Report) -> str:
        """Close the bot's own halting issue where it is open. What still says stop; empty when nothing does."""
        there = self._own(report)
        if there is not None:
            self._session.pace(guarded=False)
            there.edit(state="closed", state_reason="completed")
        return self.why()

    def _own(self, report: Report) -> Issue | None:
        found = marks.find(self._session, report, *report.labels)
        return found if found is not None and found.state == "open" else None
