"""Flux's `postBuild` variables: what becomes of `${NAME}` in a built object.

Rules of Flux's kustomize controller and its fork of drone/envsubst: an object is written as YAML, its text is
substituted and read again, so a number stays a number; `$${NAME}` writes `${NAME}`; a label or annotation turns it
off for an object. What has no value is left as it stands and named: whether a cluster sets it cannot be seen here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import yaml

from gitops_sre.gitops.built import part
from gitops_sre.ports import Manifest
from gitops_sre.yamltext import YamlTextError

_OFF = "kustomize.toolkit.fluxcd.io/substitute"
_VARIABLE = re.compile(r"(\$?)\$\{([^{}]*)\}")
_NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(:?[=-])(.*))?", re.S)


class KubernetesLoader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: a date is text."""


KubernetesLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if tag != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def substituted(
    manifests: Sequence[Manifest], variables: Mapping[str, str]
) -> tuple[tuple[Manifest, ...], tuple[str, ...]]:
    """The objects with variables put in, and the names that have no value. Raises YamlTextError when an object is no
    YAML any more, as Flux would fail too."""
    missing: dict[str, None] = {}
    return tuple(_one(each, variables, missing) for each in manifests), tuple(missing)


def _one(manifest: Manifest, variables: Mapping[str, str], missing: dict[str, None]) -> Manifest:
    marks = (part(manifest, "metadata", place, _OFF) for place in ("labels", "annotations"))
    if any(mark == "disabled" for mark in marks):
        return manifest
    text = yaml.dump(dict(manifest), Dumper=yaml.CSafeDumper, width=1 << 30, allow_unicode=True)
    if "${" not in text:
        return manifest
    try:
        written = _VARIABLE.sub(lambda found: _value(found, variables, missing), text)
        loaded = yaml.load(written, Loader=KubernetesLoader)  # noqa: S506 - a safe loader with fewer types
    except (yaml.YAMLError, ValueError) as error:
        name = part(manifest, "metadata", "name")
        raise YamlTextError(f"{manifest.get('kind')} {name} is no YAML once its variables are put in") from error
    return loaded if isinstance(loaded, Mapping) else manifest


def _value(found: re.Match[str], variables: Mapping[str, str], missing: dict[str, None]) -> str:
    if found[1]:  # `$${`
        return found[0][1:]
    named = _NAMED.fullmatch(found[2])
    if named is None:  # a function such as `${NAME/a/b}`, which is not worked out here
        missing[found[2]] = None
        return found[0]
    name, joint, default = named[1], named[2] or "", named[3] or ""
    held = variables.get(name)
    if held is not None and (held or not joint.startswith(":")):
        return held
    if joint:
        return default
    missing[name] = None
    return found[0]
