"""Who the bot is on GitHub, and how it behaves there: tokens, time-outs, limits, and errors turned into values.

PyGithub's own retry re-sends POST after a 5xx and sleeps until a limit resets. Here only GET is sent again, and a limit
is an answer (`Unavailable`) that the durable schedule waits for.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from github import Auth, BadAttributeException, Github, GithubException, RateLimitExceededException
from github.Repository import Repository
from pydantic import ValidationError

from gitops_sre.adapters.github.powers import Powers
from gitops_sre.adapters.github.wire import Wire, WireRetry
from gitops_sre.delivery.neutral import title
from gitops_sre.model.grant import Grant
from gitops_sre.model.outcome import Refused, Unavailable
from gitops_sre.model.usage import Usage
from gitops_sre.settings import ConfigError, GitHubSettings

T = TypeVar("T")
_log = logging.getLogger(__name__)

_RENEW_AFTER = 45 * 60.0
"""Seconds; an installation token lives for an hour, and a fetch or a pass must fit into the rest."""
_DEFAULT_WAIT = 60.0
_LONGEST_WAIT = 3600.0
_GRAPHQL_FAILS = frozenset({"", "INTERNAL", "SERVICE_UNAVAILABLE"})
"""GraphQL's way of a 5xx: an answer with status 200 whose errors have one of these types, or none."""
_MALFORMED = (BadAttributeException, AssertionError, RuntimeError, json.JSONDecodeError, ValidationError)
"""What PyGithub raises for an answer that it does not accept: wrong types, another host, not JSON."""


class Stop(Exception):  # noqa: N818  # not an error: the way out of an operation with its answer
    """End the operation with this answer."""

    def __init__(self, answer: Refused | Unavailable) -> None:
        super().__init__(answer.reason)
        self.answer = answer


class Again(Exception):  # noqa: N818  # not an error: somebody was faster, look again
    """What was to be made is there already: look again and adopt it if it is ours."""


_FAILURES = (Again, GithubException, requests.RequestException, *_MALFORMED)


@dataclass(frozen=True)
class Identity:
    """The bot's login and its account's id, and its App's id when it is an App."""

    login: str
    app_id: int | None
    user_id: int
    hosts: tuple[str, ...] = ("github.com",)
    """Domains whose no-reply addresses are GitHub's: its own, and an Enterprise server's."""


@dataclass(frozen=True)
class _Client:
    token: str
    github: Github
    repository: Repository


