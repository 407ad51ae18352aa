"""Flux's post-build substitution: which place gives `${VAR}` its value.

`substitute` wins over `substituteFrom`, whose later entries win over earlier ones (kustomize-controller's
documentation of post build variable substitution).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gitops_sre.gitops.files import Files
from gitops_sre.gitops.flux.builds import ENTRY, single
from gitops_sre.gitops.flux.objects import Held, Object, mentioning, read
from gitops_sre.gitops.flux.units import Unit
from gitops_sre.yamltext import YamlTextError

_VARIABLE = re.compile(r"(?<!\$)\$\{([A-Za-z_]\w*)([^{}]*)\}")


@dataclass(frozen=True)
class Resolved:
    """A text with its variables filled in, and the places that gave them, by name."""

    text: str
    variables: tuple[tuple[str, Held], ...] = ()

    @property
    def owner(self) -> tuple[str, Held] | None:
        """The only variable and its place, where there is one."""
        return self.variables[0] if len(self.variables) == 1 else None


def resolved(files: Files, unit: Unit, held: Held) -> Resolved:
    """A value after substitution. Raises YamlTextError when a variable comes from a place that is never edited; one
    that nothing sets stays as it is written (its default is then part of the text)."""
    if "${" not in held.value or unit.kustomization is None:
        return Resolved(held.value)
    found: dict[str, Held] = {}

    def fill(match: re.Match[str]) -> str:
        place = lookup(files, unit, match[1])
        if place is None:
            return match[0]
        found[match[1]] = place
        return place.value

    return Resolved(_VARIABLE.sub(fill, held.value), tuple(found.items()))


def lookup(files: Files, unit: Unit, name: str) -> Held | None:
    """The place that sets a variable for a unit, or None. Raises YamlTextError for one that cannot be edited."""
    if unit.kustomization is None:
        return None
    known = unit.kustomization.object
    if (held := known.tree.get(("spec", "postBuild", "substitute", name))) is not None:
        return held
    for reference in reversed(unit.kustomization.substitute_from):
        for item in config_maps(files, unit, reference.kind, reference.name):
            if item.kind == "Secret" and _has(item, name):
                raise YamlTextError(f"{item.file}: ${{{name}}} comes from {item}; secrets are never edited")
            if item.tree.get(("data", name, ENTRY)):
                raise YamlTextError(f"{item.file}: ${{{name}}} is one entry of the generated {item}; edit it by hand")
            held = single(files, item, name)
            if held is not None:
                return held
    return None


def config_maps(files: Files, unit: Unit, kind: str, name: str) -> Iterator[Object]:
    """The ConfigMaps (or Secrets) of a name: the unit's own, else any in the repository."""
    own = [item for item in unit.objects if (item.kind, item.name) == (kind, name)]
    if own:
        yield from own
        return
    seen = []
    for path in mentioning(files, f"kind: {kind}"):
        if name in (files.text(path) or ""):
            try:
                seen += [item for item in read(files, path) if (item.kind, item.name) == (kind, name)]
            except YamlTextError as error:
                raise YamlTextError(f"{error} ({kind} {name} gives values)") from error
    yield from seen


def _has(item: Object, name: str) -> bool:
    return any((part, name) == path[:2] for path in item.tree for part in ("data", "stringData"))
