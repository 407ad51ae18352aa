"""Holding a GitHub server to GitHub's published OpenAPI description.

The description is `generated/api.github.com.json` of the npm package @octokit/openapi; it is found through the variable
GITHUB_OPENAPI (the file's path) or below a node_modules folder at the top of the repository.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MISSING = (
    "GitHub's OpenAPI description is missing: npm install @octokit/openapi and set GITHUB_OPENAPI to its"
    " generated/api.github.com.json"
)
_PREFIX = "/api/v3"
_HOST = "https://api.github.com"
_MULTI_SEGMENT = ("ref", "path", "branch", "basehead", "tree_sha")
_WEBHOOKS = "/x-webhooks"


@dataclass(frozen=True)
class Exchange:
    """One request and its answer as they went over the wire; `path` is still percent-encoded."""

    method: str
    path: str
    query: str
    request_headers: Mapping[str, str]
    request: bytes
    status: int
    response_headers: Mapping[str, str]
    response: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path}{'?' * bool(self.query)}{self.query} -> {self.status}"


class Recorder:
    """ASGI middleware that keeps every exchange with the REST API below /api/v3."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.exchanges: list[Exchange] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request through and keep it."""
        if scope["type"] != "http" or not scope["path"].startswith(f"{_PREFIX}/"):
            await self._app(scope, receive, send)
            return
        request, response, start = bytearray(), bytearray(), {"status": 0, "headers": []}

        async def listen() -> Message:
            message = await receive()
            request.extend(message.get("body", b""))
            return message

        async def tell(message: Message) -> None:
            start.update(message if message["type"] == "http.response.start" else {})
            response.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                # Before it goes out: whoever has the answer finds the exchange here.
                self.exchanges.append(_exchange(scope, bytes(request), start, bytes(response)))
            await send(message)

        await self._app(scope, listen, tell)


def _exchange(scope: Scope, request: bytes, start: Mapping[str, Any], response: bytes) -> Exchange:
    return Exchange(
        method=scope["method"],
        path=scope["raw_path"].decode().removeprefix(_PREFIX),
        query=scope["query_string"].decode(),
        request_headers=_headers(scope["headers"]),
        request=request,
        status=start["status"],
        response_headers=_headers(start["headers"]),
        response=response,
    )


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode().lower(): value.decode() for name, value in raw}


@dataclass(frozen=True)
class Operation:
    """One described operation: how its path is recognised, and which statuses it documents."""

    template: str
    pattern: re.Pattern[str]
    names: tuple[str, ...]
    statuses: frozenset[str]

    def concrete(self, path: str) -> str | None:
        """The path with every parameter encoded into one segment, None when it is another operation's."""
        match = self.pattern.fullmatch(path)
        if match is None:
            return None
        values = dict(zip(self.names, match.groups(), strict=True))
        return re.sub(r"{(\w+)}", lambda m: quote(unquote(values[m[1]]), safe=""), self.template)


class Description:
    """The description, and what an exchange or a webhook does against it."""

    def __init__(self, file: Path) -> None:
        document: dict[str, Any] = json.loads(file.read_bytes(), object_hook=_mended)
        _take_bare_labels(document["paths"])
        _take_plain_labels(document["components"]["schemas"])
        for name, item in document["x-webhooks"].items():
            document["paths"][f"{_WEBHOOKS}/{name}"] = item
        self.operations: dict[str, list[Operation]] = {}
        for template, item in document["paths"].items():
            for method, operation in item.items():
                self.operations.setdefault(method.upper(), []).append(_operation(template, operation))
        for listed in self.operations.values():
            # The operation with the most fixed text is the one that is meant.
            listed.sort(key=lambda o: len(re.sub(r"{\w+}", "", o.template)), reverse=True)
        self._document = document
        self._apis: dict[str, OpenAPI] = {}

    def _api(self, template: str) -> OpenAPI:
        """The description of one path: looking a path up among a thousand takes longer than validating."""
        if template not in self._apis:
            alone = {**self._document, "paths": {template: self._document["paths"][template]}}
            self._apis[template] = OpenAPI.from_dict(alone, config=Config(spec_validator_cls=None))
        return self._apis[template]

    def problems(self, exchange: Exchange) -> Iterator[str]:
        """What in an exchange is not as described: the request (of an answer 2xx), and the answer."""
        found = self._find(exchange)
        if found is None:
            yield f"{exchange}: GitHub describes no such operation"
            return
        operation, path = found
        request = MockRequest(
            _HOST,
            exchange.method.lower(),
            path,
            args=dict(parse_qsl(exchange.query, keep_blank_values=True)),
            headers=dict(exchange.request_headers),
            data=exchange.request or None,
            content_type=exchange.request_headers.get("content-type", "application/json"),
        )
        media = exchange.response_headers.get("content-type", "application/json").partition(";")[0]
        if media != "application/json":
            return
        response = MockResponse(exchange.response, status_code=exchange.status, headers={}, content_type=media)
        try:
            if exchange.status < 300 and exchange.request:
                self._api(operation.template).validate_request(request)
            if exchange.status == 304 and exchange.method == "GET":
                return
            if str(exchange.status) in operation.statuses:
                if exchange.response:
                    self._api(operation.template).validate_response(request, response)
            elif exchange.status < 400 or not isinstance(json.loads(exchange.response).get("message"), str):
                yield f"{exchange}: the status is not documented"
        except OpenAPIError as error:
            yield f"{exchange}: {_reasons(error)}"

    def webhook_problems(self, name: str, payload: bytes) -> Iterator[str]:
        """What in a webhook's payload is not as described. The name is `event-action`, or just `event`."""
        request = MockRequest(_HOST, "post", f"{_WEBHOOKS}/{name}", data=payload)
        try:
            self._api(f"{_WEBHOOKS}/{name}").validate_request(request)
        except OpenAPIError as error:
            yield f"{name}: {_reasons(error)}"

    def _find(self, exchange: Exchange) -> tuple[Operation, str] | None:
        for operation in self.operations.get(exchange.method, []):
            if path := operation.concrete(exchange.path):
                return operation, path
        return None


