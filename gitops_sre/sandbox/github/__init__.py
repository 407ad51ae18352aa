"""A GitHub over real bare git repositories: REST, GraphQL, git over HTTP and webhooks on one port.

Addresses follow GitHub Enterprise: REST below `/api/v3`, GraphQL at `/api/graphql`, git at `/{owner}/{repo}.git`. Pull
requests, issues and the rest live in memory; commits, trees and refs are git's own.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from starlette.types import ASGIApp

from gitops_sre.sandbox.github import app as web
from gitops_sre.sandbox.github import auth, merging, pulls, rest_reviews
from gitops_sre.sandbox.github.auth import AppCredentials
from gitops_sre.sandbox.github.faults import Fault, Faults
from gitops_sre.sandbox.github.gitrepo import ZERO, GitRepo
from gitops_sre.sandbox.github.state import Account, App, Hub, Permission, Protection, Repo, Review, Status, Use
from gitops_sre.sandbox.github.webhooks import Webhooks

__all__ = ["AppCredentials", "Fault", "GitHub", "Repo"]


def _utc() -> datetime:
    return datetime.now(UTC)


class GitHub:
    """The server and the hand that sets its stage. Names of repositories are `owner/name`."""

    def __init__(self, root: Path, *, clock: Callable[[], datetime] = _utc) -> None:
        self._root = root
        self._webhooks = Webhooks()
        self._hub = Hub(clock, self._webhooks.deliver)
        self._tokens = auth.Tokens(self._hub)
        self._faults = Faults(web.build(self._hub, self._tokens))

    @property
    def app(self) -> ASGIApp:
        """The ASGI application."""
        return self._faults

    @property
    def base_url(self) -> str:
        """Root address in webhook payloads. Answers use the address that the request was made to."""
        return self._hub.base_url

    @base_url.setter
    def base_url(self, url: str) -> None:
        self._hub.base_url = url.rstrip("/")

    def create_repository(
        self, owner: str, name: str, files: Mapping[str, bytes], *, author: str, message: str, when: datetime
    ) -> str:
        """Make a repository with one commit on `main`; the commit's id. Unknown logins become accounts."""
        with self._hub.lock:
            holder = self._hub.account(owner) or self._hub.add_account(owner, "Organization")
            if self._hub.repo(f"{owner}/{name}"):
                raise ValueError(f"repository {owner}/{name} exists already")
            git = GitRepo.create(self._root / owner / f"{name}.git")
            repo = Repo(next(self._hub.ids), holder, name, git, when, when)
            who = self._person(author).sign(when)
            sha = git.commit_files("main", None, files, message, who, who)
            self._hub.repos[repo.full_name.lower()] = repo
            return sha

    def _person(self, login: str) -> Account:
        return self._hub.account(login) or self._hub.add_account(login, "User")

    def add_user(self, login: str, permission: Permission) -> str:
        """A person with a role on every repository; a token of theirs."""
        with self._hub.lock:
            return self._tokens.for_person(self._hub.add_account(login, "User", permission))

    def register_app(self, slug: str, permissions: Mapping[str, str]) -> AppCredentials:
        """A GitHub App, installed on every repository; what its operator gets to know."""
        private, public = auth.key_pair()
        with self._hub.lock:
            hub = self._hub
            bot = hub.add_account(f"{slug}[bot]", "Bot")
            app = App(next(hub.ids), slug, dict(permissions), public, next(hub.ids), bot, hub.now())
            hub.apps[app.id] = app
        return AppCredentials(app.id, slug, private, app.installation_id, secrets.token_hex(20))

    def protect(
        self,
        branch: str,
        required_reviews: int = 0,
        required_checks: Sequence[str] = (),
        *,
        enforce_admins: bool = False,
        merge_queue: bool = False,
        repo: str = "",
    ) -> None:
        """Protect a branch of one repository, or of all when none is named. All of it is replaced at each call."""
        with self._hub.lock:
            targets = [self.repository(repo)] if repo else list(self._hub.repos.values())
            wanted = Protection(required_reviews, tuple(required_checks), enforce_admins, merge_queue)
            for target in targets:
                target.protections[branch] = wanted

    def allow_merges(self, repo: str, *methods: str) -> None:
        """Let a repository be merged into by these methods only."""
        with self._hub.lock:
            self.repository(repo).merge_methods = methods

    def run_queue(self, repo: str, fails: str = "") -> None:
        """Let the merge queue do its work: everything in it is merged, or removed with the reason why it `fails`."""
        with self._hub.lock:
            target = self.repository(repo)
            for pull in sorted(target.pulls.values(), key=lambda each: each.number):
                if pull.queued_by is None:
                    continue
                who = self._hub.known(pull.queued_by)
                left = replace(pull, queued_by=None)
                if fails:
                    left = replace(left, unqueued=(*left.unqueued, (fails, self._hub.now(), "")))
                target.pulls[pull.number] = left
                if not fails:
                    merging.merge(self._hub, target, left, who)

    def commit(
        self,
        repo: str,
        author_login: str,
        files: Mapping[str, bytes | None],
        message: str,
        when: datetime | None = None,
        branch: str = "main",
    ) -> str:
        """A person's push of one commit (None deletes a path), past any protection; its id.

        The branch is made at the tip of `main` when it is not there.
        """
        with self._hub.lock:
            target, by = self.repository(repo), self._person(author_login)
            before = target.head_of(branch)
            if before is None and target.head_of("main") is not None:
                target.git.update_ref(f"refs/heads/{branch}", target.head_of("main") or ZERO, ZERO)
            who = by.sign(when or self._hub.now())
            sha = target.git.commit_files(branch, target.head_of(branch), files, message, who, who)
            pulls.ref_moved(self._hub, target, f"refs/heads/{branch}", before or ZERO, sha, by)
            return sha

    def add_webhook(self, url: str, secret: str) -> None:
        """Post every event to an address, signed with a secret."""
        self._webhooks.add(url, secret)
        self._hub.watched = True

    def review(self, repo: str, number: int, login: str, event: str, body: str = "") -> Review:
        """A person's review of a pull request's head: APPROVE, REQUEST_CHANGES or COMMENT."""
        with self._hub.lock:
            target = self.repository(repo)
            text = body or ("" if event == "APPROVE" else "See above.")
            return rest_reviews.submit(self._hub, target, target.pulls[number], self._person(login), event, text)

    def report_status(self, repo: str, login: str, sha: str, context: str, state: str, description: str = "") -> None:
        """A commit status, as somebody who deploys leaves it."""
        with self._hub.lock:
            target, by = self.repository(repo), self._person(login)
            made = Status(next(self._hub.ids), sha, context, state, description, None, by.login, self._hub.now())
            target.statuses[made.id] = made

    def repository(self, full_name: str) -> Repo:
        """The records of a repository, to look at. Raises `KeyError`."""
        return self._hub.repos[full_name.lower()]

    @property
    def uses(self) -> tuple[Use, ...]:
        """The requests of late, each with what its token may do."""
        return tuple(self._hub.uses)

    def expire_installations(self) -> None:
        """Make every App's tokens worthless at once."""
        self._tokens.expire_installations()

    def expire(self, token: str) -> None:
        """Make a token worthless at once."""
        self._tokens.expire(token)

    def inject(self, method: str, path_regex: str, fault: Fault, times: int = 1) -> None:
        """Let the next `times` requests whose method (`*`: any) and whole path match go wrong."""
        self._faults.inject(method, path_regex, fault, times)

    def clear_faults(self) -> None:
        """Disarm every fault."""
        self._faults.clear()
