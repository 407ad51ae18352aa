"""Incidents and transitions to store, and what other processes and people at the database do."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from gitops_sre.adapters.store import SqlStore
from gitops_sre.model.incident import Incident
from gitops_sre.ports import StoreError, Transition
from tests import builders as b

WORKERS = 3


def moved(to: str = "investigating", detail: str = "why", at: datetime = b.NOW) -> Transition:
    """A transition into a state."""
    return Transition("Triaged", "received", to, detail, at)


def named(number: int, **changes: Any) -> Incident:
    """An incident by number; later ones opened later."""
    return replace(b.incident(), id=f"inc-{number:012d}", opened_at=b.after(number), **changes)


def child(call: str) -> subprocess.Popen[str]:
    """A process of its own that calls a function of this module."""
    command = [sys.executable, "-c", f"from tests.adapters.store.cases import *; {call}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])


def work(url: str, worker: int) -> None:
    """Open the store, try for the lease and print whether it was got, save an incident of its own several times."""
    store = SqlStore(url, patience=30)
    taken = store.lease("inc-1", f"worker-{worker}", b.after(60), b.NOW)
    incident = named(worker)
    for number in range(10):
        incident = store.save(incident, [moved(detail=f"{number}a"), moved(detail=f"{number}b")])
    store.close()
    print(taken)


def endless(url: str) -> None:
    """Save for ever, saying so on stdout each time."""
    store = SqlStore(url)
    incident = b.incident()
    while True:
        incident = store.save(incident, [moved(detail="a"), moved(detail="b")])
        print(incident.version, flush=True)


def fill(file: str, incident: str) -> None:
    """Save until files must not grow, and print what the store says."""
    store = SqlStore(f"sqlite:///{file}")
    saved = store.load(incident)
    assert saved is not None
    size = max(os.stat(file).st_size, os.stat(f"{file}-wal").st_size)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        for _ in range(100):
            saved = store.save(replace(saved, reason="x" * 100_000), [moved(detail="y" * 100_000)])
    except StoreError as error:
        print(error)


def run(url: str, *statements: str) -> None:
    """Somebody at the database itself."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
    finally:
        engine.dispose()
