"""Which field of a rendered object an edit decides, as far as that can be told without rendering."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gitops_sre.gitops.fights.scan import Scan, is_version
from gitops_sre.gitops.files import KUSTOMIZATIONS
from gitops_sre.model.change import FieldEdit

WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout", "CronJob", "Job", "Pod"})
_REPLICAS = re.compile(r"replicas|replicaCount|.*(?<!in)(?<!ax)Replicas", re.A)
_PATCHED = re.compile(r"/[\w/~.*-]+")


@dataclass(frozen=True)
class Touched:
    """A field of a rendered object. `*` in the path stands for any step; with `exact` False the path was concluded
    from the kind of value, and the object may hold it elsewhere."""

    kind: str
    name: str
    path: tuple[str, ...]
    exact: bool = True
    item: str = ""
    """The name of the innermost list item that the field is in, e.g. of a container."""

    def below(self, other: tuple[str, ...]) -> bool:
        """Whether the field is what a path names, or inside of it."""
        return 0 < len(other) <= len(self.path) and all(
            one == two or "*" in (one, two) for one, two in zip(self.path, other, strict=False)
        )


def touched(scan: Scan, edit: FieldEdit) -> Iterator[Touched]:
    """The rendered fields that an edit decides."""
    owner = scan.edited(edit)
    ref = scan.target.workload
    if (
        owner.kind
        and owner.value("apiVersion")
        and not edit.file.endswith(KUSTOMIZATIONS)
        and owner.kind != "HelmRelease"
    ):
        places = [at for at, part in enumerate(edit.path) if isinstance(part, int)]
        item = owner.value(*edit.path[: places[-1] + 1], "name") if places else ""
        yield Touched(owner.kind, owner.name, tuple(str(part) for part in edit.path), item=item)
        return
    pointer = owner.value(*edit.path[:-1], "path") if edit.path and edit.path[-1] == "value" else ""
    if _PATCHED.fullmatch(pointer):
        yield Touched(ref.kind, ref.name, tuple(pointer.split("/")[1:]))
    elif sets_replicas(scan, edit):
        yield Touched(ref.kind, ref.name, ("spec", "replicas"), exact=edit.path[0] == "replicas")
    elif is_version(edit):
        yield Touched(ref.kind, ref.name, ("spec", "template", "spec", "containers", "*", "image"), exact=False)
    elif (part := resources_part(edit)) is not None:
        yield Touched(ref.kind, ref.name, ("spec", "template", "spec", "containers", "*", "resources", *part), False)


def sets_replicas(scan: Scan, edit: FieldEdit) -> bool:
    """Whether an edit is of a number of replicas that is not an autoscaler's bound."""
    owner, path = scan.edited(edit), edit.path
    if not path:
        return False
    if owner.kind in WORKLOADS:
        return path == ("spec", "replicas")
    if len(path) == 3 and path[0] == "replicas" and path[2] == "count":
        return True
    if path[-1] == "value" and owner.value(*path[:-1], "path") == "/spec/replicas":
        return True
    return owner.kind in ("", "HelmRelease", "Application") and bool(_REPLICAS.fullmatch(str(path[-1])))


def resources_part(edit: FieldEdit) -> tuple[str, str] | None:
    """(`requests` or `limits`, name of the resource) when an edit is of a container's resources."""
    path = tuple(str(part) for part in edit.path)
    if len(path) >= 3 and path[-3] == "resources" and path[-2] in ("requests", "limits"):
        return path[-2], path[-1]
    return None
