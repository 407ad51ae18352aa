"""What a REST handler sees: an authenticated call with a typed body, and what it answers with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from gitops_sre.sandbox.github.state import Account, App, Hub, Repo
from gitops_sre.sandbox.github.views import Json, Lens

T = TypeVar("T")
LEVELS = ("none", "read", "comment", "write", "admin")
"""Access levels in order; `comment` is what anybody who can read may do: open issues, comment, review."""

DOCUMENTATION = "https://docs.github.com/rest"


class ApiError(Exception):
    """An answer other than 2xx, as GitHub words it."""

    def __init__(
        self, status: int, message: str, errors: Sequence[Json | str] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def body(self) -> Json:
        """The JSON body of the answer."""
        body: Json = {"message": self.message, "documentation_url": DOCUMENTATION, "status": str(self.status)}
        return {**body, "errors": list(self.errors)} if self.errors else body


def not_found() -> ApiError:
    """404, also for what the caller may not know of."""
    return ApiError(404, "Not Found")


def invalid(resource: str, name: str, code: str = "invalid", message: str = "") -> ApiError:
    """422 about one field of one resource."""
    error = {"resource": resource, "field": name, "code": code}
    return ApiError(422, "Validation Failed", [{**error, "message": message} if message else error])


def refused(message: str) -> ApiError:
    """422 with a message of its own."""
    return ApiError(422, message)


@dataclass(frozen=True)
class Caller:
    """Who calls and with what powers. `repositories` None: all. `app` is set for an App or its installation."""

    account: Account
    permissions: Mapping[str, str]
    repositories: frozenset[str] | None = None
    app: App | None = None
    as_app: bool = False

    def may(self, permission: str, level: str) -> bool:
        """Whether the token carries a permission at a level or above."""
        return LEVELS.index(self.permissions.get(permission, "none")) >= LEVELS.index(level)

    def demand(self, permission: str, level: str) -> None:
        """403 unless the token carries the permission."""
        if not self.may(permission, level):
            kind = "integration" if self.app else "personal access token"
            accepted = "write" if level == "comment" else level
            headers = {"X-Accepted-GitHub-Permissions": f"{permission}={accepted}"}
            raise ApiError(403, f"Resource not accessible by {kind}", headers=headers)


class Body:
    """A request's JSON object, read field by field; a field of the wrong type is a 422."""

    def __init__(self, raw: bytes) -> None:
        try:
            self.value: Any = json.loads(raw) if raw.strip() else {}
        except (ValueError, RecursionError) as error:
            raise ApiError(400, "Problems parsing JSON") from error
        if not isinstance(self.value, dict | list):
            raise ApiError(400, "Body should be a JSON object")

    @property
    def fields(self) -> Json:
        """The object itself."""
        if not isinstance(self.value, dict):
            raise ApiError(400, "Body should be a JSON object")
        return self.value

    def has(self, name: str) -> bool:
        """Whether a field is there and not null."""
        return self.fields.get(name) is not None

    def text(self, name: str) -> str:
        """A required string."""
        if not isinstance(value := self.fields.get(name), str) or not value:
            raise invalid("Request", name, "missing_field" if value in (None, "") else "invalid")
        return value

    def maybe(self, name: str) -> str | None:
        """An optional string."""
        value = self.fields.get(name)
        if value is not None and not isinstance(value, str):
            raise invalid("Request", name)
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """An optional boolean."""
        value = self.fields.get(name, default)
        if not isinstance(value, bool):
            raise invalid("Request", name)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """An optional list of strings."""
        return _strings(self.fields.get(name) or [], name)

    def objects(self, name: str) -> tuple[Body, ...]:
        """An optional list of objects."""
        value = self.fields.get(name) or []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise invalid("Request", name)
        return tuple(Body.of(item) for item in value)

    def child(self, name: str) -> Body | None:
        """An optional object."""
        value = self.fields.get(name)
        if value is not None and not isinstance(value, dict):
            raise invalid("Request", name)
        return Body.of(value) if value is not None else None

    @classmethod
    def of(cls, value: Json) -> Body:
        """A body over an object that is parsed already."""
        body = cls(b"")
        body.value = value
        return body


def label_names(body: Body) -> tuple[str, ...]:
    """Labels as GitHub takes them: a list, or an object that holds one; strings or objects with a name."""
    listed = body.value if isinstance(body.value, list) else body.fields.get("labels") or []
    if not isinstance(listed, list):
        raise invalid("Label", "labels")
    return _strings([item.get("name") if isinstance(item, dict) else item for item in listed], "labels")


def _strings(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise invalid("Request", name)
    return tuple(value)


@dataclass(frozen=True)
class Answer:
    """What a handler gives back; `body` a JSON value, text (sent as it is) or None."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media: str = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Call:
    """One authenticated call, made while the hub's lock is held. `base` is the server's address as called."""

    hub: Hub
    caller: Caller
    base: str
    url: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Body
    accept: str = ""

    @property
    def repo(self) -> Repo:
        """The repository that the path names, if the token reaches it."""
        found = self.hub.repo(f"{self.path['owner']}/{self.path['repo']}")
        reach = self.caller.repositories
        if found is None or (reach is not None and found.full_name not in reach):
            raise not_found()
        return found

    @property
    def lens(self) -> Lens:
        """The state as this caller sees it."""
        return Lens(self.hub, self.base)

    @property
    def by(self) -> Account:
        """The account in whose name the call acts."""
        return self.caller.account

    def number(self, name: str) -> int:
        """A number in the path."""
        text = self.path[name]
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise not_found()
        return int(text)

    def page(self, items: Sequence[T]) -> Page[T]:
        """The page of a list that the query asks for, with its `Link` header."""
        size = min(max(_positive(self.query.get("per_page"), 30), 1), 100)
        page = max(_positive(self.query.get("page"), 1), 1)
        last = max(-(-len(items) // size), 1)
        numbers = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
        wanted = [rel for rel in numbers if (page > 1 if rel in ("prev", "first") else page < last)]
        link = ", ".join(f'<{self._at(numbers[rel])}>; rel="{rel}"' for rel in wanted)
        return Page(items[(page - 1) * size : page * size], {"Link": link} if link else {})

    def _at(self, page: int) -> str:
        return f"{self.url}?{urlencode({**self.query, 'page': page})}"


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list."""

    items: Sequence[T]
    headers: Mapping[str, str]

    def answer(self, view: Callable[[T], object]) -> Answer:
        """The page as a JSON array."""
        return Answer([view(item) for item in self.items], headers=self.headers)

    def counted(self, name: str, total: int, view: Callable[[T], object]) -> Answer:
        """The page as an object with `total_count`."""
        return Answer({"total_count": total, name: [view(item) for item in self.items]}, headers=self.headers)


def _positive(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else default


@dataclass(frozen=True)
class Route:
    """One REST operation. `need` is (permission, level); None: any caller; "app": the App itself, by its JWT;
    "anybody": callers without credentials too."""

    method: str
    template: str
    handler: Callable[[Call], Answer]
    need: tuple[str, str] | str | None = None
