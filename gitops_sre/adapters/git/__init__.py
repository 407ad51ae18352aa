"""The infra repository through git: read at exact commits, never checked out, nothing of its own ever run."""

from gitops_sre.adapters.git.clone import GitRepository
from gitops_sre.adapters.git.local import LocalRepository
from gitops_sre.adapters.git.plumbing import RepositoryError
from gitops_sre.adapters.git.write import CommitWriter

__all__ = ["CommitWriter", "GitRepository", "LocalRepository", "RepositoryError"]
