"""The infra repository: its files at exact commits, where a value is decided, and what they render to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from gitops_sre.model.change import Draft, Field
from gitops_sre.model.change_feed import Commit, FileChange, Revision
from gitops_sre.model.outcome import Refused, Unavailable
from gitops_sre.model.target import ObjectField, Source, Target


class Tree(Protocol):
    """The files of the infra repository at exact commits. Raises OSError when the local copy cannot answer."""

    def read(self, commit: str, path: str) -> bytes | None:
        """A file's bytes at a commit; None when it is not there, is a symlink or a submodule."""
        ...

    def files(self, commit: str, under: str = "") -> tuple[str, ...]:
        """Paths of the regular files below a folder at a commit, sorted."""
        ...


class Repository(Tree, Protocol):
    """Read-only view of the infra repository at exact commits.

    `read`, `files`, `log`, `steps` and `export` raise OSError when the local copy cannot answer.
    """

    def head(self) -> str | Unavailable:
        """Fetch, then the SHA at the tip of the watched branch."""
        ...

    def pull(self, number: int) -> tuple[str, str] | Unavailable:
        """Fetch a pull request: the commit where it left the watched branch, and its head."""
        ...

    def log(
        self, commit: str, *, since: datetime | None = None, paths: Sequence[str] = (), limit: int = 200
    ) -> tuple[Commit, ...]:
        """Commits reachable from a commit, newest first, first-parent, that touch any of `paths`."""
        ...

    def steps(
        self, commit: str, *, since: datetime | None = None, paths: Sequence[str] = (), limit: int = 200
    ) -> tuple[Revision, ...]:
        """What `log` gives, each with all that it changed against its first parent; renames are not looked for."""
        ...

    def changed(self, commit: str) -> tuple[FileChange, ...]:
        """What a commit did against its first parent (the empty tree for a root), renames found."""
        ...

    def between(self, before: str, after: str, names: Collection[str] = ()) -> tuple[FileChange, ...]:
        """What differs between two commits, without looking for renames; an empty `before` is the empty tree.

        `names` restricts it to files that are called so, in whatever folder.
        """
        ...

    def revisions(self, commit: str, paths: Sequence[str], *, limit: int = 200) -> tuple[Revision, ...]:
        """Commits reachable from a commit, newest first, that touch any of `paths`, each with the changes to them.

        A merge counts only where it differs from every parent. A file that was renamed is followed under its older
        name.
        """
        ...

    def blobs(self, oids: Iterable[str]) -> Mapping[str, bytes]:
        """File contents by blob id, read (and where they are missing, fetched) in one batch."""
        ...

    def mentioning(self, commit: str, text: str, under: Sequence[str] = ()) -> tuple[str, ...]:
        """Paths of the regular files at a commit, sorted, whose bytes hold a text; only below `under` where given."""
        ...

    def close(self) -> None:
        """Give back what reading holds: processes and temporary folders. Reading again opens them anew."""
        ...

    def contains(self, descendant: str, ancestor: str) -> bool | Unavailable:
        """Whether `ancestor` is `descendant` or one of its ancestors."""
        ...

    def export(self, commit: str, into: Path, under: Sequence[str] = ()) -> None:
        """Write the tree of a commit into an empty folder: regular files only; no hooks, filters or submodules run."""
        ...


Manifest = Mapping[str, Any]
"""One rendered Kubernetes object: the only free-form mapping that travels, since its schema is the cluster's."""


class Locator(Protocol):
    """Finds where the infra repository decides a value."""

    def image_fields(self, commit: str, target: Target, image: str) -> tuple[Field, ...] | Refused:
        """The owning fields of one image of a target: tag, and digest where one stands beside it.

        `image` is an image name without tag. Refused when none or more than one place could own it.
        """
        ...

    def chart_fields(self, commit: str, target: Target, chart: str) -> tuple[Field, ...] | Refused:
        """The owning fields of a chart's version (HelmRelease, OCIRepository, Application, Chart.yaml, helmfile)."""
        ...

    def ref_fields(self, commit: str, target: Target, name: str) -> tuple[Field, ...] | Refused:
        """The owning fields of a Git or OCI revision (`spec.ref` of a Flux source, `targetRevision` of an Application,
        `?ref=` of a kustomize resource). `name` is the source's, or the end of its URL."""
        ...

    def object_fields(self, commit: str, target: Target, at: ObjectField) -> tuple[Field, ...] | Refused:
        """The owning fields of one field of a rendered object; not present ones say where it would be inserted.

        Empty when the source makes no such object. Autoscalers and their kind (HorizontalPodAutoscaler, ScaledObject,
        VerticalPodAutoscaler, Canary) are looked up by the name of the workload that they scale.
        """
        ...

    def setting_fields(self, commit: str, target: Target, key: str) -> tuple[Field, ...] | Refused:
        """The owning fields of a setting: a ConfigMap or generator key, an environment variable, a Helm value, a
        feature flag. `key` is its name, or a dotted path where the name alone is not unique."""
        ...

    def undo(self, commit: str, target: Target, culprit: str) -> Draft | Refused:
        """What restores, at `commit`, the values of a target from before a culprit commit."""
        ...

    def last_good_image(self, commit: str, target: Target, image: str) -> Draft | Refused:
        """What restores the last different version of an image, also where only the history tells which place is
        meant, or where the image was replaced by another one."""
        ...

    def last_good(
        self, commit: str, target: Target, fields: Sequence[Field], to: str = "", good: str = ""
    ) -> Draft | Refused:
        """What restores the last different values of these fields, with everything that moved together with them.

        With `to`, the last values that say this version; with `good`, those of that commit.
        """
        ...

    def inputs(self, commit: str, source: Source) -> frozenset[str]:
        """Every repository file that a source's rendering reads (bases, components, chart and value files too)."""
        ...


class Renderer(Protocol):
    """Turns a source into the objects that the reconciler would apply."""

    def render(self, tree: Path, source: Source) -> tuple[Manifest, ...] | Unavailable:
        """Render one source of an exported tree, without network and within a time limit."""
        ...
