"""Prometheus through prometheus-api-client, with its deficiencies fenced.

The client alone has no limit in time or size, drops warnings, rounds to whole seconds, sends long queries in the URL
and tries a dead host for seconds. The session that it is given here bounds every answer, keeps the warnings and sends
long queries by POST; nothing is tried twice, since the bot looks again anyway.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from requests.auth import AuthBase
from urllib3.util.retry import Retry

from gitops_sre.model.evidence import Answer, Query, Series
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.signal import Alert
from gitops_sre.perception.alerts import AlertError, from_prometheus_api
from gitops_sre.settings import PrometheusSettings

PARALLEL = 6
LONG_QUERY = 1_500
"""Characters of parameters from which a request goes by POST; proxies cut URLs at about 2,000."""
MAX_BYTES = 64 * 1024 * 1024
CHUNK = 64 * 1024
MAX_REASON = 300
SCRAPE = 15.0
"""Seconds between samples that are reckoned with when samples are asked for as they were taken; Prometheus' own
configuration samples as often. Where they are too many, a grid is asked for."""
NAMES_KEPT = 300.0
"""Seconds for which the names of the metrics are not asked again: a new exporter is no news of this second."""
_ADMIN = ("web.enable-admin-api", "web.enable-lifecycle")
_MEMORY_HOG = "answers more than {} MiB; ask for less"

_TROUBLE = (
    requests.RequestException,
    PrometheusApiClientException,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
)
"""What the client raises: its own and requests' errors, and what indexing an answer of another shape gives."""


