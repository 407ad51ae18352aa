"""The ledger: append-only, chained, and honest about what was changed behind its back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from gitops_sre.adapters.store import SqlStore
from gitops_sre.delivery.ledger import GENESIS, digest, flaw, sealer
from gitops_sre.delivery.seal import Key
from tests import builders as b
from tests.adapters.store.cases import moved, named, run

KEY = Key(Ed25519PrivateKey.generate())


class TestLedger:
    """Append-only and chained."""

    def test_keeps_what_happened_in_order(self, store: SqlStore) -> None:
        tokyo = b.after(1).astimezone(timezone(timedelta(hours=9)))
        saved = store.save(b.incident(), [moved(), moved("diagnosed", "", tokyo)])
        store.save(named(9), [moved(detail="other\x00\ud800")])
        first, second, third = store.ledger()
        assert (first.sequence, first.previous, first.event, first.target) == (1, GENESIS, "Triaged", "investigating")
        assert (second.previous, second.at, third.previous) == (first.hash, b.after(1), second.hash)
        assert third.detail == "other\ufffd\ufffd"
        assert store.ledger(saved.id) == (first, second)
        assert store.verify() is None

    def test_the_hash_is_over_previous_and_content(self, store: SqlStore) -> None:
        store.save(b.incident(), [moved()])
        (entry,) = store.ledger()
        assert entry.hash == digest(entry)
        for changed in (
            replace(entry, sequence=2),
            replace(entry, incident="x"),
            replace(entry, at=b.after(1e-6)),
            replace(entry, event="x"),
            replace(entry, source="x"),
            replace(entry, target="x"),
            replace(entry, detail="x"),
            replace(entry, previous="1" * 64),
        ):
            assert digest(changed) != entry.hash

    @pytest.mark.parametrize("statement", ["UPDATE ledger SET detail = 'x'", "DELETE FROM ledger"])
    def test_refuses_changes(self, store: SqlStore, url: str, statement: str) -> None:
        store.save(b.incident(), [moved()])
        with pytest.raises(DBAPIError, match="append-only"):
            run(url, statement)
        assert store.ledger()[0].detail == "why"

    @pytest.mark.parametrize("url", ["postgresql"], indirect=True)
    def test_refuses_truncation(self, store: SqlStore, url: str) -> None:
        with pytest.raises(DBAPIError, match="append-only"):
            run(url, "TRUNCATE ledger")

    @pytest.mark.parametrize(
        ("statement", "broken"),
        [
            ("UPDATE ledger SET detail = 'x' WHERE sequence = 3", 3),
            ("UPDATE ledger SET incident = 'x' WHERE sequence = 1", 1),
            ("UPDATE ledger SET at = 'yesterday' WHERE sequence = 2", 2),
            ("UPDATE ledger SET hash = previous WHERE sequence = 4", 4),
            ("DELETE FROM ledger WHERE sequence = 2", 2),
            ("DELETE FROM ledger WHERE sequence = 1", 1),
            ("UPDATE ledger SET sequence = 9 WHERE sequence = 4", 4),
        ],
    )
    def test_shows_what_was_changed_past_the_triggers(
        self, store: SqlStore, url: str, statement: str, broken: int
    ) -> None:
        store.save(b.incident(), [moved(detail=str(number)) for number in range(4)])
        store.save(named(1), [moved(detail="last")])
        assert store.verify() is None
        run(url, *_WITHOUT_TRIGGERS[make_url(url).get_backend_name()], statement)
        assert store.verify() == broken


class TestNotes:
    """Entries that are about no incident, and looking for kinds of entries."""

    def test_stand_in_the_one_chain_and_are_found_by_their_kind(self, store: SqlStore) -> None:
        store.save(b.incident(), [moved()])
        store.note("autonomy", replace(moved(detail="why"), event="AutonomyReset"))
        store.save(named(9), [moved()])
        assert store.verify() is None
        (entry,) = store.ledger(events={"AutonomyReset", "NeverHeardOf"})
        assert (entry.sequence, entry.incident, entry.detail) == (2, "autonomy", "why")
        assert store.ledger("autonomy") == (entry,)
        assert store.ledger("autonomy", {"NeverHeardOf"}) == ()
        assert len(store.ledger()) == 3


class TestSeals:
    """Signatures beside the entries."""

    def test_each_entry_is_signed_by_who_adds_it(self, url: str) -> None:
        store = SqlStore(url, sealed=sealer(KEY, "acme/infra"))
        store.save(b.incident(), [moved(), moved("diagnosed")])
        store.save(named(9), [moved()])
        assert len({entry.seal for entry in store.ledger()}) == 3
        assert flaw(store.ledger(), KEY.ring, "acme/infra") is None
        store.close()

    def test_a_ledger_from_before_there_were_signatures_goes_on_with_them(self, store: SqlStore, url: str) -> None:
        store.save(b.incident(), [moved()])
        run(url, "DROP TABLE ledger_seals")
        later = SqlStore(url, sealed=sealer(KEY, "acme/infra"))
        later.save(named(9), [moved()])
        old, new = later.ledger()
        assert (old.seal, bool(new.seal), later.verify()) == ("", True, None)
        assert flaw(later.ledger(), KEY.ring, "acme/infra") is None
        later.close()

    @pytest.mark.parametrize("statement", ["UPDATE ledger_seals SET seal = 'x'", "DELETE FROM ledger_seals"])
    def test_they_are_append_only_too(self, url: str, statement: str) -> None:
        store = SqlStore(url, sealed=sealer(KEY, "acme/infra"))
        store.save(b.incident(), [moved()])
        with pytest.raises(DBAPIError, match="append-only"):
            run(url, statement)
        store.close()


_WITHOUT_TRIGGERS = {
    "sqlite": ("DROP TRIGGER ledger_no_update", "DROP TRIGGER ledger_no_delete"),
    "postgresql": ("ALTER TABLE ledger DISABLE TRIGGER ALL",),
}
