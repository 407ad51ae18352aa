"""The store, on SQLite and on PostgreSQL: the same promises on both."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta, timezone
from typing import get_type_hints
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, make_url

from gitops_sre.adapters.store import DELIVERY_MEMORY, SqlStore
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.servicemap import Baseline, Edge, ServiceMap, Sighting
from gitops_sre.model.target import NoTarget, Target
from gitops_sre.perception.servicemap import of_edges
from gitops_sre.ports import ConflictError
from tests import builders as b
from tests.adapters.store.cases import WORKERS, child, moved, named
from tests.adapters.store.nouns import anything


class TestIncidents:
    """Saved and found again, exactly."""

    def test_nothing_is_there_at_first(self, store: SqlStore) -> None:
        assert store.load("inc-1") is None
        assert store.load("bad\x00\ud800") is None
        assert store.unfinished() == store.recent() == ()
        assert store.ledger() == ()

    @pytest.mark.parametrize("target", [None, NoTarget("two match", "checkout", "x"), b.target()])
    def test_unions_come_back_as_what_they_were(self, store: SqlStore, target: Target | NoTarget | None) -> None:
        saved = store.save(replace(b.incident(), target=target))
        loaded = store.load(saved.id)
        assert loaded is not None
        assert type(loaded.target) is type(target)
        assert loaded == saved

    @pytest.mark.parametrize("state", State)
    def test_every_state_comes_back(self, store: SqlStore, state: State) -> None:
        saved = store.save(b.incident(state))
        assert store.load(saved.id) == saved

    def test_outlives_the_process(self, store: SqlStore, url: str) -> None:
        saved = store.save(b.incident(), [moved()])
        again = SqlStore(url)
        assert again.load(saved.id) == saved
        assert again.ledger() == store.ledger()
        again.close()

    def test_unfinished_are_those_with_something_left_to_do(self, store: SqlStore) -> None:
        pull = b.pull()
        kept = [
            named(2, state=State.SYNCING, fix=pull),
            named(1),
            named(3, state=State.RESOLVED, fix=pull),  # the outcome does not stand on the forge yet
        ]
        ended = [named(4, state=State.RESOLVED, fix=pull, concluded=True), named(5, state=State.DISMISSED)]
        for incident in kept + ended:
            store.save(incident)
        assert [incident.id[-1] for incident in store.unfinished()] == ["1", "2", "3"]

    def test_recent_are_the_newest(self, store: SqlStore) -> None:
        for number in (3, 1, 5, 2, 4):
            store.save(named(number, state=State.DISMISSED))
        assert [incident.id[-1] for incident in store.recent(3)] == ["5", "4", "3"]

    def test_resolved_are_those_that_a_fix_has_ended_the_last_ended_first(self, store: SqlStore) -> None:
        for number, since in ((1, 30), (2, 50), (3, 10), (4, 40)):
            store.save(named(number, state=State.RESOLVED, since=b.after(since)))
        for number, state in enumerate(each for each in State if each is not State.RESOLVED):
            store.save(named(10 + number, state=state))
        again = store.load("inc-000000000004")
        assert again is not None
        store.save(replace(again, state=State.REVERTING))  # somebody has asked for the fix to be taken back
        assert [incident.id[-1] for incident in store.resolved(2)] == ["2", "1"]
        assert [incident.id[-1] for incident in store.resolved()] == ["2", "1", "3"]


class TestCompareAndSwap:
    """Of two who saw the same version, one saves."""

    def test_versions_count_up(self, store: SqlStore) -> None:
        first = store.save(b.incident())
        second = store.save(replace(first, reason="x"))
        assert (first.version, second.version) == (1, 2)
        assert store.load(first.id) == second

    def test_a_stale_version_conflicts_and_writes_nothing(self, store: SqlStore) -> None:
        first = store.save(b.incident(), [moved()])
        second = store.save(first)
        for stale in (first, replace(first, version=0), replace(first, version=7)):
            with pytest.raises(ConflictError, match=first.id):
                store.save(replace(stale, reason="stale"), [moved("diagnosed")])
        assert store.load(first.id) == second
        assert len(store.ledger()) == 1

    def test_a_version_of_nothing_conflicts(self, store: SqlStore) -> None:
        with pytest.raises(ConflictError):
            store.save(replace(b.incident(), version=3))

    def test_threads_lose_no_update(self, store: SqlStore) -> None:
        store.save(b.incident())
        with ThreadPoolExecutor(WORKERS) as pool:
            won = list(pool.map(lambda worker: _race(store, worker), range(WORKERS)))
        loaded = store.load(b.incident().id)
        assert loaded is not None
        assert loaded.version == 1 + sum(won)
        assert [entry.sequence for entry in store.ledger()] == list(range(1, sum(won) + 1))
        assert store.verify() is None


def _race(store: SqlStore, worker: int, times: int = 5) -> int:
    """Save until it has succeeded some times; how often it did."""
    won = 0
    while won < times:
        incident = store.load(b.incident().id)
        assert incident is not None
        with suppress(ConflictError):
            store.save(replace(incident, reason=f"{worker}"), [moved(detail=f"{worker}/{won}")])
            won += 1
    return won


class TestProcesses:
    """Several processes on one database, which none of them has opened before."""

    def test_chain_one_ledger_and_share_one_lease(self, url: str) -> None:
        children = [child(f"work({url!r}, {worker})") for worker in range(WORKERS)]
        taken = [child.communicate()[0].strip() for child in children]
        assert sorted(taken) == ["False"] * (WORKERS - 1) + ["True"]
        store = SqlStore(url)
        assert [entry.sequence for entry in store.ledger()] == list(range(1, 20 * WORKERS + 1))
        assert store.verify() is None
        for worker in range(WORKERS):
            own = [entry.detail for entry in store.ledger(named(worker).id)]
            assert own == [f"{number}{part}" for number in range(10) for part in "ab"]
        store.close()


class TestLeases:
    """One holder at a time."""

    def test_is_held_until_it_runs_out(self, store: SqlStore) -> None:
        assert store.lease("inc-1", "a", b.after(60), b.NOW)
        assert not store.lease("inc-1", "b", b.after(90), b.after(59))
        assert store.lease("inc-2", "b", b.after(90), b.after(59))
        assert store.lease("inc-1", "b", b.after(120), b.after(60))
        assert not store.lease("inc-1", "a", b.after(120), b.after(61)), "a was paused: it learns that it lost"

    def test_is_renewed_by_its_owner(self, store: SqlStore) -> None:
        assert store.lease("inc-1", "a", b.after(60), b.NOW)
        assert store.lease("inc-1", "a", b.after(120), b.after(30))
        assert not store.lease("inc-1", "b", b.after(200), b.after(100))

    def test_is_given_back_by_its_owner_only(self, store: SqlStore) -> None:
        store.lease("inc-1", "a", b.after(60), b.NOW)
        store.release("inc-1", "b")
        assert not store.lease("inc-1", "b", b.after(60), b.NOW)
        store.release("inc-1", "a")
        store.release("inc-1", "a")
        assert store.lease("inc-1", "b", b.after(60), b.NOW)

    def test_times_compare_whatever_their_zone(self, store: SqlStore) -> None:
        zone = timezone(timedelta(hours=-8))
        assert store.lease("inc-1", "a", b.after(60).astimezone(zone), b.NOW)
        assert not store.lease("inc-1", "b", b.after(90), b.after(30))


class TestDeliveries:
    """A replay is known."""

    def test_is_new_once(self, store: SqlStore) -> None:
        assert not store.seen("guid-1", b.NOW)
        assert store.seen("guid-1", b.after(5))
        assert not store.seen("guid-2", b.after(5))
        assert not store.seen("x" * 100_000 + "\x00\ud800", b.NOW)

    def test_is_forgotten_in_the_end(self, store: SqlStore, url: str) -> None:
        store.seen("old", b.NOW)
        store.seen("younger", b.NOW + timedelta(days=1))
        assert not store.seen("new", b.NOW + DELIVERY_MEMORY + timedelta(seconds=1))
        assert store.seen("younger", b.NOW + DELIVERY_MEMORY)
        assert not store.seen("old", b.NOW + DELIVERY_MEMORY)

    def test_of_many_at_once_one_is_new(self, store: SqlStore) -> None:
        with ThreadPoolExecutor(WORKERS) as pool:
            answers = list(pool.map(lambda _: store.seen("guid", b.NOW), range(16)))
        assert answers.count(False) == 1


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """One store for many examples."""
    store = SqlStore(f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.db'}")
    yield store
    store.close()


FIELDS = {name: kind for name, kind in get_type_hints(Incident).items() if name not in ("id", "version")}


@pytest.mark.parametrize("name", FIELDS)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_every_noun_comes_back_exactly(one: SqlStore, name: str, data: st.DataObject) -> None:
    value = data.draw(anything(FIELDS[name]))
    saved = one.save(replace(b.incident(), id=uuid4().hex, **{name: value}))
    loaded = one.load(saved.id)
    assert loaded == saved
    assert type(getattr(loaded, name)) is type(value)


class TestServiceMaps:
    """A memory of who calls whom, which may be lost."""

    KNOWN = of_edges(
        [
            Edge("web", "cart", (Sighting("traces", 0.99, 5.5, Baseline(5.5, 0.1, None, 0.0, "median")),)),
            Edge("web\ud800\x00", "cart", (Sighting("mesh", 0.98, 5.5),)),
        ]
    )

    def test_each_environment_has_its_own_and_the_last_one_stays(self, store: SqlStore, url: str) -> None:
        assert store.service_map("prod") == ServiceMap()
        store.keep_service_map("prod", ServiceMap(), b.NOW)
        store.keep_service_map("prod", self.KNOWN, b.NOW)
        again = SqlStore(url)
        assert again.service_map("prod") == self.KNOWN
        assert again.service_map("dev") == ServiceMap()
        again.close()

    def test_an_environment_may_be_called_anything(self, store: SqlStore) -> None:
        name = "\x00\ud800" + "x" * 300
        store.keep_service_map(name, self.KNOWN, b.NOW)
        assert store.service_map(name) == self.KNOWN

    def test_what_cannot_be_read_is_forgotten(self, store: SqlStore, url: str) -> None:
        store.keep_service_map("prod", self.KNOWN, b.NOW)
        _sql(url, "UPDATE service_maps SET body = '{\"edges\": 7}'")
        assert store.service_map("prod") == ServiceMap()

    def test_a_database_from_before_there_were_maps_gets_them(self, store: SqlStore, url: str) -> None:
        saved = store.save(b.incident())
        store.close()
        _sql(url, "DROP TABLE service_maps")
        again = SqlStore(url)
        again.keep_service_map("prod", self.KNOWN, b.NOW)
        assert (again.load(saved.id), again.service_map("prod")) == (saved, self.KNOWN)
        again.close()


def _sql(url: str, statement: str) -> None:
    made = make_url(url)
    engine = create_engine(made if made.drivername == "sqlite" else made.set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
