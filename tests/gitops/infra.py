"""A small infra repository in real git, with kustomize, Helm and plain manifests, for the tests of the hands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitops_sre.adapters.git import GitRepository
from gitops_sre.adapters.render import ToolRenderer
from gitops_sre.gitops.locate import GitOpsLocator
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.target import Source, SourceKind, Target, WorkloadRef

URL = "https://git.example.com/acme/infra.git"
IMAGE = "registry.example.com/shop/web"
ENVIRONMENTS = ("dev", "staging", "production")
DIGEST = "sha256:" + "a" * 64
OTHER_DIGEST = "sha256:" + "b" * 64


def tool(name: str) -> pytest.MarkDecorator:
    """Skip, with the tool's name, where it is not installed."""
    found = shutil.which(name) or (Path(sys.executable).parent / name).is_file()
    return pytest.mark.skipif(not found, reason=f"{name} is not installed")


def deployment(name: str, image: str, *, namespace: str = "", replicas: int = 2) -> str:
    """A Deployment with a sidecar; the image's line carries a comment."""
    where = f"\n  namespace: {namespace}" if namespace else ""
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}{where}
spec:
  replicas: {replicas}
  selector:
    matchLabels: {{app: {name}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      containers:
      - name: proxy
        image: registry.example.com/platform/proxy:v9
      - name: main
        image: {image}  # set by the release train
"""


def overlay(environment: str, images: str, base: str = "../../base") -> str:
    """A kustomization of an environment over a base."""
    return f"# {environment}\nnamespace: {environment}\nresources:\n- {base}\n{images}"


CHART = {
    "charts/app/Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\nappVersion: \"0.1\"\n",
    "charts/app/values.yaml": "# defaults\nreplicas: 1\nimage:\n  repository: \"\"\n  tag: \"\"\n",
    "charts/app/templates/deployment.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {app: {{ .Release.Name }}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
    spec:
      containers:
      - name: main
        image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
""",
}  # fmt: skip


@dataclass
class Infra:
    """A work tree, the bare repository behind it, and the hands over it."""

    folder: Path
    repository: GitRepository
    locator: GitOpsLocator
    renderer: ToolRenderer

    def commit(self, files: dict[str, str], links: dict[str, str] | None = None) -> str:
        """Write files (and symlinks), push, and give the SHA as the repository sees it."""
        work = self.folder / "work"
        for name, text in files.items():
            path = work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        for name, to in (links or {}).items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).symlink_to(to)
        git("add", "-A", cwd=work)
        git("commit", "-q", "-m", "change", cwd=work)
        git("push", "-q", str(self.folder / "infra.git"), "HEAD:main", cwd=work)
        head = self.repository.head()
        assert isinstance(head, str), head
        return head


def git(*arguments: str, cwd: Path) -> None:
    """Run git with an identity and without anybody's configuration."""
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(cwd)}
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=cwd, env=env, check=True, capture_output=True)


def create(folder: Path) -> Infra:
    """An empty repository."""
    (folder / "work").mkdir()
    git("init", "-q", "-b", "main", cwd=folder / "work")
    git("init", "-q", "--bare", "-b", "main", str(folder / "infra.git"), cwd=folder)
    repository = GitRepository(f"file://{folder}/infra.git", "main", folder / "cache")
    return Infra(folder, repository, GitOpsLocator(repository), ToolRenderer())


def target(
    path: str,
    *,
    name: str = "web",
    environment: str = "production",
    kind: SourceKind = "unknown",
    values: tuple[str, ...] = (),
) -> Target:
    """The workload of a source."""
    source = Source(URL, path, "main", kind, values, name, environment)
    ref = WorkloadRef("Deployment", environment, name)
    return Target(name, environment, "standard", ref, f"argocd/{environment}-{name}", source)


def application(of: Target) -> Application:
    """The Argo CD Application that owns a target."""
    name = of.application.rpartition("/")[2]
    return Application("argocd", name, (of.source,), of.environment, "Synced", ("0" * 40,), "Healthy", None, None, True)


def workload(of: Target, replicas: int) -> Workload:
    """A target as it runs."""
    return Workload(of.workload, of.application, (), replicas, replicas)


def environment_of(namespace: str) -> tuple[str, str]:
    """Every namespace is an environment; production is critical."""
    return namespace, "critical" if namespace == "production" else "standard"
