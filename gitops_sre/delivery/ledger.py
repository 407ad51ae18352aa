"""The audit ledger as text that anybody can check: entries chained by hash, each hash signed by the bot.

A line of an export is one entry as a JSON object, keys in the order of the entry's fields, without spaces, ASCII:

    {"sequence":1,"incident":"inc-...","at":"2026-11-03T02:40:00.000000Z","event":"Alerts","source":"...","target":"...",
     "detail":"{...}","previous":"000...","hash":"9f2...","seal":"KEY.base64url"}

`hash` is SHA-256 over the previous hash and everything else (`digest`); `seal` is the signing key's id and an Ed25519
signature over the hash. A chain alone shows what was changed without being computed anew, the seals show it even then.
What neither can show is an end that was cut off: a head that was noted elsewhere does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gitops_sre.delivery.seal import Key, sign, verify
from gitops_sre.ports import LedgerEntry

GENESIS = "0" * 64
"""What the first entry names as its predecessor's hash."""
_PURPOSE = "gitops-sre entry 1"
_FIELDS = tuple(field.name for field in fields(LedgerEntry))

Sealer = Callable[[str], str]
"""A hash -> the seal of the entry that has it."""


@dataclass(frozen=True)
class Flaw:
    """The first place at which a ledger is not what the bot wrote. `sequence` counts from 1, as an export's lines."""

    sequence: int
    what: str


def stamp(at: datetime) -> str:
    """UTC, fixed width: sorts as text as it does in time."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def digest(entry: LedgerEntry) -> str:
    """The entry's hash: SHA-256, hex, over a JSON array of the previous hash and every other field in their order;
    the time as ISO 8601 in UTC with microseconds; ASCII, no spaces. Anybody can recompute it."""
    place = (entry.previous, entry.sequence, entry.incident, stamp(entry.at))
    content = (*place, entry.event, entry.source, entry.target, entry.detail)
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode("ascii")).hexdigest()


def sealer(key: Key, repository: str) -> Sealer:
    """Seals entries of one repository's ledger."""
    return lambda digested: f"{key.id}.{sign(key, _PURPOSE, repository, digested.encode())}"


def flaw(
    entries: Iterable[LedgerEntry], keys: Mapping[str, Ed25519PublicKey] | None = None, repository: str = ""
) -> Flaw | None:
    """Walk a whole ledger from its first entry: where it is broken first, None when it is whole.

    With `keys` (by id) every entry from the first sealed one on must be sealed by one of them, and the last one must
    be: only what was written before there were seals may lack them.
    """
    previous, expected, sealed = GENESIS, 1, False
    for entry in entries:
        wrong = _chained(entry, expected, previous)
        if not wrong and keys is not None and (entry.seal or sealed):
            wrong, sealed = _sealed(entry, keys, repository), True
        if wrong:
            return Flaw(expected, wrong)
        previous, expected = entry.hash, expected + 1
    if keys is not None and expected > 1 and not sealed:
        return Flaw(1, "no entry is signed")
    return None


def _chained(entry: LedgerEntry, expected: int, previous: str) -> str:
    if entry.sequence != expected:
        return f"entry {entry.sequence} stands here: entries are missing, or were put in another order"
    if entry.previous != previous:
        return "it does not follow the entry before it"
    return "" if digest(entry) == entry.hash else "its content was changed"


def _sealed(entry: LedgerEntry, keys: Mapping[str, Ed25519PublicKey], repository: str) -> str:
    name, _, signature = entry.seal.partition(".")
    if name not in keys:
        return f"it is signed by the unknown key {name[:32]!r}" if entry.seal else "it is not signed"
    try:
        verify(keys[name], signature, _PURPOSE, repository, entry.hash.encode())
    except (InvalidSignature, ValueError):
        return "its signature does not fit"
    return ""


def dump(entry: LedgerEntry) -> str:
    """An entry as a line, without its end."""
    return json.dumps({**vars(entry), "at": stamp(entry.at)}, separators=(",", ":"))


def parsed(lines: Iterable[str]) -> Iterator[LedgerEntry | Flaw]:
    """Entries of an export; ends with a Flaw at the first line that is not exactly one."""
    for number, line in enumerate(lines, 1):
        text = line.removesuffix("\n")
        entry = _parsed(text)
        if entry is None or dump(entry) != text:
            yield Flaw(number, "it is not a line as `ledger export` writes it")
            return
        yield entry


def _parsed(text: str) -> LedgerEntry | None:
    try:
        loaded = json.loads(text)
        if tuple(loaded) != _FIELDS or not all(isinstance(loaded[n], int if n == "sequence" else str) for n in _FIELDS):
            return None
        return LedgerEntry(**{**loaded, "at": datetime.fromisoformat(loaded["at"])})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
