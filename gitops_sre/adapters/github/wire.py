"""The way to GitHub: requests are counted, unchanged answers are not paid for, and writes stay within GitHub's limits.

PyGithub makes a connection object for each request; ours lead to one `Wire`, which comes along in the retry policy, the
one object that a client hands to its connections. Libraries for HTTP caches do not fit here: GitHub says that answers
may be kept for a minute, they would believe it, and the bot would act upon what was true a minute ago. Here every GET
asks, with the ETag of the last answer; one that is answered with 304 does not count against the limit
(docs.github.com, "Best practices for using the REST API").
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from github.Requester import (
    HTTPRequestsConnectionClass,
    HTTPSRequestsConnectionClass,
    Requester,
    RequestsResponse,
)
from urllib3.util import Retry

from gitops_sre.model.usage import Usage

_KEPT = 500
"""Answers kept for their ETags; a pass over 50 pull requests asks for fewer."""
_MINUTE, _HOUR = 60.0, 3600.0
WRITES_PER_MINUTE, WRITES_PER_HOUR = 80, 500
"""GitHub's limits for requests that make content (docs.github.com, "Rate limits for the REST API")."""


class Wire:
    """What all clients of one repository share. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: OrderedDict[str, RequestsResponse] = OrderedDict()
        self._mine = threading.local()
        self._writes: deque[float] = deque(maxlen=WRITES_PER_HOUR)

    def spent(self) -> Usage:
        """What this thread has asked for since it began."""
        mine: Counter[str] = self._mine.__dict__.setdefault("counts", Counter())
        return Usage(mine["read"], mine["unchanged"], mine["write"], mine["token"])

    def full(self, now: float) -> float:
        """Seconds until GitHub's limits of writes leave room for one more; 0 when they do now."""
        with self._lock:
            waits = [
                self._writes[-allowed] + span - now
                for allowed, span in ((WRITES_PER_MINUTE, _MINUTE), (WRITES_PER_HOUR, _HOUR))
                if len(self._writes) >= allowed
            ]
        return max(0.0, *waits) if waits else 0.0

    def send(self, session: requests.Session, method: str, url: str, **options: Any) -> RequestsResponse:
        """One request and its answer; the one kept from before when nothing has changed since."""
        headers: dict[str, str] = options["headers"]
        key = _key(method, url, headers)
        with self._lock:
            kept = self._answers.get(key)
        if kept is not None:
            options["headers"] = {**headers, "If-None-Match": kept.headers["ETag"]}
        kind = kind_of(method, url, options.get("data"))
        status = 0
        try:
            answer = RequestsResponse(session.request(method, url, allow_redirects=False, **options))
            status = answer.status
        finally:
            self._count(kind, status)
        if status == 304 and kept is not None:
            return kept
        if key and status == 200 and answer.headers.get("ETag"):
            self._keep(key, answer)
        return answer

    def _keep(self, key: str, answer: RequestsResponse) -> None:
        with self._lock:
            self._answers[key] = answer
            self._answers.move_to_end(key)
            while len(self._answers) > _KEPT:
                self._answers.popitem(last=False)

    def _count(self, kind: str, status: int) -> None:
        mine: Counter[str] = self._mine.__dict__.setdefault("counts", Counter())
        mine["unchanged" if status == 304 else kind] += 1
        if kind == "write":
            with self._lock:
                self._writes.append(time.monotonic())


def kind_of(method: str, url: str, data: object) -> str:
    """`read`, `write` or `token`: a query of GraphQL is a read although it is sent by POST."""
    path = urlsplit(url).path
    if method == "GET":
        return "read"
    if path.endswith("/access_tokens"):
        return "token"
    if path.endswith("/graphql") and isinstance(data, str | bytes):
        return "write" if json.loads(data)["query"].lstrip().startswith("mutation") else "read"
    return "write"


def _key(method: str, url: str, headers: Mapping[str, str]) -> str:
    """What an answer depends on, the token included, which is not kept as it is; empty for what is never kept."""
    if method != "GET":
        return ""
    return hashlib.sha256(json.dumps([url, sorted(headers.items())]).encode()).hexdigest()


class WireRetry(Retry):
    """A retry policy that carries the wire, and the sessions with which this client's connections are kept open."""

    wire: Wire
    session: requests.Session

    @classmethod
    def over(cls, wire: Wire) -> WireRetry:
        """GET alone is sent again, after a gateway's error; limits are answers, not something to sleep through."""
        retry = cls(
            total=2, backoff_factor=0.2, status_forcelist=(502, 503, 504), allowed_methods={"GET"},
            raise_on_status=False, respect_retry_after_header=False,
        )  # fmt: skip
        session = requests.Session()
        session.auth = lambda request: request  # else requests looks into ~/.netrc
        adapter = requests.adapters.HTTPAdapter(max_retries=retry)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        retry.wire, retry.session = wire, session
        return retry


class _Https(HTTPSRequestsConnectionClass):
    def getresponse(self) -> RequestsResponse:
        return _sent(self) or super().getresponse()

    def close(self) -> None:
        if not isinstance(self.retry, WireRetry):
            super().close()


class _Http(HTTPRequestsConnectionClass):
    def getresponse(self) -> RequestsResponse:
        return _sent(self) or super().getresponse()

    def close(self) -> None:
        if not isinstance(self.retry, WireRetry):
            super().close()


def _sent(to: _Https | _Http) -> RequestsResponse | None:
    """The answer, when the client is one of ours."""
    retry = to.retry
    if not isinstance(retry, WireRetry):
        return None
    options = {"headers": to.headers, "data": to.input, "timeout": to.timeout, "verify": to.verify}
    return retry.wire.send(retry.session, to.verb.upper(), f"{to.protocol}://{to.host}:{to.port}{to.url}", **options)


Requester.injectConnectionClasses(_Http, _Https)
