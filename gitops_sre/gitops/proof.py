"""The proof of what a change does: rendered before and after, compared field by field, counted exactly."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence

from gitops_sre.gitops import edit, schema
from gitops_sre.gitops.explain import Explanation, explanation
from gitops_sre.gitops.rendered import Difference, Rendering, render, sources_of
from gitops_sre.model.change import BlastRadius, Change, Check, FileEdit, Proof
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.outcome import Done, Inconclusive, Outcome, Refused, Unavailable
from gitops_sre.model.target import Target
from gitops_sre.ports import Locator, Renderer, Repository

EnvironmentOf = Callable[[str], tuple[str, str]]
"""Namespace -> (environment, tier)."""

_MARKERS = ("$imagepolicy", "x-release-please", "renovate:")
"""Comments by which an automation finds the line that it writes: Flux, release-please, Renovate."""


def prove(  # noqa: PLR0913 - the outside world comes in by name, a port each
    *,
    repository: Repository,
    renderer: Renderer,
    locator: Locator,
    change: Change,
    target: Target,
    applications: Sequence[Application],
    workloads: Sequence[Workload],
    environment_of: EnvironmentOf,
) -> Proof:
    """Show what a change does to every application that reads a changed file.

    What cannot be shown is a check that says so; only Refused checks forbid. Raises OSError when the repository
    cannot be read.
    """
    sources = sources_of(applications, target.application, target.source)
    rendering = render(repository, renderer, locator, change, sources)
    explained = explanation(change)
    checks = (
        Check("intended-bytes-only", _bytes_only(repository, change)),
        Check("renders", _renders(rendering)),
        Check("reaches-target", _reaches(rendering, explained, target)),
        Check("only-expected-fields", _only_expected(rendering, explained)),
        Check("schema-valid", _schema(rendering)),
        Check("not-written-by-automation", _unautomated(change)),
    )
    objects = tuple(difference.shown(workloads) for difference in rendering.differences)
    radius = _radius(rendering.differences, change, workloads, environment_of)
    return Proof(change, objects, radius, checks, "".join(_diff(file) for file in change.files))


def _bytes_only(repository: Repository, change: Change) -> Outcome:
    """The files differ in the edited values alone, and the inverse restores every byte."""
    for file in change.files:
        if repository.read(change.base, file.path) != file.before.encode():
            return Refused(f"{file.path} is not what stands at {change.base[:12]}")
        if problem := edit.verify(file, change.edits):
            return Refused(problem)
    return Done(f"{len(change.edits)} values in {len(change.files)} files; the inverse restores every byte")


def _renders(rendering: Rendering) -> Outcome:
    if rendering.failures:
        application, why = rendering.failures[0]
        more = f" (and {len(rendering.failures) - 1} more)" if len(rendering.failures) > 1 else ""
        return Unavailable(f"{application}: {why.reason}{more}")
    return Done(
        f"{len(rendering.applications)} applications read the changed files: {', '.join(rendering.applications)}"
    )


def _reaches(rendering: Rendering, explained: Explanation, target: Target) -> Outcome:
    """The target's own workload must come to hold the intended values."""
    if failed := next((why for key, why in rendering.failures if key == target.application), None):
        return failed
    mine = [each for each in rendering.differences if each.is_workload(target.workload)]
    if not mine:
        return Refused(f"the edit does not reach {target.workload}: something else decides the value")
    for field in (field for difference in mine for field in difference.fields):
        if explained.follows(field):
            return Done(f"{target.workload} {field.path}: {field.before} -> {field.after}")
    return Refused(f"{target.workload} changes, but its new values are not the intended ones")


def _only_expected(rendering: Rendering, explained: Explanation) -> Outcome:
    """Every changed field must follow from the edited values."""
    strange = [
        f"{each.kind} {each.namespace}/{each.name} {field.path}"
        for each in rendering.differences
        for field in each.fields
        if each.before is None or each.after is None or not explained.follows(field)
    ]
    if strange:
        return Inconclusive(f"{len(strange)} fields do not follow from the edit: {'; '.join(strange[:3])}")
    if not rendering.differences:
        return Inconclusive("no rendered object changes")
    return Done()


def _schema(rendering: Rendering) -> Outcome:
    """The worst word on the changed objects."""
    outcomes = [schema.valid(each.before, each.after) for each in rendering.differences if each.after is not None]
    for kind in (Refused, Inconclusive):
        if worst := next((outcome for outcome in outcomes if isinstance(outcome, kind)), None):
            return worst
    return Done(f"{len(outcomes)} objects") if outcomes else Inconclusive("no rendered object to look at")


def _unautomated(change: Change) -> Outcome:
    """Somebody who writes the line by machine would undo the edit."""
    for file in change.files:
        lines = zip(file.before.split("\n"), file.after.split("\n"), strict=False)
        for number, (before, after) in enumerate(lines, 1):
            marker = next((each for each in _MARKERS if each in before), None)
            if before != after and marker:
                return Inconclusive(
                    f"{file.path}:{number} is kept by an automation ({marker}), which may write it again"
                )
    return Done()


def _radius(
    differences: Sequence[Difference], change: Change, workloads: Sequence[Workload], environment_of: EnvironmentOf
) -> BlastRadius:
    namespaces = tuple(sorted({each.namespace for each in differences if each.namespace}))
    places = {namespace: environment_of(namespace) for namespace in namespaces}
    environments = {environment for environment, _ in places.values()}
    replicas = sum(each.replicas(workloads) for each in differences)
    fleet = sum(each.replicas for each in workloads if environment_of(each.ref.namespace)[0] in environments)
    share = min(1.0, replicas / fleet) if fleet else float(replicas > 0)
    return BlastRadius(
        objects=len(differences),
        replicas=replicas,
        namespaces=namespaces,
        environments=tuple(sorted(environments)),
        tiers=tuple(sorted({tier for _, tier in places.values()})),
        fleet_share=share,
        files=len(change.files),
        lines=sum(1 for file in change.files for line in _diff(file).split("\n")[2:] if line.startswith("+")),
    )


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
