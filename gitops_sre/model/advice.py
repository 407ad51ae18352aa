"""What somebody else's pull request would do, as advice to its reviewers."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_sre.model.change import BlastRadius, ObjectDiff


@dataclass(frozen=True)
class Unadvised:
    """An open pull request that is not the bot's, whose `head` nothing has been said of yet."""

    number: int
    head: str


@dataclass(frozen=True)
class Advice:
    """What a pull request changes, from `base` (where it left the branch) to `head`, shown by rendering both.

    `risks` deserve a second look, the gravest first; `unseen` says what could not be shown.
    """

    base: str
    head: str
    radius: BlastRadius
    objects: tuple[ObjectDiff, ...]
    risks: tuple[str, ...]
    unseen: tuple[str, ...]
