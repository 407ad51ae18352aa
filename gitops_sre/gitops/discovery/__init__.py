"""What a repository tells of itself, for its first settings: reconcilers, environments, monitoring, objectives.

Everything is read from one commit, nothing is rendered, and each finding keeps the place that it was found by.
"""

from __future__ import annotations

from gitops_sre.gitops.discovery.nouns import Discovery, Environment, Finding, Monitoring, Objective
from gitops_sre.gitops.discovery.objectives import objectives
from gitops_sre.gitops.discovery.places import Applied, environments_of
from gitops_sre.gitops.discovery.watching import monitoring
from gitops_sre.gitops.files import AtCommit
from gitops_sre.model.outcome import Refused

__all__ = ["Discovery", "Environment", "Finding", "Monitoring", "Objective", "discover"]


def discover(files: AtCommit) -> Discovery | Refused:
    """What the repository says at a commit. Refused when nothing in it is for Argo CD or Flux to apply."""
    applied = Applied.read(files)
    if applied.argocd is None and applied.flux is None and not applied.plain:
        return Refused(
            "there is no Application, ApplicationSet or Flux Kustomization in it, and no kustomization or chart that "
            "one could apply; name the root of the repository that Argo CD or Flux watches, with its files committed"
        )
    environments, loose = environments_of(files, applied)
    aims, left = objectives(files, [each.name for each in environments])
    return Discovery(
        applied.argocd, applied.flux, applied.plain, environments, loose, monitoring(files, applied), aims, left
    )
