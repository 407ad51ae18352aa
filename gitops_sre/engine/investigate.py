"""From alert to diagnosis: triage, then evidence from every source at once, then hypotheses. Reads only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from gitops_sre.engine import feed
from gitops_sre.engine import messages as m
from gitops_sre.engine.inquiry import UNSEEN, Question, Sources, blind, gather, with_changes, with_events
from gitops_sre.engine.intake import service_map
from gitops_sre.engine.precedents import precedents
from gitops_sre.engine.world import World
from gitops_sre.gitops import target as targets
from gitops_sre.model.change_feed import ChangeRecord, Rollout
from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.evidence import Gap, Query, Scope
from gitops_sre.model.incident import Incident
from gitops_sre.model.live import Application, Workload
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.servicemap import ServiceMap
from gitops_sre.model.signal import Alert
from gitops_sre.model.target import NoTarget, Target
from gitops_sre.perception import golden, lasting, rollouts, servicemap, triage
from gitops_sre.perception.settling import unsettled
from gitops_sre.reasoning.diagnose import diagnose
from gitops_sre.settings import DecisionSettings, Settings

USUAL_REACH = 900.0
"""Seconds before an onset that evidence reaches where incidents are a matter of minutes (`timing.investigate`)."""


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
    return m.Triaged(at, about, target, triage.severity(incident.alerts, burn), incident.onset)


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
    if well(diagnosis, world.settings.decision):
        return m.NoFault(at, diagnosis.summary, diagnosis)
    if over := passed(diagnosis):
        if all(alert.status == "resolved" for alert in incident.alerts):
            return m.NoFault(at, f"It has passed: {over}.", diagnosis)
        return m.Nothing(at, f"it seems to have passed, and the alert still fires: {over}")
    root = target_of(top.service, target, world) if top.cause != "no_fault" else target
    return m.Diagnosed(at, diagnosis.summary, diagnosis, target if isinstance(root, Unavailable) else root)


def well(diagnosis: Diagnosis, decision: DecisionSettings) -> bool:
    """Whether nothing is wrong, as surely as the settings ask for; never where nothing was seen."""
    seen = all(gap.id != UNSEEN for gap in diagnosis.gaps)
    return seen and diagnosis.top.cause == "no_fault" and diagnosis.top.posterior >= decision.no_fault_above


def passed(diagnosis: Diagnosis) -> str:
    """What shows that the users of the service that alerts feel nothing any more, or an empty string."""
    now = diagnosis.find(lasting.SIGNAL)
    return now.statement if now is not None and now.symptom == "normal" else ""


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
    """Ask every source, read the answers, weigh the hypotheses. Unavailable when no metric answers, or when the
    symptoms have only just begun or ended."""
    timing = world.settings.timing
    moved = rolled_out(scope, world)
    before = world.store.service_map(scope.environment)
    sources = Sources(world.metrics, remembered=before, rollouts=() if isinstance(moved, Unavailable) else moved)
    found = gather(question(scope, world.settings), sources, world.queries)
    if why := blind(found):
        return Unavailable(why)
    quiet = (scope.baseline_start.timestamp(), scope.baseline_end.timestamp())
    now = scope.now.timestamp()
    if why := unsettled(found.measures, scope.service, *quiet, now, timing.rate_window, timing.step):
        return Unavailable(why)
    onset = (
        found.scope.onset if any(item.id == "disturbance" and item.score for item in found.evidence) else scope.onset
    )
    gaps = (Gap("rollouts", "rollouts", scope.service, moved),) if isinstance(moved, Unavailable) else ()
    found = replace(found, scope=replace(scope, onset=onset), gaps=(*found.gaps, *gaps))
    reach = timedelta(seconds=timing.investigate)
    found = with_events(found, world.cluster.events(onset - reach, scope.namespace), reach)
    found = replace(found, precedents=precedents(world.store, scope.environment))
    known = with_changes(found, change_feed(found.scope, world), timing.clock_skew)
    calls = servicemap.remembered(before, found.service_map, now)
    world.store.keep_service_map(scope.environment, calls, scope.now)
    return with_reach(diagnose(known, world.catalogue, incident.refuted, timing.clock_skew), calls)


def with_reach(diagnosis: Diagnosis, calls: ServiceMap) -> Diagnosis:
    """The diagnosis, with who needs the service that is to blame."""
    if diagnosis.top.cause == "no_fault":
        return diagnosis
    reach = servicemap.told(servicemap.blast_radius(calls.sure(servicemap.CERTAIN), diagnosis.top.service))
    return replace(diagnosis, summary=f"{diagnosis.summary} {reach}".rstrip())


def rolled_out(scope: Scope, world: World) -> tuple[Rollout, ...] | Unavailable:
    """Rollouts in the scope's environment not long before the onset, as the cluster keeps them. When they began is told
    by their versions; pods are not asked for, so that the bot need not be allowed to read them."""
    versions, workloads = world.cluster.versions(scope.namespace), world.cluster.workloads(scope.namespace)
    if isinstance(versions, Unavailable):
        return versions
    if isinstance(workloads, Unavailable):
        return workloads
    settings = world.settings
    found = rollouts.from_workloads(
        workloads,
        versions,
        (),
        since=scope.onset - timedelta(seconds=settings.timing.change_lookback),
        now=scope.now,
        service_of=lambda ref: ref.name,
        environment_of=lambda namespace: world.environment_of(namespace)[0],
    )
    return tuple(each for each in found if each.environment == scope.environment)


def question(scope: Scope, settings: Settings) -> Question:
    """What to ask about a scope. How far before an onset evidence reaches, as the settings have it, says how fast
    incidents are."""
    timing = settings.timing
    named = settings.environments.get(scope.environment)
    return Question(
        history=scope.baseline_start,
        quiet_until=scope.baseline_end,
        asked=scope.now,
        step=timing.step,
        service=scope.service,
        environment=scope.environment,
        window=timing.rate_window,
        namespaces=(named.namespaces if named else ()) or (scope.namespace,),
        haste=max(1.0, USUAL_REACH / timing.investigate),
        seasonal=True,
    )


def change_feed(scope: Scope, world: World) -> tuple[ChangeRecord, ...] | Unavailable:
    """What changed in the infra repository before the onset, mapped to services."""
    seen = world.seen_cluster()
    if isinstance(seen, Unavailable):
        return seen
    return feed.change_feed(world.repository, world.locator, world.repository_url, seen, world.settings, scope.onset)
