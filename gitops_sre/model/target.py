"""What an alert is about, in the cluster and in Git, with the reasons for believing so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

SourceKind = Literal["kustomize", "helm", "directory", "unknown"]


@dataclass(frozen=True)
class WorkloadRef:
    """A workload in the cluster, e.g. Deployment staging/checkout."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True)
class ObjectField:
    """One field of a rendered object, e.g. `spec.replicas` of a Deployment. `path` are its keys; an item of a list is
    named by what identifies it, `[name=app]`; `[]` is every item. An empty namespace matches any."""

    kind: str
    namespace: str
    name: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name} {'.'.join(self.path)}"


@dataclass(frozen=True)
class Parameter:
    """A Helm value by its dotted name, in the notation of `helm --set`; `as_text` is `--set-string`."""

    name: str
    value: str
    as_text: bool = False


@dataclass(frozen=True)
class Source:
    """Where a GitOps object takes its manifests from, and what it sets over the repository's files.

    `path` is relative to the repository's root, without a leading slash; `value_files` are repository paths too
    (already resolved), in order of increasing precedence.
    """

    repo_url: str
    path: str
    revision: str = "HEAD"
    kind: SourceKind = "unknown"
    value_files: tuple[str, ...] = ()
    release_name: str = ""
    namespace: str = ""
    overrides: tuple[str, ...] = ()
    """Names of what the GitOps object itself sets over the repository's files, e.g. `helm.parameters`."""
    inline: tuple[str, ...] = ()
    """YAML texts over `value_files`, in order of increasing precedence: values of a Helm release, or fields of a
    kustomization (`namespace:`, `images:`, `patches:`; Flux's `targetNamespace` is `namespace:`)."""
    parameters: tuple[Parameter, ...] = ()
    """Helm's, over `inline`."""
    ignore_missing: bool = False
    """Whether value files that are not there are passed over."""
    substitutions: tuple[tuple[str, str], ...] | None = None
    """The variables of Flux's `postBuild`; None where it has none."""
    recurse: bool = True
    """Whether a directory is read with the folders below it; `include` and `exclude` are Argo CD's globs for it."""
    include: str = ""
    exclude: str = ""
    lacking: tuple[str, ...] = ()
    """What the object takes from outside the repository, in words."""
    chart: str = ""
    """A Helm chart that lies elsewhere, which leaves nothing to render."""

    def without_values(self) -> Source:
        """The source by its names alone: for what is written into commits, where no value may show that the
        repository does not hold already."""
        return replace(self, inline=(), parameters=(), substitutions=None)


@dataclass(frozen=True)
class Target:
    """One workload, the GitOps object that owns it and the source path that decides its fields."""

    service: str
    environment: str
    tier: str
    workload: WorkloadRef
    application: str
    """`namespace/name` of the Argo CD Application (or Flux object)."""
    source: Source
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class NoTarget:
    """No unique workload matches: the incident can only be reported (L1)."""

    reason: str
    service: str = ""
    environment: str = ""
    kind: Literal["no-target"] = "no-target"
