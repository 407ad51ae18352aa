"""ports.Forge over GitHub. Every effect is find-or-adopt, every failure a value; nothing is remembered but caches."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import TypeVar

from github import GithubException
from github.PullRequest import PullRequest as RawPull

from gitops_sre.adapters.github import comments, marks
from gitops_sre.adapters.github.apps import web_url
from gitops_sre.adapters.github.propose import BaseMovedError, Proposal, find_or_open
from gitops_sre.adapters.github.read import is_at_home, pull_of, record_of
from gitops_sre.adapters.github.session import Session, message
from gitops_sre.delivery import text
from gitops_sre.delivery.branch import PREFIX
from gitops_sre.delivery.seal import Key, seal
from gitops_sre.model.change import FileEdit, Proof
from gitops_sre.model.command import Command, Reply
from gitops_sre.model.outcome import Done, Outdated, Refused, Unavailable
from gitops_sre.model.pull import Cover, PullRequest, Report
from gitops_sre.model.record import ActionRecord
from gitops_sre.model.verdict import Level, Verdict
from gitops_sre.ports import OpenedAction
from gitops_sre.settings import GitHubSettings

T = TypeVar("T")
_log = logging.getLogger(__name__)

_CLOSED_LATELY = timedelta(days=7)
_MOST_CLOSED = 500
_VERDICT: Mapping[Level, marks.Conclusion] = {Level.L4: "success", Level.L3: "neutral"}
_OUTCOME: Mapping[str, marks.Conclusion] = {"resolved": "success", "escalated": "failure"}
_WAITS = re.compile(
    r"(?i)base branch was modified|merge already in progress|required status check.*(expected|pending|progress|queued)"
)
"""GitHub's words for a merge that it may allow a moment later."""


