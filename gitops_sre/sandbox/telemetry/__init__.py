"""Telemetry of the shop: a simulation of its traffic, errors and latency behind a Prometheus HTTP API."""

from __future__ import annotations

from gitops_sre.sandbox.telemetry.facade import Telemetry
from gitops_sre.sandbox.telemetry.faults import Blip, Fault, ImageFault, PlaceFault
from gitops_sre.sandbox.telemetry.model import Running
from gitops_sre.sandbox.telemetry.prometheus import TelemetryError

__all__ = ["Blip", "Fault", "ImageFault", "PlaceFault", "Running", "Telemetry", "TelemetryError"]
