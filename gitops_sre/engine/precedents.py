"""What earlier incidents turned out to be. Only a verified fix tells that; what the bot merely believed does not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from gitops_sre.model.diagnosis import Cause
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.precedent import Precedent
from gitops_sre.ports import Store

MEMORY = 100
"""Earlier incidents that count, the newest."""

_CAUSES: dict[str, Cause] = {cause: cause for cause in get_args(Cause)}


def precedents(store: Store, environment: str) -> tuple[Precedent, ...]:
    """What the newest resolved incidents of an environment were. Raises StoreError."""
    found = of(store.resolved(MEMORY))
    return tuple(each for each in found if each.environment == environment)


def of(incidents: Iterable[Incident]) -> tuple[Precedent, ...]:
    """The hypotheses whose fixes stand and were followed by recovery, one for each such incident.

    A fix that was taken back later, by the bot or at somebody's word, leaves `resolved` and counts no more.
    """
    found = []
    for incident in incidents:
        if incident.state is not State.RESOLVED or incident.plan is None:
            continue
        name, _, rest = incident.plan.hypothesis.partition("/")
        cause = _CAUSES.get(name)
        if cause is not None and rest:
            found.append(Precedent(rest.partition("/")[0], incident.plan.target.environment, cause))
    return tuple(found)
