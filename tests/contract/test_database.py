"""What the SQL store and the SQL list share: how a database is reached, set up, lost and found again."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from iron_wsgi.errors import ConfigError
from iron_wsgi.revocation.sql import SqlRevocations
from iron_wsgi.servers.database import engine_of
from iron_wsgi.stores import Record
from iron_wsgi.stores.sql import SqlStore
from tests.effort import repetitions
from tests.services.databases import execute, programs
from tests.services.postgresql import PostgresqlServer

pytest_plugins = ("tests.services.databases",)

RECORD = Record(value="sealed", version=1, created_at=1, written_at=2, expires_at=None)


@pytest.fixture
def opened() -> Iterator[Callable[[str], SqlStore]]:
    """What opens stores that are closed at the end."""
    with ExitStack() as stack:

        def store(url: str) -> SqlStore:
            one = SqlStore.from_url(url)
            stack.callback(one.close)
            return one

        yield store


def test_opening_a_database_connects_to_nothing() -> None:
    SqlStore.from_url("postgresql://127.0.0.1:1/nowhere")
    SqlRevocations.from_url("sqlite:////no/such/folder/file.db")


def test_a_relative_path_is_one_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[[str], SqlStore]
) -> None:
    monkeypatch.chdir(tmp_path)
    store = opened("sqlite:///here.db")
    monkeypatch.chdir("/")
    assert store.create("key", RECORD)
    assert (tmp_path / "here.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        "mysql://anna:geheim@localhost/db",
        "postgresql+psycopg2://anna:geheim@localhost/db",
        "geheim",
        "",
        "postgresql://anna:geheim@localhost:port/db",
    ],
)
def test_other_databases_and_drivers_are_refused_without_quoting_the_url(url: str) -> None:
    with pytest.raises(ConfigError, match=r"sqlite:///file\.db or postgresql") as caught:
        SqlStore.from_url(url)
    assert "geheim" not in str(caught.value)
    assert caught.value.__cause__ is None


MEMORY = ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"]


@pytest.mark.parametrize("url", MEMORY)
def test_sqlite_in_memory_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="name a file"):
        SqlStore.from_url(url)


def test_what_is_no_engine_of_a_known_database_is_refused() -> None:
    with pytest.raises(ConfigError, match="name a file"):
        SqlStore(create_engine("sqlite://"))
    with pytest.raises(ConfigError, match="not str; for a URL there is from_url"):
        SqlStore("sqlite:///file.db")  # type: ignore[arg-type]
    driver = SimpleNamespace(paramstyle="format")
    with pytest.raises(ConfigError, match="not mysql"):
        SqlRevocations(create_engine("mysql+pymysql://", module=driver))


def test_what_the_url_says_of_timeouts_counts(tmp_path: Path) -> None:
    file = tmp_path / "file.db"
    execute(f"sqlite:///{file}", "CREATE TABLE iron_sessions (x)")
    with sqlite3.connect(file) as other:
        other.execute("BEGIN IMMEDIATE")
        store = SqlStore.from_url(f"sqlite:///{file}?timeout=0.01")
        began = time.monotonic()
        with pytest.raises(OperationalError, match="locked"):
            store.create("key", RECORD)
        assert time.monotonic() - began < 1
    store.close()
    other.close()


@pytest.mark.needs("postgresql")
def test_a_database_that_does_not_answer_is_given_up_soon(
    postgresql: str, opened: Callable[[str], SqlStore]
) -> None:
    store = opened(postgresql)
    store.create("key", RECORD)
    engine = engine_of(postgresql)
    with engine.begin() as other:
        other.exec_driver_sql("BEGIN")
        other.exec_driver_sql("LOCK TABLE iron_sessions")
        began = time.monotonic()
        with pytest.raises(OperationalError, match="statement timeout"):
            store.load("key")
        assert 0.2 < time.monotonic() - began < 1.5
    engine.dispose()
    assert store.load("key") == RECORD


@pytest.mark.needs("postgresql")
def test_a_locked_row_makes_no_reader_wait_and_a_writer_only_for_a_while(
    postgresql: str, opened: Callable[[str], SqlStore]
) -> None:
    store = opened(postgresql)
    store.create("key", RECORD)
    engine = engine_of(postgresql)
    with engine.begin() as other:
        other.exec_driver_sql("BEGIN")
        other.exec_driver_sql("SELECT * FROM iron_sessions FOR UPDATE")
        assert store.load("key") == RECORD
        assert not store.create("other", RECORD) or store.delete("other")
        with pytest.raises(OperationalError, match="statement timeout"):
            store.save("key", RECORD, version=1)
    engine.dispose()


AT_ONCE = """
import sys
from iron_wsgi.revocation.sql import SqlRevocations
from iron_wsgi.stores import Record
from iron_wsgi.stores.sql import SqlStore

