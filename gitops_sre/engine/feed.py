"""The change feed of an infra repository, as the applications of a cluster read it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gitops_sre.gitops import target as targets
from gitops_sre.model.change_feed import ChangeRecord
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.outcome import Unavailable
from gitops_sre.perception import changes
from gitops_sre.ports import Locator, Repository
from gitops_sre.settings import Settings


def change_feed(
    repository: Repository,
    locator: Locator,
    repository_url: str,
    seen: tuple[Sequence[Application], Sequence[Workload]],
    settings: Settings,
    onset: datetime,
) -> tuple[ChangeRecord, ...] | Unavailable:
    """What changed in the infra repository before the onset, mapped to services. `seen` are the cluster's applications
    and workloads, which name the repository `repository_url`."""
    head = repository.head()
    if isinstance(head, Unavailable):
        return head
    applications, workloads = seen
    timing = settings.timing
    services = {workload.application: workload.ref.name for workload in workloads if workload.application}
    return changes.feed(
        repository=repository,
        inputs=locator.inputs,
        commit=head,
        applications=[app for app in applications if targets.reads(app, repository_url)],
        environment_of=lambda namespace: targets.environment_of(namespace, settings.environments)[0],
        service_of=lambda app: services.get(app.key, app.name),
        reads=lambda source: targets.same_repository(source.repo_url, repository_url),
        onset=onset,
        lookback=timedelta(seconds=timing.change_lookback),
        skew=timedelta(seconds=timing.clock_skew),
    )
