"""Which scenarios there are: every cause in both tiers and all three layouts, a third of them misleading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gitops_sre.sandbox.shop import BY_NAME

Twist = Literal[
    "",
    "innocent deploy",
    "louder victim",
    "two changes",
    "one commit, two services",
    "healed itself",
    "resolved before the question",
    "service not measured",
    "no container metrics",
    "no rollout log",
]
"""What misleads; nothing in a plain scenario."""

Moves = Literal["", "memory limit", "image and setting"]
"""What the guilty commit moves; in a plain scenario what its cause says."""

TIERS = {"staging": "standard", "production": "critical"}


@dataclass(frozen=True)
class Plot:
    """One scenario to make. `service` is to blame; `beside` is deployed harmlessly just before."""

    cause: str
    environment: str
    service: str
    twist: Twist = ""
    beside: str = ""
    raw: str = ""
    """What it does; drawn where it is empty."""
    moves: Moves = ""


PLAIN = (
    Plot("new_deploy", "staging", "checkout"),
    Plot("new_deploy", "production", "cart"),
    Plot("new_deploy", "staging", "catalog"),
    Plot("new_deploy", "production", "search"),
    Plot("new_deploy", "staging", "payments"),
    Plot("new_deploy", "production", "inventory"),
    Plot("config_change", "staging", "web"),
    Plot("config_change", "production", "catalog"),
    Plot("config_change", "staging", "shipping"),
    Plot("config_change", "production", "mobile-api"),
    Plot("flag_flip", "staging", "cart"),
    Plot("flag_flip", "production", "recommendations"),
    Plot("flag_flip", "production", "payments"),
    Plot("dependency_failure", "staging", "carrier-api"),
    Plot("dependency_failure", "production", "card-network"),
    Plot("resource_exhaustion", "staging", "inventory"),
    Plot("resource_exhaustion", "production", "orders"),
    Plot("resource_exhaustion", "production", "catalog-db"),
    Plot("traffic_spike", "staging", "web"),
    Plot("traffic_spike", "production", "mobile-api"),
    Plot("code_defect", "staging", "recommendations"),
    Plot("code_defect", "production", "checkout"),
    Plot("network", "staging", "orders"),
    Plot("network", "production", "shipping"),
    Plot("infrastructure", "staging", "catalog"),
    Plot("infrastructure", "production", "payments"),
    Plot("certificate_expiry", "staging", "inventory"),
    Plot("certificate_expiry", "production", "search"),
    Plot("no_fault", "staging", "web"),
    Plot("no_fault", "production", "checkout"),
)

MISLEADING = (
    Plot("resource_exhaustion", "staging", "catalog", "innocent deploy", "recommendations"),
    Plot("dependency_failure", "production", "carrier-api", "innocent deploy", "shipping"),
    Plot("network", "production", "cart", "innocent deploy", "web"),
    Plot("code_defect", "staging", "search", "innocent deploy", "catalog"),
    Plot("traffic_spike", "production", "web", "innocent deploy", "cart"),
    Plot("no_fault", "production", "catalog", "innocent deploy", "catalog"),
    Plot("new_deploy", "production", "orders", "louder victim"),
    Plot("new_deploy", "staging", "shipping", "louder victim"),
    Plot("config_change", "production", "inventory", "louder victim"),
    Plot("new_deploy", "staging", "search", "two changes", "web"),
    Plot("new_deploy", "production", "checkout", "two changes", "cart"),
    Plot("config_change", "staging", "orders", "two changes", "inventory"),
    Plot("new_deploy", "production", "recommendations", "one commit, two services", "search"),
    Plot("new_deploy", "staging", "mobile-api", "healed itself"),
    Plot("network", "production", "payments", "healed itself"),
    Plot("new_deploy", "staging", "inventory", "resolved before the question"),
    Plot("new_deploy", "production", "shipping", "service not measured"),
    Plot("resource_exhaustion", "production", "search", "no container metrics", raw="cpu"),
    Plot("new_deploy", "staging", "cart", "no rollout log"),
)

WHOLE = (
    Plot("config_change", "production", "search", moves="memory limit", raw="memory"),
    Plot("config_change", "staging", "inventory", moves="memory limit", raw="memory"),
    Plot("new_deploy", "production", "cart", moves="image and setting"),
    Plot("new_deploy", "staging", "payments", moves="image and setting"),
)
"""Changes that are taken back as the commit made them."""

ALL = (*PLAIN, *MISLEADING, *WHOLE)

ACTIONS = {"new_deploy": "rollback_image", "config_change": "set_config", "flag_flip": "set_flag"}
"""The remedy of a cause where there is a typed one that takes it back; for all others a person is called."""


def action(plot: Plot, full: tuple[str, ...] = ()) -> str:
    """What should be done: nothing where nothing is wrong any more. `full` are the services that have no room left."""
    if plot.cause == "no_fault" or plot.twist in ("healed itself", "resolved before the question"):
        return "none"
    if plot.moves:
        return "revert_change"
    if plot.cause == "traffic_spike" and len(full) == 1 and full[0] in BY_NAME:
        return "scale"
    return ACTIONS.get(plot.cause, "escalate")