record = Record(value="sealed", version=1, created_at=1, written_at=2, expires_at=None)
for url in map(str.strip, sys.stdin):
    store, revocations = SqlStore.from_url(url), SqlRevocations.from_url(url)
    print(store.create("key", record), revocations.is_revoked("sid", None, 0), flush=True)
    store.close()
    revocations.close()
"""


@pytest.mark.slow("starts programs")
def test_of_processes_that_begin_at_once_each_finds_its_tables_on_sqlite(tmp_path: Path) -> None:
    _begin_at_once([f"sqlite:///{tmp_path}/{number}.db" for number in range(repetitions(8, 40))])


@pytest.mark.needs("postgresql")
def test_of_processes_that_begin_at_once_each_finds_its_tables_on_postgresql(
    postgresql_server: PostgresqlServer,
) -> None:
    schemas = [f"at_once_{number}" for number in range(repetitions(4, 10))]
    for schema in schemas:
        postgresql_server.execute(f"CREATE SCHEMA {schema}")
    _begin_at_once(list(map(postgresql_server.url_of, schemas)))


def _begin_at_once(urls: list[str]) -> None:
    with programs(AT_ONCE, 4) as running:
        for url in urls:
            for process in running:
                assert process.stdin is not None
                process.stdin.write(url + "\n")
                process.stdin.flush()
            said = []
            for process in running:
                assert process.stdout is not None
                said.append(process.stdout.readline())
            assert sorted(said) == ["False False\n"] * 3 + ["True False\n"]
        assert [process.communicate(timeout=30)[0] for process in running] == [""] * 4


FORKS = """
import os, sys
from iron_wsgi.stores import Record
from iron_wsgi.stores.sql import SqlStore

def record(value):
    return Record(value=value, version=1, created_at=1, written_at=2, expires_at=None)

store = SqlStore.from_url(sys.argv[1])
print(store.create("before", record("before")))
here, there = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    assert store.create("child 1", record("child"))
    os.write(here[1], b"1")
    for number in range(300):
        assert store.create(f"child's {number}", record(f"{number}"))
        assert store.load(f"child's {number}").value == f"{number}"
    os.read(there[0], 1)
    assert store.create("child 2", record("child"))
    store.close()
    os._exit(0)
os.read(here[0], 1)
for number in range(300):
    assert store.create(f"parent's {number}", record(f"{number}"))
    assert store.load(f"parent's {number}").value == f"{number}"
