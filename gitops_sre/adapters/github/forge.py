"""ports.Forge over GitHub. Every effect is find-or-adopt, every failure a value; nothing is remembered but caches."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from github import GithubException
from github.PullRequest import PullRequest as RawPull

from gitops_sre.adapters.github import comments, marks, nodes, queue
from gitops_sre.adapters.github.ledger import LedgerBranch
from gitops_sre.adapters.github.lookout import Lookout
from gitops_sre.adapters.github.notices import Notices
from gitops_sre.adapters.github.powers import Powers
from gitops_sre.adapters.github.propose import BaseMovedError, Proposal, find_or_open
from gitops_sre.adapters.github.read import action_of, outcome_of, pull_of
from gitops_sre.adapters.github.session import Session, Stop, message
from gitops_sre.adapters.github.switch import Switch
from gitops_sre.delivery import text
from gitops_sre.delivery.branch import PREFIX
from gitops_sre.delivery.seal import Key, seal
from gitops_sre.model.advice import Unadvised
from gitops_sre.model.change import FileEdit, Proof
from gitops_sre.model.command import Command, Reply
from gitops_sre.model.grant import Grant
from gitops_sre.model.live import Notice
from gitops_sre.model.outcome import Done, Outdated, Refused, Unavailable
from gitops_sre.model.pull import Cover, PullRequest, Report
from gitops_sre.model.record import ActionRecord
from gitops_sre.model.usage import Usage
from gitops_sre.model.verdict import Level, Verdict
from gitops_sre.ports import OpenedAction
from gitops_sre.settings import GitHubSettings
from gitops_sre.settings.hosts import web_url

T = TypeVar("T")
_log = logging.getLogger(__name__)

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
        self._lookout = Lookout(self._session, settings.branch, marks.OUTCOME, marks.ADVICE)
        self._switch = Switch(self._session, settings.branch, environment)
        self._session.halted = self._switch.before_write
        self._notices = Notices(self._session)
        self._queued: set[int] = set()
        """Pull requests into a branch that takes merges from a queue alone, as far as this process has tried."""
        self._settled: dict[int, tuple[datetime, OpenedAction]] = {}

    @property
    def git_url(self) -> str:
        """Where the repository is cloned from: the setting, or what follows from the API's address."""
        if self._settings.git_url:
            return self._settings.git_url
        return f"{web_url(self._settings.api_url)}/{self._settings.repository}.git"

    def ledger(self, name: str) -> LedgerBranch:
        """The ledger branch, written by the same bot."""
        return LedgerBranch(self._session, name)

    def guard(self, before_write: Callable[[bool], Unavailable | None]) -> None:
        """Have somebody asked before each write but the ledger's own, and told whether it is lasting; an answer keeps
        it from being made."""
        self._session.before_write = before_write

    def git_token(self) -> str:
        """A token for Git over HTTPS, good for some minutes. Raises ConnectionError when GitHub gives none."""
        token = self._session.attempt(self._session.token, tries=2, powers=Powers.GIT)
        if isinstance(token, str):
            return token
        raise ConnectionError(token.reason)

    def spent(self) -> Usage:
        """Requests that this thread has made since it began."""
        return self._session.spent()

    def wait(self) -> float:
        """Seconds for which GitHub wants to be left alone; 0 when it may be asked."""
        return self._session.wait()

    def check(self) -> Done | Refused | Unavailable:
        """Whether the credentials work, and who the bot is with them."""

        def look() -> Done:
            session = self._session
            session.repo.get_git_ref(f"heads/{self._settings.branch}").object  # noqa: B018  # asked for, or it raises
            return Done(f"{session.identity.login} on {session.repository}")

        return self._session.attempt(look)

    def granted(self) -> Grant | Refused | Unavailable:
        """What the App was granted where it is installed, or a classic token's scopes."""
        return self._session.attempt(self._session.granted)

    def actions(self) -> tuple[OpenedAction, ...] | Unavailable:
        """The bot's own actions: open ones and those closed within a week, verified by identity and signature."""

        return _unavailable(self._session.attempt(self._actions, tries=3))

    def _actions(self) -> tuple[OpenedAction, ...]:
        opened, closed = self._lookout.open()
        settled = {pull.number: self._settled.get(pull.number) for pull in closed}
        known = {
            pull.number: kept[1]
            for pull in closed
            if (kept := settled[pull.number]) is not None and kept[0] == pull.updated_at
        }
        asked = self._lookout.fresh(pull.number for pull in closed if pull.number not in known)
        found = [action for pull in (*opened, *asked) if (action := self._action(pull)) is not None]
        return (*found, *known.values())

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
        return self._session.attempt(lambda: self._proposed(wanted, verdict, cover), tries=3, powers=Powers.PROPOSE)

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
        pull = self._now(raw.number)
        if pull.state == "open" and pull.ours:
            marks.label(session, raw, text.LABEL, f"{text.LABEL}/{verdict.level.name}")
            marks.ask(session, raw, cover.reviewers)
        return pull

    def look(self, number: int) -> PullRequest | Unavailable:
        """A pull request with its reviews, as it stands now."""
        return _unavailable(self._session.attempt(lambda: self._pull(self._lookout.look(number)), tries=3))

    def notices(self, commits: Sequence[str]) -> tuple[Notice, ...] | Unavailable:
        """Commit statuses and deployments of these commits (fifty at most: the first one, and the latest)."""
        return self._notices.of(commits)

    def merge(self, pull: PullRequest) -> Done | Refused | Unavailable:
        """Merge with the expected head, when every commit is still the bot's.

        Refused with GitHub's reason; Unavailable while GitHub may allow it a moment later.
        """
        return self._session.attempt(lambda: self._merge(pull), tries=2, powers=Powers.MERGE)

    def _merge(self, pull: PullRequest) -> Done | Refused | Unavailable:
        now = self._now(pull.number)
        if now.state == "merged":
            return Done(f"merged as {now.merge_sha[:12]}")
        if now.state == "closed":
            return Refused(f"it was closed by {now.closed_by}")
        if now.head != pull.head or not now.ours:
            return Refused("its head is not the commit that was agreed to")
        if now.draft:
            return Refused("it is a draft, which people mark ready and merge")
        if pull.number in self._queued:
            return queue.stand_in_line(self._session, pull.number, pull.head)
        self._session.pace()
        raw = self._session.repo.get_pull(pull.number)
        try:
            done = raw.merge(sha=pull.head, merge_method=self._method())
        except GithubException as error:
            if error.status in (405, 409) and queue.asks_for_it(message(error)):
                self._queued.add(pull.number)
                return queue.stand_in_line(self._session, pull.number, pull.head)
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

    def unqueue(self, pull: PullRequest) -> Done | Unavailable:
        """Take a pull request out of the merge queue, when it stands in one."""

        def leave() -> Done:
            queue.leave(self._session, pull.number)
            return Done()

        return _unavailable(self._session.attempt(leave, powers=Powers.MERGE))

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

        return _unavailable(self._session.attempt(close, powers=Powers.CLOSE))

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

        return _unavailable(self._session.attempt(say, powers=Powers.COMMENT))

    def conclude(self, pull: PullRequest, outcome: str, summary: str) -> Done | Unavailable:
        """Leave the terminal outcome as a check run on the head commit."""

        def leave() -> Done:
            conclusion = _OUTCOME.get(outcome, "neutral")
            marks.check(self._session, pull.head, marks.OUTCOME, conclusion, outcome, summary)
            return Done()

        return _unavailable(self._session.attempt(leave, tries=2, powers=Powers.CONCLUDE))

    def unadvised(self) -> tuple[Unadvised, ...]:
        """Open pull requests of others, as `actions` last saw them, whose heads bear no advice of the bot's yet."""
        session = self._session

        def find() -> tuple[Unadvised, ...]:
            app, login = (session.identity.app_id if session.is_app else None), session.identity.login
            return tuple(
                Unadvised(pull.number, pull.head_ref_oid)
                for pull in self._lookout.others
                if not any(each.commit.advised(app, login) for each in pull.tip.nodes)
            )

        found = session.attempt(find)
        return found if isinstance(found, tuple) else ()

    def advise(self, head: str, title: str, summary: str) -> Done | Unavailable:
        """Leave advice on the head commit of somebody's pull request; it blocks nothing."""

        def leave() -> Done:
            marks.check(self._session, head, marks.ADVICE, "neutral", title, summary)
            return Done()

        return _unavailable(self._session.attempt(leave, powers=Powers.CONCLUDE))

    def commands(self, numbers: Collection[int]) -> tuple[Command, ...] | Unavailable:
        """Orders in people's comments of the last days on these issues and pull requests, the oldest first."""

        def find() -> tuple[Command, ...]:
            return comments.commands(self._session, numbers, self._lookout.may_write, datetime.now(UTC))

        return _unavailable(self._session.attempt(find))

    def answer(self, command: Command, reply: Reply) -> Done | Unavailable:
        """React to an order, and reply where there is something to say."""

        def say() -> Done:
            comments.answer(self._session, command, reply)
            return Done()

        return _unavailable(self._session.attempt(say, powers=Powers.ANSWER))

    def board(self, report: Report) -> Done | Unavailable:
        """Find or create an issue by its key and bring its title and body up to date; one that a person has closed is
        left alone."""

        def keep() -> Done:
            return Done(marks.board(self._session, report))

        return _unavailable(self._session.attempt(keep, powers=Powers.REPORT))

    def report(self, report: Report) -> str | Unavailable:
        """Find or create an issue by its key; the URL."""
        return _unavailable(self._session.attempt(lambda: marks.issue(self._session, report), powers=Powers.REPORT))

    def halted(self) -> str | Unavailable:
        """Who or what keeps the bot from writing now; empty when nobody does."""
        return _unavailable(self._session.attempt(self._switch.why, tries=2))

    def halt(self, report: Report) -> str | Unavailable:
        """Keep the bot from writing anything until an issue is closed; the issue's URL."""
        return _unavailable(self._session.attempt(lambda: self._switch.halt(report), powers=Powers.REPORT))

    def resume(self, report: Report) -> str | Unavailable:
        """Close that issue. What still says stop; empty when nothing does."""
        return _unavailable(self._session.attempt(lambda: self._switch.resume(report), powers=Powers.REPORT))

    def _now(self, number: int) -> PullRequest:
        """A pull request as it stands at this moment."""
        for pull in self._lookout.fresh([number]):
            return self._pull(pull)
        raise Stop(Unavailable(f"GitHub does not show pull request #{number} yet"))

    def _pull(self, pull: nodes.Pull) -> PullRequest:
        return pull_of(pull, self._session.identity, self._lookout.may_write)

    def _action(self, found: nodes.Pull) -> OpenedAction | None:
        """The action behind a pull request: its first commit is the bot's and carries a record that holds."""
        session = self._session
        record = action_of(found, session.identity, self._key.ring, session.repository)
        if isinstance(record, Refused):
            _log.warning("#%d is left alone: %s", found.number, record.reason)
        if not isinstance(record, ActionRecord):
            return None
        pull, outcome = self._pull(found), outcome_of(found, session.identity)
        if outcome is None:
            outcome = marks.read(session, session.repo.get_commit(pull.head), marks.OUTCOME)
        action = OpenedAction(record, pull, outcome)
        if outcome and pull.state != "open":
            self._settled[pull.number] = (found.updated_at, action)
        return action


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
