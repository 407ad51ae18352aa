"""Changes against the onset: which of them may have caused it.

Several at once is the normal case, so none is chosen here: what may have been the cause stays, with what tells them
apart. Their pods and the way that trouble took along the service map decide between them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from gitops_sre.model.change_feed import Aligned, Change, ChangeEvent, ChangeRecord, Rollout


def align(changes: Iterable[Change], onset: datetime, skew: timedelta) -> tuple[Aligned, ...]:
    """The changes that had begun by the onset, as far as clocks that may differ by `skew` tell; the latest comes first.

    A change that replaced pods counts from its rollout's first step, since one new pod among many is enough to be felt;
    one that went live without counts from there; any other from its commit, which is earlier than its effect.
    """
    found = (_aligned(change, onset, skew) for change in changes)
    return tuple(sorted((each for each in found if each.lead >= -skew.total_seconds()), key=lambda each: each.lead))


def _aligned(change: Change, onset: datetime, skew: timedelta) -> Aligned:
    since, exact = began(change)
    rollout = change if isinstance(change, Rollout) else change.rollout if isinstance(change, ChangeRecord) else None
    lead = (onset - since).total_seconds()
    if rollout is None:
        return Aligned(change, since, lead, during=False, share=1.0, exact=exact)
    during = any(rollout.under_way(moment) for moment in (onset - skew, onset, onset + skew))
    return Aligned(change, since, lead, during, rollout.share(max(onset, rollout.at)), exact)


def began(change: Change) -> tuple[datetime, bool]:
    """When a change began to have an effect, and whether that is known or only that it was not earlier."""
    match change:
        case Rollout():
            return change.at, True
        case ChangeEvent():
            return change.at, True
        case _ if change.rollout is not None:
            return change.rollout.at, True
        case _ if change.live is not None:
            return change.live, True
        case _:
            return change.commit.at, False
