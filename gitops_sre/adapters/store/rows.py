"""An incident as a row: no secret is in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from pydantic import TypeAdapter

from gitops_sre.delivery.ledger import stamp
from gitops_sre.model.incident import Incident
from gitops_sre.redact import everywhere

BODY: TypeAdapter[Incident] = TypeAdapter(Incident)


def row_of(incident: Incident) -> dict[str, object]:
    """The columns of an incident."""
    return {
        "id": incident.id,
        "state": incident.state.value,
        "version": incident.version,
        "finished": incident.finished,
        "opened_at": stamp(incident.opened_at),
        "since": stamp(incident.since),
        # Not dump_json: it loses the lone surrogates that payloads may bring; json.dumps escapes them, and NULs.
        "body": json.dumps(_kept(BODY.dump_python(incident)), default=datetime.isoformat),
    }


def _kept(plain: Mapping[str, object]) -> dict[str, object]:
    """What is kept of an incident: no secrets. A proof holds whole files: with a secret in it, it is left out, since
    half of a file must never be written. A record is kept exactly as it stands in its commit; one whose edits touch a
    secret was refused and is in no commit."""
    kept = {name: everywhere(value) for name, value in plain.items() if name not in ("record", "proof")}
    record = plain["record"]
    edits = record["edits"] if isinstance(record, dict) else ()
    return {
        **kept,
        "record": record if _clean(edits) else None,
        "proof": plain["proof"] if _clean(plain["proof"]) else None,
    }


def _clean(data: object) -> bool:
    """Whether nothing in it is a secret."""
    return json.dumps(everywhere(data), default=datetime.isoformat) == json.dumps(data, default=datetime.isoformat)
