"""The issue that proposes a higher level: figures, and a patch for a person to apply."""

from __future__ import annotations

from gitops_sre.delivery.neutral import title
from gitops_sre.delivery.page import page
from gitops_sre.delivery.text import LABEL
from gitops_sre.model.autonomy import Standing
from gitops_sre.model.pull import Report
from gitops_sre.model.verdict import Level
from gitops_sre.settings import AutonomySettings


def promotion(standing: Standing, threshold: AutonomySettings, diff: str, path: str) -> Report:
    """The proposal. `diff` is empty where no patch can be written that opens just this; policy stands below `path`."""
    up = Level(standing.opened + 1)
    said = {"s": standing, "f": standing.figures, "up": up, "t": threshold, "diff": diff, "path": path}
    heading = title(f"Promotion: {standing.action} in tier {standing.tier} from {standing.opened.name} to {up.name}")
    key = f"autonomy/{standing.action}/{standing.tier}/{up.name}"
    return Report(key, heading, page("promotion", said), (LABEL, f"{LABEL}/promotion"))
