"""The worked example of docs/autonomy.md is what the code says of such a ledger."""

from __future__ import annotations

import os
from pathlib import Path

from gitops_sre.model.autonomy import Standing
from gitops_sre.policy.autonomy import standings
from gitops_sre.policy.experience import RESET, SUBJECT, cases, ceilings
from gitops_sre.ports import LedgerEntry
from gitops_sre.settings import AutonomySettings
from tests.policy.cases import document, policies
from tests.policy.test_experience import FAILED, PLANNED, RECOVERED, Told, ledger

PAGE = Path(__file__).parents[2] / "docs" / "autonomy.md"
BEGIN, END = "<!-- example:begin -->\n", "<!-- example:end -->\n"
KEY = ("rollback_image", "standard")
HEAD = """\
| after | verified | false | mean | lower bound | policy | holds | for the next level |
|---|---|---|---|---|---|---|---|
"""


class Team:
    """A team whose policy opens a level, and its bot's ledger."""

    def __init__(self) -> None:
        self.entries: tuple[LedgerEntry, ...] = ()
        self.level = "L3"
        self.count = 0

    def incidents(self, number: int, end: Told = RECOVERED) -> None:
        """Incidents that all end in one way, judged at the level that holds."""
        for _ in range(number):
            self.count += 1
            allowed: Told = ("Allowed", "planned", "proposed", {"level": self.standing().effective.name})
            self.entries += ledger(PLANNED, allowed, end, incident=f"inc-{self.count}", start=len(self.entries) + 1)

    def reset(self) -> None:
        """A person forgives."""
        told: Told = (RESET, "", "", {"action": KEY[0], "tier": KEY[1]})
        self.entries += ledger(told, incident=SUBJECT, start=len(self.entries) + 1)

    def standing(self) -> Standing:
        """Where the action stands now."""
        entry = f"{{action: rollback_image, tier: standard, level: {self.level}}}"
        ladder = policies(document("AutonomyLadder", f"  levels: [{entry}]")).ladder
        told = cases(self.entries)
        (found,) = standings(told, ceilings(told, self.entries), ladder, [KEY], AutonomySettings())
        return found

    def row(self, after: str) -> str:
        """A line of the page."""
        s = self.standing()
        said = (after, s.figures.verified, s.figures.false, f"{s.mean:.3f}", f"{s.lower:.3f}", s.opened.name)
        return f"| {' | '.join(map(str, (*said, s.effective.name, s.missing or 'earned')))} |\n"


def example() -> str:
    """A team's year with one action in one tier."""
    team = Team()
    rows = [team.row("L3 was opened")]
    team.incidents(19)
    rows.append(team.row("19 fixes that helped"))
    team.incidents(1)
    rows.append(team.row("one more"))
    team.level = "L4"
    rows.append(team.row("somebody applied the patch"))
    team.incidents(1, FAILED)
    rows.append(team.row("a fix that did not help"))
    team.incidents(1)
    rows.append(team.row("one that a person approved, and that helped"))
    team.reset()
    rows.append(team.row("`gitops-sre autonomy reset`"))
    team.level = "L3"
    rows.append(team.row("the team takes L4 back itself"))
    team.incidents(16)
    rows.append(team.row("16 fixes that helped"))
    return HEAD + "".join(rows)


def test_the_worked_example_is_made_by_the_code() -> None:
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    inside, _, after = rest.partition(END)
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(f"{before}{BEGIN}{example()}{END}{after}")
    else:
        assert inside == example(), "out of date; UPDATE_GOLDEN=1 writes it anew"
