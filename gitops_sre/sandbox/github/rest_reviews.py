"""REST: reviews of pull requests, and who is asked for one."""

from __future__ import annotations

from dataclasses import replace

from gitops_sre.sandbox.github import events, merging, pulls, views_pull
from gitops_sre.sandbox.github.http import Answer, ApiError, Call, Route, not_found, refused
from gitops_sre.sandbox.github.rest_pulls import the_pull
from gitops_sre.sandbox.github.state import Account, Hub, Pull, Repo, Review

STATES = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


def submit(hub: Hub, repo: Repo, pull: Pull, by: Account, event: str, body: str = "", commit_id: str = "") -> Review:
    """Record a review of the head (or of `commit_id`). 422: one's own pull request, or words missing."""
    if event not in STATES:
        raise refused(f"Variable $event was provided invalid value {event}")
    issue = repo.issues[pull.number]
    if by.login == issue.user and event != "COMMENT":
        what = "approve" if event == "APPROVE" else "request changes on"
        raise ApiError(422, "Unprocessable Entity", [f"Can not {what} your own pull request"])
    if event != "APPROVE" and not body:
        raise refused("Unprocessable Entity: body cannot be blank")
    now = hub.now()
    review = Review(next(hub.ids), pull.number, by.login, STATES[event], body, commit_id or pull.head_sha, now)
    repo.reviews[review.id] = review
    waiting = tuple(login for login in pull.requested_reviewers if login != by.login)
    repo.pulls[pull.number] = replace(pull, requested_reviewers=waiting)
    pulls.touch(hub, repo, pull.number)
    events.reviewed(hub, repo, repo.pulls[pull.number], review, by)
    merging.auto_merge(hub, repo)
    return review


def _list(call: Call) -> Answer:
    pull = the_pull(call)
    return call.page(call.repo.reviews_of(pull.number)).answer(lambda r: views_pull.review(call.lens, call.repo, r))


def _get(call: Call) -> Answer:
    review = call.repo.reviews.get(call.number("review_id"))
    if review is None or review.number != the_pull(call).number:
        raise not_found()
    return Answer(views_pull.review(call.lens, call.repo, review))


def _create(call: Call) -> Answer:
    pull, body = the_pull(call), call.body
    commit = body.maybe("commit_id") or ""
    if commit and not call.repo.git.contains(pull.head_sha, commit):
        raise refused("Unprocessable Entity: commit_id is not part of the pull request")
    event = body.maybe("event") or ""
    review = submit(call.hub, call.repo, pull, call.by, event, body.maybe("body") or "", commit)
    return Answer(views_pull.review(call.lens, call.repo, review))


def _dismiss(call: Call) -> Answer:
    review = call.repo.reviews.get(call.number("review_id"))
    if review is None or review.number != the_pull(call).number:
        raise not_found()
    call.body.text("message")
    if review.state not in ("APPROVED", "CHANGES_REQUESTED"):
        raise refused("Can not dismiss a commented pull request review")
    dismissed = replace(review, state="DISMISSED")
    call.repo.reviews[review.id] = dismissed
    return Answer(views_pull.review(call.lens, call.repo, dismissed))


def _requested(call: Call) -> Answer:
    users = [call.lens.user(login) for login in the_pull(call).requested_reviewers]
    return Answer({"users": users, "teams": []})


def _request(call: Call) -> Answer:
    pull, repo = the_pull(call), call.repo
    if call.body.texts("team_reviewers"):  # there are no teams here
        raise refused("One or more of the teams you specified is not a collaborator of the repository.")
    for login in call.body.texts("reviewers"):
        account = call.hub.account(login)
        if account is None or account.permission is None:
            raise refused("Reviews may only be requested from collaborators.")
        if account.login == repo.issues[pull.number].user:
            raise refused("Review cannot be requested from pull request author.")
        if account.login not in pull.requested_reviewers:
            pull = replace(pull, requested_reviewers=(*pull.requested_reviewers, account.login))
    repo.pulls[pull.number] = pull
    return Answer(views_pull.simple(call.lens, repo, pull), 201)


def routes() -> tuple[Route, ...]:
    """The operations of this module."""
    one = "/repos/{owner}/{repo}/pulls/{pull_number}"
    read, write = ("pull_requests", "read"), ("pull_requests", "write")
    return (
        Route("GET", f"{one}/reviews", _list, read),
        Route("POST", f"{one}/reviews", _create, ("pull_requests", "comment")),
        Route("GET", f"{one}/reviews/{{review_id}}", _get, read),
        Route("PUT", f"{one}/reviews/{{review_id}}/dismissals", _dismiss, write),
        Route("GET", f"{one}/requested_reviewers", _requested, read),
        Route("POST", f"{one}/requested_reviewers", _request, write),
    )
