"""What wakes the bot: alerts, as one noun whatever sent them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

AlertStatus = Literal["firing", "resolved"]


@dataclass(frozen=True)
class Alert:
    """One alert instance as Alertmanager or Prometheus reports it. Times are aware datetimes in UTC.

    `fingerprint` identifies the label set (not the occurrence); `starts_at` is when it began to fire.
    """

    fingerprint: str
    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None = None
    status: AlertStatus = "firing"
    source: str = ""

    @property
    def occurrence(self) -> str:
        """Key of this occurrence: the same alert firing again later has another one."""
        return f"{self.fingerprint}@{self.starts_at.timestamp():.0f}"


def fingerprint(labels: Mapping[str, str]) -> str:
    """Stable identity of a label set: first 16 hex digits of SHA-256 over the sorted pairs.

    Alertmanager's own fingerprint (FNV-1a) is kept when it sends one; Prometheus' API sends none.
    """
    text = "\x00".join(f"{name}\x01{value}" for name, value in sorted(labels.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def incident_key(alerts: Iterable[Alert]) -> str:
    """Deterministic incident id from the earliest alert of a group: what finds it again without a database."""
    lead = min(alerts, key=lambda alert: (alert.starts_at, alert.fingerprint))
    return "inc-" + hashlib.sha256(lead.occurrence.encode()).hexdigest()[:12]
