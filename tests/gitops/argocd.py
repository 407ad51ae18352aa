"""Applications and ApplicationSets for tests, and the files that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

URL = "https://git.example.com/acme/infra.git"


@dataclass(frozen=True)
class Memory:
    """Files that are held in memory."""

    files: Mapping[str, str]

    def text(self, path: str) -> str | None:
        """A file's text."""
        return self.files.get(path)

    def under(self, folder: str) -> tuple[str, ...]:
        """Paths below a folder, sorted."""
        return tuple(sorted(path for path in self.files if not folder or path.startswith(f"{folder}/")))


def indented(text: str, size: int) -> str:
    """Lines moved to the right."""
    return "".join(f"{' ' * size}{line}" if line.strip() else line for line in text.splitlines(keepends=True))


def application(name: str, source: str, *, namespace: str = "production", more: str = "") -> str:
    """An Application with one source, whose fields are given without the URL."""
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {name}
  namespace: argocd
spec:
  project: default
  source:
    repoURL: {URL}
{indented(source, 4)}  destination:
    server: https://kubernetes.default.svc
    namespace: {namespace}
{indented(more, 2)}"""


def application_set(generators: str, source: str, *, name: str, go: bool = False, namespace: str = "shop") -> str:
    """An ApplicationSet whose template has one source; `name` is that of its Applications."""
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: shop
  namespace: argocd
spec:
  goTemplate: {str(go).lower()}
  generators:
{indented(generators, 2)}  template:
    metadata:
      name: {name}
    spec:
      project: default
      source:
        repoURL: {URL}
{indented(source, 8)}      destination:
        server: https://kubernetes.default.svc
        namespace: {namespace}
"""
