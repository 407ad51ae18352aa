"""What somebody's pull request reaches, by rendering both of its sides: to be shown, never to be judged by.

Nothing of a pull request is executed beyond what the bot's own proofs execute: kustomize and helm on exported files,
without network and within a time limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gitops_sre.gitops import rendered, risks
from gitops_sre.gitops.built import Difference, Identity, by_identity, differences
from gitops_sre.gitops.files import AtCommit
from gitops_sre.gitops.proof import EnvironmentOf, in_repository, radius
from gitops_sre.model.advice import Advice
from gitops_sre.model.change_feed import FileChange
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Source
from gitops_sre.ports import Locator, Manifest, Renderer, Repository
from gitops_sre.yamltext import YamlTextError

_MOST = 30
"""Sources that are rendered for one pull request: what touches more has said enough."""


@dataclass(frozen=True)
class Place:
    """Where the pull request is: the repository as GitOps objects name it, what reads it, and what runs."""

    repository: Repository
    renderer: Renderer
    locator: Locator
    url: str
    applications: Sequence[Application]
    workloads: Sequence[Workload]
    environment_of: EnvironmentOf
    policy_path: str


def review(place: Place, base: str, head: str) -> Advice:
    """What a pull request changes between where it left the branch and its head. Raises OSError when the repository
    cannot be read."""
    changed = place.repository.between(base, head)
    found: list[Difference] = []
    unseen: list[str] = []
    reading = list(_reading(place, changed, base, head))
    for key, source in reading[:_MOST]:
        seen = _rendered(place, key, source, base, head)
        if isinstance(seen, Unavailable):
            unseen.append(f"{key}: {seen.reason}")
        else:
            found += seen
    if len(reading) > _MOST:
        unseen.append(f"{len(reading) - _MOST} more applications read the changed files; {_MOST} were rendered")
    if not reading:
        unseen.append("no application that the bot knows of reads the changed files")
    said = (*risks.of_files(changed, place.policy_path), *risks.of_objects(found))
    reach = replace(radius(found, place.workloads, place.environment_of), files=len(changed))
    if len(reach.environments) > 1:
        said = (f"reaches {len(reach.environments)} environments at once: {', '.join(reach.environments)}", *said)
    shown = tuple(each.shown(place.workloads) for each in found)
    return Advice(base, head, reach, shown, said, tuple(unseen))


def _reading(place: Place, changed: Sequence[FileChange], base: str, head: str) -> Iterator[tuple[str, Source]]:
    """Every source that reads a changed file on either side."""
    paths = {path for each in changed for path in (each.before_path, each.after_path) if path}
    for key, sources in in_repository(place.applications, place.url).items():
        for source in sources:
            if any(_inputs(place, commit, source) & paths for commit in (base, head)):
                yield key, source


def _inputs(place: Place, commit: str, source: Source) -> frozenset[str]:
    try:
        return rendered.reads(place.locator, commit, AtCommit(place.repository, commit), source)
    except YamlTextError:  # a side that cannot be read is found out by rendering it
        return frozenset(place.repository.files(commit, source.path))


def _rendered(place: Place, key: str, source: Source, base: str, head: str) -> list[Difference] | Unavailable:
    sides: list[Mapping[Identity, Manifest]] = []
    for commit in (base, head):
        try:
            built = rendered.objects(place.repository, place.renderer, place.locator, commit, [source])[source]
        except YamlTextError as error:
            built = Unavailable(str(error))
        if isinstance(built, Unavailable):
            side = "before" if commit == base else "after"
            return Unavailable(f"cannot be rendered as it is {side} the change: {built.reason}")
        sides.append(by_identity(built, source.namespace)[0])
    return list(differences(key, sides[0], sides[1]))
