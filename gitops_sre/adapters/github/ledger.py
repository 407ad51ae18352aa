"""A branch that is only ever added to: its tip, its first commit, and one file more by compare-and-swap."""

from __future__ import annotations

from collections.abc import Mapping

from github import GithubException, InputGitTreeElement

from gitops_sre.adapters.github.commits import PLAIN, commit_on, tip_of
from gitops_sre.adapters.github.powers import Powers
from gitops_sre.adapters.github.session import Again, Session, Stop, is_there_already
from gitops_sre.model.outcome import Outdated, Refused, Unavailable


class LedgerBranch:
    """ports.Branch. None of its writes is made twice: whether one that got no answer was carried out is not known."""

    def __init__(self, session: Session, name: str) -> None:
        self._session, self.name = session, name

    def tip(self) -> str | Refused | Unavailable:
        """SHA of its last commit; empty when there is no such branch."""
        return self._session.attempt(lambda: tip_of(self._session, self.name) or "", tries=2)

    def create(self, files: Mapping[str, str], text: str) -> str | Refused | Unavailable:
        """Make the branch with one commit that has no parent. Unavailable when somebody else has just made it."""

        def make() -> str:
            repo = self._session.repo
            self._session.pace(guarded=False)
            elements = [InputGitTreeElement(path, PLAIN, "blob", content) for path, content in files.items()]
            commit = repo.create_git_commit(text, repo.create_git_tree(elements), [])
            try:
                repo.create_git_ref(f"refs/heads/{self.name}", commit.sha)
            except GithubException as error:
                if is_there_already(error):
                    raise Stop(Unavailable("another pass has just made it")) from error
                raise
            return commit.sha

        return self._session.attempt(make, powers=Powers.LEDGER)

    def add(self, tip: str, path: str, content: str, text: str) -> str | Outdated | Refused | Unavailable:
        """Add a file on top of a commit; Outdated when that is not the tip any more."""

        def put() -> str | Outdated | Unavailable:
            self._session.pace(guarded=False)
            try:
                made = commit_on(self._session, self.name, tip, {"headline": text}, {path: content})
            except Again as moved:
                return Outdated(str(moved))
            return made or Unavailable("GitHub's answer does not say whether it was written")

        return self._session.attempt(put, powers=Powers.LEDGER)
