"""The ledger as text that an auditor checks: whatever is changed in a copy is found, and where."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gitops_sre.delivery.ledger import GENESIS, Flaw, Sealer, digest, dump, flaw, parsed, sealer
from gitops_sre.delivery.seal import Key
from gitops_sre.ports import LedgerEntry
from tests.delivery.sample import T0

KEY = Key(Ed25519PrivateKey.generate())
REPOSITORY = "acme/infra"


def written(count: int = 12, seal: Sealer | None = None) -> list[LedgerEntry]:
    """A ledger as a store writes it."""
    seal = seal or sealer(KEY, REPOSITORY)
    entries: list[LedgerEntry] = []
    for number in range(1, count + 1):
        detail = json.dumps({"why": f"because of {number} “ü” \t"}, ensure_ascii=False)
        previous = entries[-1].hash if entries else GENESIS
        at = T0 + timedelta(seconds=number)
        entry = LedgerEntry(number, f"inc-{number % 3}", at, "Judged", "planned", "proposed", detail, previous, "")
        hashed = digest(entry)
        entries.append(replace(entry, hash=hashed, seal=seal(hashed)))
    return entries


def rechained(entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """What somebody without the key can do: number and hash everything anew."""
    found: list[LedgerEntry] = []
    for number, each in enumerate(entries, 1):
        moved = replace(each, sequence=number, previous=found[-1].hash if found else GENESIS)
        found.append(replace(moved, hash=digest(moved)))
    return found


def checked(text: str) -> Flaw | None:
    """An export, checked as the command does it."""
    entries: list[LedgerEntry] = []
    for each in parsed(text.splitlines(keepends=True)):
        if isinstance(each, Flaw):
            return each
        entries.append(each)
    return flaw(entries, KEY.ring, REPOSITORY)


def text_of(entries: Sequence[LedgerEntry]) -> str:
    return "".join(f"{dump(entry)}\n" for entry in entries)


def test_what_was_written_is_whole_and_comes_back_from_its_export() -> None:
    entries = written()
    assert flaw(entries, KEY.ring, REPOSITORY) is None
    assert list(parsed(text_of(entries).splitlines())) == entries
    assert flaw([], KEY.ring, REPOSITORY) is None


def test_any_character_that_is_changed_is_found_in_its_line() -> None:
    entries, rng = written(6), random.Random(1)
    text = text_of(entries)
    line = 1
    for place, char in enumerate(text):
        if char == "\n":
            line += 1
            continue
        other = rng.choice([c for c in map(chr, range(32, 127)) if c != char])
        found = checked(text[:place] + other + text[place + 1 :])
        assert found is not None, (place, char, other)
        assert found.sequence == line, (place, char, other, found)


@pytest.mark.parametrize("again", [False, True], ids=["as it is", "computed anew"])
@pytest.mark.parametrize("seed", range(40))
def test_an_entry_that_is_dropped_swapped_doubled_or_forged_is_found_there(seed: int, again: bool) -> None:
    rng, entries = random.Random(seed), written()
    kind, place = rng.choice(["drop", "swap", "double", "edit", "forge"]), rng.randrange(len(entries) - 1)
    changed = list(entries)
    if kind == "drop":
        del changed[place]
    elif kind == "swap":
        changed[place], changed[place + 1] = changed[place + 1], changed[place]
    elif kind == "double":
        changed.insert(place + 1, changed[place])
        place += 1
    elif kind == "edit":
        changed[place] = replace(changed[place], detail='{"why":"nothing happened"}')
    else:
        changed[place] = replace(changed[place], target="resolved", seal="")
    if again:
        changed = rechained(changed)
    found = flaw(changed, KEY.ring, REPOSITORY)
    # Without its signature the first entry could be one from before there were signatures, until the second is seen.
    place += kind == "forge" and again and place == 0
    assert found is not None
    assert found.sequence == place + 1


def test_computed_anew_by_another_key_or_for_another_repository_it_is_refused() -> None:
    other = Key(Ed25519PrivateKey.generate())
    found = flaw(written(seal=sealer(other, REPOSITORY)), KEY.ring, REPOSITORY)
    assert found is not None
    assert "unknown key" in found.what
    found = flaw(written(seal=sealer(KEY, "acme/other")), KEY.ring, REPOSITORY)
    assert found == Flaw(1, "its signature does not fit")


def test_only_what_is_older_than_the_first_signature_may_lack_one() -> None:
    entries = written()
    old = [replace(entry, seal="") for entry in entries[:5]]
    assert flaw([*old, *entries[5:]], KEY.ring, REPOSITORY) is None
    assert flaw([*entries[:5], replace(entries[5], seal=""), *entries[6:]], KEY.ring, REPOSITORY) == Flaw(
        6, "it is not signed"
    )
    assert flaw([*entries[:-1], replace(entries[-1], seal="")], KEY.ring, REPOSITORY) == Flaw(12, "it is not signed")
    assert flaw([replace(entry, seal="") for entry in entries], KEY.ring, REPOSITORY) == Flaw(1, "no entry is signed")


def test_what_is_older_cannot_be_changed_under_later_signatures() -> None:
    entries = [replace(entry, seal="") if entry.sequence <= 5 else entry for entry in written()]
    changed = rechained([replace(entries[0], detail="{}"), *entries[1:]])
    found = flaw(changed, KEY.ring, REPOSITORY)
    assert found == Flaw(6, "its signature does not fit")


@pytest.mark.parametrize("line", ["", "[]", "null", "{}", '{"sequence":1}', "[" * 100_000, "\ud800"])
def test_what_is_no_line_of_an_export_is_a_flaw(line: str) -> None:
    assert list(parsed([line])) == [Flaw(1, "it is not a line as `ledger export` writes it")]
