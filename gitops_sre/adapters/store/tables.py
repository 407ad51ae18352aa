"""The tables of the store."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, String, Table, Text

VERSION = 1
"""Of the tables below. Another one in the database is refused."""

META = MetaData()
SCHEMA = Table("store_schema", META, Column("version", Integer, primary_key=True, autoincrement=False))
INCIDENTS = Table(
    "incidents",
    META,
    Column("id", String(64), primary_key=True),
    Column("state", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("finished", Boolean, nullable=False),
    Column("opened_at", String(27), nullable=False),
    Column("since", String(27), nullable=False),
    Column("body", Text, nullable=False),
    Index("incidents_unfinished", "finished", "opened_at"),
)
LEDGER = Table(
    "ledger",
    META,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("incident", String(64), nullable=False, index=True),
    Column("at", String(27), nullable=False),
    Column("event", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
SEALS = Table(
    "ledger_seals",
    META,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("seal", Text, nullable=False),
)
"""Signatures of the ledger's entries."""
LEASES = Table(
    "leases",
    META,
    Column("name", String(255), primary_key=True),
    Column("owner", String(255), nullable=False),
    Column("until", String(27), nullable=False),
)
DELIVERIES = Table(
    "deliveries",
    META,
    Column("digest", String(64), primary_key=True),
    Column("at", String(27), nullable=False, index=True),
)
MAPS = Table(
    "service_maps",
    META,
    Column("environment", String(255), primary_key=True),
    Column("at", String(27), nullable=False),
    Column("body", Text, nullable=False),
)


def append_only(table: str, dialect: str) -> tuple[str, ...]:
    """Statements that keep a table's rows from being changed. They guard against slips and against a compromised query;
    an owner of the database can drop them, and then the hash chain and the seals show it."""
    if dialect == "sqlite":
        return tuple(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
            for verb in ("UPDATE", "DELETE")
        )
    return (
        "CREATE OR REPLACE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$",
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()",
    )
