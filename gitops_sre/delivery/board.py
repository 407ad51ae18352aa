"""The dashboard: one issue that always shows what is open, what it waits for, and what the bot may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitops_sre.delivery.page import page
from gitops_sre.delivery.text import LABEL, place
from gitops_sre.model.incident import Incident
from gitops_sre.model.pull import Report
from gitops_sre.model.verdict import Level, Reason

TITLE = "gitops-sre: what it is doing"


@dataclass(frozen=True)
class Opened:
    """A level that the ladder opens: which actions, where; globs."""

    action: str
    environment: str
    tier: str
    service: str
    level: Level


def board(
    incidents: Sequence[Incident],
    waits: Mapping[str, str],
    levels: Sequence[Opened],
    path: str,
    problem: str = "",
    lost: Sequence[Reason] = (),
    silent: Sequence[str] = (),
) -> Report:
    """The dashboard's text. It says nothing that moves by itself (ages), so that it changes only with the facts.

    `incidents` come newest first; `waits` says what they wait for, by id; `path` is where policy stands, `problem` why
    it cannot be read; `lost` is what the bot's own record takes away, `silent` why channels could not be told.
    """
    body = page(
        "board",
        {
            "open": tuple((one, place(one), waits.get(one.id) or one.reason) for one in incidents if not one.finished),
            "ended": tuple((one, place(one)) for one in incidents if one.finished),
            "levels": tuple(levels),
            "path": path,
            "problem": problem,
            "lost": tuple(lost),
            "silent": tuple(silent),
        },
        ("lately", "levels"),
    )
    return Report("board", TITLE, body, (LABEL, f"{LABEL}/dashboard"))
