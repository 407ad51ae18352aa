"""The store, on SQLite and on PostgreSQL: the same promises on both."""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from gitops_sre.adapters.store import DELIVERY_MEMORY, GENESIS, SqlStore, StoreError, digest
from gitops_sre.model.change import Check, ObjectDiff
from gitops_sre.model.change_feed import ChangeRecord, Commit, FieldChange
from gitops_sre.model.diagnosis import Diagnosis, Hypothesis
from gitops_sre.model.evidence import Evidence, Gap
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.outcome import Done, Inconclusive, Refused, Unavailable
from gitops_sre.model.plan import Reading, Sli, VerificationPlan
from gitops_sre.model.target import NoTarget, Target
from gitops_sre.model.verdict import Level, Reason, Verdict
from gitops_sre.model.verification import Assessment, SliJudgement
from gitops_sre.ports import ConflictError, Transition
from tests import builders as b

WORKERS = 3


def _initdb() -> Path | None:
    """PostgreSQL's server tools, of the newest version that Debian has here."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1] if found else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL database: the one named in the environment, or a throw-away cluster on a socket."""
    if url := os.environ.get("GITOPS_SRE_TEST_POSTGRES"):
        yield url
        return
    initdb = _initdb()
    if initdb is None:
        pytest.skip("no PostgreSQL: set GITOPS_SRE_TEST_POSTGRES to a URL or install Debian's postgresql (initdb)")
    # The server refuses to run as root; then nobody runs it. The socket's path must be short.
    person = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    os.chown(folder, person.pw_uid, -1)

    def run(*command: str) -> None:
        user = person.pw_uid if os.geteuid() == 0 else None
        with (folder / "log").open("ab") as log:
            subprocess.run(command, check=True, user=user, cwd="/", stdout=log, stderr=log, env={"LC_ALL": "C"})

    data, bin_ = str(folder / "data"), initdb.parent
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    run(str(initdb), "-D", data, "-U", "tester", "--auth=trust", "--no-sync", "-E", "UTF8")
    run(str(bin_ / "pg_ctl"), "-D", data, "-w", "-o", options, "start")
    yield f"postgresql://tester@/postgres?host={folder}"
    run(str(bin_ / "pg_ctl"), "-D", data, "-w", "-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database: a new SQLite file, a new schema in PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
        return
    base = make_url(request.getfixturevalue("postgres")).set(drivername="postgresql+psycopg")
    name = f"test_{uuid4().hex}"
    engine = create_engine(base)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    engine.dispose()
    yield base.update_query_dict({"options": f"-c search_path={name}"}).render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
    engine.dispose()


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    """A store on an empty database."""
    opened = SqlStore(url)
    yield opened
    opened.close()


def moved(to: str = "investigating", detail: str = "why", at: datetime = b.NOW) -> Transition:
    """A transition into a state."""
    return Transition("Triaged", "received", to, detail, at)


def named(number: int, **changes: object) -> Incident:
    """An incident by number; later ones opened later."""
    return replace(b.incident(), id=f"inc-{number:012d}", opened_at=b.after(number), **changes)  # type: ignore[arg-type]  # a test's choice


def full() -> Incident:
    """An incident with something in every field that it can have."""
    change = FieldChange("apps/x.yaml", 1, ("spec", 0, "image", "0"), None, "v2")
    record = ChangeRecord(Commit("c" * 40, b.NOW, "a", "s", ("f",), ("p" * 40,)), "s", "e", "image", (change,), -1.5)
    hypotheses = (
        Hypothesis("new_deploy", "checkout", 0.9, 0.3, ("errors/checkout",), ("cpu/checkout",), record, refuted=True),
        Hypothesis("no_fault", "checkout", 0.1, 0.7),
    )
    evidence = Evidence("errors/checkout", "errors", "checkout", "high", "5 %", b.NOW, 0.05, None, "ratio", 0.5, "p")
    gap = Gap("logs/checkout", "logs", "checkout", Unavailable("timed out"))
    judgement = SliJudgement("errors", "not_recovered", None, 0.02, 0.3, None, 4, 1.0)
    slis = (Sli("errors", "up", 0.02, "below", "ratio"),)
    readings = (Reading("errors", None), Reading("errors", 1e-300))
    plan = b.plan(verification=VerificationPlan(slis, 1, 2, 3, readings, readings, "sum(x)"))
    outcomes = (Done("n"), Refused("r"), Unavailable("u"), Inconclusive("i"))
    checks = tuple(Check(outcome.kind, outcome) for outcome in outcomes)
    proof = replace(b.proof(), checks=checks, objects=(ObjectDiff("Deployment", "n", "x", "a", ("f",), 3),))
    verdict = Verdict(Level.DENIED, (Reason("r", Level.L3, "t"),), ("alice",), b.SHA)
    pull = b.pull(reviews=(b.review(),), merged_at=b.after(9), state="merged", merge_sha="d" * 40)
    return b.incident(
        State.ESCALATED,
        reason="ünïcode \u202e \x00 \ud800 end",
        severity="page",
        attempt=2,
        refuted=("new_deploy/checkout/abc",),
        diagnosis=Diagnosis(hypotheses, (evidence,), (gap,), "summary"),
        plan=plan,
        proof=proof,
        verdict=verdict,
        record=b.record(verdict=verdict, plan=plan, refuted=("x",)),
        fix=pull,
        revert=b.pull(8),
        merged_at=b.after(9).astimezone(timezone(timedelta(hours=9))),
        live_at=b.after(10).replace(microsecond=123456),
        assessment=Assessment("not_recovered", "worse", (judgement,), worse=True),
        past_pulls=(b.pull(3),),
        reminded=True,
        report_url="https://example.com/1",
        concluded=True,
    )


class TestIncidents:
    """Saved and found again, exactly."""

    def test_nothing_is_there_at_first(self, store: SqlStore) -> None:
        assert store.load("inc-1") is None
        assert store.load("bad\x00\ud800") is None
        assert store.unfinished() == store.recent() == ()
        assert store.ledger() == ()

    def test_every_noun_comes_back_exactly(self, store: SqlStore) -> None:
        saved = store.save(full())
        assert store.load(saved.id) == saved

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


def _child(call: str) -> subprocess.Popen[str]:
    """A process of its own that calls a function of this module."""
    command = [sys.executable, "-c", f"from tests.adapters.test_store import *; {call}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def work(url: str, worker: int) -> None:
    """Open the store, try for the lease and print whether it was got, save an incident of its own several times."""
    store = SqlStore(url, patience=30)
    taken = store.lease("inc-1", f"worker-{worker}", b.after(60), b.NOW)
    incident = named(worker)
    for number in range(10):
        incident = store.save(incident, [moved(detail=f"{number}a"), moved(detail=f"{number}b")])
    store.close()
    print(taken)


class TestProcesses:
    """Several processes on one database, which none of them has opened before."""

    def test_chain_one_ledger_and_share_one_lease(self, url: str) -> None:
        children = [_child(f"work({url!r}, {worker})") for worker in range(WORKERS)]
        taken = [child.communicate()[0].strip() for child in children]
        assert sorted(taken) == ["False"] * (WORKERS - 1) + ["True"]
        store = SqlStore(url)
        assert [entry.sequence for entry in store.ledger()] == list(range(1, 20 * WORKERS + 1))
        assert store.verify() is None
        for worker in range(WORKERS):
            own = [entry.detail for entry in store.ledger(named(worker).id)]
            assert own == [f"{number}{part}" for number in range(10) for part in "ab"]
        store.close()


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
            _run(url, statement)
        assert store.ledger()[0].detail == "why"

    @pytest.mark.parametrize("url", ["postgresql"], indirect=True)
    def test_refuses_truncation(self, store: SqlStore, url: str) -> None:
        with pytest.raises(DBAPIError, match="append-only"):
            _run(url, "TRUNCATE ledger")

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
        _run(url, *_WITHOUT_TRIGGERS[make_url(url).get_backend_name()], statement)
        assert store.verify() == broken


_WITHOUT_TRIGGERS = {
    "sqlite": ("DROP TRIGGER ledger_no_update", "DROP TRIGGER ledger_no_delete"),
    "postgresql": ("ALTER TABLE ledger DISABLE TRIGGER ALL",),
}


def _run(url: str, *statements: str) -> None:
    """Somebody at the database itself."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
    finally:
        engine.dispose()


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


class TestTrouble:
    """Whatever the database does is one error with a remedy, and nothing is half written."""

    def test_another_schema_version_is_refused(self, store: SqlStore, url: str) -> None:
        _run(url, "UPDATE store_schema SET version = 99")
        with pytest.raises(StoreError, match=r"schema version 99, this program speaks 1; use the version that"):
            SqlStore(url)

    def test_a_body_of_something_else_is_named(self, store: SqlStore, url: str) -> None:
        saved = store.save(b.incident())
        for statement in ("UPDATE incidents SET body = '{}'", "UPDATE incidents SET body = 'not JSON'"):
            _run(url, statement)
            with pytest.raises(StoreError, match=f"incident {saved.id} cannot be read"):
                store.load(saved.id)

    def test_a_held_lock_is_an_error_after_patience(self, store: SqlStore, url: str) -> None:
        saved = store.save(b.incident())
        hasty = SqlStore(url, patience=0.2)
        engine = create_engine(url)
        with engine.connect() as connection:
            if url.startswith("sqlite"):
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(text("LOCK TABLE incidents IN EXCLUSIVE MODE"))
            with pytest.raises(StoreError, match=r"lock.*; stop what holds the lock, or try again"):
                hasty.save(saved, [moved()])
            assert hasty.load(saved.id) == saved, "readers go on"
            connection.rollback()
        engine.dispose()
        assert hasty.save(saved, [moved()]).version == 2
        assert len(hasty.ledger()) == 1
        hasty.close()

    def test_a_new_database_can_be_opened_by_many_at_once(self, url: str) -> None:
        assert _open_together(url) == [None] * 8

    @pytest.mark.parametrize("url", ["postgresql"], indirect=True)
    def test_connections_that_the_server_dropped_are_made_again(self, store: SqlStore, url: str) -> None:
        saved = store.save(b.incident())
        engine = create_engine(url)
        with engine.connect() as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            connection.execute(text(f"{others} AND datname = current_database()"))
        engine.dispose()
        assert store.load(saved.id) == saved

    @pytest.mark.parametrize(
        ("bad", "said"),
        [
            ("postgresql://me:secret@127.0.0.1:1/x", "see that the database is up"),
            ("sqlite:////nowhere/at/all.db", "make the folder"),
            ("sqlite://", "not a database that keeps anything"),
            ("mysql://me:secret@host/x", "write sqlite:///FILE or postgresql://"),
            ("what is this", "write sqlite:///FILE or postgresql://"),
        ],
    )
    def test_a_database_that_is_not_there_names_the_remedy(self, bad: str, said: str) -> None:
        with pytest.raises(StoreError, match=said) as caught:
            SqlStore(bad)
        assert "secret" not in str(caught.value)


def _open_together(url: str) -> list[int | None]:
    """Eight threads make and verify a store at the same moment."""
    together = Barrier(8)

    def opened(_: int) -> int | None:
        together.wait()
        store = SqlStore(url)
        try:
            return store.verify()
        finally:
            store.close()

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(opened, range(8)))


class TestSqliteFile:
    """What can happen to a file."""

    def test_new_ones_survive_being_opened_by_many_at_once(self, tmp_path: Path) -> None:
        for number in range(10):
            assert _open_together(f"sqlite:///{tmp_path / f'{number}.db'}") == [None] * 8

    def test_something_else_is_not_overwritten(self, tmp_path: Path) -> None:
        file = tmp_path / "notes.db"
        file.write_bytes(b"my notes, not a database\n" * 100)
        with pytest.raises(StoreError, match="file is not a database; name another file"):
            SqlStore(f"sqlite:///{file}")
        assert file.read_bytes() == b"my notes, not a database\n" * 100

    def test_corruption_is_an_error(self, tmp_path: Path) -> None:
        file = tmp_path / "store.db"
        store = SqlStore(f"sqlite:///{file}")
        incident = store.save(b.incident(), [moved(detail="x" * 50_000)])
        store.close()
        content = file.read_bytes()
        file.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))
        with pytest.raises(StoreError, match="restore a backup or begin a new database"):
            _use(file, incident)

    def test_a_full_disk_is_an_error_and_loses_nothing(self, tmp_path: Path) -> None:
        file = tmp_path / "store.db"
        store = SqlStore(f"sqlite:///{file}")
        saved = store.save(b.incident(), [moved()])
        said, _ = _child(f"fill({str(file)!r}, {saved.id!r})").communicate()
        assert "free some disk space" in said
        assert store.load(saved.id) == saved
        assert store.verify() is None
        assert store.save(saved, [moved()]).version == 2
        store.close()

    def test_a_killed_writer_leaves_whole_transactions(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'store.db'}"
        SqlStore(url).close()
        child = _child(f"endless({url!r})")
        assert child.stdout is not None
        for _ in range(20):
            child.stdout.readline()
        child.kill()
        child.communicate()
        store = SqlStore(url)
        loaded = store.load(b.incident().id)
        assert loaded is not None
        assert loaded.version >= 20
        assert len(store.ledger()) == 2 * loaded.version
        assert store.verify() is None
        store.close()


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


def _use(file: Path, incident: Incident) -> None:
    store = SqlStore(f"sqlite:///{file}")
    try:
        store.load(incident.id)
        store.ledger()
        store.verify()
    finally:
        store.close()


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """One store for many examples."""
    store = SqlStore(f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.db'}")
    yield store
    store.close()


words = st.text(max_size=20) | st.sampled_from(("", "null", "1", "2026-03-01T12:00:00Z", "L4", "\ud800", "\x00"))
moments = st.datetimes(timezones=st.sampled_from((timezone.utc, timezone(timedelta(hours=5, minutes=45)))))  # noqa: UP017
numbers = st.none() | st.floats(allow_nan=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(words, words, max_size=4), words, moments, numbers, st.lists(st.integers() | words, max_size=4))
def test_any_payload_comes_back_exactly(
    one: SqlStore,
    labels: dict[str, str],
    word: str,
    moment: datetime,
    number: float | None,
    path: list[int | str],
) -> None:
    change = FieldChange("f", 0, tuple(path), None, word)
    record = ChangeRecord(Commit(word, moment, word, word, (word,)), word, word, "image", (change,), number or 0.0)
    hypothesis = Hypothesis("new_deploy", word, 1.0, 1.0, change=record)
    evidence = Evidence(word, word, word, "unknown", word, moment, number)
    incident = b.incident(
        id=uuid4().hex,
        alerts=(b.alert(labels=labels, annotations=labels, starts_at=moment),),
        diagnosis=Diagnosis((hypothesis,), (evidence,)),
        reason=word,
        opened_at=moment,
    )
    saved = one.save(incident, [moved(detail=word)])
    assert one.load(saved.id) == saved
