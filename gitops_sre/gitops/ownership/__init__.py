"""Which place owns one field of a rendered object: kustomize layers, plain manifests, or Helm values by their names."""

from gitops_sre.gitops.ownership.owners import owners

__all__ = ["owners"]
