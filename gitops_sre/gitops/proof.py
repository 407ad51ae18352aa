"""The proof of what a change does: rendered before and after, compared field by field, counted exactly."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from gitops_sre.gitops import checks, edit, environments
from gitops_sre.gitops.built import Difference
from gitops_sre.gitops.explain import Explanation, explanation
from gitops_sre.gitops.files import AtCommit, Files
from gitops_sre.gitops.rendered import Rendering, Sides, changed_files, render
from gitops_sre.gitops.roots import roots
from gitops_sre.model.change import BlastRadius, Change, Check, FileEdit, Proof
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.outcome import Done, Outcome, Refused
from gitops_sre.model.target import Source, Target
from gitops_sre.ports import Locator, Renderer, Repository

EnvironmentOf = Callable[[str], tuple[str, str]]
"""Namespace -> (environment, tier)."""

Discover = Callable[[Files], Sequence[Application]]
"""The applications that the files of a repository declare."""

_CLUSTER = re.compile(r"(?:^|/)clusters?/([^/]+)")


def prove(  # noqa: PLR0913 - the outside world comes in by name, a port each
    *,
    repository: Repository,
    renderer: Renderer,
    locator: Locator,
    change: Change,
    target: Target,
    applications: Sequence[Application] = (),
    workloads: Sequence[Workload] = (),
    environment_of: EnvironmentOf,
) -> Proof:
    """Show what a change does to every application of the cluster that reads a changed file.

    What cannot be shown is a check that says so; only Refused checks forbid. Raises OSError when the repository
    cannot be read.
    """
    sources = [
        Sides(app, source, source)
        for app, each in sources_of(applications, target.application, target.source).items()
        for source in each
    ]
    rendering = render(repository, renderer, locator, change, sources)
    seen = checks.Seen(
        change, target, rendering, _explanation(change, rendering), lambda each: _known(each, environment_of)[0]
    )
    return _proof(repository, seen, workloads, environment_of)


def prove_offline(
    *,
    repository: Repository,
    renderer: Renderer,
    locator: Locator,
    change: Change,
    target: Target,
    discover: Discover = lambda _: (),
) -> Proof:
    """Show what a change does by the repository alone: to every application that it declares, before and after, and,
    where none of them reads a changed file, to whatever kustomization, chart or folder holds it.

    Environments are told by namespaces and paths, replicas are those that the manifests ask for. Raises OSError when
    the repository cannot be read.
    """
    sources = _declared(repository, change, target, discover)
    read = frozenset[str]().union(
        *(locator.inputs(change.base, source) for each in sources for source in (each.before, each.after))
    )
    if left := sorted({file.path for file in change.files} - read):
        found = roots(AtCommit(repository, change.base), repository.files(change.base), left)
        sources += [Sides(source.path or ".", source, source) for source in found]
    rendering = render(repository, renderer, locator, change, sources)
    home = replace(target, environment=target.environment or environments.of(target.source.path))
    seen = checks.Seen(change, home, rendering, _explanation(change, rendering), _told, offline=True)
    return _proof(repository, seen, (), None)


def sources_of(applications: Sequence[Application], target_key: str, target: Source) -> dict[str, list[Source]]:
    """Sources of every application in the target's repository; a commit that is pinned by SHA or tag stays put."""
    found = {
        app.key: [
            _named(app, source)
            for source in app.sources
            if _same_repository(source.repo_url, target.repo_url) and source.path and not _pinned(source.revision)
        ]
        for app in applications
    }
    if not found.get(target_key):
        found[target_key] = [target]
    return found


def _declared(repository: Repository, change: Change, target: Target, discover: Discover) -> list[Sides]:
    """Sources of the applications that the repository declares, as they are and as the change leaves them."""
    before = discover(AtCommit(repository, change.base))
    after = {app.key: app for app in discover(changed_files(repository, change))}
    many = Counter(app.key for app in before)
    found = []
    for app in before:
        later = app if many[app.key] > 1 else after.get(app.key, app)
        if len(later.sources) != len(app.sources):
            later = app
        for old, new in zip(app.sources, later.sources, strict=True):
            if old.path and not _pinned(old.revision) and _local(repository, change.base, old, target.source):
                label = f"{app.key} ({old.path})" if many[app.key] > 1 else app.key
                found.append(Sides(label, _named(app, old), _named(app, new)))
    return found


def _local(repository: Repository, commit: str, source: Source, target: Source) -> bool:
    """Whether a source is of this very repository: by its URL, or by its path where the URL is not known."""
    if source.repo_url and target.repo_url:
        return _same_repository(source.repo_url, target.repo_url)
    return bool(repository.files(commit, posixpath.normpath(source.path)) or posixpath.normpath(source.path) == ".")


