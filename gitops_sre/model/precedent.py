"""What an incident turned out to be, for those that come after it."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_sre.model.diagnosis import Cause


@dataclass(frozen=True)
class Precedent:
    """An incident of the past whose cause is known, since undoing it made the SLO recover. It holds no text: nothing
    that somebody wrote then can speak to the diagnosis now."""

    service: str
    environment: str
    cause: Cause