store.close()
os.write(there[1], b"1")
print(os.waitpid(child, 0)[1])
print(*(store.load(key) is not None for key in ("before", "child 1", "child 2")))
store.close()
"""


def test_a_fork_shares_no_connection_and_loses_nothing(database_url: str) -> None:
    source = FORKS.replace("sys.argv[1]", repr(database_url))
    with programs(source, 1) as (process,):
        said, _ = process.communicate(timeout=60)
    assert said == "True\n0\nTrue True True\n"
    if database_url.startswith("sqlite"):
        assert execute(database_url, "PRAGMA integrity_check") == [("ok",)]
    assert execute(database_url, "SELECT count(*) FROM iron_sessions") == [(603,)]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_finds_no_connection_open(database_url: str, opened: Callable[[str], SqlStore]) -> None:
    store = opened(database_url)
    store.create("key", RECORD)
    pool = store._database._engine.pool
    assert "Connections in pool: 1" in pool.status()
    if (child := os.fork()) == 0:
        os._exit("Connections in pool: 0" not in store._database._engine.pool.status())
    assert os.waitpid(child, 0)[1] == 0
    assert "Connections in pool: 0" in pool.status()
    assert store.load("key") == RECORD


def test_where_there_is_no_fork_none_is_looked_out_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[[str], SqlStore]
) -> None:
    monkeypatch.delattr(os, "register_at_fork")
    assert opened(f"sqlite:///{tmp_path}/file.db").create("key", RECORD)


def test_a_store_that_is_gone_is_no_burden_at_a_fork(database_url: str) -> None:
    source = (
        "import os\n"
        "from iron_wsgi.stores.sql import SqlStore\n"
        f"store = SqlStore.from_url({database_url!r})\n"
        "store.load('key')\n"
        "store.close()\n"
        "import gc, weakref\n"
        "engine = weakref.ref(store._database._engine)\n"
        "del store; gc.collect()\n"
        "print(engine())\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(0)\n"
        "print(os.waitpid(child, 0)[1])\n"
    )
    with programs(source, 1) as (process,):
        assert process.communicate(timeout=60)[0] == "None\n0\n"


def test_a_newer_table_is_refused(database_url: str, opened: Callable[[str], SqlStore]) -> None:
    opened(database_url).create("key", RECORD)
    execute(database_url, "UPDATE iron_schema SET version = 2")
    later = opened(database_url)
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"iron_sessions has version 2.*update iron-wsgi"):
            later.load("key")


def test_a_table_that_is_dropped_is_made_again(database_url: str, opened: Callable[[str], SqlStore]) -> None:
    store = opened(database_url)
    store.create("key", RECORD)
    execute(database_url, "DROP TABLE iron_sessions")
    assert store.load("key") is None
    execute(database_url, "DROP TABLE iron_sessions", "DROP TABLE iron_schema")
    assert store.create("key", RECORD)
    assert opened(database_url).load("key") == RECORD


def test_two_tables_of_one_database_are_two_stores(database_url: str) -> None:
    engine = engine_of(database_url)
    one, two = SqlStore(engine), SqlStore(engine, table="others")
    assert one.create("key", RECORD)
    assert two.load("key") is None
    assert two.create("key", RECORD)
    engine.dispose()


@pytest.mark.needs("postgresql")
def test_a_role_that_may_make_no_tables_uses_those_that_are_there(
    postgresql: str, postgresql_server: PostgresqlServer, opened: Callable[[str], SqlStore]
) -> None:
    schema = postgresql.rpartition("%3D")[2]
    postgresql_server.execute(f"CREATE ROLE {schema} LOGIN")
    postgresql_server.execute(f"GRANT USAGE ON SCHEMA {schema} TO {schema}")
    try:
        modest = opened(postgresql.replace("iron@", f"{schema}@"))
        with pytest.raises(ProgrammingError, match="permission denied for schema"):
            modest.load("key")
        opened(postgresql).create("key", RECORD)
        with pytest.raises(ProgrammingError, match="permission denied for table"):
            modest.load("key")
        postgresql_server.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {schema}")
        assert modest.load("key") == RECORD
        with pytest.raises(ProgrammingError, match="permission denied for table"):
            modest.delete("key")
    finally:
        postgresql_server.execute(f"DROP OWNED BY {schema}")
        postgresql_server.execute(f"DROP ROLE {schema}")


def test_a_file_that_is_no_database_is_an_error_of_the_driver(
    tmp_path: Path, opened: Callable[[str], SqlStore]
) -> None:
    (tmp_path / "file.db").write_bytes(b"something else" * 1000)
    with pytest.raises(DBAPIError, match="not a database"):
        opened(f"sqlite:///{tmp_path}/file.db").load("key")


def test_an_engine_that_begins_transactions_by_itself_will_do(tmp_path: Path) -> None:
    """SQLAlchemy's pages advise this for SQLite."""
    engine = create_engine(f"sqlite:///{tmp_path}/file.db")
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    store = SqlStore(engine)
    assert store.create("key", RECORD)
    engine.dispose()
    assert store.load("key") == RECORD
    engine.dispose()


