"""What the Applications render that ApplicationSets make, as far as files alone tell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from gitops_sre.gitops.argocd.applications import Declared as Made
from gitops_sre.gitops.argocd.applications import DeclaredSource, applications
from gitops_sre.gitops.declared import Declared, made_by
from gitops_sre.gitops.files import Files
from gitops_sre.gitops.flux.objects import Held, Tree


def generated(files: Files, scopes: Iterable[str]) -> tuple[Declared, ...]:
    """The Applications that ApplicationSets make for some folders. One of which a source is not known is left out."""
    found: dict[tuple[str, str], Declared] = {}
    for scope in scopes:
        for each in applications(files, (), scope):
            if each.kind == "ApplicationSet" and each.complete and (it := rendering(each)) is not None:
                found[it.file, it.key] = it
    return tuple(found.values())


def rendering(made: Made) -> Declared | None:
    """What an Application renders, as the cluster would hold it, read like any other."""
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": made.name, "namespace": made.namespace},
        "spec": {
            "destination": {"namespace": made.destination.namespace},
            "sources": [_source(made, each) for each in made.sources],
        },
    }
    found = made_by(manifest, lambda *_: None)
    return None if found is None else replace(found, file=made.file)


def _source(made: Made, declared: DeclaredSource) -> dict[str, Any]:
    nested = _nested(made, declared.tree)
    return nested if isinstance(nested, dict) else {}


def _nested(made: Made, tree: Tree) -> Any:
    """A tree as maps and lists, templates filled in."""
    if () in tree:
        return _value(made, tree[()])
    heads = dict.fromkeys(path[0] for path in tree)
    below: Mapping[str | int, Any] = {
        head: _nested(made, {path[1:]: held for path, held in tree.items() if path[0] == head}) for head in heads
    }
    if all(isinstance(head, int) for head in heads):
        return [below[head] for head in sorted(heads, key=int)]
    return {str(head): held for head, held in below.items()}


def _value(made: Made, held: Held) -> Any:
    text = made.resolve(held).text
    if held.scalar.type in ("int", "float", "bool", "null"):
        try:
            return json.loads(held.scalar.value.lower() or "null")
        except ValueError:
            return text
    return text
