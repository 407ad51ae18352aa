"""Looking at pull requests, many in one request of GraphQL.

Over REST each pull request costs four requests: itself, its commits, its reviews, its check runs. Here a pass over 50
open ones costs one or two. What a pass has found serves the looks that follow within seconds, each entry once: who
looks again asks again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from gitops_sre.adapters.github import nodes
from gitops_sre.adapters.github.read import may_write
from gitops_sre.adapters.github.session import Session, Stop
from gitops_sre.delivery.branch import PREFIX
from gitops_sre.model.outcome import Unavailable

FRESH = 10.0
"""Seconds for which what was found for many pull requests serves the looks at each."""
_AT_ONCE = 50
"""Pull requests in one request: GitHub bounds what one may cost."""
_CLOSED_LATELY = timedelta(days=7)
_MOST_CLOSED = 500


class Lookout:
    """The repository's pull requests into one branch. Safe for threads."""

    def __init__(self, session: Session, base: str, mark: str, advice: str) -> None:
        """`mark` and `advice`: names of the check runs (or statuses) that are wanted of each head commit."""
        self._session, self._base, self._mark, self._advice = session, base, mark, advice
        self.others: tuple[nodes.Pull, ...] = ()
        """Open pull requests that cannot be the bot's, as `open` last saw them."""
        self._lock = threading.Lock()
        self._found: dict[int, tuple[float, nodes.Pull]] = {}
        self._writers: dict[str, tuple[float, bool]] = {}

    def open(self) -> tuple[tuple[nodes.Pull, ...], tuple[nodes.Listed, ...]]:
        """All candidates: open ones in full, and the list of those closed lately."""
        answer = self._ask(_query(self._full(), openly=True, closed=True), openAfter=None, closedAfter=None)
        all_open = [pull for page in self._open_pages(answer) for pull in page.nodes]
        found = [pull for pull in all_open if _candidate(pull)]
        self.others = tuple(pull for pull in all_open if not _candidate(pull))
        closed = [pull for pull in _lately(self._closed_pages(answer)) if _candidate(pull)]
        self._keep(found, anew=True)
        return tuple(found), tuple(closed)

    def fresh(self, numbers: Iterable[int]) -> tuple[nodes.Pull, ...]:
        """Pull requests as they stand at this moment. Ends the operation when one is not there."""
        found: list[nodes.Pull] = []
        wanted = tuple(dict.fromkeys(numbers))
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            self._forget(some)
            answer = self._ask(_query(self._full(), numbers=some))
            found += [nodes.Pull.model_validate(answer[f"p{number}"]) for number in some if answer[f"p{number}"]]
        return tuple(found)

    def look(self, number: int) -> nodes.Pull:
        """One pull request, as found seconds ago if nobody has looked at it since."""
        now = time.monotonic()
        with self._lock:
            at, pull = self._found.pop(number, (0.0, None))
            others = [other for other, (then, _) in self._found.items() if now - then > FRESH]
        if pull is not None and now - at <= FRESH:
            return pull
        # The looks at the others are to follow: better asked for together.
        found = self.fresh([number, *others[: _AT_ONCE - 1]])
        self._keep([each for each in found if each.number != number])
        for each in found:
            if each.number == number:
                return each
        raise Stop(Unavailable(f"GitHub has no pull request #{number}"))

    def may_write(self, login: str) -> bool:
        """Whether somebody has write permission; asked once in a pass."""
        now = time.monotonic()
        at, known = self._writers.get(login, (0.0, False))
        if at and now - at <= FRESH:
            return known
        may = may_write(self._session.repo, login)
        self._writers[login] = now, may
        return may

    def _keep(self, pulls: Iterable[nodes.Pull], *, anew: bool = False) -> None:
        now = time.monotonic()
        with self._lock:
            if anew:
                self._found.clear()
            self._found.update({pull.number: (now, pull) for pull in pulls})

    def _forget(self, numbers: Iterable[int]) -> None:
        with self._lock:
            for number in numbers:
                self._found.pop(number, None)

    def _full(self) -> str:
        return nodes.FULL % (nodes.CHECKS if self._session.is_app else nodes.STATUS)

    def _open_pages(self, first: Mapping[str, Any]) -> Iterator[nodes.OpenPage]:
        page = nodes.OpenPage.model_validate(first["open"])
        yield page
        while page.page_info.has_next_page:
            answer = self._ask(_query(self._full(), openly=True), openAfter=page.page_info.end_cursor)
            page = nodes.OpenPage.model_validate(answer["open"])
            yield page

    def _closed_pages(self, first: Mapping[str, Any]) -> Iterator[nodes.Listed]:
        page = nodes.ClosedPage.model_validate(first["closed"])
        seen = len(page.nodes)
        yield from page.nodes
        while page.page_info.has_next_page and seen < _MOST_CLOSED:
            answer = self._ask(_query("", closed=True), closedAfter=page.page_info.end_cursor)
            page = nodes.ClosedPage.model_validate(answer["closed"])
            seen += len(page.nodes)
            yield from page.nodes

    def _ask(self, query: str, **more: str | None) -> Mapping[str, Any]:
        """The repository's part of an answer."""
        owner, _, name = self._session.repository.partition("/")
        known = {"owner": owner, "name": name, "base": self._base, "mark": self._mark, "advice": self._advice}
        given: dict[str, Any] = {**known, "app": self._session.app_id, **more}
        wanted = {key: value for key, value in given.items() if f"${key}:" in query}
        found: Mapping[str, Any] = self._session.repo.requester.graphql_query(query, wanted)[1]["data"]["repository"]
        return found


_TYPES = {
    "owner": "String!", "name": "String!", "base": "String!", "mark": "String!", "advice": "String!", "app": "Int",
    "openAfter": "String", "closedAfter": "String",
}  # fmt: skip
_PAGE = "pageInfo { hasNextPage endCursor }"


def _query(full: str, *, openly: bool = False, closed: bool = False, numbers: Iterable[int] = ()) -> str:
    """A query for pages of open and closed pull requests, and for some by number, with the variables that it uses."""
    parts = [f"p{number}: pullRequest(number: {number}) {{ {full} }}" for number in numbers]
    if openly:
        parts.append(
            f"open: pullRequests(states: [OPEN], baseRefName: $base, first: {_AT_ONCE}, after: $openAfter,"
            f" orderBy: {{field: CREATED_AT, direction: DESC}}) {{ {_PAGE} nodes {{ {full} }} }}"
        )
    if closed:
        parts.append(
            "closed: pullRequests(states: [CLOSED, MERGED], baseRefName: $base, first: 100, after: $closedAfter,"
            f" orderBy: {{field: UPDATED_AT, direction: DESC}}) {{ {_PAGE} nodes {{ {nodes.LIGHT} }} }}"
        )
    inner = f"repository(owner: $owner, name: $name) {{ {' '.join(parts)} }}"
    used = ", ".join(f"${name}: {kind}" for name, kind in _TYPES.items() if f"${name}" in inner)
    return f"query({used}) {{ {inner} }}"


def _candidate(pull: nodes.Listed) -> bool:
    """Whether it could be the bot's by its branch, which must be in the repository itself."""
    return pull.head_ref_name.startswith(PREFIX) and not pull.is_cross_repository


def _lately(pulls: Iterable[nodes.Listed]) -> Iterator[nodes.Listed]:
    """Those updated within a week of the first one, which is the latest: GitHub's own clock decides."""
    latest = None
    for pull in pulls:
        latest = latest or pull.updated_at
        if pull.updated_at < latest - _CLOSED_LATELY:
            return
        yield pull
