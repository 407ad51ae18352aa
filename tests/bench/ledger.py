"""How long it takes to check a ledger, beside the hashes and signatures alone.

python -m tests.bench.ledger [--entries N] [--markdown FILE]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gitops_sre.adapters.store import SqlStore
from gitops_sre.delivery.ledger import GENESIS, Flaw, digest, dump, flaw, parsed, sealer
from gitops_sre.delivery.seal import Key
from gitops_sre.ports import LedgerEntry
from gitops_sre.wiring import memory
from tests.bench.page import put

REPOSITORY = "acme/infra"
_BEGAN = datetime(2026, 2, 1, tzinfo=UTC)


def written(count: int, key: Key) -> tuple[LedgerEntry, ...]:
    """A ledger of entries as long as real ones."""
    seal, entries, previous = sealer(key, REPOSITORY), [], GENESIS
    for number in range(1, count + 1):
        detail = json.dumps({"why": "the error ratio is back below 2 % " * 8, "policy": "c0ffee" * 6, "n": number})
        at = _BEGAN + timedelta(seconds=number)
        entry = LedgerEntry(
            number, f"inc-{number // 12:012x}", at, "Judged", "planned", "proposed", detail, previous, ""
        )
        previous = digest(entry)
        entries.append(replace(entry, hash=previous, seal=seal(previous)))
    return tuple(entries)


def seconds(what: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--markdown", type=Path, help="a page to put the table into")
    arguments = parser.parse_args()
    key = Key(Ed25519PrivateKey.generate())
    entries = written(arguments.entries, key)
    store = SqlStore(memory())
    store.restore((), entries)
    lines = [dump(entry) for entry in entries]
    signed = [(key.private.sign(line.encode()), line.encode()) for line in lines]

    def read() -> None:
        told = [entry for entry in parsed(lines) if not isinstance(entry, Flaw)]
        assert flaw(told, key.ring, REPOSITORY) is None

    def floor() -> None:
        for signature, line in signed:
            hashlib.sha256(line)
            key.public.verify(signature, line)

    assert store.verify() is None
    rows = [
        ("a SHA-256 and an Ed25519 check of each line alone", seconds(floor)),
        ("`ledger verify`, of the database", seconds(lambda: flaw(store.ledger(), key.ring, REPOSITORY))),
        ("`ledger verify --file`, of an export", seconds(read)),
        ("the chain of hashes in the database, as `doctor` and each pass check it", seconds(store.verify)),
    ]
    least = rows[0][1]
    table = [f"| {len(entries):,} entries | seconds | beside the first |", "|---|---|---|"]
    table += [f"| {what} | {took:.1f} | {took / least:.2f} |" for what, took in rows]
    print("\n".join(table))
    if arguments.markdown:
        put(arguments.markdown, "ledger", "\n".join(table))


if __name__ == "__main__":
    main()
