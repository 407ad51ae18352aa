"""The files that `init` would write, and those that are there already and stay as they are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitops_sre import settings as s
from gitops_sre.cli.common import SETTINGS_FILE, Failure
from gitops_sre.cli.init.text import Wanted
from gitops_sre.gitops import diff
from gitops_sre.gitops.discovery import Discovery
from gitops_sre.model.change import FileEdit

IGNORED = (".gitops-sre-cache/", "gitops-sre.db*")
"""What the bot keeps beside its settings where they do not say otherwise."""
WORKFLOW = ".github/workflows/gitops-sre.yml"
_PROJECT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+)@(?P<ref>[A-Za-z0-9][A-Za-z0-9._/-]*)")
_FOLDER = re.compile(r"(?:~/)?[A-Za-z0-9._/-]*")
_CLOSED = "  levels: []\n"


@dataclass(frozen=True)
class Layout:
    """What is to come into a work tree: new files, files that get more lines, and what is kept with the reason."""

    folder: Path
    new: tuple[FileEdit, ...]
    grown: tuple[FileEdit, ...]
    kept: tuple[str, ...]

    @property
    def diff(self) -> str:
        """All of it, as `git apply` takes it."""
        return diff.created(self.new) + diff.unified(self.grown)

    def write(self) -> None:
        """Write it. A file that has come into being meanwhile is not overwritten. Raises Failure."""
        for file in self.new:
            _create(self.folder, file)
        for file in self.grown:
            path = self.folder / file.path
            if path.read_bytes().decode() != file.before:
                raise Failure(f"{path}: has changed meanwhile; run this again")
            path.write_bytes(file.after.encode())


def layout(folder: Path, texts: Mapping[str, str]) -> Layout:
    """What some files (path -> text) come to in a folder in which some of them may be."""
    new: list[FileEdit] = []
    kept: list[str] = []
    for path, text in texts.items():
        if _there(folder, path):
            kept.append(f"{path}: is there and stays as it is")
        else:
            new.append(FileEdit(path, "", text))
    grown, also = _ignoring(folder)
    if has_policies(folder):
        kept.append(f"{_policy_path(folder)}: is there and stays as it is")
    return Layout(folder, (*new, *(each for each in grown if not each.before)),
                  tuple(each for each in grown if each.before), (*kept, *also))  # fmt: skip


def _there(folder: Path, path: str) -> bool:
    """Whether something stands at a path. Raises Failure for one that leads out of the folder."""
    target = folder / path
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise Failure(f"{target}: a link leads out of the repository; remove it")
    return os.path.lexists(target)


def _ignoring(folder: Path) -> tuple[list[FileEdit], list[str]]:
    """`.gitignore` with the lines that it lacks."""
    path = folder / ".gitignore"
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return [], [f".gitignore: is no regular file and stays as it is; it should name {' and '.join(IGNORED)}"]
    try:
        before = path.read_bytes().decode() if path.exists() else ""
    except UnicodeDecodeError:
        return [], [f".gitignore: is not UTF-8 and stays as it is; it should name {' and '.join(IGNORED)}"]
    missing = [line for line in IGNORED if line not in before.splitlines()]
    if not missing:
        return [], []
    newline = "\r\n" if "\r\n" in before else "\n"
    end = "" if not before or before.endswith("\n") else newline
    more = "".join(f"{line}{newline}" for line in missing)
    return [FileEdit(".gitignore", before, f"{before}{end}{more}")], []


def _create(folder: Path, file: FileEdit) -> None:
    path = folder / file.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as stream:
            stream.write(file.after.encode())
    except FileExistsError as error:
        raise Failure(f"{path}: has come into being meanwhile and was not overwritten; run this again") from error
    except OSError as error:
        raise Failure(
            f"{path}: cannot be written ({error.strerror}); give yourself the right to write there"
        ) from error


def policies(folder: Path, found: Discovery, level: str) -> Iterator[tuple[str, str]]:
    """The shipped policies (path, text); none where there are some: two sets of rules would be read as one."""
    where = _policy_path(folder)
    if has_policies(folder):
        return
    for path in sorted(s.shipped("policies").glob("*.yaml")):
        if path.name.endswith(".test.yaml") and level != "L1":
            continue  # its examples say what holds while nothing is opened
        text = path.read_text(encoding="utf-8")
        yield f"{where}/{path.name}", opened(text, found, level) if path.name == "ladder.yaml" else text


def workflow(wanted: Wanted) -> Iterator[tuple[str, str]]:
    """The workflow (path, text) that makes a pass now and then; none unless it is known where it finds this program.
    Raises Failure."""
    if not wanted.project:
        return
    found = _PROJECT.fullmatch(wanted.project)
    if found is None:
        raise Failure(
            f"--project {wanted.project}: give OWNER/NAME@REF, the repository and the tag or commit of this program"
        )
    if not _FOLDER.fullmatch(wanted.keys):
        raise Failure(f"--keys {wanted.keys}: a workflow needs a plain path; give one of letters, digits and ./_-")
    text = (s.shipped("templates") / "workflow.yml").read_text(encoding="utf-8")
    for place, value in (("@PROJECT@", found["name"]), ("@REF@", found["ref"]), ("@KEYS@", wanted.keys)):
        text = text.replace(place, value)
    yield WORKFLOW, text


def has_policies(folder: Path) -> bool:
    """Whether there are any, whatever their names."""
    there = folder / _policy_path(folder)
    return there.is_dir() and any(there.iterdir())


def _policy_path(folder: Path) -> str:
    try:
        return s.load(folder / SETTINGS_FILE, {}).policy.path.strip("/")
    except s.ConfigError:  # not there, or not complete yet
        return s.PolicySettings().path


def opened(ladder: str, found: Discovery, level: str) -> str:
    """The ladder with `rollback_image` opened up to a level, everywhere but where users are. Raises Failure."""
    if level == "L1":
        return ladder
    places = [each.name for each in found.environments if each.tier != "critical"]
    if not places:
        raise Failure(f"--level {level}: no environment was found besides those of users; open levels in the ladder")
    entries = "".join(
        f"    - action: rollback_image\n      environment: {name}\n      level: {level}\n" for name in places
    )
    return ladder.partition(_CLOSED)[0] + f"  levels:\n{entries}"


def summary(found: Discovery, kept: Sequence[str]) -> Iterator[str]:
    """What was found, in a few lines for people."""
    for name, at in (("Argo CD", found.argocd), ("Flux", found.flux)):
        if at is not None:
            yield f"{name}: {at.by or 'by its objects'}"
    if found.argocd is None and found.flux is None:
        yield f"no Application or Flux Kustomization here; {len(found.plain)} kustomizations and charts"
    if found.argocd is None and found.flux is not None:
        yield "of Flux, Kustomizations say what is live: of HelmReleases expect reports; `locate` and `propose` work"
    for each in found.environments:
        yield f"environment {each.name} ({each.tier}): {', '.join(n.value for n in each.namespaces) or 'no namespaces'}"
    if not found.environments:
        yield f"no environments; {len(found.namespaces)} namespaces"
    watching = found.monitoring
    yield f"Prometheus: {watching.prometheus.value if watching.prometheus else 'no address found'}"
    yield f"{len(watching.rules)} PrometheusRules, {len(watching.monitors)} monitors"
    yield f"{len(found.objectives)} objectives, {len(found.left)} not carried over"
    yield from kept
