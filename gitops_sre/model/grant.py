"""What credentials may do, as the other side tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Grant:
    """What the bot was granted on the forge: an App's permissions and whether it is installed on all repositories, or a
    classic token's `scopes`. All empty: a fine-grained token, which does not say what it may do."""

    permissions: Mapping[str, str]
    everywhere: bool = False
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """What may be done in one namespace of a cluster, as its authorization says: verbs on resources (`*`: any)."""

    namespace: str
    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    groups: tuple[str, ...] = ("",)
