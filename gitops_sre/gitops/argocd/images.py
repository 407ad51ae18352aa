"""Which place decides an image that Argo CD deploys, as far as the Application says more than the files do.

Strongest first, for kustomize: `kustomize.images` of the source over whatever a build gives. For Helm:
`helm.parameters` > `helm.valuesObject` (which replaces `helm.values`) > value files, later over earlier > the values of
the chart itself. The override files `.argocd-source.yaml` and `.argocd-source-<application>.yaml` are laid over the
source before all that. Source: Argo CD, "Helm", "Kustomize", "Parameter overrides"; `mergeSourceParameters` of its
repository server.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gitops_sre.gitops import environments
from gitops_sre.gitops.argocd.applications import Declared, DeclaredSource, applications
from gitops_sre.gitops.argocd.manifests import embedded
from gitops_sre.gitops.files import Files, documents, inside
from gitops_sre.gitops.flux import values
from gitops_sre.gitops.flux.objects import Held, Tree, held_in, merged, under
from gitops_sre.gitops.flux.values import Owner
from gitops_sre.gitops.versions import plain, same
from gitops_sre.model.change import Field
from gitops_sre.model.image import Image
from gitops_sre.yamltext import Path, YamlTextError


def image_owners(files: Files, path_scope: str, image: str, environment: str = "") -> list[tuple[Field, ...]]:
    """Where the Applications of a folder take an image's version from, when they decide it: one tuple of fields that
    belong together, none where the files of the folder alone decide, or one for each place that differs.

    Fields of different environments are never one owner. `image` is a name without tag. Raises YamlTextError when the
    owner is a place that cannot be read or edited.
    """
    found: list[tuple[str, Owner]] = []
    problems: list[YamlTextError] = []
    for declared in of_environment(in_scope(applications(files, scope=path_scope), path_scope), environment):
        try:
            found += [(declared.environment, owner) for owner in owners(files, declared, image)]
        except YamlTextError as error:
            problems += [error] if _may_name(files, declared, image) else []
    if problems and not found:
        raise problems[0]
    return _grouped(found)


def _may_name(files: Files, declared: Declared, image: str) -> bool:
    """Whether what could not be read or edited may be about the image, by its bytes."""
    last = plain(image).rpartition("/")[2]
    places = {declared.file, *(path for each in declared.sources for path in each.source.value_files)}
    return any(
        last in (files.text(path) or "") for path in places.union(*(each.overridden_by for each in declared.sources))
    )


def owners(files: Files, declared: Declared, image: str) -> list[Owner]:
    """Where one Application takes an image's version from, strongest place only; none where it sets nothing about it.
    Raises YamlTextError when that is a place that cannot be edited."""
    found: list[Owner] = []
    for source in declared.sources:
        found += _of_source(files, declared, source, image)
    return [_checked(declared, owner) for owner in found]


def owners_of(
    files: Files, application: str, image: str, repository_urls: Sequence[str] = ()
) -> list[tuple[Field, ...]]:
    """Where the Application of a cluster (`namespace/name`) takes an image's version from, when it decides it; none
    where it does not, or where nothing in the repository declares it. Raises YamlTextError as `image_owners` does."""
    namespace, _, name = application.rpartition("/")
    mine = [
        each
        for each in applications(files, repository_urls)
        if each.name == name and (not namespace or each.namespace in ("", namespace))
    ]
    return _grouped([(each.environment, owner) for each in mine for owner in owners(files, each, image)])


def in_scope(found: Iterable[Declared], scope: str) -> tuple[Declared, ...]:
    """Applications of a folder: declared in it, made by a generator's file in it, or with sources or value files in
    it; without any, those whose source holds the folder."""
    everything = tuple(found)
    mine = tuple(each for each in everything if _touches(each, scope))
    return mine or tuple(each for each in everything if _holds(each, scope))


def of_environment(found: Sequence[Declared], environment: str) -> tuple[Declared, ...]:
    """Those of an environment, or of none that is known."""
    if not environment:
        return tuple(found)
    wanted = environments.wanted(environment)
    exact = tuple(each for each in found if {each.environment, environments.of(each.name)}.intersection(wanted))
    return exact or tuple(each for each in found if not each.environment)


def _touches(declared: Declared, scope: str) -> bool:
    places = [declared.file, *(p.held.file for p in declared.parameters.values() if p.held is not None)]
    for each in declared.sources:
        places += [*each.source.value_files, *([each.source.path] if each.local and each.source.path else [])]
    return any(inside(place, scope) or place == scope for place in places)


def _holds(declared: Declared, scope: str) -> bool:
    return any(each.local and each.source.path and inside(scope, each.source.path) for each in declared.sources)


def _of_source(files: Files, declared: Declared, source: DeclaredSource, image: str) -> list[Owner]:
    if found := list(_transformed(declared, source, image)):
        return found
    env = under(source.tree, ("plugin", "env"))
    if found := list(values.references(env, image, declared.resolve, f"plugin environment of {declared}")):
        return found
    if source.source.kind == "helm" or source.source.value_files:
        return _in_values(files, declared, source, image)
    return []


def _transformed(declared: Declared, source: DeclaredSource, image: str) -> Iterator[Owner]:
    """Entries of `kustomize.images`: `name:tag`, `name=new:tag`, each also with a digest."""
    for held in under(source.tree, ("kustomize", "images")).values():
        old, equals, new = declared.resolve(held).text.rpartition("=")
        found = Image.read(new)
        if not found.version and equals:
            continue  # a new name alone says nothing of the version
        if same(image, found.name) or (old and found.name == "" and same(image, old)):
            reason = f"`kustomize.images` of {declared} beats what kustomize builds"
            yield Owner((values.edited(held, declared.resolve, "image", reason),), (found.tag, found.digest))


def _in_values(files: Files, declared: Declared, source: DeclaredSource, image: str) -> list[Owner]:
    said = effective_values(files, declared, source)
    chart = (source.chart or source.source.path).rpartition("/")[2]
    names = (chart, declared.name, source.source.release_name)
    return values.owners(said, image, declared.resolve, f"Helm values of {declared}", names)


def effective_values(files: Files, declared: Declared, source: DeclaredSource) -> Tree:
    """All values of a Helm source, each with the place that decides it. Raises YamlTextError."""
    said: Tree = {}
    defaults = posixpath.join(source.source.path, "values.yaml")
    local = source.local and source.source.path and files.text(defaults) is not None
    for file in (*((defaults,) if local else ()), *source.source.value_files):
        document = next(iter(documents(files, file)), {})
        by = f"{file} is {'the chart itself' if file == defaults else 'one of its value files'}"
        said = merged(said, {path: replace(held, by=by) for path, held in held_in(file, document).items()})
    inline = under(source.tree, ("helm", "valuesObject")) or embedded(source.tree, "helm", "values")
    said = merged(said, _by(inline, "set in the Application, over value files"))
    return merged(said, _by(_parameters(declared, source), "a parameter of the Application, over all values"))


def _by(tree: Tree, by: str) -> Tree:
    return {path: held if held.by else replace(held, by=by) for path, held in tree.items()}


def _parameters(declared: Declared, source: DeclaredSource) -> dict[Path, Held]:
    listed = under(source.tree, ("helm", "parameters"))
    found: dict[Path, Held] = {}
    for at in dict.fromkeys(path[0] for path in listed):
        name, held = listed.get((at, "name")), listed.get((at, "value"))
        if name is not None and held is not None:
            found[dotted(declared.resolve(name).text)] = held
    return found


def dotted(name: str) -> Path:
    """A parameter's name as a path, in the notation of `helm --set`: `a.b[0].c`, a dot of a key as `\\.`."""
    parts = name.replace("\\.", "\0").replace("[", ".[").split(".")
    plain = (part.replace("\0", ".") for part in parts if part)
    return tuple(int(part[1:-1]) if part.startswith("[") and part[1:-1].isdigit() else part for part in plain)


