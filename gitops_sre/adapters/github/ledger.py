"""A branch that is only ever added to: its tip, its first commit, and one file more by compare-and-swap."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from github import GithubException, InputGitTreeElement

from gitops_sre.adapters.github.powers import Powers
from gitops_sre.adapters.github.session import Session, Stop, error_types, message
from gitops_sre.model.outcome import Outdated, Refused, Unavailable


class LedgerBranch:
    """ports.Branch. None of its writes is made twice: whether one that got no answer was carried out is not known."""

    def __init__(self, session: Session, name: str) -> None:
        self._session, self.name = session, name

    def tip(self) -> str | Refused | Unavailable:
        """SHA of its last commit; empty when there is no such branch."""

        def look() -> str:
            try:
                return self._session.repo.get_git_ref(f"heads/{self.name}").object.sha
            except GithubException as error:
                if error.status == 404:
                    return ""
                raise

        return self._session.attempt(look, tries=2)

    def create(self, files: Mapping[str, str], text: str) -> str | Refused | Unavailable:
        """Make the branch with one commit that has no parent. Unavailable when somebody else has just made it."""

        def make() -> str:
            repo = self._session.repo
            self._session.pace(guarded=False)
            elements = [InputGitTreeElement(path, "100644", "blob", content) for path, content in files.items()]
            commit = repo.create_git_commit(text, repo.create_git_tree(elements), [])
            try:
                repo.create_git_ref(f"refs/heads/{self.name}", commit.sha)
            except GithubException as error:
                if error.status == 422 and "already exists" in message(error).lower():
                    raise Stop(Unavailable("another pass has just made it")) from error
                raise
            return commit.sha

        return self._session.attempt(make, powers=Powers.LEDGER)

    def add(self, tip: str, path: str, content: str, text: str) -> str | Outdated | Refused | Unavailable:
        """Add a file on top of a commit; Outdated when that is not the tip any more."""
        change = {
            "branch": {"repositoryNameWithOwner": self._session.repository, "branchName": self.name},
            "message": {"headline": text},
            "expectedHeadOid": tip,
            "fileChanges": {"additions": [{"path": path, "contents": base64.b64encode(content.encode()).decode()}]},
        }

        def put() -> str | Outdated:
            self._session.pace(guarded=False)
            try:
                made = self._session.repo.requester.graphql_named_mutation(
                    "createCommitOnBranch", change, "commit { oid }"
                )
            except GithubException as error:
                if "STALE_DATA" in error_types(error):
                    return Outdated(f"branch {self.name} moved meanwhile")
                raise
            return str(made[1]["commit"]["oid"])

        return self._session.attempt(put, powers=Powers.LEDGER)
