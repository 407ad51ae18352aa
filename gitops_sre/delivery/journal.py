"""Pages of the ledger branch: what a pass leaves behind, as signed JSON lines.

    {"kind": "pass", "version": 1, "number": N, "parent": SHA, "pass": ID, "at": TIME, "until": TIME or null}
    {"kind": "entry", "sequence": ..., "incident": ..., ..., "hash": ...}     the ledger's entries, chained by hash
    {"kind": "incident", "version": V, "body": {...}}                         each incident that they changed
    {"kind": "signature", "key": ID, "value": base64url}                      Ed25519 over all lines before

`until` is how long the pass may act before it has to write again; null gives that right back. The signature covers the
repository, the page's number and the commit it stands on, so that a page that was copied, moved or changed is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import TypeAdapter, ValidationError

from gitops_sre.delivery.seal import Key, sign, verify
from gitops_sre.model.incident import Incident
from gitops_sre.model.outcome import Refused
from gitops_sre.ports import LedgerEntry

VERSION = 1
_PURPOSE = "gitops-sre ledger 1"
README = """\
# The ledger of gitops-sre

Each file below `pages/` is what one pass of the scheduled job has done: steps of incidents, chained by hash, and the
incidents as they were left, one JSON object a line, signed by the bot. Files are only ever added. Do not change, delete
or merge anything here: the bot would stop and say so. Deleting the whole branch is safe while no pass runs; unfinished
work is found again on the pull requests, and the history of what was done is lost.
"""
_NAME = re.compile(r"pages/(\d{6,})\.jsonl")


@dataclass(frozen=True)
class Page:
    """What one file of the ledger branch says. `until` is None when the pass has given up its right to act."""

    number: int
    parent: str
    """SHA of the commit that the page was put on."""
    owner: str
    """The pass that wrote it."""
    at: datetime
    until: datetime | None
    entries: tuple[LedgerEntry, ...] = ()
    incidents: tuple[Incident, ...] = ()


def name(number: int) -> str:
    """Path of a page in the branch."""
    return f"pages/{number:06}.jsonl"


def number(path: str) -> int | None:
    """The number of the page that has a path; None for anything else."""
    match = _NAME.fullmatch(path)
    return int(match[1]) if match is not None and name(int(match[1])) == path else None


def write(page: Page, key: Key, repository: str) -> str:
    """A page as text."""
    head = {"kind": "pass", "version": VERSION, "number": page.number, "parent": page.parent, "pass": page.owner}
    lines = [_line({**head, "at": page.at, "until": page.until})]
    lines += [_line({"kind": "entry", **vars(entry)}) for entry in page.entries]
    for incident in page.incidents:
        lines.append(_line({"kind": "incident", "version": incident.version, "body": _body().dump_python(incident)}))
    text = "".join(lines)
    value = sign(key, _PURPOSE, repository, text.encode())
    return text + _line({"kind": "signature", "key": key.id, "value": value})


def read(text: str, keys: Mapping[str, Ed25519PublicKey], repository: str) -> Page | Refused:
    """The page that a text holds; Refused when it must not be believed."""
    content, _, last = text.removesuffix("\n").rpartition("\n")
    content += "\n"
    try:
        seal = json.loads(last)
        key = keys.get(str(seal["key"]))
        if key is None:
            return Refused("it is signed with another key than this bot's")
        verify(key, seal["value"], _PURPOSE, repository, content.encode())
        return _page([json.loads(line) for line in content.splitlines()])
    except InvalidSignature:
        return Refused("its signature does not fit: it was changed, or written for another repository")
    except ValidationError:
        return Refused("it was written by another version of this program")
    except (ValueError, KeyError, TypeError, IndexError):
        return Refused("it is not a page of the ledger")


def _page(lines: list[dict[str, Any]]) -> Page:
    head, *rest = lines
    if head["kind"] != "pass" or head["version"] != VERSION:
        raise KeyError("version")
    return Page(
        number=head["number"],
        parent=head["parent"],
        owner=head["pass"],
        at=datetime.fromisoformat(head["at"]),
        until=datetime.fromisoformat(head["until"]) if head["until"] else None,
        entries=tuple(_entry().validate_python(line) for line in rest if line["kind"] == "entry"),
        incidents=tuple(_incident(line) for line in rest if line["kind"] == "incident"),
    )


def _incident(line: dict[str, Any]) -> Incident:
    return _body().validate_python({**line["body"], "version": line["version"]})


def _line(value: Mapping[str, object]) -> str:
    # ASCII: payloads may bring lone surrogates, which no encoding takes, and line separators beside \n.
    return json.dumps(value, default=_stamp, separators=(",", ":")) + "\n"


def _stamp(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(type(value).__name__)
    return value.astimezone(UTC).isoformat()


@cache
def _body() -> TypeAdapter[Incident]:
    return TypeAdapter(Incident)


@cache
def _entry() -> TypeAdapter[LedgerEntry]:
    return TypeAdapter(LedgerEntry)
