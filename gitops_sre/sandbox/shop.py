"""The shop as data: which services exist, who calls whom, how busy they are and how their manifests are laid out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Layout = Literal["kustomize", "helm", "raw"]

ENVIRONMENTS = ("dev", "staging", "production")
"""Each environment is one Kubernetes namespace of the same name."""

TRAFFIC_SHARE = {"dev": 0.4, "staging": 0.6, "production": 1.0}
"""Traffic of an environment as a share of production's."""

REGISTRY = "registry.example.com/shop"


@dataclass(frozen=True)
class Service:
    """One workload of the shop.

    `calls` maps a callee to the mean number of calls made per request served; `latency` is the median own service
    time in seconds (without its callees); `entry_rate` is production traffic from outside in requests a second.
    """

    name: str
    layout: Layout
    version: str
    calls: tuple[tuple[str, float], ...] = ()
    latency: float = 0.01
    entry_rate: float = 0.0
    replicas: int = 3
    memory_mib: int = 180
    cpu_cores: float = 0.15

    @property
    def image(self) -> str:
        """Image name without a tag."""
        return f"{REGISTRY}/{self.name}"


SERVICES: tuple[Service, ...] = (
    Service("web", "kustomize", "v3.12.0", (("catalog", 0.6), ("cart", 0.5), ("search", 0.3)), 0.012, 120.0, 4),
    Service("mobile-api", "kustomize", "v2.8.1", (("catalog", 0.5), ("cart", 0.6)), 0.010, 80.0),
    Service("catalog", "helm", "v1.22.4", (("inventory", 0.4), ("recommendations", 0.3)), 0.015),
    Service("search", "helm", "v0.9.17", (("catalog", 0.2),), 0.022),
    Service("recommendations", "helm", "v0.31.2", (), 0.030, replicas=2, memory_mib=420),
    Service("cart", "kustomize", "v4.1.3", (("checkout", 0.25), ("inventory", 0.2)), 0.008),
    Service("checkout", "kustomize", "v2.14.0", (("payments", 1.0), ("shipping", 0.8), ("orders", 1.0)), 0.018),
    Service("payments", "raw", "v5.2.0", (), 0.045, replicas=3),
    Service("shipping", "raw", "v1.6.8", (), 0.025, replicas=2),
    Service("orders", "kustomize", "v3.0.5", (("inventory", 0.5),), 0.014),
    Service("inventory", "raw", "v2.3.1", (), 0.009),
)

BY_NAME = {service.name: service for service in SERVICES}


def replicas(service: Service, environment: str) -> int:
    """Replicas that the infra repository declares for a service in an environment."""
    return service.replicas if environment == "production" else max(1, service.replicas // 2)