def _mended(node: dict[str, Any]) -> dict[str, Any]:
    """One node of the description, without the slips by which it would refuse what GitHub itself sends.

    Null is missing among the values of what is nullable; alternatives that are meant to exclude each other overlap; a
    discriminator is given for a list; an account is said to be a user and an enterprise at once.
    """
    node.pop("discriminator", None)
    alternatives = node.pop("oneOf", None) or node.get("anyOf") or []
    if [part.get("title") for part in node.get("allOf", [])] == ["Simple User", "Enterprise"]:
        alternatives = node.pop("allOf")
    if node.get("nullable") and alternatives:
        alternatives = [*alternatives, {"nullable": True, "enum": [None]}]
    if node.get("nullable") and isinstance(node.get("enum"), list):
        node["enum"] = [*node["enum"], None]
    return {**node, "anyOf": alternatives} if alternatives else node


def _take_bare_labels(paths: Mapping[str, Any]) -> None:
    """Labels may come as a bare list, says the description's text, and its schema forgets."""
    item = paths["/repos/{owner}/{repo}/issues/{issue_number}/labels"]
    for method in ("post", "put"):
        schema = item[method]["requestBody"]["content"]["application/json"]["schema"]
        schema["anyOf"].append({"type": "array", "items": {"type": "string"}})


def _take_plain_labels(schemas: Mapping[str, Any]) -> None:
    """A label has no description until somebody writes one, which the schema of listed pull requests forgets."""
    label = schemas["pull-request-simple"]["properties"]["labels"]["items"]
    label["properties"]["description"]["nullable"] = True


def _operation(template: str, operation: Mapping[str, Any]) -> Operation:
    names = re.findall(r"{(\w+)}", template)
    parts = re.split(r"{(\w+)}", template)
    pattern = "".join(
        (r"(.*)" if part in _MULTI_SEGMENT else r"([^/]+)") if index % 2 else re.escape(part)
        for index, part in enumerate(parts)
    )
    return Operation(template, re.compile(pattern), tuple(names), frozenset(operation.get("responses", {})))


def _reasons(error: OpenAPIError) -> str:
    """The innermost causes, each with the place in the body that it is about."""
    inner: BaseException = error
    while inner.__cause__ is not None:
        inner = inner.__cause__
    details = [
        f"{'/'.join(str(step) for step in found.absolute_path)}: {found.message[:300]}"
        for found in getattr(inner, "schema_errors", ())
    ]
    return "; ".join(details) or f"{error} ({inner})"


def location() -> Path | None:
    """Where the description is on this machine, None when it is not."""
    if given := os.environ.get("GITHUB_OPENAPI"):
        return Path(given)
    top = Path(__file__).parents[3]
    return next(iter(sorted(top.glob("node_modules/@octokit/openapi*/generated/api.github.com.json"))), None)


@functools.cache
def description() -> Description | None:
    """The description, read once in a process; None when it is not on this machine."""
    file = location()
    return Description(file) if file else None
