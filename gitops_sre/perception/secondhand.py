"""What callers see of a service that has fallen silent: a service that is down tells nothing of the requests that fail.

Its own ratio of failures ends with its last answer; that of the calls to it does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gitops_sre.model.telemetry import Measure, SignalName

TOLD: frozenset[SignalName] = frozenset({"errors", "traffic"})
"""What callers can tell in its place. How long they wait for a refusal is not how long its work takes."""
SILENT_STEPS = 3
"""Steps without a sample after which a service counts as silent."""


def stand_in(measures: Sequence[Measure], asked: float, step: float) -> tuple[Measure, ...]:
    """The measures, with what callers saw in place of what silent services told of their failures and requests.

    `asked` is in epoch seconds, `step` in seconds. A service that never told anything itself stays as it is: whether
    its callers' calls reach it at all is not known.
    """
    own = [row for row in measures if _own(row)]
    lately = {(row.service, row.signal) for row in own if row.times[-1] >= asked - SILENT_STEPS * step}
    silent = {(row.service, row.signal) for row in own} - lately
    seen = [row for row in measures if row.peer and row.side == "client" and (row.peer, row.signal) in silent]
    known = {(row.peer, row.signal) for row in _fresh(seen, asked - SILENT_STEPS * step)}
    kept = (row for row in measures if not (_own(row) and (row.service, row.signal) in known))
    told = (replace(row, service=row.peer, peer="", side="") for row in seen if (row.peer, row.signal) in known)
    return (*kept, *told)


def _own(row: Measure) -> bool:
    return row.signal in TOLD and not row.peer and row.side != "client" and len(row.times) > 0


def _fresh(rows: Iterable[Measure], since: float) -> Iterable[Measure]:
    return (row for row in rows if len(row.times) and row.times[-1] >= since)
