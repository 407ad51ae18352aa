"""The causes that reasoning knows."""

from __future__ import annotations

from typing import get_args

from gitops_sre.model.diagnosis import Cause

CAUSES: tuple[Cause, ...] = get_args(Cause)
FAULTS = tuple(cause for cause in CAUSES if cause not in ("no_fault", "unexplained"))
"""Causes that a service can be blamed for."""
