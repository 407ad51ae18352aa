"""When and how much more room a workload is given: one bounded step, and only where demand has risen. Pure.

What runs out without more requests is a leak, a defect or a neighbour: more room would only feed it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gitops_sre.model.diagnosis import Cause, Hypothesis
from gitops_sre.model.evidence import Evidence
from gitops_sre.model.plan import Declared, NeedsHuman
from gitops_sre.reasoning.remedies import Remedy

CAUSES: frozenset[Cause] = frozenset({"resource_exhaustion", "traffic_spike"})
"""Causes that more room may help against."""
STEP = 1.5
"""How many times as much there is after a step; one replica at least is added."""
CLEAR = 3.0
"""Standard deviations from which a finding says that there is more of something."""
FULL = 0.85
"""The used part of a limit from which a resource is taken to have run out."""
_QUANTITY = re.compile(r"([1-9][0-9]{0,11})(m|k|M|G|Ki|Mi|Gi|)")
_FACTORS: Mapping[str, float] = {
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
}


def more(blamed: Hypothesis, evidence: Iterable[Evidence], declared: Declared | None) -> Remedy | NeedsHuman:
    """More replicas against a traffic spike, a higher limit of what has run out because of more requests; or why a
    person is needed."""
    about = [item for item in evidence if item.subject == blamed.service]
    if not any(item.signal == "traffic" and _high(item) for item in about):
        return NeedsHuman("nothing shows more requests than usual, so more room might only feed what uses it up")
    if declared is None:
        return NeedsHuman("what the repository gives it now could not be read: give it more by hand")
    if blamed.cause == "traffic_spike":
        return _replicas(about, declared)
    return _limit(about, declared)


def _high(item: Evidence) -> bool:
    return item.symptom == "high" and (item.score is None or item.score >= CLEAR)


def _replicas(about: Iterable[Evidence], declared: Declared) -> Remedy | NeedsHuman:
    if declared.autoscaler:
        return NeedsHuman(f"a {declared.autoscaler} decides its replicas: see whether it has reached its maximum")
    if declared.replicas is None or declared.replicas < 1:
        return NeedsHuman("no one place in the repository says how many replicas it has: scale it by hand")
    if not _short(about, declared):
        return NeedsHuman("nothing shows that a resource of it is used up: what is short may be further down")
    count = max(declared.replicas + 1, int(declared.replicas * STEP))
    return Remedy(
        "scale", {"replicas": str(count)}, f"more requests than {declared.replicas} replicas can take: {count} of them"
    )


def _short(about: Iterable[Evidence], declared: Declared) -> frozenset[str]:
    """Resources that are used more than usual, and nearly used up."""
    return frozenset(
        item.signal
        for item in about
        if item.signal in ("cpu", "memory", "saturation")
        and _high(item)
        and _full(item, declared.limits.get(item.signal, ""))
    )


def _limit(about: Iterable[Evidence], declared: Declared) -> Remedy | NeedsHuman:
    short = sorted(name for name in _short(about, declared) if _QUANTITY.fullmatch(declared.limits.get(name, "")))
    if not short:
        return NeedsHuman("nothing shows cpu or memory at a limit that the repository declares")
    if len(short) > 1:
        return NeedsHuman(f"{' and '.join(short)} have both run out: which came first cannot be told")
    (name,) = short
    now = declared.limits[name]
    raised = _times(now)
    what = f"more requests, and {name} is at its limit of {now}: {raised}"
    return Remedy("set_resources", {"container": declared.container, f"{name}_limit": raised}, what)


def _full(item: Evidence, limit: str) -> bool:
    """Whether what is used is near the limit: measured as a part of it, or in the unit that the limit is in."""
    if item.value is None:
        return False
    if item.unit in ("percent", "ratio"):
        return item.value >= FULL * (100 if item.unit == "percent" else 1)
    match = _QUANTITY.fullmatch(limit)
    known = match is not None and item.unit in ("bytes", "cores")
    return known and item.value >= FULL * _amount(limit)


def _amount(limit: str) -> float:
    number, unit = _parts(limit)
    return number * _FACTORS[unit]


def _parts(limit: str) -> tuple[int, str]:
    match = _QUANTITY.fullmatch(limit)
    if match is None:
        raise ValueError(f"{limit!r} is no plain quantity")
    return int(match[1]), match[2]


def _times(limit: str) -> str:
    """A quantity one step up, in the same unit or, where that would be a fraction, in the next smaller one."""
    number, unit = _parts(limit)
    smaller: Mapping[str, tuple[str, int]] = {
        "": ("m", 1000), "Gi": ("Mi", 1024), "G": ("M", 1000), "Mi": ("Ki", 1024), "M": ("k", 1000)
    }  # fmt: skip
    if number * STEP % 1 and unit in smaller:
        unit, factor = smaller[unit]
        number *= factor
    return f"{int(number * STEP)}{unit}"
