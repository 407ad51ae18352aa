"""The query catalogue: which metrics teams have, what is asked of them, and what the answers mean; as data."""

from gitops_sre.perception.presets.catalogue import Catalogue, Labels, Preset, PresetsError, Reading, Row, load
from gitops_sre.perception.presets.planning import MAX_POINTS, ranged

__all__ = ["MAX_POINTS", "Catalogue", "Labels", "Preset", "PresetsError", "Reading", "Row", "load", "ranged"]
