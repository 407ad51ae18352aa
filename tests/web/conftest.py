"""Doubles for the doors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Waiting:
    """A forge that wants to be left alone for some seconds."""

    seconds: float

    def wait(self) -> float:
        """Seconds."""
        return self.seconds
