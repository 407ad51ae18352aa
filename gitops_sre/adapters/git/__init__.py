"""The infra repository through git: read at exact commits, never checked out, nothing of its own ever run."""

from gitops_sre.adapters.git.clone import GitRepository
from gitops_sre.adapters.git.local import LocalRepository
from gitops_sre.adapters.git.plumbing import RepositoryError

__all__ = ["GitRepository", "LocalRepository", "RepositoryError"]
