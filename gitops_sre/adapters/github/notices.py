"""What stands at commits: statuses and deployments, all commits of a look in one query of GraphQL each.

The two are asked for apart, with a token for each, since an App may have been granted one of them alone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from gitops_sre.adapters.github.powers import Powers
from gitops_sre.adapters.github.session import Session
from gitops_sre.model.live import Notice
from gitops_sre.model.outcome import Refused, Unavailable

_MOST = 50
"""Commits in one query: GitHub bounds what one may cost."""
_STATUSES = "status { contexts { context state description targetUrl createdAt } }"
_DEPLOYMENTS = """deployments(last: 20) { nodes { environment
  latestStatus { state description logUrl environmentUrl createdAt } } }"""
_STATES: Mapping[str, Literal["success", "failure", "pending"]] = {
    "SUCCESS": "success", "FAILURE": "failure", "ERROR": "failure",
    "PENDING": "pending", "EXPECTED": "pending", "IN_PROGRESS": "pending", "QUEUED": "pending", "WAITING": "pending",
}  # fmt: skip
"""GitHub's states of statuses and deployments. `INACTIVE` says that another deployment has taken the place."""

_log = logging.getLogger(__name__)


class _Node(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class _Context(_Node):
    context: str
    state: str
    description: str | None
    target_url: str | None
    created_at: datetime


class _Contexts(_Node):
    contexts: tuple[_Context, ...]


class _Latest(_Node):
    state: str
    description: str | None
    log_url: str | None
    environment_url: str | None
    created_at: datetime


class _Deployment(_Node):
    environment: str | None
    latest_status: _Latest | None


class _Deployments(_Node):
    nodes: tuple[_Deployment, ...]


class Notices:
    """The repository's statuses and deployments. What the App may not read is asked for once in a process."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._refused: dict[Powers, Refused] = {}

    def of(self, commits: Sequence[str]) -> tuple[Notice, ...] | Unavailable:
        """All that stands at some commits; Unavailable when neither may be read, or one cannot be now."""
        wanted = [each for each in commits if re.fullmatch(r"[0-9a-f]{40}", each)]
        if not wanted:
            return ()
        asked = [wanted[0], *wanted[1:][-(_MOST - 1) :]]
        statuses = self._ask(Powers.STATUSES, _STATUSES, asked, _statuses)
        deployments = self._ask(Powers.DEPLOYMENTS, _DEPLOYMENTS, asked, _deployments)
        for answer in (statuses, deployments):
            if isinstance(answer, Unavailable):
                return answer
        if isinstance(statuses, Refused) and isinstance(deployments, Refused):
            return Unavailable(f"{statuses.reason}; grant the App `statuses: read`, or `deployments: read`")
        found = [each for each in (statuses, deployments) if isinstance(each, tuple)]
        return tuple(notice for each in found for notice in each)

    def _ask(
        self,
        powers: Powers,
        fields: str,
        commits: Sequence[str],
        read: Callable[[str, Mapping[str, Any]], Iterator[Notice]],
    ) -> tuple[Notice, ...] | Refused | Unavailable:
        if powers in self._refused:
            return self._refused[powers]

        def ask() -> tuple[Notice, ...]:
            owner, _, name = self._session.repository.partition("/")
            parts = [
                f'c{at}: object(oid: "{sha}") {{ ... on Commit {{ {fields} }} }}' for at, sha in enumerate(commits)
            ]
            inner = f"repository(owner: $owner, name: $name) {{ {' '.join(parts)} }}"
            query = f"query($owner: String!, $name: String!) {{ {inner} }}"
            requester = self._session.repo.requester
            answer = requester.graphql_query(query, {"owner": owner, "name": name})[1]["data"]["repository"]
            return tuple(notice for at, sha in enumerate(commits) for notice in read(sha, answer[f"c{at}"] or {}))

        answer = self._session.attempt(ask, tries=3, powers=powers)
        if isinstance(answer, Refused):
            self._refused[powers] = answer
            _log.info("GitHub does not let the bot %s: %s", powers.value, answer.reason)
        return answer


def _statuses(sha: str, raw: Mapping[str, Any]) -> Iterator[Notice]:
    for each in _Contexts.model_validate(raw.get("status") or {"contexts": ()}).contexts:
        if each.state in _STATES:
            said, link = each.description or "", each.target_url or ""
            yield Notice(sha, "status", each.context, _STATES[each.state], each.created_at, said, link)


def _deployments(sha: str, raw: Mapping[str, Any]) -> Iterator[Notice]:
    for each in _Deployments.model_validate(raw.get("deployments") or {"nodes": ()}).nodes:
        latest = each.latest_status
        if latest is not None and latest.state in _STATES:
            said, link = latest.description or "", latest.log_url or latest.environment_url or ""
            name = each.environment or ""
            yield Notice(sha, "deployment", name, _STATES[latest.state], latest.created_at, said, link)
