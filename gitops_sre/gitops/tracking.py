"""By which marks a live object says what applies it.

Source: Argo CD, "Resource tracking"; Flux, kustomize-controller's labels of the objects that it applies.
"""

from __future__ import annotations

from collections.abc import Mapping

from gitops_sre.model.target import WorkloadRef

TRACKING = "argocd.argoproj.io/tracking-id"
INSTANCE = "app.kubernetes.io/instance"
FLUX = "kustomize.toolkit.fluxcd.io"


def owner(tracking: str, ref: WorkloadRef, labels: Mapping[str, str], argocd_namespace: str) -> str:
    """`namespace/name` of the Application, or of Flux's Kustomization; empty where a workload says neither.

    The tracking id comes first (`app:group/Kind:namespace/name`, where `app` may be `appnamespace_app`), then Flux's
    labels, then the instance label. A tracking id that names another object was copied from there (as operators do to
    their children): Argo CD does not take such an object for its own.
    """
    name, _, of = tracking.partition(":")
    if tracking and of != f"apps/{ref.kind}:{ref.namespace}/{ref.name}":
        return ""
    if not name and (flux := labels.get(f"{FLUX}/name")):
        return f"{labels.get(f'{FLUX}/namespace', '')}/{flux}"
    name = name or labels.get(INSTANCE, "")
    if not name:
        return ""
    namespace, separator, rest = name.partition("_")
    return f"{namespace}/{rest}" if separator else f"{argocd_namespace}/{name}"
