"""Whatever the database does is one error with a remedy, and nothing is half written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import create_engine, text

from gitops_sre.adapters.store import SqlStore
from gitops_sre.model.incident import Incident
from gitops_sre.ports import StoreError
from tests import builders as b
from tests.adapters.store.cases import child, moved, run


class TestTrouble:
    """Whatever the database does is one error with a remedy, and nothing is half written."""

    def test_another_schema_version_is_refused(self, store: SqlStore, url: str) -> None:
        run(url, "UPDATE store_schema SET version = 99")
        with pytest.raises(StoreError, match=r"schema version 99, this program speaks 1; use the version that"):
            SqlStore(url)

    def test_a_body_of_something_else_is_named(self, store: SqlStore, url: str) -> None:
        saved = store.save(b.incident())
        for statement in ("UPDATE incidents SET body = '{}'", "UPDATE incidents SET body = 'not JSON'"):
            run(url, statement)
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
        said, _ = child(f"fill({str(file)!r}, {saved.id!r})").communicate()
        assert "free some disk space" in said
        assert store.load(saved.id) == saved
        assert store.verify() is None
        assert store.save(saved, [moved()]).version == 2
        store.close()

    def test_a_killed_writer_leaves_whole_transactions(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'store.db'}"
        SqlStore(url).close()
        writer = child(f"endless({url!r})")
        assert writer.stdout is not None
        for _ in range(20):
            writer.stdout.readline()
        writer.kill()
        writer.communicate()
        store = SqlStore(url)
        loaded = store.load(b.incident().id)
        assert loaded is not None
        assert loaded.version >= 20
        assert len(store.ledger()) == 2 * loaded.version
        assert store.verify() is None
        store.close()


def _use(file: Path, incident: Incident) -> None:
    store = SqlStore(f"sqlite:///{file}")
    try:
        store.load(incident.id)
        store.ledger()
        store.verify()
    finally:
        store.close()