class GitHubForge:
    """The infra repository's forge. Safe for threads."""

    def __init__(self, settings: GitHubSettings, key: Key, environment: Mapping[str, str]) -> None:
        """Raises ConfigError when the credentials are missing or no key."""
        self._settings, self._key = settings, key
        self._session = Session(settings, environment)
        self._settled: dict[int, tuple[datetime | None, OpenedAction]] = {}

    @property
    def git_url(self) -> str:
        """Where the repository is cloned from: the setting, or what follows from the API's address."""
        if self._settings.git_url:
            return self._settings.git_url
        return f"{web_url(self._settings.api_url)}/{self._settings.repository}.git"

    def git_token(self) -> str:
        """A token for Git over HTTPS, good for some minutes. Raises ConnectionError when GitHub gives none."""
        token = self._session.attempt(self._session.token, tries=2)
        if isinstance(token, str):
            return token
        raise ConnectionError(token.reason)

    def check(self) -> Done | Refused | Unavailable:
        """Whether the credentials work, and who the bot is with them."""

        def look() -> Done:
            session = self._session
            session.repo.get_git_ref(f"heads/{self._settings.branch}").object  # noqa: B018  # asked for, or it raises
            return Done(f"{session.identity.login} on {session.repository}")

        return self._session.attempt(look)

    def actions(self) -> tuple[OpenedAction, ...] | Unavailable:
        """The bot's own actions: open ones and those closed within a week, verified by identity and signature."""

        def find() -> tuple[OpenedAction, ...]:
            return tuple(action for raw in self._candidates() if (action := self._action(raw)) is not None)

        return _unavailable(self._session.attempt(find))

    def propose(
        self, record: ActionRecord, files: Sequence[FileEdit], proof: Proof, verdict: Verdict, cover: Cover
    ) -> PullRequest | Outdated | Refused | Unavailable:
        """Find or create branch, verified commit and pull request of an action (draft at L2).

        Outdated when the base branch has another version of an edited file.
        """
        if verdict.level < Level.L2 or verdict != record.verdict:
            return Refused("the verdict is not the record's, or allows no pull request")
        if proof.change.base != record.base or proof.change.files != tuple(files):
            return Refused("the files are not those that were proven")
        try:
            headline, rest = text.commit_message(record)
            sealed = f"{rest}\n\n{seal(record, self._key, self._session.repository)}"
        except ValueError as error:
            return Refused(f"the record cannot be sealed: {error}")
        draft, title = verdict.level is Level.L2, text.pull_title(record)
        wanted = Proposal(record, files, self._settings.branch, (headline, sealed), title, cover.body, draft)
        return self._session.attempt(lambda: self._proposed(wanted, verdict, cover), tries=3)

    def _proposed(self, wanted: Proposal, verdict: Verdict, cover: Cover) -> PullRequest | Outdated:
        session = self._session

        def leave_verdict(sha: str) -> None:
            conclusion = _VERDICT.get(verdict.level, "action_required")
            title, summary = text.verdict_title(verdict), text.verdict_summary(verdict)
            marks.check(session, sha, marks.VERDICT, conclusion, title, summary, cover.full)

        try:
            raw = find_or_open(session, wanted, self._key.ring, leave_verdict)
        except BaseMovedError as moved:
            return Outdated(f"base moved: {moved}")
        pull = self._look(raw)
        if pull.state == "open" and pull.ours:
            marks.label(session, raw, text.LABEL, f"{text.LABEL}/{verdict.level.name}")
            marks.ask(session, raw, cover.reviewers)
        return pull

    def look(self, number: int) -> PullRequest | Unavailable:
        """A pull request with its reviews, as it stands now."""
        return _unavailable(self._session.attempt(lambda: self._look(self._session.repo.get_pull(number))))

    def merge(self, pull: PullRequest) -> Done | Refused | Unavailable:
        """Merge with the expected head, when every commit is still the bot's.

        Refused with GitHub's reason; Unavailable while GitHub may allow it a moment later.
        """
        return self._session.attempt(lambda: self._merge(pull), tries=2)

    def _merge(self, pull: PullRequest) -> Done | Refused | Unavailable:
        raw = self._session.repo.get_pull(pull.number)
        now = self._look(raw)
        if now.state == "merged":
            return Done(f"merged as {now.merge_sha[:12]}")
        if now.state == "closed":
            return Refused(f"it was closed by {now.closed_by}")
        if now.head != pull.head or not now.ours:
            return Refused("its head is not the commit that was agreed to")
        if now.draft:
            return Refused("it is a draft, which people mark ready and merge")
        self._session.pace()
        try:
            done = raw.merge(sha=pull.head, merge_method=self._method())
        except GithubException as error:
            if error.status in (405, 409):
                return _not_merged(error, raw)
            raise
        return (
            Done(f"merged as {done.sha[:12]}") if done.merged else Unavailable(f"the merge is pending: {done.message}")
        )

    def _method(self) -> str:
        """The first way of merging that the repository allows, the one that keeps the commit first."""
        repo = self._session.repo
        if repo.allow_merge_commit is not False:
            return "merge"
        return "squash" if repo.allow_squash_merge is not False else "rebase"

    def close(self, pull: PullRequest, comment: str) -> Done | Unavailable:
        """Close with a comment and delete the branch, unless somebody else has pushed to it."""

        def close() -> Done:
            raw = self._session.repo.get_pull(pull.number)
            if raw.merged_at is not None:
                return Done("it was merged already")
            if raw.state == "open":
                marks.say(self._session, raw, "closed", comment)
                self._session.pace()
                raw.edit(state="closed")
            self._delete_branch(raw, pull)
            return Done()

        return _unavailable(self._session.attempt(close))

    def _delete_branch(self, raw: RawPull, pull: PullRequest) -> None:
        if not pull.ours or not pull.branch.startswith(PREFIX) or raw.head.sha != pull.head:
            return
        try:
            ref = self._session.repo.get_git_ref(f"heads/{pull.branch}")
            if ref.object.sha == pull.head:
                self._session.pace()
                ref.delete()
        except GithubException as error:
            if error.status not in (404, 422):
                raise

    def comment(self, number: int, key: str, body: str) -> Done | Unavailable:
        """Say something once: `key` finds an earlier comment of ours."""

        def say() -> Done:
            marks.say(self._session, self._session.repo.get_issue(number), key, body)
            return Done()

        return _unavailable(self._session.attempt(say))

    def conclude(self, pull: PullRequest, outcome: str, summary: str) -> Done | Unavailable:
        """Leave the terminal outcome as a check run on the head commit."""

        def leave() -> Done:
            conclusion = _OUTCOME.get(outcome, "neutral")
            marks.check(self._session, pull.head, marks.OUTCOME, conclusion, outcome, summary)
            return Done()

        return _unavailable(self._session.attempt(leave, tries=2))

    def commands(self, numbers: Collection[int]) -> tuple[Command, ...] | Unavailable:
        """Orders in people's comments of the last days on these issues and pull requests, the oldest first."""
        return _unavailable(self._session.attempt(lambda: comments.commands(self._session, numbers, datetime.now(UTC))))

    def answer(self, command: Command, reply: Reply) -> Done | Unavailable:
        """React to an order, and reply where there is something to say."""

        def say() -> Done:
            comments.answer(self._session, command, reply)
            return Done()

        return _unavailable(self._session.attempt(say))

    def board(self, report: Report) -> Done | Unavailable:
        """Find or create an issue by its key and bring its title and body up to date; one that a person has closed is
        left alone."""

        def keep() -> Done:
            return Done(marks.board(self._session, report))

        return _unavailable(self._session.attempt(keep))

    def report(self, report: Report) -> str | Unavailable:
        """Find or create an issue by its key; the URL."""
        return _unavailable(self._session.attempt(lambda: marks.issue(self._session, report)))

    def _look(self, raw: RawPull) -> PullRequest:
        return pull_of(raw, list(raw.get_commits()), self._session.identity, self._session.repo)

    def _candidates(self) -> Iterator[RawPull]:
        """Pull requests that could be ours by their branch: all open ones, and those closed lately."""
        repo, base = self._session.repo, self._settings.branch
        closed = repo.get_pulls(state="closed", base=base, sort="updated", direction="desc")
        for raw in chain(repo.get_pulls(state="open", base=base), _lately(islice(closed, _MOST_CLOSED))):
            if raw.head.ref.startswith(PREFIX) and is_at_home(raw):
                yield raw

    def _action(self, raw: RawPull) -> OpenedAction | None:
        """The action behind a pull request: its first commit is the bot's and carries a record that holds."""
        known = self._settled.get(raw.number)
        if known is not None and known[0] == raw.updated_at:
            return known[1]
        session = self._session
        commits = list(raw.get_commits())
        if not commits:
            return None
        record = record_of(commits[0], raw.head.ref, session.identity, self._key.ring, session.repository)
        if isinstance(record, Refused):
            _log.warning("#%d is left alone: %s", raw.number, record.reason)
        if not isinstance(record, ActionRecord):
            return None
        pull = pull_of(raw, commits, session.identity, session.repo)
        action = OpenedAction(record, pull, marks.read(session, session.repo.get_commit(pull.head), marks.OUTCOME))
        if action.outcome and pull.state != "open":
            self._settled[raw.number] = (raw.updated_at, action)
        return action


def _lately(pulls: Iterable[RawPull]) -> Iterator[RawPull]:
    """Those updated within a week of the first one, which is the latest: GitHub's own clock decides."""
    latest: datetime | None = None
    for raw in pulls:
        at = raw.updated_at or raw.created_at
        latest = latest or at
        if at < latest - _CLOSED_LATELY:
            return
        yield raw


def _not_merged(error: GithubException, raw: RawPull) -> Refused | Unavailable:
    """405 and 409: GitHub's reason, as a refusal or as something to wait for."""
    said = message(error)
    raw.update()
    if _WAITS.search(said) or (error.status == 405 and raw.mergeable is None):
        return Unavailable(f"GitHub does not merge yet: {said}")
    return Refused(said)


def _unavailable(answer: T | Refused | Unavailable) -> T | Unavailable:
    """For what cannot be refused by design: GitHub's refusal is a missing permission, which somebody may grant."""
    return Unavailable(answer.reason) if isinstance(answer, Refused) else answer
