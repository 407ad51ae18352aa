"""Requests that make no sense: a refusal each, never a failure of the server, and nothing changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from github.Repository import Repository

from tests.sandbox.github.world import World

NOWHERE = "0" * 39 + "1"


def send(world: World, method: str, path: str, body: Any = None, token: str = "") -> requests.Response:
    headers = {"Authorization": f"token {token or world.tokens['ada']}"}
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
    url = f"{world.url}/api/v3/repos/acme/infra{path}"
    return requests.request(method, url, headers=headers, data=data, timeout=10)


REFUSED: list[tuple[str, str, Any, int, str]] = [
    ("GET", "/branches/gone/protection", None, 404, "Branch not found"),
    ("GET", "/commits?sha=gone", None, 404, "Not Found"),
    ("GET", "/compare/main..gone", None, 404, "Not Found"),
    ("GET", "/contents/README.md?ref=gone", None, 404, "No commit found for the ref gone"),
    ("PUT", "/contents/.git/config", {"message": "m", "content": ""}, 422, "malformed path"),
    ("PUT", "/contents/new", {"message": "m", "content": "", "branch": "gone"}, 404, "Branch gone not found"),
    ("PUT", "/contents/new", {"message": "m", "content": "%"}, 422, "not valid Base64"),
    ("PATCH", "/git/refs/heads/gone", {"sha": NOWHERE}, 422, "Reference does not exist"),
    ("PATCH", "/git/refs/heads/main", {"sha": NOWHERE}, 422, "Object does not exist"),
    ("GET", f"/git/commits/{NOWHERE}", None, 404, "Not Found"),
    ("POST", "/git/commits", {"message": "m", "tree": NOWHERE}, 422, "Tree SHA does not exist"),
    ("GET", f"/git/trees/{NOWHERE}", None, 404, "Not Found"),
    ("POST", "/git/trees", {"tree": []}, 422, "Validation Failed"),
    ("POST", "/git/trees", {"tree": [], "base_tree": NOWHERE}, 422, "base_tree"),
    ("POST", "/git/trees", {"tree": [{"path": "a", "mode": "7", "type": "blob"}]}, 422, "tree.mode"),
    ("POST", "/git/trees", {"tree": [{"path": "a", "mode": "100644", "sha": NOWHERE}]}, 422, "not a valid blob"),
    ("GET", f"/git/blobs/{NOWHERE}", None, 404, "Not Found"),
    ("GET", "/git/blobs/--help", None, 404, "Not Found"),
    ("GET", "/commits/--help", None, 422, "No commit found"),
    ("GET", "/pulls?state=odd", None, 422, "Validation Failed"),
    ("PATCH", "/pulls/1", {"state": "odd"}, 422, "Validation Failed"),
    ("PATCH", "/pulls/1", {"base": "gone"}, 422, "Validation Failed"),
    ("PUT", "/pulls/1/merge", {"merge_method": "odd"}, 422, "Validation Failed"),
    ("PUT", "/pulls/1/update-branch", {}, 422, "no new commits"),
    ("PUT", "/pulls/1/update-branch", {"expected_head_sha": NOWHERE}, 422, "expected head sha"),
    ("POST", "/pulls/1/reviews", {"event": "ODD"}, 422, "invalid value ODD"),
    ("POST", "/pulls/1/reviews", {"event": "COMMENT"}, 422, "body cannot be blank"),
    ("POST", "/pulls/1/reviews", {"event": "APPROVE", "commit_id": NOWHERE}, 422, "not part of the pull request"),
    ("GET", "/pulls/1/reviews/9", None, 404, "Not Found"),
    ("PUT", "/pulls/1/reviews/9/dismissals", {"message": "m"}, 404, "Not Found"),
    ("GET", "/issues?since=yesterday", None, 422, "Validation Failed"),
    ("PATCH", "/issues/1", {"state": "odd"}, 422, "Validation Failed"),
    ("GET", "/issues/9", None, 404, "Not Found"),
    ("POST", "/issues/1/labels", ["x" * 51], 422, "Validation Failed"),
    ("GET", "/check-runs/9", None, 404, "Not Found"),
    ("POST", f"/statuses/{NOWHERE}", {"state": "success"}, 422, "No commit found"),
    ("POST", "/issues", b"{", 400, "Problems parsing JSON"),
    ("POST", "/issues", b"[" * 100_000, 400, "Problems parsing JSON"),
    ("POST", "/issues", b"3", 400, "should be a JSON object"),
    ("POST", "/issues", b"[]", 400, "should be a JSON object"),
]


def test_what_cannot_be_done_is_refused_with_a_reason(world: World, repo: Repository) -> None:
    world.propose(repo)
    for method, path, body, status, words in REFUSED:
        answer = send(world, method, path, body)
        assert (answer.status_code, words in answer.text) == (status, True), f"{method} {path} {body!r}: {answer.text}"
    assert repo.get_branch("main").commit.sha == world.first
    world.recorder.exchanges.clear()  # many of these paths are no operation of GitHub's


WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/git/refs", {"ref": "refs/heads/x", "sha": NOWHERE}),
    ("PATCH", "/git/refs/heads/fix/cart", {"sha": NOWHERE, "force": False}),
    ("POST", "/git/commits", {"message": "m", "tree": NOWHERE, "parents": [], "author": {"name": "n", "email": "e"}}),
    ("POST", "/git/trees", {"base_tree": None, "tree": [{"path": "p", "mode": "100644", "content": "c"}]}),
    ("POST", "/git/blobs", {"content": "c", "encoding": "utf-8"}),
    ("PUT", "/contents/new", {"message": "m", "content": "", "branch": "gone", "sha": NOWHERE}),
    ("POST", "/pulls", {"title": "t", "head": "fix/cart", "base": "main", "body": "b", "draft": False}),
    ("PATCH", "/pulls/1", {"title": "t", "body": "b", "state": "open", "base": "main"}),
    ("PUT", "/pulls/1/merge", {"sha": NOWHERE, "merge_method": "merge", "commit_title": "t", "commit_message": "m"}),
    ("POST", "/pulls/1/reviews", {"event": "ODD", "body": "b", "commit_id": NOWHERE}),
    ("POST", "/pulls/1/requested_reviewers", {"reviewers": []}),
    ("POST", "/issues", {"title": "t", "body": "b", "labels": [], "assignees": []}),
    ("PATCH", "/issues/1", {"title": "t", "body": "b", "state": "open", "labels": [], "assignees": []}),
    ("POST", "/issues/1/comments", {"body": "b"}),
    ("POST", "/issues/1/labels", {"labels": ["x"]}),
    ("POST", "/labels", {"name": "n", "color": "ffffff", "description": "d"}),
    (
        "POST",
        "/check-runs",
        {"name": "n", "head_sha": NOWHERE, "status": "queued", "started_at": "x", "output": {"title": "t"}},
    ),
    ("POST", f"/statuses/{NOWHERE}", {"state": "success", "context": "c"}),
]
ODD_VALUES: tuple[object, ...] = (7, "odd", [7], {"odd": [7]}, True, [], [{}])


def spoiled(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The body with each field in turn replaced by something that it is not."""
    for name in body:
        yield from ({**body, name: odd} for odd in ODD_VALUES)


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=lambda value: value if isinstance(value, str) else "")
def test_no_body_makes_the_server_fail(world: World, method: str, path: str, body: dict[str, Any]) -> None:
    repo = world.as_bot()
    world.propose(repo)
    token = world.installation_token()
    for attempt in spoiled(body):
        answer = send(world, method, path, attempt, token)
        assert answer.status_code < 500, f"{attempt}: {answer.text}"
        assert answer.status_code < 300 or answer.json()["message"]
    world.recorder.exchanges.clear()
