"""Golden examples of the actions: a small repository, what is asked for, and the diff or the refusal that comes of it.

`examples/<action>/<example>/` holds `repo/`, `example.yaml` and, unless it is refused, `expected.diff`. A folder
`then/` is a second commit on top of `repo/`; a parameter `{then}` is its SHA. `rendered` says what the tool of the
layout must build afterwards: `Kind/name a.b.0.c: value`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from gitops_sre.action import ACTIONS
from gitops_sre.adapters.git import LocalRepository
from gitops_sre.gitops import edit
from gitops_sre.gitops.locate import GitOpsLocator
from gitops_sre.model.change import Change, Draft
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import Plan, VerificationPlan
from gitops_sre.model.target import Source, Target, WorkloadRef

EXAMPLES = Path(__file__).parent / "examples"


@dataclass(frozen=True)
class Example:
    """One example, as its file says. `refused` is a part of the reason, or empty."""

    folder: Path
    action: str
    target: Target
    parameters: Mapping[str, str]
    refused: str
    rendered: Mapping[str, str]

    @property
    def expected(self) -> Path:
        """The diff that must come of it."""
        return self.folder / "expected.diff"


@dataclass(frozen=True)
class Made:
    """What an action came to in a real repository, whose work tree is `work`."""

    work: Path
    draft: Draft | Refused
    change: Change | Refused


def all_examples() -> list[Example]:
    """Every example, by action and name."""
    return [read(path.parent) for path in sorted(EXAMPLES.glob("*/*/example.yaml"))]


def read(folder: Path) -> Example:
    """An example's folder."""
    said = YAML(typ="safe").load(folder.joinpath("example.yaml"))
    source, workload = said["source"], said.get("workload", {})
    ref = WorkloadRef(workload.get("kind", ""), workload.get("namespace", ""), workload.get("name", ""))
    target = Target(
        ref.name,
        said.get("environment", ""),
        "standard",
        ref,
        f"argocd/{said.get('application', ref.name)}",
        Source("", source["path"], "main", source.get("kind", "unknown"), tuple(source.get("values", ()))),
    )
    parameters = {key: str(value) for key, value in said.get("parameters", {}).items()}
    rendered = {key: str(value) for key, value in said.get("rendered", {}).items()}
    return Example(folder, folder.parent.name, target, parameters, said.get("refused", ""), rendered)


def run(example: Example, folder: Path) -> Made:
    """Commit the example's repository, and let the action draft and apply its edits there."""
    work = folder / "work"
    shutil.copytree(example.folder / "repo", work)
    git("init", "-q", "-b", "main", cwd=work)
    commit_all(work)
    if (later := example.folder / "then").is_dir():
        # New times, or git takes a file of the same size for the one that it knows.
        shutil.copytree(later, work, dirs_exist_ok=True, copy_function=shutil.copyfile)
        commit_all(work)
    with at_head(work) as (repository, commit):
        parameters = {key: value.replace("{then}", commit) for key, value in example.parameters.items()}
        plan = Plan(example.action, example.target, parameters, "", "", 1.0, "", VerificationPlan((), 0, 0, 0))
        draft = ACTIONS[example.action].draft(plan, GitOpsLocator(repository), commit)
        change = draft if isinstance(draft, Refused) else edit.apply(repository, commit, draft.edits, "policies")
    return Made(work, draft, change)


def commit_all(work: Path) -> None:
    """Commit a work tree as it is."""
    git("add", "-A", cwd=work)
    git("commit", "-q", "-m", "all", cwd=work)


@contextmanager
def at_head(work: Path) -> Iterator[tuple[LocalRepository, str]]:
    """The repository of a work tree, and its newest commit."""
    repository = LocalRepository(work)
    try:
        commit = repository.head()
        assert isinstance(commit, str), commit
        yield repository, commit
    finally:
        repository.close()


def git(*arguments: str, cwd: Path) -> None:
    """Run git with an identity and without anybody's configuration."""
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(cwd)}
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "core.autocrlf=false"]
    subprocess.run(["git", *identity, *arguments], cwd=cwd, env=env, check=True, capture_output=True)
