"""From alert to diagnosis: triage, then evidence from every source at once, then hypotheses. Reads only."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

from gitops_sre.engine import feed
from gitops_sre.engine import messages as m
from gitops_sre.engine.intake import service_map
from gitops_sre.engine.world import World
from gitops_sre.gitops import target as targets
from gitops_sre.model.change_feed import ChangeRecord
from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.evidence import Evidence, Gap, Query, Scope
from gitops_sre.model.findings import Findings
from gitops_sre.model.incident import Incident
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.signal import Alert
from gitops_sre.model.target import NoTarget, Target
from gitops_sre.perception import golden, reading, triage
from gitops_sre.reasoning.diagnose import diagnose


def look_up(incident: Incident, world: World) -> Target | NoTarget | Unavailable:
    """What the alerts are about: the labels of the lead alert, the one deepest in the call graph, against cluster and
    GitOps objects."""
    labels, environments = world.settings.labels, world.settings.environments

    def service_of(alert: Alert) -> str:
        return targets.place(alert.labels, labels, environments)[0]

    edges = service_map(world) if len(incident.alerts) > 1 else ()
    first = triage.lead(incident.alerts, edges, service_of)
    lead = next(alert for alert in incident.alerts if service_of(alert) == first)
    return _find(
        world,
        lambda workloads, applications: targets.find(
            lead.labels, labels, environments, workloads, applications, world.repository_url
        ),
    )


def target_of(service: str, like: Target | NoTarget, world: World) -> Target | NoTarget | Unavailable:
    """The target of another service in the same environment: the root cause is not always what the alert names."""
    if isinstance(like, Target) and like.service == service:
        return like
    return _find(
        world,
        lambda workloads, applications: targets.for_service(
            service,
            like.environment,
            world.settings.environments,
            workloads,
            applications,
            world.repository_url,
        ),
    )


def _find(
    world: World, finder: Callable[[tuple[Workload, ...], tuple[Application, ...]], Target | NoTarget]
) -> Target | NoTarget | Unavailable:
    seen = world.seen_cluster()
    if isinstance(seen, Unavailable):
        return seen
    applications, workloads = seen
    return finder(workloads, applications)


def begin(incident: Incident, world: World) -> m.Event:
    """Triage: is it worth looking into, and what is it about?"""
    at = world.clock.now()
    ready = triage.readiness(incident.alerts, at, world.settings.timing.investigate_after)
    if isinstance(ready, triage.Cleared):
        return m.Cleared(at, ready.reason)
    if isinstance(ready, triage.Wait):
        return m.Nothing(at, ready.reason)
    target = look_up(incident, world)
    if isinstance(target, Unavailable):
        return m.Nothing(at, f"the cluster cannot be asked what this is about: {target.reason}")
    about = f"{target.workload} of {target.application}" if isinstance(target, Target) else target.reason
    burn = burn_rate(target, at, world) if isinstance(target, Target) else None
    return m.Triaged(at, about, target, triage.severity(incident.alerts, burn))


def burn_rate(target: Target, at: datetime, world: World) -> float | None:
    """How fast the target's error budget burns now; None where no objective or no number says."""
    slo = golden.objective(target.service, target.environment, world.settings)
    slis, _ = golden.slis(target, world.settings)
    if slo is None or not slis:
        return None
    timing = world.settings.timing
    since = at - timedelta(seconds=timing.rate_window)
    (answer,) = world.metrics.ask([Query(slis[0].name, slis[0].expr, since, at, timing.step)])
    if isinstance(answer, Unavailable):
        return None
    values = [value for series in answer.series for _, value in series.samples]
    return triage.burn_rate(max(values), slo.error_ratio) if values else None


def investigate(incident: Incident, world: World) -> m.Event:
    """Gather and reason. Blindness is not a diagnosis: without evidence the incident waits, until its time is up."""
    at = world.clock.now()
    target = incident.target
    if target is None or not target.service:
        return m.Diagnosed(at, "the alert names no service: nothing can be asked")
    scope = scope_of(incident, target, at, world)
    diagnosis = think(incident, scope, world)
    if isinstance(diagnosis, Unavailable):
        return m.Nothing(at, diagnosis.reason)
    top = diagnosis.top
    if top.cause == "no_fault" and top.posterior >= world.settings.decision.no_fault_above:
        return m.NoFault(at, diagnosis.summary, diagnosis)
    root = target_of(top.service, target, world) if top.cause != "no_fault" else target
    return m.Diagnosed(at, diagnosis.summary, diagnosis, target if isinstance(root, Unavailable) else root)


def scope_of(incident: Incident, target: Target | NoTarget, at: datetime, world: World) -> Scope:
    """What to look at, and which quiet time to compare with."""
    timing = world.settings.timing
    namespace = target.workload.namespace if isinstance(target, Target) else target.environment
    quiet_until = incident.onset - timedelta(seconds=timing.investigate)
    return Scope(
        service=target.service,
        environment=target.environment,
        namespace=namespace,
        onset=incident.onset,
        now=at,
        baseline_start=quiet_until - timedelta(seconds=timing.baseline),
        baseline_end=quiet_until,
    )


def think(incident: Incident, scope: Scope, world: World) -> Diagnosis | Unavailable:
    """Ask every source in parallel, read the answers, weigh the hypotheses. Unavailable when no
    metric answers, or when the symptoms have only just begun or ended."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        asked = pool.submit(world.metrics.ask, golden.queries(scope, world.settings.timing))
        changing = pool.submit(change_feed, scope, world)
        answers, changed = asked.result(), changing.result()
    silent = [answer for answer in answers if isinstance(answer, Unavailable)]
    if len(silent) == len(answers):
        return silent[0]
    found = golden.read(answers, scope, world.settings.timing)
    evidence = tuple(item for item in found if isinstance(item, Evidence))
    gaps = tuple(item for item in found if isinstance(item, Gap))
    if why := reading.unsettled(evidence, scope.service):
        return Unavailable(why)
    records: tuple[ChangeRecord, ...] = ()
    if isinstance(changed, Unavailable):
        gaps = (*gaps, Gap("changes", "changes", scope.service, changed))
    else:
        records = changed
    edges = golden.edges(answers)
    onset = golden.onset(evidence, scope)
    known = Findings(replace(scope, onset=onset), evidence, gaps, tuple(edges), changes=records)
    return diagnose(known, world.catalogue, incident.refuted, world.settings.timing.clock_skew)


def change_feed(scope: Scope, world: World) -> tuple[ChangeRecord, ...] | Unavailable:
    """What changed in the infra repository before the onset, mapped to services."""
    seen = world.seen_cluster()
    if isinstance(seen, Unavailable):
        return seen
    return feed.change_feed(world.repository, world.locator, world.repository_url, seen, world.settings, scope.onset)
