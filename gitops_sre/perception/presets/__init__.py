"""The query catalogue: which metrics teams have, what is asked of them, and what the answers mean; as data."""

from gitops_sre.perception.presets.catalogue import Catalogue, Labels, Preset, PresetsError, Reading, Row, load, plan
from gitops_sre.perception.presets.page import table
from gitops_sre.perception.presets.planning import MAX_POINTS, Budget, Plan, Range, gather

__all__ = [
    "MAX_POINTS",
    "Budget",
    "Catalogue",
    "Labels",
    "Plan",
    "Preset",
    "PresetsError",
    "Range",
    "Reading",
    "Row",
    "gather",
    "load",
    "plan",
    "table",
]
