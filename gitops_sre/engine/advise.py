"""Advice on everybody's pull requests, where the settings ask for it: what each reaches, for its reviewers."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from gitops_sre.delivery import text
from gitops_sre.engine.world import World
from gitops_sre.gitops.review import Place, review
from gitops_sre.model.advice import Advice
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Target
from gitops_sre.policy import gate
from gitops_sre.policy.documents import PolicyError, read

_log = logging.getLogger(__name__)

_AT_ONCE = 5
"""Pull requests in one sweep: incidents do not wait for long until those who merely ask are served."""


def advise(world: World) -> None:
    """Say on the pull requests of others what they reach, once for each head. What cannot be had now is tried again by
    the next sweep."""
    waiting = world.forge.unadvised()[:_AT_ONCE]
    if not waiting:
        return
    seen = world.seen_cluster()
    if isinstance(seen, Unavailable):
        return
    place = Place(
        world.repository,
        world.renderer,
        world.locator,
        world.repository_url,
        *seen,
        world.environment_of,
        world.settings.policy.path,
    )
    for each in waiting:
        fetched = world.repository.pull(each.number)
        if isinstance(fetched, Unavailable) or fetched[1] != each.head:
            _log.info("#%d is looked at later: %s", each.number, getattr(fetched, "reason", "it has another head"))
            continue
        try:
            found = review(place, *fetched)
            said = text.advice(found, tuple(_frozen(found, world)), tuple(_meets(found, world)))
        except OSError as error:
            _log.warning("#%d is looked at later: %s", each.number, error)
            continue
        world.forge.advise(each.head, text.advice_title(found), said)


def _frozen(advice: Advice, world: World) -> Iterator[str]:
    """The freeze windows that are open for what is touched, as the branch has them where the pull request left it."""
    try:
        policies = read(world.repository, advice.base, world.settings.policy.path)
    except PolicyError as error:
        yield f"nobody can tell, since the policy cannot be read: {error}"
        return
    for reason in gate.open_windows(policies, advice.radius.environments, world.clock.now()):
        yield str(reason)


def _meets(advice: Advice, world: World) -> Iterator[str]:
    """Incidents under way that are about what is touched."""
    touched = {(one.kind, one.namespace, one.name) for one in advice.objects}
    for incident in world.store.unfinished():
        target = incident.target
        if not isinstance(target, Target):
            continue
        workload = target.workload
        if (workload.kind, workload.namespace, workload.name) in touched:
            pull = f", pull request #{incident.fix.number}" if incident.fix is not None else ""
            yield f"{incident.id} is about {workload} right now ({incident.state.value.replace('_', ' ')}{pull})"
