"""Webhooks as they arrive: signature, headers, order, and payloads by GitHub's description."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from github.Repository import Repository

from tests.sandbox.github.openapi import MISSING, description
from tests.sandbox.github.world import World, commit_on_branch

SECRET = "it's a secret"


@dataclass
class Inbox:
    """What a receiver got, in order of arrival."""

    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int = 202

    def wait(self, count: int) -> list[tuple[str, dict[str, Any]]]:
        """The first `count` deliveries as (event, payload)."""
        deadline = time.monotonic() + 10
        while len(self.got) < count:
            assert time.monotonic() < deadline, f"{len(self.got)} of {count} deliveries came"
            time.sleep(0.01)
        return [(headers["x-github-event"], json.loads(body)) for headers, body in self.got]

    def names(self, count: int) -> list[str]:
        """Event and action of the first `count` deliveries."""
        return [f"{event}-{payload['action']}" if "action" in payload else event for event, payload in self.wait(count)]


@pytest.fixture
def inbox(world: World) -> Iterator[Inbox]:
    box = Inbox()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            box.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(box.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    box.url = f"http://127.0.0.1:{server.server_address[1]}/hooks"
    world.hub.add_webhook(box.url, SECRET)
    yield box
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_delivery_is_signed_and_has_an_id_of_its_own(world: World, inbox: Inbox) -> None:
    for number in range(2):
        world.hub.commit("acme/infra", "wes", {"n": str(number).encode()}, "Bump")
    inbox.wait(2)
    for headers, body in inbox.got:
        expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert headers["x-hub-signature-256"] == expected
        assert headers["content-type"] == "application/json"
        assert headers["user-agent"].startswith("GitHub-Hookshot/")
    assert len({headers["x-github-delivery"] for headers, _ in inbox.got}) == 2


def test_a_push_names_its_commits_and_paths(world: World, inbox: Inbox) -> None:
    sha = world.hub.commit("acme/infra", "wes", {"apps/cart.yaml": b"x\n", "apps/web.yaml": None, "new": b"1"}, "Much")
    ((event, payload),) = inbox.wait(1)
    assert (event, payload["ref"], payload["before"], payload["after"]) == ("push", "refs/heads/main", world.first, sha)
    (commit,) = payload["commits"]
    assert (commit["added"], commit["removed"], commit["modified"]) == (["new"], ["apps/web.yaml"], ["apps/cart.yaml"])
    assert (payload["pusher"]["name"], payload["sender"]["login"]) == ("wes", "wes")
    assert payload["repository"]["url"].startswith(world.url)


def whole_story(world: World, repo: Repository) -> None:
    """Everything that a pull request can go through."""
    pull = world.propose(repo, draft=True)  # push: branch made; push: commit; opened
    pull.mark_ready_for_review()
    pull.add_to_labels("gitops-sre")
    pull.edit(title="Roll back cart")
    head = commit_on_branch(repo, "fix/cart", pull.head.sha, {"apps/web.yaml": b"image: web:0.9\n"})
    run = repo.create_check_run("verdict", head, status="in_progress")
    run.edit(conclusion="success")
    world.hub.review("acme/infra", pull.number, "wes", "APPROVE")
    pull.create_issue_comment("Thank you").edit("Thanks")
    pull.merge()
    repo.get_git_ref("heads/fix/cart").delete()
    issue = repo.create_issue("Postmortem", labels=["incident"])
    issue.edit(body="What happened: ...", state="closed")


STORY = [
    "push",
    "push",
    "pull_request-opened",
    "pull_request-ready_for_review",
    "pull_request-labeled",
    "pull_request-edited",
    "push",
    "pull_request-synchronize",
    "check_run-created",
    "check_run-completed",
    "pull_request_review-submitted",
    "issue_comment-created",
    "issue_comment-edited",
    "pull_request-closed",
    "push",
    "push",
    "issues-opened",
    "issues-edited",
    "issues-closed",
]


def test_everything_is_told_in_the_order_in_which_it_happened(world: World, repo: Repository, inbox: Inbox) -> None:
    whole_story(world, repo)
    assert inbox.names(len(STORY)) == STORY
    told = dict(zip(STORY, inbox.wait(len(STORY)), strict=True))
    assert told["pull_request-closed"][1]["pull_request"]["merged"] is True
    assert told["pull_request_review-submitted"][1]["review"]["state"] == "approved"
    assert told["pull_request-opened"][1]["sender"]["login"] == "sre-bot[bot]"
    assert told["issue_comment-created"][1]["issue"]["pull_request"]


def test_payloads_are_as_github_describes_them(world: World, repo: Repository, inbox: Inbox) -> None:
    described = description()
    if described is None:
        pytest.skip(MISSING)
    whole_story(world, repo)
    names = [name.replace("_", "-") for name in inbox.names(len(STORY))]
    bodies = [body for _, body in inbox.got]
    problems = [
        problem for name, body in zip(names, bodies, strict=True) for problem in described.webhook_problems(name, body)
    ]
    assert not problems, "\n".join(problems)


def test_a_receiver_that_fails_holds_nobody_up(world: World, repo: Repository, inbox: Inbox) -> None:
    inbox.status = 500
    world.hub.add_webhook("http://127.0.0.1:9/nobody", SECRET)
    world.hub.commit("acme/infra", "wes", {"n": b"1"}, "One")
    world.hub.commit("acme/infra", "wes", {"n": b"2"}, "Two")
    assert inbox.names(2) == ["push", "push"]
