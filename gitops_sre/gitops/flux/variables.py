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
    """A text with its variables filled in, and the places that gave them, by name. `problem` says which one comes from
    a place that cannot be edited, and stays as it is written."""

    text: str
    variables: tuple[tuple[str, Held], ...] = ()
    problem: str = ""

    @property
    def owner(self) -> tuple[str, Held] | None:
        """The only variable and its place, where there is one."""
        return self.variables[0] if len(self.variables) == 1 else None


def resolved(files: Files, unit: Unit, held: Held) -> Resolved:
    """A value after substitution; a variable that nothing sets stays as it is written."""
    if "${" not in held.value or unit.kustomization is None:
        return Resolved(held.value)
    found: dict[str, Held] = {}
    problems: list[str] = []

    def fill(match: re.Match[str]) -> str:
        place = lookup(files, unit, match[1])
        if isinstance(place, Held):
            found[match[1]] = place
            return place.value
        problems.append(place or f"nothing in the repository sets {match[0]}")
        return match[0]

    return Resolved(_VARIABLE.sub(fill, held.value), tuple(found.items()), "; ".join(problems))


def lookup(files: Files, unit: Unit, name: str) -> Held | str:
    """The place that sets a variable for a unit; else why there is none to edit, empty when nothing sets it."""
    if unit.kustomization is None:
        return ""
    known = unit.kustomization.object
    if (held := known.tree.get(("spec", "postBuild", "substitute", name))) is not None:
        return held
    for reference in reversed(unit.kustomization.substitute_from):
        try:
            for item in config_maps(files, unit, reference.kind, reference.name):
                if (found := _given(files, item, name)) is not None:
                    return found
        except YamlTextError as error:
            return str(error)
    return ""


def _given(files: Files, item: Object, name: str) -> Held | str | None:
    if item.kind == "Secret":
        has = any((part, name) == path[:2] for path in item.tree for part in ("data", "stringData"))
        return f"{item.file}: ${{{name}}} comes from {item}; secrets are never edited" if has else None
    if ("data", name, ENTRY) in item.tree:
        return f"{item.file}: ${{{name}}} is one entry of the generated {item}; edit it by hand"
    return single(files, item, name)


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
