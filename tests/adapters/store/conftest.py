"""Databases to test the store on: an SQLite file and a PostgreSQL schema, both empty."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from gitops_sre.adapters.store import SqlStore


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
