"""Issues, comments, labels and search, through PyGithub."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from github import GithubException
from github.Auth import Token
from github.Repository import Repository

from tests.sandbox.github.test_pulls import refusal
from tests.sandbox.github.world import World


def test_an_issue_is_opened_edited_and_closed_by_the_bot(repo: Repository) -> None:
    issue = repo.create_issue("Cart is slow", body="Since nine.", labels=["incident", "cart"], assignee="wes")
    assert (issue.user.login, issue.user.type) == ("sre-bot[bot]", "Bot")
    assert [label.name for label in issue.labels] == ["incident", "cart"]
    assert [user.login for user in issue.assignees] == ["wes"]
    issue.edit(body="Since ten.", labels=["incident"], state="closed", state_reason="not_planned")
    again = repo.get_issue(issue.number)
    assert (again.body, again.state, again.state_reason) == ("Since ten.", "closed", "not_planned")
    assert again.closed_by is not None
    assert again.closed_by.login == "sre-bot[bot]"
    issue.edit(state="open")
    assert repo.get_issue(issue.number).closed_at is None


def test_issues_are_listed_by_state_label_and_creator(world: World, repo: Repository) -> None:
    one = repo.create_issue("one", labels=["incident", "P1"])
    two = world.as_person("wes").create_issue("two", labels=["incident"])
    two.edit(state="closed")
    pull = world.propose(repo)

    def numbers(**filters: str) -> list[int]:
        _, found = repo.requester.requestJsonAndCheck("GET", f"{repo.url}/issues", parameters=filters)
        return [item["number"] for item in found]

    assert numbers() == [pull.number, one.number]
    assert numbers(state="all", direction="asc") == [1, 2, 3]
    assert numbers(state="all", labels="incident") == [two.number, one.number]
    assert numbers(labels="incident,p1") == [one.number]
    assert numbers(state="all", creator="wes") == [two.number]
    assert numbers(since="2099-01-01T00:00:00Z") == []
    shown = repo.get_issue(pull.number).pull_request
    assert shown is not None
    assert shown.html_url == pull.html_url


def test_comments_of_the_whole_repository_are_listed_latest_first(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    issue = repo.create_issue("Cart is slow")
    first = pull.create_issue_comment("one")
    second = world.as_person("wes").get_issue(issue.number).create_comment("two")
    first.edit("one, later")
    found = repo.get_issues_comments(sort="updated", direction="desc")
    assert [(comment.id, comment.body) for comment in found] == [(first.id, "one, later"), (second.id, "two")]
    assert [comment.issue_url.rpartition("/")[2] for comment in found] == [str(pull.number), str(issue.number)]
    assert list(repo.get_issues_comments(since=datetime(2099, 1, 1, tzinfo=UTC))) == []


def test_a_reaction_is_given_once(world: World, repo: Repository) -> None:
    comment = world.as_person("wes").create_issue("Cart is slow").create_comment("/approve")
    mine = repo.get_issue(1).get_comment(comment.id)
    assert mine.create_reaction("+1").id == mine.create_reaction("+1").id
    comment.create_reaction("+1")
    mine.create_reaction("eyes")
    counts = repo.get_issue(1).get_comment(comment.id).reactions
    assert (counts["total_count"], counts["+1"], counts["eyes"]) == (3, 2, 1)
    with refusal(422, "Validation Failed"):
        mine.create_reaction("applause")


def test_comments_are_written_read_changed_and_deleted(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    comment = pull.create_issue_comment("First")
    comment.edit("Second")
    world.as_person("wes").get_issue(pull.number).create_comment("/approve")
    found = [(c.user.login, c.body) for c in pull.get_issue_comments()]
    assert found == [("sre-bot[bot]", "Second"), ("wes", "/approve")]
    assert repo.get_issue(pull.number).get_comment(comment.id).body == "Second"
    comment.delete()
    assert repo.get_issue(pull.number).comments == 1
    with refusal(404, "Not Found"):
        repo.get_issue(pull.number).get_comment(comment.id)


def test_a_label_is_made_once(repo: Repository) -> None:
    repo.create_label("incident", "d73a4a", "Something is wrong")
    assert repo.get_label("Incident").color == "d73a4a"
    with pytest.raises(GithubException) as refused:
        repo.create_label("incident", "ffffff")
    assert (refused.value.status, refused.value.data["errors"][0]["code"]) == (422, "already_exists")
    with refusal(422, "color"):
        repo.create_label("other", "red")
    with refusal(404, "Not Found"):
        repo.get_label("gone")
    assert [label.name for label in repo.get_labels()] == ["incident"]


def test_labels_are_put_on_and_taken_off(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    pull.add_to_labels("gitops-sre", "level 4")
    pull.add_to_labels("gitops-sre")
    assert [label.name for label in pull.get_labels()] == ["gitops-sre", "level 4"]
    pull.remove_from_labels("level 4")
    assert [label.name for label in repo.get_pull(pull.number).labels] == ["gitops-sre"]
    pull.set_labels("verified")
    assert [label.name for label in pull.get_labels()] == ["verified"]
    with refusal(404, "Label does not exist"):
        pull.remove_from_labels("gone")


def test_a_pull_requests_labels_need_only_its_own_permission(world: World, repo: Repository) -> None:
    pull, issue = world.propose(repo), repo.create_issue("plain")
    narrow = world.as_bot({"pull_requests": "write"})
    narrow.get_pull(pull.number).add_to_labels("mine")
    with refusal(403, "not accessible"):
        narrow.requester.requestJsonAndCheck("POST", f"{issue.url}/labels", input={"labels": ["mine"]})


def test_search_finds_by_repository_label_state_author_and_words(world: World, repo: Repository) -> None:
    repo.create_issue("Cart is slow", body="key: abc-123", labels=["incident"])
    repo.create_issue("Web is slow", body="key: def-456", labels=["incident"])
    world.propose(repo)
    client = world.client(Token(world.installation_token()))

    def titles(query: str) -> list[str]:
        return [issue.title for issue in client.search_issues(query)]

    assert titles("repo:acme/infra label:incident abc-123 in:body") == ["Cart is slow"]
    assert titles('repo:acme/infra is:open "web is"') == ["Web is slow"]
    assert titles("is:pr head:fix/cart author:app/sre-bot") == ["Roll back fix/cart"]
    assert titles("repo:acme/infra slow in:body") == []
    assert titles("repo:acme/other") == []


def test_a_search_term_that_is_not_understood_is_refused(world: World) -> None:
    client = world.client(Token(world.tokens["ada"]))
    with refusal(422, "does not know the search term"):
        list(client.search_issues("repo:acme/infra milestone:x"))
