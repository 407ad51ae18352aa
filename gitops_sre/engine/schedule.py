"""Durable queue, timers and recovery around one idempotent `advance`; nothing else. The only importer of dbos.

Each look at an incident is one durable workflow. It ends by enqueueing the next look with a delay: that is the timer,
and it survives a restart. A look's place in the queue is held until it has ended, so the timer alternates between two
places; a nudge has a third one and starts no timer of its own. Two looks at one incident may therefore meet: `look`
itself holds a lease.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID
from sqlalchemy import make_url

from gitops_sre.settings import EngineSettings

QUEUE = "gitops-sre-incidents"
WORKFLOW = "look-at-incident"
NOW = "now"

PROTOCOL = "gitops-sre-1"
"""Pinned as the application version: a new release of the bot goes on with the looks of the old one, since a look
carries nothing but an incident's id."""

Look = Callable[[str], float | None]
"""Look at an incident by id; seconds until the next look, or None when it is finished."""


class Schedule:
    """One executor. `look` must be safe to run again after a crash."""

    def __init__(self, look: Look, settings: EngineSettings, executor: str, poll: float) -> None:
        self._poll = min(poll, 1.0)
        self._workers = settings.workers
        self._executor = executor
        config: DBOSConfig = {
            "name": "gitops-sre",
            "system_database_url": workflow_database(settings.database_url),
            "application_version": PROTOCOL,
            "executor_id": executor,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "ERROR",
            "enable_otlp": False,
            "notification_listener_polling_interval_sec": self._poll,
        }
        DBOS(config=config)

        @DBOS.step(name="look")
        def look_step(incident: str) -> float:
            wait = look(incident)
            return -1.0 if wait is None else wait

        @DBOS.workflow(name=WORKFLOW)
        def look_at_incident(incident: str, place: str) -> None:
            wait = look_step(incident)
            if wait >= 0 and place != NOW:
                self._enqueue(incident, "tick" if place == "tock" else "tock", wait)

        self._workflow: Any = look_at_incident

    def start(self) -> None:
        """Launch; looks that an earlier process of this executor left are resumed."""
        DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=self._workers,
            polling_interval_sec=self._poll,
            on_conflict="always_update",
        )

    def soon(self, incident: str) -> None:
        """Look at an incident as soon as a worker is free; a nudge that is queued already serves."""
        self._enqueue(incident, NOW, None)

    def ensure(self, incidents: Iterable[str]) -> None:
        """Start the timer of every incident that has none (new, or found on the forge)."""
        waiting = DBOS.list_workflows(
            status=["ENQUEUED", "DELAYED", "PENDING"], name=WORKFLOW, load_input=False, load_output=False
        )
        timed = {status.workflow_id.rpartition("/")[0] for status in waiting}
        for incident in incidents:
            if not timed & {f"{incident}/tick", f"{incident}/tock"}:
                self._enqueue(incident, "tick", None)

    def rescue(self, alive: Callable[[str], bool]) -> int:
        """Take over the looks of executors that died; how many there were."""
        orphans = [
            status
            for status in DBOS.list_workflows(status="PENDING", name=WORKFLOW, load_input=False, load_output=False)
            if status.executor_id not in (None, self._executor) and not alive(str(status.executor_id))
        ]
        for status in orphans:
            DBOS.resume_workflow(status.workflow_id)
        return len(orphans)

    def stop(self, seconds: int = 5) -> None:
        """Let running looks finish for a while, then leave them to the next start."""
        DBOS.destroy(workflow_completion_timeout_sec=seconds, destroy_registry=True)

    def _enqueue(self, incident: str, place: str, delay: float | None) -> None:
        held = f"{incident}/{place}"
        with (
            SetWorkflowID(f"{held}/{uuid4().hex}"),
            SetEnqueueOptions(deduplication_id=held, duplication_policy="return-existing", delay_seconds=delay or None),
        ):
            DBOS.enqueue_workflow(QUEUE, self._workflow, incident, place)


def workflow_database(database_url: str) -> str:
    """Where the workflows are kept: the same PostgreSQL database, or for SQLite a file beside the bot's own, since
    two writers of one SQLite file would wait for each other."""
    url = make_url(database_url)
    if not url.drivername.startswith("sqlite"):
        return database_url
    return str(url.set(database=f"{url.database}.workflows"))
