"""How much of a limited source was used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """Requests to the forge. `unchanged` are those answered with "as before", which its limit does not count."""

    reads: int = 0
    unchanged: int = 0
    writes: int = 0
    tokens: int = 0

    @property
    def total(self) -> int:
        """All requests."""
        return self.reads + self.unchanged + self.writes + self.tokens

    def __sub__(self, before: Usage) -> Usage:
        return Usage(
            self.reads - before.reads,
            self.unchanged - before.unchanged,
            self.writes - before.writes,
            self.tokens - before.tokens,
        )

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.reads + other.reads,
            self.unchanged + other.unchanged,
            self.writes + other.writes,
            self.tokens + other.tokens,
        )

    def __str__(self) -> str:
        """For people, such as "9 reads (2 unchanged), 1 write, 2 tokens"."""
        reads = self.reads + self.unchanged
        unchanged = f" ({self.unchanged} unchanged)" if self.unchanged else ""
        return (
            f"{_several(reads, 'read')}{unchanged}, {_several(self.writes, 'write')}, {_several(self.tokens, 'token')}"
        )


def _several(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)
