"""The Argo CD Application of every place, as the repository's `argocd/` folder holds them."""

from __future__ import annotations

from gitops_sre.sandbox.infra import helm
from gitops_sre.sandbox.shop import Service

NAMESPACE = "argocd"

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {environment}-{name}
  namespace: {namespace}
  labels:
    environment: {environment}
    service: {name}
  finalizers:
    - resources-finalizer.argocd.argoproj.io
spec:
  project: default
  source:
    repoURL: {url}
    targetRevision: {branch}
{source}
  destination:
    server: https://kubernetes.default.svc
    namespace: {environment}
  syncPolicy:
    automated:
      prune: true
      selfHeal: true
    syncOptions:
      - CreateNamespace=true
"""

HELM_SOURCE = """\
    path: {chart}
    helm:
      releaseName: {name}
      valueFiles:
        - ../../values/{environment}/_common.yaml
        - ../../values/{environment}/{name}.yaml"""

DIRECTORY_SOURCE = """\
    path: manifests/{environment}/{name}
    directory:
      recurse: true"""

KUSTOMIZE_SOURCE = "    path: apps/{name}/overlays/{environment}"

SOURCES = {"helm": HELM_SOURCE, "raw": DIRECTORY_SOURCE, "kustomize": KUSTOMIZE_SOURCE}


def name(environment: str, service: str) -> str:
    """The Application's name for one place."""
    return f"{environment}-{service}"


def application(environment: str, service: Service, url: str, branch: str) -> dict[str, str]:
    """The Application of one place: path -> text. `url` is where the reconciler clones from."""
    source = SOURCES[service.layout].format(environment=environment, name=service.name, chart=helm.CHART)
    text = APPLICATION.format(
        environment=environment, name=service.name, namespace=NAMESPACE, url=url, branch=branch, source=source
    )
    return {f"argocd/{environment}/{service.name}.yaml": text}
