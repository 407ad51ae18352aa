"""Kubernetes quantities: amounts as manifests write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

QUANTITY = r"(?:[0-9]{1,15}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})(?:[numkMGTPE]|[KMGTPE]i|[eE][0-9]{1,2})?"
"""A Kubernetes quantity without a sign; source: the grammar in the reference of resource.Quantity."""
_SUFFIXES: Mapping[str, Decimal] = {
    **{suffix: Decimal(10) ** power for suffix, power in zip("num", (-9, -6, -3), strict=True)},
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
    "": Decimal(1),
}


def amount(text: str) -> Decimal:
    """A quantity as a number of cores or bytes. Raises ValueError when it is none."""
    match = re.fullmatch(r"([0-9.]+)(?:[eE]([0-9]+)|([A-Za-z]*))", text)
    if not match or not re.fullmatch(QUANTITY, text):
        raise ValueError(f"{text!r} is no Kubernetes quantity")
    if match[2] is not None:
        return Decimal(match[1]) * Decimal(10) ** int(match[2])
    return Decimal(match[1]) * _SUFFIXES[match[3]]
