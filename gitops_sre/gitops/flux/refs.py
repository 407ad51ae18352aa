"""Which place decides a Git or OCI revision: `spec.ref` of a source, `?ref=` of a kustomize resource."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitops_sre.gitops.files import KUSTOMIZATIONS, Files, documents
from gitops_sre.gitops.flux.charts import REFS, ref_fields, together
from gitops_sre.gitops.flux.objects import held_in, mentioning
from gitops_sre.gitops.flux.units import units
from gitops_sre.model.change import Field

_REMOTE = re.compile(r"[?&](?:ref|version)=([^&\s]+)")


def ref_owners(files: Files, path_scope: str, name: str, environment: str = "") -> list[tuple[Field, ...]]:
    """Where an app's folder pins a Git or OCI revision: sources of that name, or whose URL ends with it, and remote
    resources of a kustomization. Raises YamlTextError when it follows a branch or range.

    A remote resource's field is the whole URL.
    """
    found: list[tuple[Field, ...]] = []
    for unit in units(files, path_scope, environment=environment):
        for item in unit.objects:
            if item.kind in REFS and (item.name == name or _ends(item.value("spec", "url"), name)):
                found.append(ref_fields(files, unit, item, str(item)))
    found += _remote(files, path_scope, name)
    return together(found)


def _ends(url: str, name: str) -> bool:
    plain = url.removesuffix("/").removesuffix(".git")
    wanted = name.removesuffix("/").removesuffix(".git")
    return plain == wanted or plain.endswith(f"/{wanted}")


def _remote(files: Files, scope: str, name: str) -> Iterator[tuple[Field, ...]]:
    """Remote resources of kustomizations, one owner for each version."""
    for path in mentioning(files, name, scope):
        if path.rpartition("/")[2] not in KUSTOMIZATIONS:
            continue
        for document in documents(files, path):
            for place, held in held_in(path, document).items():
                if place[:1] in (("resources",), ("bases",), ("components",)) and _REMOTE.search(held.value):
                    url = re.split(r"[?]", held.value)[0]
                    if name in url.replace(".git", "").replace("//", "/").split("/") or _ends(url, name):
                        yield (held.field("ref", f"a remote resource of {path}"),)
