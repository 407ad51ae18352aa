"""Branch names: a function of the incident, so that a second try finds the first one's branch."""

from __future__ import annotations

import re

from gitops_sre.model.pull import PullKind

PREFIX = "gitops-sre/"
"""Every branch of the bot begins with it; it proves nothing by itself (anybody may push such a branch)."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


def branch_name(incident: str, kind: PullKind, attempt: int) -> str:
    """`gitops-sre/<incident>/<kind>-<attempt>`. Raises ValueError for an id that Git could read as something else."""
    if not _ID.fullmatch(incident) or attempt < 1:
        raise ValueError(f"incident id {incident!r}, attempt {attempt}: not fit for a branch name")
    return f"{PREFIX}{incident}/{kind}-{attempt}"
