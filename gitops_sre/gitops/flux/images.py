"""Which place decides an image that Flux deploys.

Strongest first: `images:` and patches of the Flux Kustomization (they change what everything else has made), a
HelmRelease's post-renderers, its `values`, and its `valuesFrom` (later over earlier; a `targetPath` is one more entry
of that list). Source: helm-controller merges `values` over all references; documentation of HelmRelease, Kustomization.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from gitops_sre.gitops import environments
from gitops_sre.gitops.files import Files
from gitops_sre.gitops.flux import builds, kinds, patches, values, variables
from gitops_sre.gitops.flux.kinds import HelmRelease
from gitops_sre.gitops.flux.objects import GROUP, Object, Tree, mentioning, merged, read
from gitops_sre.gitops.flux.units import Unit, units
from gitops_sre.gitops.flux.values import Owner, Resolve
from gitops_sre.gitops.flux.variables import resolved
from gitops_sre.gitops.versions import plain, same
from gitops_sre.model.change import Field
from gitops_sre.yamltext import Path, YamlTextError


def image_owners(files: Files, path_scope: str, image: str, environment: str = "") -> list[tuple[Field, ...]]:
    """Where Flux takes an image's version from, for the app in a folder: one tuple of fields that belong together, none
    where Flux adds nothing to what the manifests say, or one for each place when they hold different versions.

    `image` is a name without tag; `environment` leaves out what belongs to another one. Raises YamlTextError when the
    owner is a place that is never edited or cannot be read.
    """
    if not mentioning(files, GROUP):
        return []
    found: list[Owner] = []
    problems: list[YamlTextError] = []
    for unit in units(files, path_scope, (plain(image).rpartition("/")[2],), environment):
        try:
            found += _in_unit(files, unit, image)
        except YamlTextError as error:
            problems.append(error)
        problems += [unit.problem] if unit.problem else []
        problems += [error for error in unit.build.unread if _concerns(files, error, image)]
    if problems and not found:
        raise problems[0]
    return grouped(found)


def grouped(found: Sequence[Owner]) -> list[tuple[Field, ...]]:
    """Places of one environment that hold one version as one owner; the others apart. Surer ones go before others."""
    sure = [owner for owner in found if owner.sure] or found
    groups: dict[tuple[str, str, str], dict[tuple[str, int, Path], Field]] = {}
    for owner in sure:
        environment = environments.of(owner.fields[0].file)
        fields = groups.setdefault((environment, *owner.version), {})
        for field in owner.fields:
            fields.setdefault((field.file, field.document, field.path), field)
    return [tuple(fields.values()) for fields in groups.values()]


def _in_unit(files: Files, unit: Unit, image: str) -> list[Owner]:
    """The strongest owners in a unit, for each part of it that deploys the image."""
    resolve = partial(resolved, files, unit)
    if found := list(_over_everything(files, unit, image, resolve)):
        return found
    found = [
        owner
        for item in unit.objects
        if item.kind == "HelmRelease"
        for owner in release_owners(files, unit, kinds.helm_release(item), image)
    ]
    return found or list(_in_manifests(files, unit, image, resolve))


def _over_everything(files: Files, unit: Unit, image: str, resolve: Resolve) -> Iterator[Owner]:
    """What the Flux Kustomization sets itself."""
    if unit.kustomization is None:
        return
    item = unit.kustomization.object
    yield from transformed(item.below("spec", "images"), image, resolve, f"`images:` of {item}, over all it applies")
    for patch in patches.of(files, item.below("spec"), unit.folder):
        if patch.target.get("kind") != "HelmRelease":
            reason = f"a patch of {item}, over all it applies"
            yield from values.references(patch.tree, image, resolve, reason)


def transformed(entries: Tree, image: str, resolve: Resolve, reason: str) -> Iterator[Owner]:
    """Entries of an `images:` list that give an image its version."""
    for at in dict.fromkeys(path[0] for path in entries):
        name = entries.get((at, "newName")) or entries.get((at, "name"))
        if name is not None and same(image, resolve(name).text):
            owner = values.beside(entries, (at,), resolve, reason)
            if owner is not None:
                yield owner


def release_owners(files: Files, unit: Unit, release: HelmRelease, image: str) -> list[Owner]:
    """The strongest owners of an image in a HelmRelease."""
    resolve = partial(resolved, files, unit)
    item = release.object
    for at in reversed(item.children("spec", "postRenderers")):
        entries = item.below("spec", "postRenderers", at, "kustomize", "images")
        if found := list(transformed(entries, image, resolve, f"a post-renderer of {item}, over its values")):
            return found
    tree, problems = effective_values(files, unit, release)
    chart = release.chart.rpartition("/")[2] or release.source.name
    reason = f"values of {item}" + _suspended(unit, release)
    found = values.owners(tree, image, resolve, reason, (chart, item.name, release.release_name))
    if problems and not found and any(plain(image).rpartition("/")[2] in str(problem) for problem in problems):
        raise problems[0]
    return found


def _suspended(unit: Unit, release: HelmRelease) -> str:
    """What keeps an edit from being applied."""
    if release.suspended:
        return " (suspended: nothing is applied until it is resumed)"
    if unit.kustomization is not None and unit.kustomization.suspended:
        return f" (Kustomization {unit.kustomization.key} is suspended: nothing is applied until it is resumed)"
    return ""


def effective_values(files: Files, unit: Unit, release: HelmRelease) -> tuple[Tree, tuple[YamlTextError, ...]]:
    """All values of a release, each with the place that decides it, and what could not be read for it."""
    tree: Tree = {}
    problems: list[YamlTextError] = []
    for entry in release.values_from:
        if entry.kind == "Secret":
            problems.append(YamlTextError(f"{release.object.file}: Secret {entry.name} gives values; never edited"))
            continue
        for item in variables.config_maps(files, unit, entry.kind, entry.name):
            tree = merged(tree, _given(files, item, entry.values_key, entry.target_path))
    return merged(tree, release.object.below("spec", "values")), tuple(problems)


def _given(files: Files, item: Object, key: str, target: str) -> Tree:
    """What a ConfigMap's key adds to the values."""
    if target:
        held = builds.single(files, item, key)
        return {_dotted(target): held} if held is not None else {}
    return next(iter(builds.content(files, item, key)), {})


def _dotted(target: str) -> Path:
    """A path in the notation of `helm --set`: `a.b[0].c`."""
    parts = target.replace("[", ".[").split(".")
    return tuple(int(part[1:-1]) if part.startswith("[") and part[1:-1].isdigit() else part for part in parts if part)


def _in_manifests(files: Files, unit: Unit, image: str, resolve: Resolve) -> Iterator[Owner]:
    """References in plain manifests whose version is a variable of the Flux Kustomization."""
    last = plain(image).rpartition("/")[2]
    for path in unit.build.manifests:
        text = files.text(path) or ""
        if "${" in text and last in text:
            for item in read(files, path):
                if item.kind != "HelmRelease":
                    with_variables = {place: held for place, held in item.tree.items() if "${" in held.value}
                    reason = f"{item} in {path}"
                    yield from values.references(with_variables, image, resolve, reason)


def _concerns(files: Files, error: YamlTextError, image: str) -> bool:
    """Whether what could not be read may name the image."""
    path = str(error).partition(":")[0]
    return plain(image).rpartition("/")[2] in (files.text(path) or "")
