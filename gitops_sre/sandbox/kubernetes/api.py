"""The Kubernetes API as a reader meets it: discovery, get and list. Every write is refused and recorded."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gitops_sre.sandbox.kubernetes import selectors
from gitops_sre.sandbox.kubernetes.cluster import Cluster
from gitops_sre.sandbox.kubernetes.resources import RESOURCES, Key, Manifest, Resource

USER = "system:serviceaccount:gitops-sre:reader"
READ_VERBS = ("GET", "HEAD")
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"

VERSION = {
    "major": "1",
    "minor": "34",
    "gitVersion": "v1.34.1+sandbox",
    "gitCommit": "0" * 40,
    "gitTreeState": "clean",
    "buildDate": "2026-09-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "sandbox",
}


@dataclass(frozen=True)
class Write:
    """A request that tried to change the cluster."""

    method: str
    path: str
    body: str


class KubernetesAPI:
    """`app` is the ASGI application; `writes` is what somebody tried to change, oldest first."""

    def __init__(self, cluster: Cluster, token: str) -> None:
        self._cluster = cluster
        self._token = token
        self._lock = threading.Lock()
        self._writes: list[Write] = []
        self.rules: list[Manifest] = [
            {"verbs": ["create"], "apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectrulesreviews"]},
            *({"verbs": ["get", "list"], "apiGroups": [each.group], "resources": [each.plural]} for each in RESOURCES),
        ]
        """What whoever has the token may do, as SelfSubjectRulesReview says it."""
        verbs = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        self.app = Starlette(routes=[Route("/{path:path}", self._handle, methods=verbs)])

    @property
    def writes(self) -> tuple[Write, ...]:
        """Every attempt to change the cluster so far."""
        with self._lock:
            return tuple(self._writes)

    async def _handle(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.encode(), self._token.encode()):
            return _failure(401, "Unauthorized", "Unauthorized")
        if request.method == "POST" and request.url.path == _REVIEWS:
            return self._review(await request.json())
        if request.method not in READ_VERBS:
            body = (await request.body()).decode("utf-8", "replace")[:10_000]
            with self._lock:
                self._writes.append(Write(request.method, request.url.path, body))
            return _forbidden(request.method.lower(), request.url.path)
        parts = tuple(part for part in request.url.path.split("/") if part)
        if document := _discovery(parts):
            return JSONResponse(document)
        if parts in {("healthz",), ("livez",), ("readyz",)}:
            return PlainTextResponse("ok")
        return self._read(parts, request.query_params)

    def _review(self, asked: Manifest) -> Response:
        """A SelfSubjectRulesReview, which changes nothing."""
        status = {"resourceRules": list(self.rules), "nonResourceRules": [], "incomplete": False}
        return JSONResponse({**asked, "status": status}, status_code=201)

    def _read(self, parts: tuple[str, ...], query: Mapping[str, str]) -> Response:
        """`/api/v1/...` or `/apis/group/version/...`, then `[namespaces/NAMESPACE/]PLURAL[/NAME]`."""
        if parts[:1] == ("api",) and len(parts) > 2:
            group, version, rest = "", parts[1], parts[2:]
        elif parts[:1] == ("apis",) and len(parts) > 3:
            group, version, rest = parts[1], parts[2], parts[3:]
        else:
            return _failure(404, "NotFound", "the server could not find the requested resource")
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        resource = next(
            (r for r in RESOURCES if (r.group, r.version, r.plural) == (group, version, rest[0])),
            None,
        )
        if resource is None:
            return _forbidden("get", "/".join(("", *parts)))
        if len(rest) == 1:
            return self._list(resource, namespace, query)
        if len(rest) == 2 or rest[2:] == ("status",):
            return self._get(resource, namespace, rest[1])
        return _forbidden("get", "/".join(("", *parts)))

    def _get(self, resource: Resource, namespace: str, name: str) -> Response:
        found = self._cluster.get(Key(resource.kind, namespace, name))
        if found is None:
            where = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
            return _failure(404, "NotFound", f'{where} "{name}" not found', kind=resource.plural, name=name)
        return JSONResponse(resource.shown(found))

    def _list(self, resource: Resource, namespace: str, query: Mapping[str, str]) -> Response:
        if query.get("watch") in {"1", "true"}:
            return _failure(405, "MethodNotAllowed", "this cluster does not serve watches: list again instead")
        try:
            chosen = (
                selectors.labels(query.get("labelSelector", "")),
                selectors.fields(query.get("fieldSelector", "")),
            )
            page = _Page.of(query)
        except (selectors.SelectorError, ValueError) as error:
            return _failure(400, "BadRequest", str(error))
        items = [
            item
            for item in map(resource.shown, self._cluster.objects(resource.kind))
            if (not namespace or item["metadata"].get("namespace") == namespace) and all(p(item) for p in chosen)
        ]
        metadata, shown = page.cut(items)
        return JSONResponse(
            {
                "apiVersion": resource.api_version,
                "kind": f"{resource.kind}List",
                "metadata": {"resourceVersion": self._cluster.resource_version, **metadata},
                "items": shown,
            }
        )


@dataclass(frozen=True)
class _Page:
    """A chunk of a list: `limit` items (0: all) from `start`; the continue token is the next start."""

    limit: int
    start: int

    @classmethod
    def of(cls, query: Mapping[str, str]) -> _Page:
        """From `limit` and `continue`. Raises ValueError."""
        return cls(int(query.get("limit") or 0), int(query.get("continue") or 0))

    def cut(self, items: list[Manifest]) -> tuple[Manifest, list[Manifest]]:
        """The list's extra metadata, and the items of this page."""
        end = self.start + self.limit if self.limit > 0 else len(items)
        if end >= len(items):
            return {}, items[self.start :]
        return {"continue": str(end), "remainingItemCount": len(items) - end}, items[self.start : end]


def _discovery(parts: tuple[str, ...]) -> Manifest | None:
    """Answers to `/version`, `/api`, `/apis`, `/api/v1`, `/apis/GROUP` and `/apis/GROUP/VERSION`."""
    groups = _groups()
    match parts:
        case ("version",):
            return dict(VERSION)
        case ("api",):
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ("apis",):
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in groups]}
        case ("api", "v1"):
            return _resource_list("", "v1")
        case ("apis", group) if group in groups:
            return {"apiVersion": "v1", "kind": "APIGroup", **_group(group)}
        case ("apis", group, version) if groups.get(group) == version:
            return _resource_list(group, version)
        case _:
            return None


def _groups() -> dict[str, str]:
    return {resource.group: resource.version for resource in RESOURCES if resource.group}


def _group(name: str) -> Manifest:
    version = {"groupVersion": f"{name}/{_groups()[name]}", "version": _groups()[name]}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resource_list(group: str, version: str) -> Manifest:
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": [
            {
                "name": resource.plural,
                "singularName": resource.kind.lower(),
                "namespaced": resource.namespaced,
                "kind": resource.kind,
                "verbs": ["get", "list"],
            }
            for resource in RESOURCES
            if (resource.group, resource.version) == (group, version)
        ],
    }


def _forbidden(verb: str, path: str) -> Response:
    return _failure(403, "Forbidden", f'forbidden: User "{USER}" cannot {verb} path "{path}"')


def _failure(code: int, reason: str, message: str, **details: str) -> Response:
    """A `Status` object, as the API server answers when it refuses."""
    status: Manifest = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    if details:
        status["details"] = details
    return JSONResponse(status, status_code=code)