class Prometheus:
    """`ports.Metrics` and `ports.Alerts` over one Prometheus-compatible API."""

    source = "prometheus"

    def __init__(self, settings: PrometheusSettings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._url = settings.url.rstrip("/")
        self._host = urlsplit(self._url).hostname or "?"
        token = environment.get(settings.token_env, "") if settings.token_env else ""
        self._session = _BoundedSession(settings.timeout, token)
        self._names: tuple[float, frozenset[str]] | None = None
        # urllib3 raises on the first failure and follows no redirect: a token must not travel to other hosts.
        self._client = PrometheusConnect(
            url=self._url, session=self._session, retry=Retry(0, read=False), timeout=settings.timeout
        )

    def ask(self, queries: Sequence[Query]) -> tuple[Answer | Unavailable, ...]:
        """Answer range queries in parallel; one result per query, in order."""
        if not queries:
            return ()
        with ThreadPoolExecutor(max_workers=min(PARALLEL, len(queries))) as pool:
            return tuple(pool.map(self._ask, queries))

    def names(self) -> frozenset[str] | Unavailable:
        """Names of the metrics, by `/api/v1/label/__name__/values`, kept for NAMES_KEPT seconds."""
        if self._names is not None and time.monotonic() - self._names[0] < NAMES_KEPT:
            return self._names[1]
        try:
            found = self._client.all_metrics()
        except _TROUBLE as error:
            return self._failed(error)
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            return self._unavailable("the answer is not what the API promises (no list of names)")
        self._names = (time.monotonic(), frozenset(found))
        return self._names[1]

    def firing(self) -> tuple[Alert, ...] | Unavailable:
        """The alerts of `/api/v1/alerts` that fire; the client has no call for it, so its session is asked."""
        try:
            response = self._session.request("GET", f"{self._url}/api/v1/alerts")
            if response.status_code != 200:
                return self._unavailable(f"HTTP {response.status_code} to /api/v1/alerts: {_error_of(response)}")
            return from_prometheus_api(response.json())
        except AlertError as error:
            return self._unavailable(f"/api/v1/alerts: {error}")
        except _TROUBLE as error:
            return self._failed(error)

    def admin(self) -> str:
        """Flags of interfaces that change something and are on, by `/api/v1/status/flags`; empty when none is, or the
        server does not say (others than Prometheus itself have no such flags)."""
        try:
            response = self._session.request("GET", f"{self._url}/api/v1/status/flags")
            flags = response.json()["data"] if response.status_code == 200 else {}
            return ", ".join(f"--{name}" for name in _ADMIN if flags.get(name) == "true")
        except _TROUBLE:
            return ""

    def close(self) -> None:
        """Let the connections go."""
        self._session.close()

    def _ask(self, query: Query) -> Answer | Unavailable:
        points = (query.end - query.start).total_seconds() / query.step + 1
        if points > self._settings.max_points:
            return Unavailable(
                f"query {query.id}: {points:.0f} samples a series are more than {self._settings.max_points}; "
                "raise timing.step or prometheus.max_points"
            )
        if query.plain and points * query.step / SCRAPE <= self._settings.max_points:
            answer = self._ask_plain(query)
            if isinstance(answer, Answer):
                return answer
        # As parameters the exact times win over the client's, which are rounded.
        exact = {"start": f"{query.start.timestamp():.3f}", "end": f"{query.end.timestamp():.3f}"}
        try:
            raw = self._client.custom_query_range(query.expr, query.start, query.end, f"{query.step:g}", exact)
            return _answer(query, raw, self._session.warnings, self._settings.max_series)
        except _TROUBLE as error:
            return self._failed(error)

    def _ask_plain(self, query: Query) -> Answer | Unavailable:
        """The samples as they were taken."""
        seconds = math.ceil((query.end - query.start).total_seconds()) + 1  # the range is open at its beginning
        try:
            raw = self._client.custom_query(f"{query.expr}[{seconds}s]", {"time": f"{query.end.timestamp():.3f}"})
            answer = _answer(query, raw, self._session.warnings, self._settings.max_series)
        except _TROUBLE as error:
            return self._failed(error)
        begin = query.start.timestamp()
        kept = (Series.of(each.labels, (pair for pair in each.samples if pair[0] >= begin)) for each in answer.series)
        return replace(answer, series=tuple(each for each in kept if len(each.times)))

    def _failed(self, error: Exception) -> Unavailable:
        return self._unavailable(_explain(error, self._settings.timeout))

    def _unavailable(self, reason: str) -> Unavailable:
        return Unavailable(f"Prometheus at {self._host}: {reason[:MAX_REASON]}")


class _Bearer(AuthBase):
    """Sets the token; being an `auth`, it also keeps a .netrc file from putting another credential in."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _BoundedSession(requests.Session):
    """A session whose every answer is read whole within limits of time and size."""

    def __init__(self, timeout: float, token: str) -> None:
        super().__init__()
        self._limit = timeout
        self._bearer = _Bearer(token)
        self._latest = threading.local()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the answer that this thread got last warns of."""
        found: tuple[str, ...] = getattr(self._latest, "warnings", ())
        return found

    def request(  # type: ignore[override]  # callers here pass keywords only, and the limits are not theirs to set
        self, method: str, url: str, **options: Any
    ) -> requests.Response:
        """Send, read within the limits, keep the warnings. Raises requests.RequestException."""
        deadline = time.monotonic() + self._limit
        params = options.pop("params", None) or {}
        options.update(auth=self._bearer, stream=True, timeout=self._limit, allow_redirects=False)
        if len(urlencode(params)) > LONG_QUERY:
            method, options["data"] = "POST", params
        else:
            options["params"] = params
        with super().request(method, url, **options) as response:
            body = self._body(response, deadline)
        response._content = body  # what Response.content does itself, but without limits
        self._latest.warnings = _warnings(body)
        return response

    def _body(self, response: requests.Response, deadline: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        for chunk in response.iter_content(CHUNK):
            parts.append(chunk)
            size += len(chunk)
            if size > MAX_BYTES:
                raise requests.RequestException(_MEMORY_HOG.format(MAX_BYTES // 2**20))
            if time.monotonic() > deadline:
                raise requests.Timeout("the answer trickles in")
        return b"".join(parts)


def _warnings(body: bytes) -> tuple[str, ...]:
    """The warnings of an answer; looked for only where the word stands, so that big answers are parsed once."""
    if b'"warnings"' not in body:
        return ()
    parsed = json.loads(body)
    found = parsed.get("warnings") if isinstance(parsed, dict) else None
    return tuple(str(each)[:MAX_REASON] for each in found) if isinstance(found, list) else ()


def _answer(query: Query, raw: list[dict[str, Any]], warnings: tuple[str, ...], max_series: int) -> Answer:
    """The client's result as nouns, bounded, without values that are no numbers."""
    notes = list(warnings)
    if len(raw) > max_series:
        notes.append(f"{len(raw)} series are more than {max_series}; the rest was cut off")
        raw = sorted(raw, key=lambda each: sorted(each["metric"].items()))[:max_series]
    series: list[Series] = []
    dropped = 0
    for each in raw:
        samples = tuple((float(at), float(value)) for at, value in each["values"])
        finite = tuple(sample for sample in samples if math.isfinite(sample[1]))
        dropped += len(samples) - len(finite)
        series.append(Series.of(tuple(sorted((str(k), str(v)) for k, v in each["metric"].items())), finite))
    if dropped:
        notes.append(f"{dropped} samples were NaN or infinite and were left out")
    return Answer(query, tuple(series), tuple(notes))


def _explain(error: Exception, timeout: float) -> str:
    """What went wrong, without the URL (it may hold a credential) and without the whole body."""
    if isinstance(error, requests.Timeout):
        return f"no answer within {timeout:g} s"
    if isinstance(error, requests.ConnectionError):
        return "cannot be reached; check prometheus.url"
    if isinstance(error, PrometheusApiClientException):
        return str(error)
    if isinstance(error, requests.RequestException) and str(error).startswith("answers"):
        return str(error)
    return f"the answer is not what the API promises ({type(error).__name__})"


def _error_of(response: requests.Response) -> str:
    """The API's own word on an error."""
    return response.text[:MAX_REASON]