class Session:
    """One repository, as one identity. Safe for threads: each has its own clients, all share tokens, pace and limits.

    What runs in `attempt` has a token of the powers named there; everything else has one that may only look.
    """

    def __init__(self, settings: GitHubSettings, environment: Mapping[str, str]) -> None:
        """Raises ConfigError when there is neither an App nor a token."""
        self.repository = settings.repository
        self.before_write: Callable[[bool], Unavailable | None] = lambda _: None
        """Asked before each write but the ledger's own, and told whether it is lasting; an answer keeps it from being
        made."""
        self.halted: Callable[[], Unavailable | None] = lambda: None
        """Asked before that: an answer keeps every write from being made."""
        self._settings = settings
        self._lock = threading.RLock()
        self._pace = threading.Lock()
        self._local = threading.local()
        self._wire = Wire()
        self._tokens: dict[Powers, tuple[str, float]] = {}
        self._installation = settings.installation_id
        self._own_token = ""
        self._next_write = 0.0
        self._blocked_until = 0.0
        self._refusals = 0
        self._identity: Identity | None = None
        self._key = _app_key(settings)
        if self._key is None:
            self._own_token = environment.get(settings.token_env, "").strip()
            if not self._own_token:
                raise ConfigError(
                    f"github: no App and no token; set app_id and private_key_file, or {settings.token_env}"
                )

    @property
    def is_app(self) -> bool:
        """Whether the bot is a GitHub App (only Apps may write check runs)."""
        return self._key is not None

    @property
    def app_id(self) -> int | None:
        """The App's id, None for a token."""
        return self._settings.app_id

    @property
    def repo(self) -> Repository:
        """The repository, through this thread's client."""
        return self._client().repository

    @property
    def identity(self) -> Identity:
        """Who the bot is; asked once."""
        if self._identity is None:
            self._identity = self._whoami()
        return self._identity

    @property
    def powers(self) -> Powers:
        """What this thread's token may do now."""
        return getattr(self._local, "powers", Powers.LOOK)

    def spent(self) -> Usage:
        """Requests that this thread has made since it began."""
        return self._wire.spent()

    def wait(self) -> float:
        """Seconds for which GitHub wants to be left alone; 0 when it may be asked."""
        return max(0.0, self._blocked_until - time.monotonic())

    def token(self) -> str:
        """A token of this thread's powers that is good for some minutes at least."""
        if self._key is None:
            return self._own_token
        powers = self.powers
        with self._lock:
            token, since = self._tokens.get(powers, ("", 0.0))
            if not token or time.monotonic() - since > _RENEW_AFTER:
                token = self._installation_token(powers)
                self._tokens[powers] = token, time.monotonic()
            return token

    def pace(self, *, guarded: bool = True, lasting: bool = True) -> None:
        """To be called before every write: asks whether it may be done (`halted`, and `before_write`, which is told
        whether the write is lasting), and waits for this writer's turn, since content-creating requests keep a distance
        from each other. When GitHub's limits of writes in a minute or an hour are reached the operation ends: that wait
        is the schedule's."""
        refusal = (self.halted() or self.before_write(lasting)) if guarded else None
        if refusal is not None:
            raise Stop(refusal)
        with self._pace:
            full = self._wire.full(time.monotonic())
            if full > 0:
                self._blocked_until = max(self._blocked_until, time.monotonic() + full)
                raise Stop(Unavailable(f"GitHub's limit of writes is reached: {full:.0f} s until the next"))
            wait = self._next_write - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            self._next_write = time.monotonic() + self._settings.min_write_interval

    def attempt(
        self, operation: Callable[[], T], tries: int = 1, powers: Powers = Powers.LOOK
    ) -> T | Refused | Unavailable:
        """Run an operation with the powers that it needs; every way that it can fail becomes a value."""
        before, self._local.powers = self.powers, powers
        try:
            return self._attempt(operation, tries)
        finally:
            self._local.powers = before

    def _attempt(self, operation: Callable[[], T], tries: int) -> T | Refused | Unavailable:
        """A refused token is renewed once. Of `tries`, each further one follows `Again` or a server's error: it must be
        find-or-adopt, since the one before may have been carried out.
        """
        renewed = False
        while True:
            tries -= 1
            try:
                self._assert_not_limited()
                answer = operation()
            except Stop as stop:
                return stop.answer
            except _FAILURES as error:
                if not renewed and self._renew(error):
                    renewed, tries = True, tries + 1
                elif tries <= 0 or not _worth_another(error):
                    return self._answer(error)
            else:
                self._refusals = 0
                return answer

    def _assert_not_limited(self) -> None:
        wait = self.wait()
        if wait > 0:
            raise Stop(Unavailable(f"GitHub's rate limit: it asks to wait {wait:.0f} s more"))

    @property
    def _host(self) -> str:
        return urlsplit(self._settings.api_url).hostname or self._settings.api_url

    def _client(self) -> _Client:
        token = self.token()
        clients: dict[Powers, _Client] = self._local.__dict__.setdefault("clients", {})
        client = clients.get(self.powers)
        if client is None or client.token != token:
            github = self._connect(Auth.Token(token))
            client = clients[self.powers] = _Client(token, github, github.get_repo(self.repository))
        return client

    def _connect(self, auth: Auth.Auth) -> Github:
        settings = self._settings
        return Github(
            auth=auth,
            base_url=settings.api_url.rstrip("/"),
            timeout=math.ceil(settings.timeout),
            user_agent="gitops-sre",
            per_page=100,
            retry=WireRetry.over(self._wire),
            seconds_between_requests=0,
            seconds_between_writes=0,
            lazy=True,
        )

    def _as_app(self) -> Github:
        key = self._key
        if key is None:
            raise Stop(Unavailable("there is no App to speak for"))

        def sign(claims: dict[str, Any]) -> str:
            return jwt.encode(claims, key, algorithm="RS256")

        return self._connect(Auth.AppAuth(self._settings.app_id or 0, sign_func=sign))

    def _installation_token(self, powers: Powers) -> str:
        """A token of the App's installation, narrowed to this repository and to what a step needs."""
        requester = self._as_app().requester
        if self._installation is None:
            found = requester.requestJsonAndCheck("GET", f"/repos/{quote(self.repository)}/installation")[1]
            self._installation = int(found["id"])
        wanted = {"repositories": [self.repository.partition("/")[2]], "permissions": dict(powers.permissions)}
        path = f"/app/installations/{self._installation}/access_tokens"
        return str(requester.requestJsonAndCheck("POST", path, input=wanted)[1]["token"])

    def granted(self) -> Grant:
        """What the App's installation on the repository may do, or what a classic token says it may."""
        if self._key is None:
            headers = self._client().github.requester.requestJsonAndCheck("GET", "/user")[0]
            said = {name.lower(): str(value) for name, value in headers.items()}.get("x-oauth-scopes", "")
            return Grant({}, scopes=tuple(scope for scope in said.replace(",", " ").split() if scope))
        path = f"/repos/{quote(self.repository)}/installation"
        found = self._as_app().requester.requestJsonAndCheck("GET", path)[1]
        permissions = {str(name): str(level) for name, level in found["permissions"].items()}
        return Grant(permissions, everywhere=found.get("repository_selection") == "all")

    def _whoami(self) -> Identity:
        ask = self._client().github.requester.requestJsonAndCheck
        if self._key is None:
            user = ask("GET", "/user")[1]
            return Identity(str(user["login"]), None, int(user["id"]), self._hosts)
        app = self._as_app().requester.requestJsonAndCheck("GET", "/app")[1]
        login = f"{app['slug']}[bot]"
        return Identity(login, int(app["id"]), int(ask("GET", f"/users/{quote(login)}")[1]["id"]), self._hosts)

    @property
    def _hosts(self) -> tuple[str, ...]:
        return ("github.com",) if self._host == "api.github.com" else ("github.com", self._host)

    def _renew(self, error: Exception) -> bool:
        """Forget a token that GitHub does not accept, unless another thread has done so; whether it can be replaced."""
        if self._key is None or not isinstance(error, GithubException) or error.status != 401:
            return False
        client = self._local.__dict__.get("clients", {}).get(self.powers)
        with self._lock:
            if client is not None and client.token == self._tokens.get(self.powers, ("", 0.0))[0]:
                del self._tokens[self.powers]
        return True

    def _answer(self, error: Exception) -> Refused | Unavailable:
        """What a failure amounts to: forbidden, or not to be had now."""
        _log.debug("GitHub: an operation failed", exc_info=error)
        if isinstance(error, GithubException):
            return self._said(error)
        if isinstance(error, Again):
            return Unavailable(f"somebody else is at it: {error}")
        if isinstance(error, requests.RequestException):
            return Unavailable(f"GitHub does not answer ({type(error).__name__}); is {self._host} reachable?")
        return Unavailable(f"GitHub's answer makes no sense ({type(error).__name__}); check github.api_url")

    def _said(self, error: GithubException) -> Refused | Unavailable:
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        said = message(error)
        kinds = error_types(error)
        if _is_limit(error, headers) or "RATE_LIMITED" in kinds:
            wait = _wait(headers, self._refusals)
            self._refusals += 1
            self._blocked_until = max(self._blocked_until, time.monotonic() + wait)
            return Unavailable(f"GitHub's rate limit: it asks to wait {wait:.0f} s ({said})")
        if error.status >= 500 or kinds & _GRAPHQL_FAILS:
            return Unavailable(f"GitHub fails with {error.status}: {said}")
        if error.status == 401:
            return Unavailable(f"GitHub does not accept the credentials: {said}; `gitops-sre doctor` checks them")
        accepted = headers.get("x-accepted-github-permissions", "")
        remedy = f"; the token needs {accepted}" if error.status in (403, 404) and accepted else ""
        return Refused(f"GitHub refuses with {error.status}: {said}{remedy}")


