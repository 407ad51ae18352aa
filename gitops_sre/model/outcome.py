"""How an attempt can end. "Could not" is a value with a reason, never None and never an exception that is swallowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Done:
    """It was done, or was already so."""

    note: str = ""
    kind: Literal["done"] = "done"


@dataclass(frozen=True)
class Refused:
    """It must not be done: a rule, a protection or a safety limit forbids it. Trying again changes nothing."""

    reason: str
    kind: Literal["refused"] = "refused"


@dataclass(frozen=True)
class Unavailable:
    """A source did not answer, or not in time. It may answer later; until then it is never counted as good news."""

    reason: str
    kind: Literal["unavailable"] = "unavailable"


@dataclass(frozen=True)
class Inconclusive:
    """It was looked at and nothing can be concluded: no traffic, NaN, an unknown schema. Never counted as success."""

    reason: str
    kind: Literal["inconclusive"] = "inconclusive"


@dataclass(frozen=True)
class Outdated:
    """It was made against something that has changed since: make it again."""

    reason: str
    kind: Literal["outdated"] = "outdated"


Outcome = Done | Refused | Unavailable | Inconclusive