def _checked(declared: Declared, owner: Owner) -> Owner:
    return replace(owner, fields=tuple(_noted(declared, editable(declared, each)) for each in owner.fields))


def _noted(declared: Declared, place: Field) -> Field:
    """What stands in a template itself is the same for all that the set makes, which its reason says."""
    shared = (
        declared.kind == "ApplicationSet" and place.file == declared.file and place.path[:2] == ("spec", "template")
    )
    return (
        replace(place, reason=f"{place.reason}; the template decides for all of {declared.object}") if shared else place
    )


def editable(declared: Declared, place: Field) -> Field:
    """The field, when it stands for a value that can be edited. Raises YamlTextError."""
    where = f"{place.file} ({declared})"
    if "{{" in place.value:
        raise YamlTextError(f"{where}: {place.value} is filled in from something else; edit that by hand")
    if declared.locked and place.file == declared.file:
        raise YamlTextError(f"{declared.locked}; quote the templates of {declared.object} to have it edited")
    patch = any("templatePatch" in note for note in declared.notes)
    if patch and place.file == declared.file:
        raise YamlTextError(f"{where}: the templatePatch of {declared.object} may set it too; edit it by hand")
    return place


def _grouped(found: Sequence[tuple[str, Owner]]) -> list[tuple[Field, ...]]:
    """Places of one environment that hold one version as one owner; the same places twice once."""
    sure = [each for each in found if each[1].sure] or list(found)
    groups: dict[tuple[str, tuple[str, str]], dict[tuple[str, int, Path], Field]] = {}
    for environment, owner in sure:
        fields = groups.setdefault((environment, owner.version), {})
        for each in owner.fields:
            fields.setdefault((each.file, each.document, each.path), each)
    distinct: dict[frozenset[tuple[str, int, Path]], tuple[Field, ...]] = {}
    for fields in groups.values():
        distinct.setdefault(frozenset(fields), tuple(fields.values()))
    return list(distinct.values())
