"""GitHub through PyGithub: the only place that speaks to its API, and the only one that writes."""

from gitops_sre.adapters.github.forge import GitHubForge

__all__ = ["GitHubForge"]
