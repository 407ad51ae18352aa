"""What GitOps objects say is to be rendered: Argo CD Applications, Flux Kustomizations and HelmReleases.

Read as plain objects, so that what stands in a file and what a build made of it (with patches and names in place) are
taken in the same way. ApplicationSets are not expanded here.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from gitops_sre.gitops.built import part
from gitops_sre.gitops.files import MANIFESTS, Files, join, plain_path
from gitops_sre.gitops.substitution import KubernetesLoader
from gitops_sre.model.target import Parameter, Source, SourceKind, WorkloadRef
from gitops_sre.ports import Manifest
from gitops_sre.yamltext import YamlTextError

GROUPS = ("argoproj.io/", "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/")
"""What a file must name to declare any of them."""
_PATH = re.compile(r"""\b(?:path|chart)["']?:\s*["']?([^\s"'#,}]+)""")
_ENTRY = re.compile(r"""-\s+["']?(?:\.\./)+([^\s"'#]+)""")
_NO_NAMESPACE = "default"
_KUSTOMIZE = ("namePrefix", "nameSuffix", "namespace", "patches", "components", "commonLabels", "commonAnnotations")
"""Fields of an Application's `kustomize:` block that a kustomization has too, of the same name and form."""
_NOT_RENDERED = (("plugin",), ("helm", "fileParameters"), ("directory", "jsonnet"))
"""What a source of an Application may ask for that is not rendered here."""

Data = Callable[[str, str], Mapping[str, Any] | None]
"""Kind and name of a ConfigMap or Secret -> its data, None when it is not known which or what it holds."""


@dataclass(frozen=True)
class Declared:
    """An object that makes others. `file` is where it stands, where it was read from a file; `artifact` says that the
    paths are those of an artifact that Flux puts together."""

    kind: str
    key: str
    sources: tuple[Source, ...]
    file: str = ""
    artifact: bool = False


@dataclass(frozen=True)
class _Object:
    """What the readers below look at."""

    spec: Mapping[str, Any]
    name: str
    namespace: str
    data: Data


def declared(
    files: Files, paths: Sequence[str], near: Sequence[str], maps: Sequence[str], names: Sequence[str] = ()
) -> tuple[Declared, ...]:
    """The objects in some files that may render one of the places `near` (files and folders). Others are not parsed.
    `maps` are files that may hold the ConfigMaps which they refer to, `names` those of which the values count too."""
    found = []
    for path in paths:
        text = _text(files, path)
        if not any(group in text for group in GROUPS) or not (path in near or _near(text, near) or _takes(text, names)):
            continue
        for manifest in _manifests(text):
            if (made := made_by(manifest, nearest(files, maps, path))) is not None:
                found.append(replace(made, file=path))
    return tuple(found)


def made_by(manifest: Manifest, data: Data) -> Declared | None:
    """What an object says is to be rendered; None for an object of another kind."""
    group, kind = str(manifest.get("apiVersion", "")).rpartition("/")[0], str(manifest.get("kind", ""))
    reader = _READERS.get((group, kind))
    spec = part(manifest, "spec")
    if reader is None or not isinstance(spec, Mapping):
        return None
    name = str(part(manifest, "metadata", "name") or "")
    namespace = str(part(manifest, "metadata", "namespace") or _NO_NAMESPACE)
    sources = tuple(reader(_Object(spec, name, namespace, data)))
    artifact = part(spec, "sourceRef", "kind") == "ExternalArtifact"
    return Declared(kind, f"{namespace}/{name}", sources, artifact=artifact)


def _application(it: _Object) -> Iterator[Source]:
    """Sources of an Argo CD Application. Source: its specification, `spec.source` and `spec.sources`."""
    into = str(part(it.spec, "destination", "namespace") or "")
    for source in _maps(it.spec.get("sources")) or _maps([it.spec.get("source")]):
        if source.get("path") or source.get("chart"):  # else it is only a reference for values
            yield argo_source(source, it.name, into)


def argo_source(source: Mapping[str, Any], name: str, into: str) -> Source:
    """One source of the Argo CD Application `name`, which applies it into a namespace, with what it sets over the
    files. `helm.valuesObject` replaces `helm.values`. Source: the Application's specification."""
    helm, directory, kustomize = (_map(source.get(key)) for key in ("helm", "directory", "kustomize"))
    path = plain_path(str(source.get("path") or ""))
    values = [helm["values"]] if isinstance(helm.get("values"), str) and helm["values"].strip() else []
    values = [_dumped(helm["valuesObject"])] if helm.get("valuesObject") else values
    said = [_dumped(overlay)] if (overlay := _overlay(kustomize)) else []
    kinds: tuple[tuple[SourceKind, object], ...] = (
        ("helm", helm or source.get("chart")), ("kustomize", kustomize), ("directory", directory)
    )  # fmt: skip
    return Source(
        str(source.get("repoURL") or ""),
        path,
        str(source.get("targetRevision") or "HEAD"),
        next((kind for kind, said in kinds if said), "unknown"),
        tuple(_value_file(path, str(each)) for each in _items(helm.get("valueFiles"))),
        str(helm.get("releaseName") or name),
        into,
        inline=tuple(values or said),
        parameters=tuple(
            Parameter(str(each["name"]), _scalar(each.get("value")), each.get("forceString") is True)
            for each in _maps(helm.get("parameters"))
            if each.get("name")
        ),
        ignore_missing=helm.get("ignoreMissingValueFiles") is True,
        recurse=directory.get("recurse") is True,
        include=str(directory.get("include") or ""),
        exclude=str(directory.get("exclude") or ""),
        lacking=tuple(f"{'.'.join(keys)} of Application {name}" for keys in _NOT_RENDERED if part(source, *keys)),
        chart=str(source.get("chart") or ""),
    )


def _overlay(said: Mapping[str, Any]) -> dict[str, Any]:
    """Argo CD's `kustomize:` block as fields of a kustomization."""
    plain = {key: said[key] for key in _KUSTOMIZE if said.get(key)}
    if said.get("replicas"):
        plain["replicas"] = [{**each, "count": _count(each.get("count"))} for each in _maps(said["replicas"])]
    if said.get("labelWithoutSelector") and plain.get("commonLabels"):
        templates = said.get("labelIncludeTemplates") is True
        plain["labels"] = [{"pairs": plain.pop("commonLabels"), "includeTemplates": templates}]
    if said.get("images"):
        plain["images"] = [_image(str(each)) for each in _items(said["images"])]
    return plain


def _count(value: Any) -> Any:
    """A number of replicas; Argo CD takes a text too."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _image(text: str) -> dict[str, str]:
    """`name=new:tag`, `name:tag` or `name@digest`, as `kustomize edit set image` reads it."""
    old, _, new = text.rpartition("=") if "=" in text else ("", "", text)
    name, _, digest = new.partition("@")
    slash = name.rfind("/")
    name, _, tag = (name, "", "") if ":" not in name[slash + 1 :] else name.rpartition(":")
    found = {"name": old or name, "newName": name if old else "", "newTag": tag, "digest": digest}
    return {key: held for key, held in found.items() if held}


def _kustomization(it: _Object) -> Iterator[Source]:
    """The folder of a Flux Kustomization with what it sets. Source: kustomize-controller's specification."""
    spec = it.spec
    if part(spec, "sourceRef", "kind") not in ("GitRepository", "ExternalArtifact", None):
        return
    said = {key: spec[key] for key in ("patches", "images", "components", "namePrefix", "nameSuffix") if spec.get(key)}
    if spec.get("targetNamespace"):
        said["namespace"] = spec["targetNamespace"]
    if part(spec, "commonMetadata", "labels"):
        said["labels"] = [{"pairs": part(spec, "commonMetadata", "labels")}]
    post = spec.get("postBuild")
    yield Source(
        "",
        plain_path(str(spec.get("path") or "")),
        kind="kustomize",
        namespace=str(spec.get("targetNamespace") or ""),
        inline=(_dumped(said),) if said else (),
        substitutions=_variables(_map(post), it.data) if post else None,
    )


def flux_source(raw: Mapping[str, Any], known: Source) -> Source:
    """The source of a Flux Kustomization as the cluster holds it, with what it sets over the files. `known` are its URL
    and path; variables from ConfigMaps and Secrets have no value here."""
    made = made_by({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", **raw}, lambda *_: None)
    if made is None or not made.sources:
        return known
    return replace(made.sources[0], repo_url=known.repo_url, path=known.path)


def _variables(post: Mapping[str, Any], data: Data) -> tuple[tuple[str, str], ...]:
    """The variables that the repository gives a value: later references win, and what is written in place over all."""
    found: dict[str, str] = {}
    for reference in _maps(post.get("substituteFrom")):
        held = data(str(reference.get("kind") or ""), str(reference.get("name") or ""))
        found |= {str(key): _scalar(value) for key, value in (held or {}).items()}
    found |= {str(key): _scalar(value) for key, value in _map(post.get("substitute")).items()}
    return tuple(found.items())


def _release(it: _Object) -> Iterator[Source]:
    """A HelmRelease: its chart, of this repository or not, and its values. Source: helm-controller's specification."""
    spec, name, data = it.spec, it.name, it.data
    chart = _map(part(spec, "chart", "spec"))
    here = part(chart, "sourceRef", "kind") == "GitRepository"
    target = str(spec.get("targetNamespace") or "")
    inline: list[str] = []
    lacking: list[str] = []
    for each in _maps(spec.get("valuesFrom")):
        kind, source = str(each.get("kind") or ""), str(each.get("name") or "")
        text = (data(kind, source) or {}).get(str(each.get("valuesKey") or "values.yaml"))
        if each.get("targetPath") or not isinstance(text, str):
            lacking.append(f"values from {kind} {source}")
        else:
            inline.append(text)
    inline += [_dumped(spec["values"])] if spec.get("values") else []
    yield Source(
        "",
        plain_path(str(chart.get("chart") or "")) if here else "",
        kind="helm",
        value_files=tuple(plain_path(str(each)) for each in _items(chart.get("valuesFiles"))) if here else (),
        release_name=str(spec.get("releaseName") or (f"{target}-{name}" if target else name)),
        namespace=target or it.namespace,
        inline=tuple(inline),
        ignore_missing=chart.get("ignoreMissingValuesFiles") is True,
        lacking=tuple(lacking),
        chart="" if here else str(chart.get("chart") or part(spec, "chartRef", "name") or "its chart"),
    )


_Reader = Callable[[_Object], Iterator[Source]]
_READERS: Mapping[tuple[str, str], _Reader] = {
    ("argoproj.io", "Application"): _application,
    ("kustomize.toolkit.fluxcd.io", "Kustomization"): _kustomization,
    ("helm.toolkit.fluxcd.io", "HelmRelease"): _release,
}


def _near(text: str, near: Sequence[str]) -> bool:
    """Whether a text names a folder around one of the places, a component among them, or the name of a file."""
    folders = {plain_path(found) for found in _PATH.findall(text)}
    entries = tuple(found.rstrip("/") for found in _ENTRY.findall(text))
    return "ExternalArtifact" in text or any(
        not folders.isdisjoint(_around(place))
        or (entries and place.endswith(entries))
        or (place.endswith(MANIFESTS) and posixpath.basename(place) in text)
        for place in near
    )


def _takes(text: str, names: Sequence[str]) -> bool:
    return ("substituteFrom" in text or "valuesFrom" in text) and any(name in text for name in names)


def config_maps(files: Files, path: str) -> list[str]:
    """Names of the ConfigMaps of a file."""
    found = (
        part(each, "metadata", "name") for each in _manifests(_text(files, path)) if each.get("kind") == "ConfigMap"
    )
    return [name for name in found if isinstance(name, str)]


def holds(files: Files, path: str, workload: WorkloadRef) -> bool:
    """Whether a file holds the manifest of a workload; what either leaves open of kind and namespace fits."""
    text = _text(files, path)
    return workload.kind in text and any(
        workload.kind in ("", each.get("kind"))
        and part(each, "metadata", "name") == workload.name
        and workload.namespace in ("", part(each, "metadata", "namespace") or workload.namespace)
        for each in _manifests(text)
    )


def _around(place: str) -> Iterator[str]:
    """A place and every folder that holds it, the root as the empty text."""
    while place:
        yield place
        place = posixpath.dirname(place)
    yield ""


def nearest(files: Files, maps: Sequence[str], place: str) -> Data:
    """Data of ConfigMaps in some files: of several with one name, that which lies nearest to a file, if one does.
    Those of a Secret are not read."""

    def data(kind: str, name: str) -> Mapping[str, Any] | None:
        if kind != "ConfigMap" or not name:
            return None
        found: dict[int, list[Mapping[str, Any]]] = {}
        for path in maps:
            text = _text(files, path)
            if not path.endswith(MANIFESTS) or name not in text:
                continue
            held = [part(each, "data") for each in _manifests(text) if _is(each, "ConfigMap", name)]
            found.setdefault(_common(path, place), []).extend(each for each in held if isinstance(each, Mapping))
        best = found[max(found)] if found else []
        return best[0] if len(best) == 1 else None

    return data


def _is(manifest: Manifest, kind: str, name: str) -> bool:
    return manifest.get("kind") == kind and part(manifest, "metadata", "name") == name


def _common(one: str, other: str) -> int:
    """How many folders two paths share from the root."""
    mine, theirs = one.split("/")[:-1], other.split("/")[:-1]
    return next((at for at, pair in enumerate(zip(mine, theirs, strict=False)) if pair[0] != pair[1]),
                min(len(mine), len(theirs)))  # fmt: skip


def _value_file(path: str, written: str) -> str:
    """A value file of an Application as a path of the repository: `$ref/x` and `/x` begin at the root."""
    if written.startswith("$"):
        return plain_path(written.partition("/")[2])
    if written.startswith("/"):
        return plain_path(written)
    found = join(path, written)
    return written if found is None else found


def _text(files: Files, path: str) -> str:
    try:
        return files.text(path) or ""
    except YamlTextError:
        return ""


def _manifests(text: str) -> list[Manifest]:
    """The objects of a file; none when it cannot be read, which the build will say."""
    try:
        return [each for each in yaml.load_all(text, Loader=KubernetesLoader) if isinstance(each, Mapping)]
    except (yaml.YAMLError, ValueError, RecursionError):
        return []


def _dumped(value: Any) -> str:
    return yaml.dump(value, Dumper=yaml.CSafeDumper)


def _scalar(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in _items(value) if isinstance(each, Mapping)]


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
