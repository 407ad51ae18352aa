"""Requests that are counted, answers that need not be sent again, and GitHub's limits of writes."""

from __future__ import annotations

import time

import pytest

from gitops_sre.adapters.github import wire
from gitops_sre.adapters.github.wire import kind_of
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.pull import Report
from gitops_sre.model.usage import Usage
from gitops_sre.sandbox.github import Fault
from tests.adapters.github.conftest import Stage

REPORT = Report("inc-1/report", "A report", "Text.")


def test_an_answer_that_has_not_changed_is_not_paid_for(stage: Stage) -> None:
    forge = stage.forge()
    stage.opened(forge)
    assert forge.commands([1]) == ()
    before = forge.spent()
    assert forge.commands([1]) == ()
    assert forge.spent() - before == Usage(unchanged=1)
    stage.as_person("bob", "POST", "/issues/1/comments", {"body": "/sre hold"})
    commands = forge.commands([1])
    assert isinstance(commands, tuple)
    assert [command.order.verb for command in commands] == ["hold"]


def test_one_tokens_answer_is_not_given_to_another() -> None:
    one = wire._key("GET", "https://x/y", {"Authorization": "token a"})
    assert one != wire._key("GET", "https://x/y", {"Authorization": "token b"})
    assert wire._key("POST", "https://x/y", {}) == ""


def test_every_request_is_counted_by_kind(stage: Stage) -> None:
    forge = stage.forge()
    stage.requests.clear()
    stage.opened(forge)
    spent = forge.spent()
    assert spent.writes == stage.writes()
    assert spent.tokens == stage.writes("/access_tokens")
    assert spent.total == len(stage.requests)


@pytest.mark.parametrize(
    ("method", "path", "data", "kind"),
    [
        ("GET", "/repos/a/b/pulls", None, "read"),
        ("POST", "/graphql", '{"query": "query($a: Int) { viewer { login } }"}', "read"),
        ("POST", "/graphql", '{"query": "mutation Mutation { x }"}', "write"),
        ("POST", "/app/installations/1/access_tokens", "{}", "token"),
        ("DELETE", "/repos/a/b/git/refs/heads/x", None, "write"),
    ],
)
def test_a_query_is_a_read_although_it_is_posted(method: str, path: str, data: str | None, kind: str) -> None:
    assert kind_of(method, f"https://api.github.com{path}", data) == kind


def test_githubs_limits_of_writes_are_kept_by_waiting_elsewhere(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "WRITES_PER_MINUTE", 2)
    forge = stage.forge()
    for key in ("a", "b"):
        assert isinstance(forge.report(Report(key, key, key)), str)
    stage.requests.clear()
    began = time.monotonic()
    answer = forge.report(REPORT)
    assert isinstance(answer, Unavailable)
    assert "limit of writes" in answer.reason
    assert not stage.writes()
    assert 50 < forge.wait() <= 60
    assert time.monotonic() - began < 5


def test_a_gateways_error_is_counted_and_nothing_of_it_is_kept(stage: Stage) -> None:
    forge = stage.forge()
    stage.opened(forge)
    stage.github.inject("GET", f"{stage.api}/issues/comments", Fault(503), times=9)
    assert isinstance(forge.commands([1]), Unavailable)
    stage.github.clear_faults()
    assert forge.commands([1]) == ()
