"""Protocols of the outside world. Adapters satisfy them; the stages and the engine know nothing else.

Everything here but `Forge`, `Store` and `Channels` only reads. A source that does not answer returns `Unavailable` with
the reason; it never raises for that.
"""

from __future__ import annotations

from gitops_sre.ports.assistant import Assistant as Assistant
from gitops_sre.ports.forge import Channels as Channels
from gitops_sre.ports.forge import Forge as Forge
from gitops_sre.ports.forge import OpenedAction as OpenedAction
from gitops_sre.ports.git import Locator as Locator
from gitops_sre.ports.git import Manifest as Manifest
from gitops_sre.ports.git import Renderer as Renderer
from gitops_sre.ports.git import Repository as Repository
from gitops_sre.ports.git import Tree as Tree
from gitops_sre.ports.sources import Alerts as Alerts
from gitops_sre.ports.sources import Clock as Clock
from gitops_sre.ports.sources import Cluster as Cluster
from gitops_sre.ports.sources import Logs as Logs
from gitops_sre.ports.sources import Metrics as Metrics
from gitops_sre.ports.sources import Traces as Traces
from gitops_sre.ports.store import Branch as Branch
from gitops_sre.ports.store import ConflictError as ConflictError
from gitops_sre.ports.store import LedgerEntry as LedgerEntry
from gitops_sre.ports.store import Store as Store
from gitops_sre.ports.store import StoreError as StoreError
from gitops_sre.ports.store import Transition as Transition
from gitops_sre.ports.store import Vessel as Vessel
