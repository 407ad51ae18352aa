"""What can go wrong in the shop: faults as data. A fault says where it strikes and how hard, never how it is cured."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ImageFault:
    """A defect shipped in an image: it strikes wherever that tag runs and leaves with it.

    `error_rate` is the share of requests that fail, `latency_factor` multiplies the own service time,
    `memory_growth` is a leak in MiB a second and replica.
    """

    service: str
    tag: str
    error_rate: float = 0.0
    latency_factor: float = 1.0
    memory_growth: float = 0.0


@dataclass(frozen=True)
class PlaceFault:
    """A cause inside one (environment, service) that no other image cures, such as an external dependency failing.

    It lasts from `begins` until `ends`, both in Unix seconds, `ends` excluded.
    """

    environment: str
    service: str
    error_rate: float = 0.0
    latency_factor: float = 1.0
    begins: float = -math.inf
    ends: float = math.inf


@dataclass(frozen=True)
class Blip:
    """A short harmless swell of latency: half a sine wave that peaks at `latency_factor`, no errors.

    `begins` is in Unix seconds, `seconds` is its whole length.
    """

    environment: str
    service: str
    begins: float
    seconds: float = 5.0
    latency_factor: float = 1.8


@dataclass(frozen=True)
class Surge:
    """More visitors: traffic from outside times `factor`, from `begins` until `ends` (Unix seconds, `ends` excluded).

    It strikes an environment as a whole; what it does to a service is the flow's business.
    """

    environment: str
    factor: float
    begins: float
    ends: float


Fault = ImageFault | PlaceFault | Blip | Surge


@dataclass(frozen=True)
class Effect:
    """What all faults together do to one version in one place during one tick (units as in `ImageFault`)."""

    error_rate: float = 0.0
    latency_factor: float = 1.0
    memory_growth: float = 0.0

    def and_also(self, other: Effect) -> Effect:
        """Both effects at once: independent errors, multiplied latencies, added leaks."""
        return Effect(
            1 - (1 - self.error_rate) * (1 - other.error_rate),
            self.latency_factor * other.latency_factor,
            self.memory_growth + other.memory_growth,
        )


NO_EFFECT = Effect()


def effect_of(faults: tuple[Fault, ...], environment: str, service: str, tag: str, at: float) -> Effect:
    """The joint effect of `faults` on `service` running `tag` in `environment` at the Unix second `at`."""
    total = NO_EFFECT
    for fault in faults:
        if not isinstance(fault, Surge) and fault.service == service:
            total = total.and_also(_single(fault, environment, tag, at))
    return total


def surge(faults: tuple[Fault, ...], environment: str, at: float) -> float:
    """Traffic in an environment at the Unix second `at`, relative to what is usual at that hour."""
    factor = 1.0
    for fault in faults:
        if isinstance(fault, Surge) and fault.environment == environment and fault.begins <= at < fault.ends:
            factor *= fault.factor
    return factor


def _single(fault: ImageFault | PlaceFault | Blip, environment: str, tag: str, at: float) -> Effect:
    match fault:
        case ImageFault(tag=bad) if bad == tag:
            return Effect(fault.error_rate, fault.latency_factor, fault.memory_growth)
        case PlaceFault(environment=place) if place == environment and fault.begins <= at < fault.ends:
            return Effect(fault.error_rate, fault.latency_factor)
        case Blip(environment=place) if place == environment and 0 <= at - fault.begins < fault.seconds:
            swell = math.sin(math.pi * (at - fault.begins) / fault.seconds)
            return Effect(latency_factor=1 + (fault.latency_factor - 1) * swell)
        case _:
            return NO_EFFECT