def _named(app: Application, source: Source) -> Source:
    return replace(
        source,
        release_name=source.release_name or app.name,
        namespace=source.namespace or app.destination_namespace,
    )


def _same_repository(one: str, other: str) -> bool:
    return _plain_url(one) == _plain_url(other)


def _plain_url(url: str) -> str:
    """Host and path: the same repository is written with several schemes and endings."""
    rest = url.partition("://")[2] or url.replace(":", "/", 1)
    return rest.rpartition("@")[2].lower().rstrip("/").removesuffix(".git")


def _pinned(revision: str) -> bool:
    return revision.startswith("refs/tags/") or (len(revision) == 40 and all(c in "0123456789abcdef" for c in revision))


def _explanation(change: Change, rendering: Rendering) -> Explanation:
    return explanation(change, [pair for each in rendering.differences for pair in each.renamed])


def _proof(
    repository: Repository, seen: checks.Seen, workloads: Sequence[Workload], environment_of: EnvironmentOf | None
) -> Proof:
    outcomes = (
        Check("intended-bytes-only", _bytes_only(repository, seen.change)),
        Check("renders", checks.renders(seen)),
        Check("reaches-target", checks.reaches(seen)),
        Check("only-expected-fields", checks.only_expected(seen)),
        Check("no-object-twice", checks.nothing_twice(seen)),
        Check("nothing-pruned", checks.nothing_pruned(seen)),
        Check("applies", checks.applies(seen)),
        Check("schema-valid", checks.satisfies_schema(seen)),
        Check("stays-in-environment", checks.stays_in_environment(seen)),
        Check("not-written-by-automation", checks.unautomated(seen)),
    )
    objects = tuple(difference.shown(workloads) for difference in seen.rendering.differences)
    diff = "".join(_diff(file) for file in seen.change.files)
    return Proof(seen.change, objects, _radius(seen, workloads, environment_of), outcomes, diff)


def _bytes_only(repository: Repository, change: Change) -> Outcome:
    """The files differ in the edited values alone, and the inverse restores every byte."""
    for file in change.files:
        if repository.read(change.base, file.path) != file.before.encode():
            return Refused(f"{file.path} is not what stands at {change.base[:12]}")
        if problem := edit.verify(file, change.edits):
            return Refused(problem)
    return Done(f"{len(change.edits)} values in {len(change.files)} files; the inverse restores every byte")


def _radius(seen: checks.Seen, workloads: Sequence[Workload], environment_of: EnvironmentOf | None) -> BlastRadius:
    differences = seen.rendering.differences
    namespaces = tuple(sorted({each.namespace for each in differences if each.namespace}))
    places = {environment_of(namespace) for namespace in namespaces} if environment_of is not None else set()
    told = {seen.place(each) for each in differences} - {""} if environment_of is None else set()
    environments = {environment for environment, _ in places} | told
    replicas = sum(each.replicas(workloads) for each in differences)
    fleet = sum(
        each.replicas
        for each in workloads
        if environment_of is not None and environment_of(each.ref.namespace)[0] in environments
    )
    return BlastRadius(
        objects=len(differences),
        replicas=replicas,
        namespaces=namespaces,
        environments=tuple(sorted(environments)),
        tiers=tuple(sorted({tier for _, tier in places})),
        fleet_share=min(1.0, replicas / fleet) if fleet else float(replicas > 0),
        files=len(seen.change.files),
        lines=sum(_lines_touched(file) for file in seen.change.files),
    )


def _known(difference: Difference, environment_of: EnvironmentOf) -> tuple[str, str]:
    return environment_of(difference.namespace) if difference.namespace else ("", "")


def _told(difference: Difference) -> str:
    """The environment of an object by its namespace, else by where its source or its own file lies."""
    for text in (difference.namespace, difference.path, difference.origin):
        if found := environments.of(text):
            return found
    cluster = _CLUSTER.search(difference.path)
    return cluster[1] if cluster else ""


def _lines_touched(file: FileEdit) -> int:
    """Lines that the file gains or, where it gains none, loses."""
    marks = [line[:1] for line in _diff(file).split("\n")[2:]]
    return max(marks.count("+"), marks.count("-"))


def _diff(file: FileEdit) -> str:
    """A unified diff as git prints it, with line ends kept and a missing final newline marked."""
    before, after = _lines(file.before), _lines(file.after)
    return "".join(_marked(difflib.unified_diff(before, after, f"a/{file.path}", f"b/{file.path}")))


def _lines(text: str) -> list[str]:
    # not str.splitlines: it also breaks at characters that git takes for text
    return [line for line in text.replace("\n", "\n\0").split("\0") if line]


def _marked(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