def _worth_another(error: Exception) -> bool:
    """Whether an operation that is find-or-adopt may be run again at once."""
    return isinstance(error, Again | requests.RequestException) or (
        isinstance(error, GithubException) and error.status >= 500
    )


def message(error: GithubException) -> str:
    """What GitHub said, details included, in one bounded line."""
    data = error.data if isinstance(error.data, dict) else {}
    details = [
        item.get("message") or item.get("code") or "" for item in data.get("errors") or () if isinstance(item, dict)
    ]
    parts = [str(data.get("message") or ""), *(str(detail) for detail in details)]
    return title("; ".join(part for part in parts if part) or "no reason was given", 300)


def is_there_already(error: GithubException) -> bool:
    """Whether GitHub refuses to make what is there: somebody was faster."""
    return error.status == 422 and "already exists" in message(error).lower()


def error_types(error: GithubException) -> frozenset[str]:
    """The types of a GraphQL answer's errors (an empty one for an error without); none for REST."""
    data = error.data if isinstance(error.data, dict) else {}
    errors = data.get("errors") if "data" in data else None
    return frozenset(str(item.get("type") or "") for item in errors or () if isinstance(item, dict))


def _is_limit(error: GithubException, headers: Mapping[str, str]) -> bool:
    if error.status == 429 or isinstance(error, RateLimitExceededException):
        return True
    return error.status == 403 and ("retry-after" in headers or headers.get("x-ratelimit-remaining") == "0")


def _wait(headers: Mapping[str, str], refusals: int) -> float:
    """Seconds that GitHub asks to wait, by Retry-After or by the reset of the primary limit; else a minute, which
    doubles with every refusal in a row. Bounded to an hour."""
    after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    wait = _DEFAULT_WAIT * 2.0 ** min(refusals, 6)
    if after.isdigit():
        wait = float(after)
    elif reset.isdigit() and headers.get("x-ratelimit-remaining") == "0":
        wait = float(reset) - time.time()
    return min(max(wait, 1.0), _LONGEST_WAIT)


def _app_key(settings: GitHubSettings) -> RSAPrivateKey | None:
    """The App's private key, None when no App is named."""
    if settings.app_id is None:
        return None
    path = settings.private_key_file
    if path is None:
        raise ConfigError("github.private_key_file: missing; it holds the private key of the App in github.app_id")
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); see github.private_key_file") from error
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{path}: not an unencrypted PEM private key; download one from the App's settings"
        ) from error
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError(f"{path}: not an RSA key; download the private key from the App's settings")
    return key
