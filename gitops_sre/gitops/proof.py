"""The proof of what a change does: rendered before and after, compared field by field, counted exactly."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from gitops_sre.gitops import checks, edit, environments, offline
from gitops_sre.gitops.built import Difference
from gitops_sre.gitops.diff import unified
from gitops_sre.gitops.explain import Explanation, explanation
from gitops_sre.gitops.rendered import Rendering, Sides, render
from gitops_sre.gitops.steps import service_share, steps
from gitops_sre.gitops.target import same_repository
from gitops_sre.model.change import BlastRadius, Change, Check, FileEdit, Proof
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.outcome import Done, Outcome, Refused
from gitops_sre.model.target import Source, Target
from gitops_sre.ports import Locator, Renderer, Repository
from gitops_sre.redact import under

EnvironmentOf = Callable[[str], tuple[str, str]]
"""Namespace -> (environment, tier)."""

_HEADER = 3
"""Lines of a diff before its first hunk."""
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
        Sides(app, source, source, kind="Application")
        for app, each in sources_of(applications, target.application, target.source).items()
        for source in each
    ]
    rendering = render(repository, renderer, locator, change, sources)
    seen = checks.Seen(
        repository,
        change,
        target,
        rendering,
        _explanation(change, rendering),
        lambda each: _known(each, environment_of)[0],
    )
    return _proof(repository, seen, workloads, environment_of)


def prove_offline(
    *,
    repository: Repository,
    renderer: Renderer,
    locator: Locator,
    change: Change,
    target: Target,
    applications: Sequence[Application] = (),
) -> Proof:
    """Show what a change does by the repository alone: to every application that it declares (and those given, which
    the caller found by other means, such as an ApplicationSet), and, where none of them reads a changed file, to
    whatever kustomization, chart or folder holds it. What a changed object renders in turn is rendered too.

    Environments are told by namespaces and paths, replicas are those that the manifests ask for. Raises OSError when
    the repository cannot be read.
    """
    at = offline.Offline(repository, locator, change, target)
    given = [
        Sides(app.key, named, named, kind="Application")
        for app in applications
        for source in app.sources
        if not offline.pinned(source.revision) and at.local(named := _named(app, source))
    ]
    rendering = render(repository, renderer, locator, change, at.sources(given))
    rendering = rendering.and_then(render(repository, renderer, locator, change, at.followers(rendering)))
    home = replace(target, environment=target.environment or environments.of(target.source.path))
    seen = checks.Seen(repository, change, home, rendering, _explanation(change, rendering), _told, offline=True)
    return _proof(repository, seen, (), None)


def sources_of(applications: Sequence[Application], target_key: str, target: Source) -> dict[str, list[Source]]:
    """Sources of every application in the target's repository; a commit that is pinned by SHA or tag stays put."""
    found = in_repository(applications, target.repo_url)
    if not found.get(target_key):
        found[target_key] = [target]
    return found


def in_repository(applications: Sequence[Application], url: str) -> dict[str, list[Source]]:
    """Sources of every application in one repository, by the application's key; those pinned to a commit left out."""
    return {
        app.key: [
            _named(app, source)
            for source in app.sources
            if same_repository(source.repo_url, url) and source.path and not offline.pinned(source.revision)
        ]
        for app in applications
    }


def _named(app: Application, source: Source) -> Source:
    return replace(
        source,
        release_name=source.release_name or app.name,
        namespace=source.namespace or app.destination_namespace,
    )


def _explanation(change: Change, rendering: Rendering) -> Explanation:
    return explanation(change, [pair for each in rendering.differences for pair in each.renamed])


def _proof(
    repository: Repository, seen: checks.Seen, workloads: Sequence[Workload], environment_of: EnvironmentOf | None
) -> Proof:
    outcomes = (
        Check("intended-bytes-only", _secret(seen) or _bytes_only(repository, seen.change)),
        Check("renders", checks.renders(seen)),
        Check("reaches-target", checks.reaches(seen)),
        Check("only-expected-fields", checks.only_expected(seen)),
        Check("no-object-twice", checks.nothing_twice(seen)),
        Check("nothing-pruned", checks.nothing_pruned(seen)),
        Check("applies", checks.applies(seen)),
        Check("schema-valid", checks.satisfies_schema(seen)),
        Check("stays-in-environment", checks.stays_in_environment(seen)),
        Check("unopposed", checks.unopposed(seen)),
    )
    differences = seen.rendering.differences
    objects = tuple(difference.shown(workloads) for difference in differences)
    told = {seen.place(each) for each in differences} - {""} if environment_of is None else ()
    measured = replace(
        radius(differences, workloads, environment_of, told),
        files=len(seen.change.files),
        lines=sum(_lines_touched(file) for file in seen.change.files),
        service_share=service_share(differences, seen.target, workloads, environment_of) if environment_of else None,
        steps=steps(differences),
    )
    return Proof(seen.change, objects, measured, outcomes, unified(seen.change.files))


def _secret(seen: checks.Seen) -> Refused | None:
    """Values that look like secrets are never edited: an edit goes into a signed commit and into the bot's records."""
    for each in seen.change.edits:
        raw = {str(each.path[-1]) if each.path else "": f"{each.before_raw}\n{each.after_raw}"}
        if under(raw) != raw:
            return Refused(f"{each.file}: an edit touches what looks like a secret; change it by hand")
    for difference in seen.rendering.differences:
        for field in difference.fields:
            if difference.identity.kind != "Secret" and difference.hides(field):
                return Refused(f"{difference.identity}: {field.path} looks like a secret; change it by hand")
    return None


def _bytes_only(repository: Repository, change: Change) -> Outcome:
    """The files differ in the edited values alone, and the inverse restores every byte."""
    for file in change.files:
        if repository.read(change.base, file.path) != file.before.encode():
            return Refused(f"{file.path} is not what stands at {change.base[:12]}")
        if problem := edit.verify(file, change.edits):
            return Refused(problem)
    return Done(f"{len(change.edits)} values in {len(change.files)} files; the inverse restores every byte")


def radius(
    differences: Sequence[Difference],
    workloads: Sequence[Workload],
    environment_of: EnvironmentOf | None,
    told: Collection[str] = (),
) -> BlastRadius:
    """What is touched, counted on rendered objects; nothing is said of files. Without `environment_of` the environments
    are those `told`, and neither tiers nor the fleet are known."""
    namespaces = tuple(sorted({each.namespace for each in differences if each.namespace}))
    places = {environment_of(namespace) for namespace in namespaces} if environment_of is not None else set()
    environments = {environment for environment, _ in places}.union(told)
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
        files=0,
        lines=0,
    )


def _known(difference: Difference, environment_of: EnvironmentOf) -> tuple[str, str]:
    return environment_of(difference.namespace) if difference.namespace else ("", "")


def _told(difference: Difference) -> str:
    """The environment of an object by its namespace, else by where its source or its own file lies."""
    for text in (difference.namespace, difference.path, difference.declared, difference.origin):
        if found := environments.of(text):
            return found
    clusters = (_CLUSTER.search(text) for text in (difference.path, difference.declared))
    return next((found[1] for found in clusters if found), "")


def _lines_touched(file: FileEdit) -> int:
    """Lines that the file gains or, where it gains none, loses."""
    marks = [line[:1] for line in unified([file]).split("\n")[_HEADER:]]
    return max(marks.count("+"), marks.count("-"))
