"""Alerts become incidents: one for each cause, found again by a deterministic key, joined by what belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gitops_sre.engine.world import World
from gitops_sre.gitops import target as targets
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.signal import Alert, incident_key
from gitops_sre.perception import golden, triage

Place = tuple[str, str]
"""(service, environment) of an alert."""

_CALLED_A_PERSON = frozenset({State.ESCALATED, State.REPORTED, State.REJECTED, State.SUPERSEDED})


@dataclass(frozen=True)
class Intake:
    """How alerts are read: `place` names an alert's service and environment, `group` joins alerts of one cause,
    `cooldown` is how long an ended incident that called a person keeps further alerts of its service to itself."""

    place: Callable[[Alert], Place]
    group: Callable[[Sequence[Alert]], tuple[tuple[Alert, ...], ...]]
    cooldown: timedelta

    def take(
        self, seen: Iterable[Alert], known: Sequence[Incident], at: datetime, complete: Collection[str] = ()
    ) -> tuple[Incident, ...]:
        """The new and changed incidents.

        `complete` names the sources of which `seen` is everything that fires now, so that an alert of theirs that is
        not in it has resolved.
        """
        by_occurrence = {alert.occurrence: alert for alert in seen}
        refreshed = [_refresh(incident, by_occurrence, at, complete) for incident in known]
        claimed = {alert.occurrence for incident in known for alert in incident.alerts}
        fresh = [a for a in by_occurrence.values() if a.occurrence not in claimed and a.status == "firing"]
        joined, left = self._join(fresh, refreshed, at)
        changed = [after for before, after in zip(known, joined, strict=True) if after != before]
        return (*changed, *self._open(left, at))

    def _join(
        self, fresh: Sequence[Alert], incidents: Sequence[Incident], at: datetime
    ) -> tuple[list[Incident], list[Alert]]:
        """Give each fresh alert to the incident that it belongs to; what is left opens new ones."""
        result = list(incidents)
        left: list[Alert] = []
        for alert in fresh:
            home = next((n for n, incident in enumerate(result) if self._belongs(alert, incident, at)), None)
            if home is None:
                left.append(alert)
            else:
                result[home] = replace(result[home], alerts=(*result[home].alerts, alert))
        return result, left

    def _belongs(self, alert: Alert, incident: Incident, at: datetime) -> bool:
        same_place = self.place(alert) in {self.place(other) for other in incident.alerts} | _target(incident)
        if not incident.finished:
            return same_place or len(self.group((*incident.alerts, alert))) == 1
        if incident.state in _CALLED_A_PERSON and at - incident.since < self.cooldown and same_place:
            return True
        began_within = incident.opened_at <= alert.starts_at <= incident.since
        return began_within and (same_place or len(self.group((*incident.alerts, alert))) == 1)

    def _open(self, alerts: Sequence[Alert], at: datetime) -> list[Incident]:
        if not alerts:
            return []
        return [
            Incident(incident_key(group), group, State.RECEIVED, at, at, reason=f"{group[0].name} fires")
            for group in self.group(alerts)
        ]


def _target(incident: Incident) -> set[Place]:
    target = incident.target
    return {(target.service, target.environment)} if target is not None and target.service else set()


def _refresh(incident: Incident, now: Mapping[str, Alert], at: datetime, complete: Collection[str]) -> Incident:
    """The incident with its alerts as they stand now."""
    if incident.finished:
        return incident

    def fresh(alert: Alert) -> Alert:
        if alert.occurrence in now:
            seen = now[alert.occurrence]
            return seen if seen.status != alert.status else alert
        if alert.source in complete and alert.status == "firing":
            return replace(alert, status="resolved", ends_at=at)
        return alert

    return replace(incident, alerts=tuple(fresh(alert) for alert in incident.alerts))


def intake(world: World) -> Intake:
    """The intake of a world: places by its label mapping, groups by its service map."""
    settings = world.settings

    def place(alert: Alert) -> Place:
        return targets.place(alert.labels, settings.labels, settings.environments)

    def group(alerts: Sequence[Alert]) -> tuple[tuple[Alert, ...], ...]:
        # One alert is one group, whatever the map says: the metrics need not be asked.
        edges = service_map(world) if len(alerts) > 1 else ()
        window = settings.timing.group_window
        return triage.group(alerts, edges, window, lambda a: place(a)[0], lambda a: place(a)[1])

    return Intake(place, group, timedelta(seconds=settings.timing.cooldown))


def service_map(world: World) -> tuple[tuple[str, str], ...]:
    """Who calls whom; empty while the metrics do not answer (alerts are then grouped by service alone)."""
    return golden.edges(world.metrics.ask([golden.map_query(world.clock.now(), world.settings.timing)]))
