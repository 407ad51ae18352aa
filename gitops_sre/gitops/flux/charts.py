"""Which place decides a chart's version: a HelmRelease, the source that it refers to, a helmfile, a kustomization.

An OCIRepository's digest beats its semver range, which beats its tag (documentation of OCIRepository). A range is no
version: what it resolves to is decided outside of Git, so an edit there needs a pin first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from gitops_sre.gitops import environments
from gitops_sre.gitops.files import KUSTOMIZATIONS, Files, documents
from gitops_sre.gitops.flux import kinds
from gitops_sre.gitops.flux.kinds import HelmRelease, Reference
from gitops_sre.gitops.flux.objects import Held, Object, Tree, held_in, mentioning, naming, readable
from gitops_sre.gitops.flux.units import Unit, unapplied, units
from gitops_sre.gitops.flux.values import edited
from gitops_sre.gitops.flux.variables import resolved
from gitops_sre.model.change import Field, Role
from gitops_sre.yamltext import YamlTextError

EXACT = re.compile(r"v?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?")
"""A version by semver.org, with the `v` that charts may carry; anything shorter is a range to Helm."""


_SOURCE = re.compile(r"^kind:\s*[\"']?(OCIRepository|HelmChart)\b", re.M)


def chart_owners(files: Files, path_scope: str, chart: str, environment: str = "") -> list[tuple[Field, ...]]:
    """Where an app's chart gets its version: one tuple of fields that hold the same version, or one for each version.

    `chart` is a chart's name, or its URL in a registry. Raises YamlTextError when the version is a range or not set.
    """
    words = _words(files, chart)
    known = units(files, path_scope, words, environment)
    found, problems = _collected(files, known, chart)
    found += _elsewhere(files, path_scope, chart)
    if not found and not problems:
        found, problems = _collected(files, [unapplied(files, path_scope, known, words)], chart)
    unread = [error for unit in known for error in (*([unit.problem] if unit.problem else []), *unit.build.unread)]
    if problems or (unread and not found):
        raise (*problems, *unread)[0]
    return together(found)


def _words(files: Files, chart: str) -> tuple[str, ...]:
    """What a file must hold to concern a chart: its name, or that of a source which does."""
    last = _bare(chart).rpartition("/")[2]
    sources = (item for path in naming(files, last) if _SOURCE.search(files.text(path) or "")
               for item in readable(files, path))  # fmt: skip
    names = (item.name for item in sources if matches(chart, item.value("spec", "url") or item.value("spec", "chart")))
    return tuple(dict.fromkeys((last, *names)))


def _collected(files: Files, known: Sequence[Unit], chart: str) -> tuple[list[tuple[Field, ...]], list[YamlTextError]]:
    found: list[tuple[Field, ...]] = []
    problems: list[YamlTextError] = []
    for unit in known:
        for owner in _in_unit(files, unit, chart):
            if isinstance(owner, YamlTextError):
                problems.append(owner)
            else:
                found.append(owner)
    return found, problems


def together(found: Iterable[tuple[Field, ...]]) -> list[tuple[Field, ...]]:
    """Owners of one environment that hold the same version as one."""
    groups: dict[tuple[str, ...], dict[tuple[object, ...], Field]] = {}
    for fields in found:
        environment = environments.of(fields[0].file)
        group = groups.setdefault((environment, *(field.value for field in fields)), {})
        for field in fields:
            group.setdefault((field.file, field.document, field.path), field)
    return [tuple(group.values()) for group in groups.values()]


def source_of(files: Files, unit: Unit, referrer: Object, reference: Reference) -> Object | None:
    """The object that a reference means: one of the unit, else of the repository. Raises YamlTextError when several
    could be meant."""
    own = [item for item in unit.objects if kinds.refers(reference, referrer, item)]
    if not own:
        paths = [path for path in mentioning(files, reference.kind) if reference.name in (files.text(path) or "")]
        own = [item for path in paths for item in readable(files, path) if kinds.refers(reference, referrer, item)]
    exact = [item for item in own if item.namespace and item.namespace == reference.namespace] or own
    if len(exact) > 1:
        places = ", ".join(item.file for item in exact[:5])
        raise YamlTextError(f"{referrer.file}: {reference.kind} {reference.name} could be any of {places}")
    return exact[0] if exact else None


def matches(chart: str, name: str) -> bool:
    """Whether a chart that was asked for is the one of this name or URL: in full, or by its last part when one of
    the two is no more than that."""
    one, other = _bare(chart), _bare(name)
    return one == other or (one == other.rpartition("/")[2]) or (other == one.rpartition("/")[2])


def _bare(name: str) -> str:
    return name.removeprefix("oci://").removeprefix("./").strip("/")


def _in_unit(files: Files, unit: Unit, chart: str) -> Iterator[tuple[Field, ...] | YamlTextError]:
    used: set[tuple[str, int]] = set()
    for item in unit.objects:
        if item.kind == "HelmRelease":
            try:
                owner, source = _of_release(files, unit, kinds.helm_release(item), chart)
            except YamlTextError as error:
                yield error
                continue
            if source is not None:
                used.add((source.file, source.document))
            if owner:
                yield owner
    for item in unit.objects:
        if (item.file, item.document) not in used and (owner := _unreferenced(files, unit, item, chart)):
            yield owner


def _unreferenced(files: Files, unit: Unit, item: Object, chart: str) -> tuple[Field, ...]:
    """A chart's version in a source that nothing of the unit refers to."""
    if item.kind == "OCIRepository" and matches(chart, item.value("spec", "url")):
        return _tagged(files, unit, item, str(item))
    if item.kind == "HelmChart" and matches(chart, item.value("spec", "chart")):
        return _version(files, unit, item, ("spec", "version"), str(item))
    return ()


