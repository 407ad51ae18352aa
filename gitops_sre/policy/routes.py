"""Which channels are told of a notice, and from when on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from gitops_sre.model.notice import Notice
from gitops_sre.policy.match import fits
from gitops_sre.policy.schema import Audience, Route


def told(notice: Notice, routes: Iterable[Route], now: datetime) -> Mapping[str, datetime]:
    """The channels of every route that matches, each with the moment from which on it may be told: the present one
    (aware), or the end of its quiet hours. Of two routes to one channel the earlier moment counts."""
    found: dict[str, datetime] = {}
    for route in routes:
        if not _for(notice, route.match):
            continue
        ends = route.quiet.ends(now) if route.quiet is not None else None
        for channel in route.channels:
            found[channel] = min(found.get(channel, ends or now), ends or now)
    return found


def _for(notice: Notice, match: Audience) -> bool:
    if notice.kind not in match.events or notice.severity not in match.severities:
        return False
    named = (
        (match.services, (notice.service,)),
        (match.environments, (notice.environment,)),
        (match.tiers, (notice.tier,)),
        (match.owners, notice.owners or ("",)),
    )
    return all(fits(globs, values) for globs, values in named)
