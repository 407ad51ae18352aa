"""The only room that names concrete adapters: settings in, a world (or a whole bot, or a service) out."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import uvicorn

from gitops_sre.adapters.alertmanager import AlertmanagerAlerts
from gitops_sre.adapters.git import GitRepository
from gitops_sre.adapters.github import GitHubForge
from gitops_sre.adapters.kubernetes import KubernetesCluster
from gitops_sre.adapters.prometheus import Prometheus
from gitops_sre.adapters.render import ToolRenderer
from gitops_sre.adapters.store import SqlStore
from gitops_sre.delivery.seal import load_key
from gitops_sre.engine.bot import Bot
from gitops_sre.engine.intake import Intake
from gitops_sre.engine.schedule import Schedule
from gitops_sre.engine.world import World
from gitops_sre.gitops.locate import GitOpsLocator
from gitops_sre.gitops.target import place
from gitops_sre.perception.triage import group
from gitops_sre.ports import Alerts, Store
from gitops_sre.reasoning.catalogue import load_catalogue
from gitops_sre.settings import Settings
from gitops_sre.web.app import Doors, create_app

__all__ = ["Service", "World", "bot", "build", "open_store", "service"]


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        return datetime.now(UTC)
