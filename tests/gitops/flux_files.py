"""Small Flux repositories in memory, for what needs no git."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import dedent, indent

from gitops_sre.model.change import Field

IMAGE = "registry.example.com/shop/web"


@dataclass(frozen=True)
class Memory:
    """`gitops.files.Files` over texts."""

    texts: Mapping[str, str]

    def text(self, path: str) -> str | None:
        """A file's text."""
        return self.texts.get(path)

    def under(self, folder: str) -> tuple[str, ...]:
        """Paths below a folder, sorted."""
        prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
        return tuple(sorted(path for path in self.texts if path.startswith(prefix)))


def repo(texts: Mapping[str, str]) -> Memory:
    """A repository of indented texts."""
    return Memory({path: dedent(text).lstrip("\n") for path, text in texts.items()})


def release(spec: str, name: str = "shop", namespace: str = "shop") -> str:
    """A HelmRelease with a chart from a HelmRepository, unless its spec says another."""
    chart = "chart: {spec: {chart: shop, version: 2.0.4, sourceRef: {kind: HelmRepository, name: shop}}}\n"
    body = dedent(spec).strip("\n")
    own = "" if "chart:" in body or "chartRef:" in body else chart
    head = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n"
    return f"{head}metadata: {{name: {name}, namespace: {namespace}}}\nspec:\n{indent(own + body, '  ')}\n"


def applies(path: str, more: str = "", name: str = "shop") -> str:
    """A Flux Kustomization of a folder."""
    head = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
    source = "sourceRef: {kind: GitRepository, name: flux-system}"
    spec = f"path: ./{path}\n{source}\n{dedent(more).strip()}"
    return f"{head}metadata: {{name: {name}, namespace: flux-system}}\nspec:\n{indent(spec, '  ')}\n"


def source(kind: str, spec: str, name: str = "shop") -> str:
    """A source of Flux."""
    head = f"apiVersion: source.toolkit.fluxcd.io/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n"
    return f"{head}spec:\n{indent(dedent(spec).strip(), '  ')}\n"


def places(owners: list[tuple[Field, ...]]) -> list[list[tuple[str, str, str]]]:
    """File, last part of the path, and value of each field."""
    return [[(field.file, ".".join(map(str, field.path)), field.value) for field in fields] for fields in owners]
