"""What the bot remembers, and the branch on which a job without a database keeps it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gitops_sre.model.incident import Incident
from gitops_sre.model.outcome import Outdated, Refused, Unavailable
from gitops_sre.model.servicemap import ServiceMap


@dataclass(frozen=True)
class Transition:
    """One step of the lifecycle, as it goes into the ledger: what happened, from which state to which, and why."""

    event: str
    source: str
    target: str
    detail: str
    at: datetime


@dataclass(frozen=True)
class LedgerEntry:
    """One line of the append-only ledger: `hash` = SHA-256 over the previous hash and this entry's content, `seal` the
    bot's signature over that (empty: written before there were any)."""

    sequence: int
    incident: str
    at: datetime
    event: str
    source: str
    target: str
    detail: str
    previous: str
    hash: str
    seal: str = ""

    @property
    def facts(self) -> Mapping[str, object]:
        """What `detail` records; as `why` alone where it is plain text."""
        try:
            found = json.loads(self.detail)
        except ValueError:
            found = None
        return found if isinstance(found, dict) else {"why": self.detail}


class Store(Protocol):
    """What the bot remembers between passes. Losing it loses no action: everything is found again on the forge."""

    def load(self, incident: str) -> Incident | None:
        """One incident."""
        ...

    def unfinished(self) -> tuple[Incident, ...]:
        """Incidents that are not finished: on their way, or ended without the outcome on the forge yet."""
        ...

    def recent(self, limit: int = 100) -> tuple[Incident, ...]:
        """The newest incidents, any state."""
        ...

    def resolved(self, limit: int = 100) -> tuple[Incident, ...]:
        """The incidents that ended last with the SLO recovered and the fix standing, newest first."""
        ...

    def save(self, incident: Incident, transitions: Iterable[Transition] = ()) -> Incident:
        """Compare-and-swap on `version` (0: insert), with its ledger entries in one transaction.

        Returns the incident with its new version. Raises `ConflictError` when somebody else saved in between.
        """
        ...

    def ledger(self, incident: str = "", events: Collection[str] = ()) -> tuple[LedgerEntry, ...]:
        """Ledger entries in order, of one incident or all, of some events or all."""
        ...

    def note(self, subject: str, transition: Transition) -> None:
        """Append an entry that is about no incident."""
        ...

    def verify(self) -> int | None:
        """The first entry of the ledger whose hash does not fit, or None when the chain is whole."""
        ...

    def lease(self, name: str, owner: str, until: datetime, now: datetime) -> bool:
        """Take or renew a lease; False while somebody else holds it."""
        ...

    def release(self, name: str, owner: str) -> None:
        """Give a lease back."""
        ...

    def service_map(self, environment: str) -> ServiceMap:
        """Who calls whom in an environment, as earlier incidents left it; empty where nothing is remembered."""
        ...

    def keep_service_map(self, environment: str, known: ServiceMap, at: datetime) -> None:
        """Remember a map in place of the one before. Of two at once either may stay: the next incident adds to it."""
        ...

    def seen(self, delivery: str, at: datetime) -> bool:
        """Remember a webhook delivery id; True when it had been seen before."""
        ...


class Vessel(Store, Protocol):
    """A store that can be filled with what was remembered elsewhere."""

    def restore(self, incidents: Sequence[Incident], entries: Sequence[LedgerEntry]) -> None:
        """Put all of these in as they are, versions and hashes too. Only into an empty store."""
        ...


class Branch(Protocol):
    """A branch of the infra repository that files are only ever added to."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def tip(self) -> str | Refused | Unavailable:
        """SHA of its last commit; empty when there is no such branch."""
        ...

    def create(self, files: Mapping[str, str], text: str) -> str | Refused | Unavailable:
        """Make the branch with one commit that has no parent; its SHA."""
        ...

    def add(self, tip: str, path: str, content: str, text: str) -> str | Outdated | Refused | Unavailable:
        """Add a file in one commit on top of `tip`; its SHA. Outdated when that is not the tip any more."""
        ...


class StoreError(Exception):
    """The store cannot be used: locked, full, corrupt or out of reach. Nothing was half written; the message names the
    remedy."""


class ConflictError(Exception):
    """Somebody else saved this incident in between: load it again and look at the world anew."""