def _of_release(files: Files, unit: Unit, release: HelmRelease, chart: str) -> tuple[tuple[Field, ...], Object | None]:
    """The fields that give a release's chart its version when it is this chart, and the source they stand in."""
    item = release.object
    if not release.from_reference:
        if not matches(chart, release.chart):
            return (), None
        if release.source.kind in ("GitRepository", "Bucket"):
            source = source_of(files, unit, item, release.source)
            return (ref_fields(files, unit, source, f"{item} takes its chart from it") if source else ()), source
        return _version(files, unit, item, ("spec", "chart", "spec", "version"), str(item)), None
    source = source_of(files, unit, item, release.source)
    if source is None:
        return (), None
    reason = f"{item} refers to {source}{_shared(files, item, source)}"
    if source.kind == "HelmChart" and matches(chart, source.value("spec", "chart")):
        return _version(files, unit, source, ("spec", "version"), reason), source
    if source.kind == "OCIRepository" and matches(chart, source.value("spec", "url")):
        return _tagged(files, unit, source, reason), source
    return (), source


def _shared(files: Files, item: Object, source: Object) -> str:
    """Which other files refer to a source: what is changed there reaches them too."""
    named = (path for path in naming(files, source.name) if path not in (item.file, source.file))
    refers = re.compile(rf"chartRef\W(?s:.{{0,120}}?)\bname\W*:\s*[\"']?{re.escape(source.name)}(?![\w.-])")
    others = [path for path in named if refers.search(files.text(path) or "")]
    return f", as do {len(others)} more files: {', '.join(others[:5])}" if others else ""


def _version(files: Files, unit: Unit, item: Object, path: tuple[str, ...], reason: str) -> tuple[Field, ...]:
    held = item.tree.get(path)
    if held is None or not held.value:
        raise YamlTextError(f"{item.file}: {item} names no chart version and takes the newest; pin one")
    return (pinned(files, unit, held, reason),)


def pinned(files: Files, unit: Unit, held: Held, reason: str) -> Field:
    """The field of a chart's version. Raises YamlTextError when it is a range."""
    text = resolved(files, unit, held).text
    if not EXACT.fullmatch(text) and "${" not in text:
        raise YamlTextError(
            f"{held.file}, line {held.scalar.line}: {text!r} is a range of versions, which one runs is decided outside"
            " of Git; pin it to an exact version first"
        )
    return edited(held, partial(resolved, files, unit), "chart", reason)


def _tagged(files: Files, unit: Unit, item: Object, reason: str) -> tuple[Field, ...]:
    """Tag and digest of an OCIRepository."""
    semver = item.tree.get(("spec", "ref", "semver"))
    digest = item.tree.get(("spec", "ref", "digest"))
    if semver is not None and semver.value and not (digest and digest.value):
        return (pinned(files, unit, semver, reason),)
    return ref_fields(files, unit, item, reason, "chart")


def ref_fields(files: Files, unit: Unit, item: Object, reason: str, role: Role = "ref") -> tuple[Field, ...]:
    """What a source's `spec.ref` pins, strongest alone, except that a tag and a digest move together. Raises
    YamlTextError when it pins nothing."""
    held = {key: each for key in REFS[item.kind] if (each := item.tree.get(("spec", "ref", key))) and each.value}
    exact = [key for key in held if key not in ("branch", "semver")]
    if not exact:
        said = ", ".join(f"{key} {each.value}" for key, each in held.items()) or "nothing"
        raise YamlTextError(f"{item.file}: {item} follows {said}, which moves by itself; pin a tag, digest or commit")
    chosen = exact if item.kind == "OCIRepository" else exact[:1]
    roles: dict[str, Role] = {"digest": "digest"}
    resolve = partial(resolved, files, unit)
    return tuple(edited(held[key], resolve, roles.get(key, role), reason) for key in chosen)


REFS: dict[str, tuple[str, ...]] = {
    "GitRepository": ("commit", "name", "semver", "tag", "branch"),
    "OCIRepository": ("digest", "semver", "tag"),
    "Bucket": (),
}
"""Keys of `spec.ref`, strongest first (documentation of GitRepository and OCIRepository)."""


def _elsewhere(files: Files, scope: str, chart: str) -> Iterator[tuple[Field, ...]]:
    """Versions in helmfiles and in kustomizations' `helmCharts`."""
    last = _bare(chart).rpartition("/")[2]
    for path in naming(files, last, scope):
        text = files.text(path) or ""
        name = path.rpartition("/")[2]
        if name in KUSTOMIZATIONS and "helmCharts" in text:
            key, names = "helmCharts", ("name",)
        elif "releases:" in text and "chart:" in text:
            key, names = "releases", ("chart",)
        else:
            continue
        for document in documents(files, path):
            yield from _listed(held_in(path, document), key, names, chart)


def _listed(tree: Tree, key: str, names: tuple[str, ...], chart: str) -> Iterator[tuple[Field, ...]]:
    for at in dict.fromkeys(path[1] for path in tree if path[:1] == (key,) and len(path) > 1):
        named = next((held for name in names if (held := tree.get((key, at, name)))), None)
        version = tree.get((key, at, "version"))
        if named is not None and version is not None and matches(chart, named.value):
            if not EXACT.fullmatch(version.value):
                raise YamlTextError(f"{version.file}, line {version.scalar.line}: {version.value!r} is a range; pin it")
            yield (version.field("chart", f"`{key}` of {version.file}"),)
