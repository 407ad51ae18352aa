"""What a token may do in each step: never more than the step needs, whatever the App was granted."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

_READ = ("metadata", "contents", "pull_requests", "checks", "issues")


class Powers(Enum):
    """The steps that touch GitHub. An effect reads as well, since it looks for what an earlier try has left."""

    LOOK = "look"
    """Everything that only reads: finding actions, pull requests, reviews, orders."""
    GIT = "clone and fetch"
    STATUSES = "read commit statuses"
    DEPLOYMENTS = "read deployments"
    PROPOSE = "propose"
    MERGE = "merge"
    CLOSE = "close"
    COMMENT = "comment"
    CONCLUDE = "conclude"
    REPORT = "report"
    """Reports, calls for a person, the dashboard."""
    ANSWER = "answer an order"
    LEDGER = "ledger"
    """The branch that carries the ledger, for the scheduled job."""

    @property
    def permissions(self) -> Mapping[str, str]:
        """What an installation token of this step is asked for, as GitHub names permissions."""
        if self in _NARROW:
            return dict.fromkeys(_NARROW[self], "read")
        return {**dict.fromkeys(_READ, "read"), **dict.fromkeys(_WRITES.get(self, ()), "write")}


_NARROW: Mapping[Powers, tuple[str, ...]] = {
    Powers.GIT: ("metadata", "contents"),
    Powers.STATUSES: ("metadata", "contents", "statuses"),
    Powers.DEPLOYMENTS: ("metadata", "contents", "deployments"),
}
"""What needs less than a look, or what an App may not have been granted."""

_WRITES: Mapping[Powers, tuple[str, ...]] = {
    Powers.PROPOSE: ("contents", "pull_requests", "checks"),
    Powers.MERGE: ("contents", "pull_requests"),
    Powers.CLOSE: ("contents", "pull_requests"),
    Powers.COMMENT: ("pull_requests",),
    Powers.CONCLUDE: ("checks",),
    Powers.REPORT: ("issues",),
    Powers.ANSWER: ("issues", "pull_requests"),
    Powers.LEDGER: ("contents",),
}
"""What is written in each step; labels and comments of a pull request need nothing beyond `pull_requests`."""
