"""The store on SQLAlchemy: one SQLite file, or PostgreSQL to share it between processes on several machines.

It holds what would be a nuisance to find again: incidents as they stand, the ledger, leases, webhook deliveries,
service maps. It fails closed: whatever is wrong with the database becomes one StoreError, and nothing is half written.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import (
    Connection,
    Engine,
    Row,
    Select,
    Table,
    create_engine,
    delete,
    desc,
    event,
    func,
    insert,
    inspect,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError

from gitops_sre.adapters.store.rows import BODY, row_of
from gitops_sre.adapters.store.tables import (
    DELIVERIES,
    INCIDENTS,
    LEASES,
    LEDGER,
    MAPS,
    META,
    SCHEMA,
    SEALS,
    VERSION,
    append_only,
)
from gitops_sre.delivery.ledger import GENESIS, Sealer, digest, flaw, stamp
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.servicemap import ServiceMap
from gitops_sre.ports import ConflictError, LedgerEntry, StoreError, Transition
from gitops_sre.redact import redact

DELIVERY_MEMORY = timedelta(days=30)
"""How long a webhook delivery is remembered; GitHub offers redelivery for three days."""

_SETUP_LOCK = 7_305_519_264_551
"""PostgreSQL advisory lock while tables are made; any number that nobody else uses."""

_MAP: TypeAdapter[ServiceMap] = TypeAdapter(ServiceMap)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class SqlStore:
    """ports.Store. Safe for threads, processes and, on PostgreSQL, machines."""

    def __init__(self, url: str, *, sealed: Sealer | None = None, patience: float = 10.0) -> None:
        """Open the database and make its tables when it is new. `sealed` signs what is added to the ledger;
        `patience`: seconds to wait for a lock or a connection. Raises StoreError."""
        self._sealed = sealed
        self._url = _parsed(url)
        self._engine = _engine(self._url, patience)
        self._writing = self._engine.execution_options(writing=True)
        try:
            self._prepare()
        except StoreError:
            self.close()
            raise

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    def load(self, incident: str) -> Incident | None:
        """One incident. Raises StoreError, also when its body was written by something else."""
        if _UNSTORABLE.search(incident):
            return None
        with self._reads() as connection:
            row = connection.execute(select(INCIDENTS).where(INCIDENTS.c.id == incident)).one_or_none()
        return None if row is None else self._thawed(row)

    def unfinished(self) -> tuple[Incident, ...]:
        """Incidents that need looking at, oldest first: not terminal, or the outcome does not stand on the forge."""
        query = select(INCIDENTS).where(INCIDENTS.c.finished.is_(False))
        with self._reads() as connection:
            rows = connection.execute(query.order_by(INCIDENTS.c.opened_at, INCIDENTS.c.id)).all()
        return tuple(self._thawed(row) for row in rows)

    def recent(self, limit: int = 100) -> tuple[Incident, ...]:
        """The newest incidents by opening time, any state, newest first."""
        order = (desc(INCIDENTS.c.opened_at), INCIDENTS.c.id)
        with self._reads() as connection:
            rows = connection.execute(select(INCIDENTS).order_by(*order).limit(limit)).all()
        return tuple(self._thawed(row) for row in rows)

    def resolved(self, limit: int = 100) -> tuple[Incident, ...]:
        """The incidents that ended last with the SLO recovered and the fix standing, newest first."""
        query = select(INCIDENTS).where(INCIDENTS.c.state == State.RESOLVED.value)
        with self._reads() as connection:
            rows = connection.execute(query.order_by(desc(INCIDENTS.c.since), INCIDENTS.c.id).limit(limit)).all()
        return tuple(self._thawed(row) for row in rows)

    def save(self, incident: Incident, transitions: Iterable[Transition] = ()) -> Incident:
        """Compare-and-swap on `version` (0: insert) and append the ledger entries, in one transaction.

        Returns the incident with its new version. Raises ConflictError when somebody saved in between, StoreError.
        """
        after = replace(incident, version=incident.version + 1)
        with self._writes() as connection:
            _swap(connection, after)
            _append(connection, after.id, tuple(transitions), self._sealed)
        return after

    def ledger(self, incident: str = "", events: Collection[str] = ()) -> tuple[LedgerEntry, ...]:
        """Ledger entries in order, of one incident or all, of some events or all."""
        query = _sealed_ledger()
        if incident:
            query = query.where(LEDGER.c.incident == incident)
        if events:
            query = query.where(LEDGER.c.event.in_(events))
        with self._reads() as connection:
            return tuple(_entry(row) for row in connection.execute(query))

    def note(self, subject: str, transition: Transition) -> None:
        """Append a ledger entry that is about no incident. Raises StoreError."""
        with self._writes() as connection:
            _append(connection, subject, (transition,), self._sealed)

    def verify(self) -> int | None:
        """Walk the hash chain: the first sequence number where it is broken (an entry changed, missing or out of
        order), None when it is whole. Entries cut off at the end cannot be seen from inside."""
        with self._reads() as connection:
            query = _sealed_ledger().execution_options(yield_per=1000)
            with connection.execute(query) as rows:
                found = flaw(_entry(row) for row in rows)
        return None if found is None else found.sequence

    def restore(self, incidents: Sequence[Incident], entries: Sequence[LedgerEntry]) -> None:
        """Put all of these in as they are, versions and hashes too, into an empty store. Raises StoreError."""
        with self._writes() as connection:
            for incident in incidents:
                connection.execute(insert(INCIDENTS).values(row_of(incident)))
            for entry in entries:
                _add(connection, entry)

    def lease(self, name: str, owner: str, until: datetime, now: datetime) -> bool:
        """Take a lease that is free or has run out, or renew one's own; False while somebody else holds it.

        A holder that was paused past its `until` finds out when it renews or when `save` raises ConflictError.
        """
        free = or_(LEASES.c.owner == owner, LEASES.c.until <= stamp(now))
        values = {"owner": owner, "until": stamp(until)}
        with self._guarded():
            try:
                with self._writing.begin() as connection:
                    taken = connection.execute(update(LEASES).where(LEASES.c.name == name, free).values(values))
                    if taken.rowcount == 0:
                        connection.execute(insert(LEASES).values(name=name, **values))
            except IntegrityError:
                return False
        return True

    def release(self, name: str, owner: str) -> None:
        """Give a lease back; somebody else's is left alone."""
        with self._writes() as connection:
            connection.execute(delete(LEASES).where(LEASES.c.name == name, LEASES.c.owner == owner))

    def service_map(self, environment: str) -> ServiceMap:
        """The map of an environment; an empty one where there is none that this program can read: it is only a
        memory, and the next incident draws it anew."""
        query = select(MAPS.c.body).where(MAPS.c.environment == _named(environment))
        with self._reads() as connection:
            body = connection.execute(query).scalar_one_or_none()
        try:
            return ServiceMap() if body is None else _MAP.validate_python(json.loads(body))
        except ValueError:
            return ServiceMap()

    def keep_service_map(self, environment: str, known: ServiceMap, at: datetime) -> None:
        """Put a map in the place of the one before; the one that somebody else keeps just now may stay instead."""
        values = {"at": stamp(at), "body": json.dumps(_MAP.dump_python(known))}
        name = _named(environment)
        with self._guarded(), suppress(IntegrityError), self._writing.begin() as connection:
            if connection.execute(update(MAPS).where(MAPS.c.environment == name).values(values)).rowcount == 0:
                connection.execute(insert(MAPS).values(environment=name, **values))

    def seen(self, delivery: str, at: datetime) -> bool:
        """Remember a webhook delivery id; True when it had been seen in the last DELIVERY_MEMORY."""
        digest = hashlib.sha256(delivery.encode("utf-8", "surrogatepass")).hexdigest()
        with self._guarded():
            try:
                with self._writing.begin() as connection:
                    connection.execute(delete(DELIVERIES).where(DELIVERIES.c.at < stamp(at - DELIVERY_MEMORY)))
                    connection.execute(insert(DELIVERIES).values(digest=digest, at=stamp(at)))
            except IntegrityError:
                return True
        return False

    def _prepare(self) -> None:
        """Make the tables of a new database, by one process at a time; refuse another schema version."""
        with self._writes() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_SETUP_LOCK)))
            if not inspect(connection).has_table(SCHEMA.name):
                META.create_all(connection)
                _protect(connection, LEDGER, SEALS)
                connection.execute(insert(SCHEMA).values(version=VERSION))
            # Came later than the others; a program that does not know them has no use for them.
            MAPS.create(connection, checkfirst=True)
            if not inspect(connection).has_table(SEALS.name):
                SEALS.create(connection)
                _protect(connection, SEALS)
            found = connection.execute(select(SCHEMA.c.version)).scalar_one()
        if found != VERSION:
            what = f"{self._name} has schema version {found}, this program speaks {VERSION}"
            raise StoreError(
                f"{what}; use the version that wrote it, or a new database: unfinished work is found again"
            )

    @contextmanager
    def _reads(self) -> Iterator[Connection]:
        with self._guarded(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _writes(self) -> Iterator[Connection]:
        with self._guarded(), self._writing.begin() as connection:
            yield connection

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Everything that a database can do to us is a StoreError. Messages hold no password."""
        try:
            yield
        except SQLAlchemyError as error:
            cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
            what = " ".join(str(cause).split())
            raise StoreError(f"{self._name}: {what}; {_remedy(what)}") from error

    @property
    def _name(self) -> str:
        return self._url.render_as_string(hide_password=True)

    def _thawed(self, row: Row[tuple[object, ...]]) -> Incident:
        """An incident from its row."""
        try:
            return replace(BODY.validate_python(json.loads(row.body)), version=row.version)
        except (ValidationError, ValueError) as error:
            what = str(error).partition("\n")[0]
            remedy = "restore a backup or begin a new database: unfinished work is found again on the forge"
            raise StoreError(f"{self._name}: incident {row.id} cannot be read ({what}); {remedy}") from error


def _parsed(url: str) -> URL:
    """The URL with the driver that we ship. Raises StoreError."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError("the database URL cannot be read; write sqlite:///FILE or postgresql://...") from error
    kind = parsed.get_backend_name()
    if kind in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if kind == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    name = parsed.render_as_string(hide_password=True)
    raise StoreError(f"{name} is not a database that keeps anything; write sqlite:///FILE or postgresql://...")


def _engine(url: URL, patience: float) -> Engine:
    if url.get_backend_name() == "postgresql":
        limit = max(1, round(patience))
        options = f"{url.query.get('options', '')} -c lock_timeout={limit}s".strip()
        query = {**url.query, "options": options, "connect_timeout": str(max(2, limit))}
        return create_engine(url.set(query=query), pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": patience})
    event.listen(engine, "connect", lambda connection, _: _connected(connection, patience))
    event.listen(engine, "begin", _begun)
    return engine


def _connected(connection: DBAPIConnection, patience: float) -> None:
    """SQLite, each connection: readers beside one writer, and every commit on disk before it counts."""
    connection.isolation_level = None  # the driver's own transactions begin too late: see _begun
    deadline = monotonic() + patience
    with closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA synchronous=FULL")
        while not _wal(cursor):
            # SQLite's own waiting does not cover the switch of a new file that several processes open at once.
            if monotonic() > deadline:
                raise sqlite3.OperationalError("database is locked")
            sleep(0.01)


def _wal(cursor: DBAPICursor) -> bool:
    """Whether the file is in write-ahead mode now."""
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def _begun(connection: Connection) -> None:
    """A writer takes SQLite's write lock at its beginning: a lock that is upgraded later fails instead of waiting."""
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _swap(connection: Connection, after: Incident) -> None:
    """Insert the first version, or replace exactly the one before."""
    row = row_of(after)
    if after.version > 1:
        expected = (INCIDENTS.c.id == after.id, INCIDENTS.c.version == after.version - 1)
        swapped = connection.execute(update(INCIDENTS).where(*expected).values(row)).rowcount == 1
    else:
        swapped = _inserted(connection, row)
    if not swapped:
        raise ConflictError(f"incident {after.id} was saved by somebody else after version {after.version - 1}")


def _inserted(connection: Connection, row: Mapping[str, object]) -> bool:
    try:
        connection.execute(insert(INCIDENTS).values(row))
    except IntegrityError:
        return False
    return True


def _append(connection: Connection, incident: str, transitions: tuple[Transition, ...], sealed: Sealer | None) -> None:
    """Chain entries to the ledger's end, one writer at a time (SQLite: the transaction already is)."""
    if not transitions:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE ledger IN EXCLUSIVE MODE"))
    last = connection.execute(select(LEDGER.c.sequence, LEDGER.c.hash).order_by(desc(LEDGER.c.sequence)).limit(1))
    sequence, previous = last.one_or_none() or (0, GENESIS)
    for transition in transitions:
        sequence += 1
        entry = LedgerEntry(
            sequence=sequence,
            incident=incident,
            at=transition.at.astimezone(UTC),
            event=transition.event,
            source=transition.source,
            target=transition.target,
            detail=_UNSTORABLE.sub("\ufffd", redact(transition.detail)),
            previous=previous,
            hash="",
        )
        previous = digest(entry)
        _add(connection, replace(entry, hash=previous, seal=sealed(previous) if sealed else ""))


def _add(connection: Connection, entry: LedgerEntry) -> None:
    row = {**vars(entry), "at": stamp(entry.at)}
    seal = row.pop("seal")
    connection.execute(insert(LEDGER).values(row))
    if seal:
        connection.execute(insert(SEALS).values(sequence=entry.sequence, seal=seal))


def _sealed_ledger() -> Select[tuple[object, ...]]:
    joined = LEDGER.outerjoin(SEALS, LEDGER.c.sequence == SEALS.c.sequence)
    columns = (LEDGER, func.coalesce(SEALS.c.seal, "").label("seal"))
    return select(*columns).select_from(joined).order_by(LEDGER.c.sequence)


def _protect(connection: Connection, *tables: Table) -> None:
    for table in tables:
        for statement in append_only(table.name, connection.dialect.name):
            connection.exec_driver_sql(statement)


def _entry(row: Row[tuple[object, ...]]) -> LedgerEntry:
    """The entry of a row. SQLite keeps whatever was put into a column: what can be no entry becomes one without
    content, which its hash does not fit."""
    told = dict(row._mapping)
    try:
        entry = LedgerEntry(**{**told, "at": datetime.fromisoformat(row.at)})
        digest(entry)
    except (TypeError, ValueError):
        blank = dict.fromkeys(("incident", "event", "source", "target"), "")
        blank["detail"] = "this entry cannot be read"
        kept = {name: str(told[name]) for name in ("previous", "hash", "seal")}
        return LedgerEntry(sequence=row.sequence, at=datetime.min.replace(tzinfo=UTC), **blank, **kept)
    return entry


def _named(environment: str) -> str:
    """An environment's name as any database takes it."""
    return _UNSTORABLE.sub("\ufffd", environment)[:255]


def _remedy(what: str) -> str:
    """What to do about a database's complaint."""
    low = what.lower()
    for sign, remedy in _REMEDIES:
        if sign in low:
            return remedy
    return "see that the database is up, reachable and writable for this user, then try again"


_REMEDIES = (
    ("full", "free some disk space"),
    ("no space", "free some disk space"),
    ("disk i/o error", "free some disk space and look at the disk"),
    ("locked", "stop what holds the lock, or try again"),
    ("lock timeout", "stop what holds the lock, or try again"),
    ("malformed", "restore a backup or begin a new database: unfinished work is found again on the forge"),
    ("not a database", "name another file, or remove this one: unfinished work is found again on the forge"),
    ("unable to open", "make the folder, and let this user write there"),
    ("readonly", "let this user write the file and its folder"),
    ("password", "correct user and password in DATABASE_URL"),
)
