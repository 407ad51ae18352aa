"""Who calls: App JWTs (RS256), installation tokens that expire, and people's tokens."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gitops_sre.sandbox.github.http import LEVELS, ApiError, Caller
from gitops_sre.sandbox.github.state import Account, App, Hub

TOKEN_LIFE = timedelta(hours=1)
_JWT_LIFE = timedelta(minutes=10)
_SKEW = timedelta(seconds=60)

_READER = dict.fromkeys(
    ("metadata", "contents", "checks", "statuses", "deployments", "members"), "read"
) | dict.fromkeys(("issues", "pull_requests"), "comment")
_WRITER = dict.fromkeys(("contents", "issues", "pull_requests", "statuses", "deployments"), "write") | {
    "checks": "read"
}
ROLE_PERMISSIONS: Mapping[str, Mapping[str, str]] = {
    "read": _READER,
    "write": {**_READER, **_WRITER},
    "admin": {**_READER, **_WRITER, "administration": "write"},
}
"""What a person's token may do, by the person's role. Check runs are written by Apps only."""


@dataclass(frozen=True)
class AppCredentials:
    """What a new App gets to know once."""

    app_id: int
    slug: str
    private_key_pem: str
    installation_id: int
    webhook_secret: str


@dataclass(frozen=True)
class _Token:
    caller: Caller
    expires_at: datetime | None


class Tokens:
    """Tokens handed out, and the check of what a request carries."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._tokens: dict[str, _Token] = {}

    def for_person(self, account: Account) -> str:
        """A token of a person with the powers of the person's role."""
        token = f"ghp_{secrets.token_hex(18)}"
        caller = Caller(account, ROLE_PERMISSIONS[account.permission or "read"])
        self._tokens[token] = _Token(caller, None)
        return token

    def for_installation(
        self, app: App, permissions: Mapping[str, str] | None, repositories: Iterable[str] | None
    ) -> tuple[str, datetime, Caller]:
        """An installation token, narrowed if asked. 422 for more than the App was granted."""
        granted = {"metadata": "read", **app.permissions}
        for name, level in (permissions or {}).items():
            if level not in LEVELS or LEVELS.index(level) > LEVELS.index(granted.get(name, "none")):
                raise ApiError(422, "The permissions requested are not granted to this installation.")
        powers = {"metadata": "read", **permissions} if permissions else granted
        reach = None if repositories is None else frozenset(repositories)
        token = f"ghs_{secrets.token_hex(18)}"
        expires = self._hub.now() + TOKEN_LIFE
        caller = Caller(app.bot, powers, reach, app)
        self._tokens[token] = _Token(caller, expires)
        return token, expires, caller

    def expire(self, token: str) -> None:
        """Make a token worthless at once."""
        self._tokens.pop(token, None)

    def expire_installations(self) -> None:
        """Make every installation's token worthless at once."""
        for token in [token for token, held in self._tokens.items() if held.caller.app is not None]:
            self.expire(token)

    def caller(self, authorization: str) -> Caller:
        """The caller behind an `Authorization` header. Raises 401."""
        scheme, _, value = authorization.partition(" ")
        value = value.strip()
        if scheme.lower() == "basic":
            value = _basic_password(value)
        if scheme.lower() == "bearer" and value.count(".") == 2:
            return self._app(value)
        found = self._tokens.get(value) if scheme.lower() in ("bearer", "token", "basic") else None
        if found is None or (found.expires_at is not None and found.expires_at <= self._hub.now()):
            raise ApiError(401, "Bad credentials")
        return found.caller

    def _app(self, token: str) -> Caller:
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
            app = self._hub.apps.get(int(claims.get("iss", 0)))
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise ApiError(401, "A JSON web token could not be decoded") from error
        if app is None:
            raise ApiError(401, "Integration not found")
        self._check_claims(token, app)
        return Caller(app.bot, {}, app=app, as_app=True)

    def _check_claims(self, token: str, app: App) -> None:
        # The server's own clock decides, which a test may have set: the library would look at the machine's.
        times = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "require": ["exp", "iat"]}
        try:
            claims = jwt.decode(token, app.public_key_pem, algorithms=["RS256"], options=times)  # type: ignore[arg-type]
            issued, expires = float(claims["iat"]), float(claims["exp"])
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise ApiError(401, "A JSON web token could not be decoded") from error
        now = self._hub.now().timestamp()
        if expires <= now:
            raise ApiError(401, "'Expiration time' claim ('exp') must be a numeric value representing the future time")
        if expires > now + (_JWT_LIFE + _SKEW).total_seconds():
            raise ApiError(401, "'Expiration time' claim ('exp') is too far in the future")
        if issued > now + _SKEW.total_seconds():
            raise ApiError(401, "'Issued at' claim ('iat') must be an Integer representing the time")


def _basic_password(value: str) -> str:
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ApiError(401, "Bad credentials") from error
    return password or user


def key_pair() -> tuple[str, bytes]:
    """A fresh RSA key: private PEM, public PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public
