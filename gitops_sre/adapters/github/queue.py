"""Merge queues: where the base branch takes merges from a queue alone, the bot stands in line like everybody else."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from gitops_sre.adapters.github.nodes import Actor, Node
from gitops_sre.adapters.github.session import Session
from gitops_sre.model.outcome import Refused, Unavailable

_STANDING = """query($owner: String!, $name: String!, $number: Int!) { repository(owner: $owner, name: $name) {
  pullRequest(number: $number) { id mergeQueueEntry { state position }
    commits(last: 1) { nodes { commit { committedDate } } }
    timelineItems(itemTypes: [REMOVED_FROM_MERGE_QUEUE_EVENT], last: 1) { nodes {
      __typename ... on RemovedFromMergeQueueEvent { reason createdAt actor { __typename login } }
    } } } } }"""


_WORDS = re.compile(r"(?i)merge queue")
"""GitHub's words when it refuses a merge past the queue."""
_BY_HAND = re.compile(r"(?i)manual")
"""GitHub's word for a removal that somebody asked for."""


class _Entry(Node):
    state: str
    position: int


class _Made(Node):
    committed_date: datetime


class _OfCommit(Node):
    commit: _Made


class _Commits(Node):
    nodes: tuple[_OfCommit, ...]


class _Removed(Node):
    reason: str | None
    created_at: datetime
    actor: Actor | None

    def is_own(self, login: str) -> bool:
        """Whether the bot took it out itself, when it was held: no word of the queue's."""
        asked_for = _BY_HAND.search(self.reason or "") is not None
        return asked_for and self.actor is not None and self.actor.login == login


class _Timeline(Node):
    nodes: tuple[_Removed, ...]


class _Standing(Node):
    """How a pull request stands with the queue."""

    id: str
    merge_queue_entry: _Entry | None
    commits: _Commits
    timeline_items: _Timeline

    @property
    def removed(self) -> _Removed | None:
        """How the queue has removed it with its present head."""
        made = max(each.commit.committed_date for each in self.commits.nodes)
        return next((each for each in self.timeline_items.nodes if each.created_at >= made), None)


def asks_for_it(said: str) -> bool:
    """Whether GitHub's refusal of a merge means that the branch takes merges from a queue alone."""
    return bool(_WORDS.search(said))


def stand_in_line(session: Session, number: int, head: str) -> Refused | Unavailable:
    """Have a pull request in the queue with this head; Unavailable while it is, Refused when the queue has removed it:
    it is put there once, and once more after each hold. Whether it has landed is to be looked for elsewhere."""
    found = _standing(session, number)
    if found.merge_queue_entry is not None:
        return _waiting(found.merge_queue_entry)
    removed = found.removed
    if removed is not None and not removed.is_own(session.identity.login):
        return Refused(f"the merge queue removed it: {removed.reason or 'it did not say why'}")
    session.pace()
    wanted = {"pullRequestId": found.id, "expectedHeadOid": head}
    made = session.repo.requester.graphql_named_mutation(
        "enqueuePullRequest", wanted, "mergeQueueEntry { state position }"
    )[1]
    return _waiting(_Entry.model_validate(made["mergeQueueEntry"]))


def leave(session: Session, number: int) -> None:
    """Take a pull request out of the queue, when it is in there."""
    found = _standing(session, number)
    if found.merge_queue_entry is not None:
        session.pace()
        session.repo.requester.graphql_named_mutation("dequeuePullRequest", {"id": found.id}, "clientMutationId")


def _standing(session: Session, number: int) -> _Standing:
    owner, _, name = session.repository.partition("/")
    given: dict[str, Any] = {"owner": owner, "name": name, "number": number}
    answer = session.repo.requester.graphql_query(_STANDING, given)[1]
    return _Standing.model_validate(answer["data"]["repository"]["pullRequest"])


def _waiting(entry: _Entry) -> Unavailable:
    state = entry.state.replace("_", " ").lower()
    return Unavailable(f"it stands in the merge queue, at position {entry.position} ({state})")