def test_sqlite_has_a_write_ahead_log_and_only_revocations_wait_for_the_disk(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/file.db"
    store, revocations = SqlStore.from_url(url), SqlRevocations.from_url(url)
    for database, synchronous in ((store._database, 1), (revocations._database, 2)):
        for pragma, value in (("journal_mode", "wal"), ("synchronous", synchronous), ("busy_timeout", 2000)):
            assert database.rows(text(f"PRAGMA {pragma}"), {}) == [(value,)]
    store.close()
    revocations.close()


def test_the_switch_to_the_write_ahead_log_waits_for_whoever_has_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file.db"
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    impatient = SqlStore.from_url(f"sqlite:///{file}?timeout=0.01")
    with pytest.raises(OperationalError, match="locked"):
        impatient.create("key", RECORD)
    threading.Timer(0.2, other.execute, ("COMMIT",)).start()
    patient = SqlStore.from_url(f"sqlite:///{file}")
    assert patient.create("key", RECORD)
    for one in (other, impatient, patient):
        one.close()


def test_a_file_that_may_not_be_written_is_an_error_at_once(tmp_path: Path) -> None:
    file = tmp_path / "file.db"
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE something (x)")
    other.close()
    store = SqlStore.from_url(f"sqlite:///file:{file}?mode=ro&uri=true")
    began = time.monotonic()
    with pytest.raises(OperationalError, match="readonly"):
        store.create("key", RECORD)
    assert time.monotonic() - began < 1
    store.close()


def connections(engine: Engine, count: int) -> None:
    """Let so many connections lie in the engine's pool."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(engine.connect()).execute(text("SELECT 1"))


@pytest.mark.needs("postgresql")
@pytest.mark.slow("starts programs")
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_server_that_came_back_is_used_at_once_by_every_connection(how: str) -> None:
    with PostgresqlServer() as server:
        store, revocations = SqlStore.from_url(server.url), SqlRevocations.from_url(server.url)
        store.create("key", RECORD)
        revocations.revoke("sid")
        for engine in (store._database._engine, revocations._database._engine):
            connections(engine, 5)
        getattr(server, how)()
        server.start()
        with ExitStack() as stack:
            for _ in range(5):
                stack.enter_context(store._database._engine.connect()).execute(text("SELECT 1"))
        assert store.load("key") == RECORD
        assert revocations.is_revoked("sid", None, 0)

        connections(store._database._engine, 5)
        getattr(server, how)()
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(OperationalError, match="refused"):
                store.load("key")
            with pytest.raises(OperationalError, match="refused"):
                revocations.is_revoked("sid", None, 0)
            assert time.monotonic() - began < 1
        server.start()
        assert store.load("key") == RECORD
        assert revocations.is_revoked("sid", None, 0)
        assert not revocations.is_revoked("other", None, 0)
        store.close()
        revocations.close()


@pytest.mark.needs("postgresql")
def test_a_connection_that_is_cut_while_it_is_used_is_an_error_of_the_driver_and_then_replaced(
    postgresql: str,
) -> None:
    database = SqlStore.from_url(postgresql)._database
    database.rows(text("SELECT 1"), {})
    with pytest.raises(OperationalError, match="terminating connection"):
        database.rows(text("SELECT pg_terminate_backend(pg_backend_pid())"), {})
    assert database.rows(text("SELECT 1"), {}) == [(1,)]
    database.close()


def test_a_closed_database_opens_by_itself(database_url: str, opened: Callable[[str], SqlStore]) -> None:
    store = opened(database_url)
    store.create("key", RECORD)
    store.close()
    assert store.load("key") == RECORD


def test_threads_that_begin_at_once_all_find_their_tables(database_url: str) -> None:
    revocations = SqlRevocations.from_url(database_url)
    start = threading.Barrier(8)

    def begin(number: int) -> bool:
        start.wait(30)
        return revocations.is_revoked(f"{number}", None, 0)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(begin, range(8))) == [False] * 8
    revocations.close()
