"""The store in SQL keeps what every atomic store promises, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from iron_wsgi import SessionOptions, generate_password, get_iron_session
from iron_wsgi.servers.database import BATCH, engine_of
from iron_wsgi.servers.ids import key_of
from iron_wsgi.stores import Record, Store
from iron_wsgi.stores.sql import SqlStore
from iron_wsgi.testing import AtomicStoreContract, DictJar, FakeClock
from tests.services.databases import Statements, engine_of_an_application, execute, plan

pytest_plugins = ("tests.services.databases",)
pytestmark = pytest.mark.slow("waits for the disk")

CANARY = "Kanarienvogel"
RECORD = Record(value="sealed", version=1, subject="s" * 64, created_at=1, written_at=2, expires_at=1e9)
BRIEF = replace(RECORD, value="v" * 500, expires_at=20)


@pytest.fixture
def stores() -> Iterator[ExitStack]:
    """What closes the stores of a test."""
    with ExitStack() as stack:
        yield stack


def open_store(stores: ExitStack, url: str, clock: FakeClock | None = None) -> SqlStore:
    store = SqlStore.from_url(url, clock=clock)
    stores.callback(store.close)
    return store


def fill(store: SqlStore, records: Sequence[Record]) -> None:
    """Create many records; the key of each is its number."""
    store.load("first use")
    given = [store._given(f"{number:064}", record) for number, record in enumerate(records)]
    with store._database._engine.begin() as connection:
        connection.execute(store._create, given)


class Contract(AtomicStoreContract):
    @pytest.fixture(autouse=True)
    def _place(self, stores: ExitStack, database_url: str) -> None:
        self.stores, self.url = stores, database_url

    def store(self, clock: FakeClock) -> Store:
        return open_store(self.stores, self.url, clock)


class TestSqlStore(Contract):
    """Two engines, as in two processes."""

    def other(self, clock: FakeClock) -> Store:
        return self.store(clock)


class TestSqlStoreWithAnEngineOfTheApplication(Contract):
    """One with transactions, which the store must not begin."""

    def store(self, clock: FakeClock) -> Store:
        engine = engine_of_an_application(self.url)
        self.stores.callback(engine.dispose)
        return SqlStore(engine, table="Sessions of ours", clock=clock)


def test_every_operation_is_one_statement_and_no_transaction(stores: ExitStack, database_url: str) -> None:
    engine = engine_of(database_url)
    stores.callback(engine.dispose)
    store = SqlStore(engine, clock=FakeClock(10))
    store.load("first use")
    statements = Statements(engine)
    for operation in (
        lambda: store.create("key", RECORD),
        lambda: store.create("key", RECORD),
        lambda: store.load("key"),
        lambda: store.save("key", RECORD, version=1),
        lambda: store.touch("key", expires_at=None),
        lambda: store.list_subject("s" * 64),
        lambda: store.delete("key"),
        lambda: store.load("key"),
        store.sweep,
    ):
        operation()
        assert len(statements) == 1
        statements.clear()


def test_no_operation_reads_the_whole_table(stores: ExitStack, database_url: str) -> None:
    store = open_store(stores, database_url)
    many = [replace(RECORD, subject=f"{number:064}", expires_at=number) for number in range(1, 3001)]
    fill(store, many)
    loading, listing, sweeping = (
        plan(store._database, statement, parameters)
        for statement, parameters in (
            (store._load, {"new_key": "0" * 64, "at": 2**50}),
            (store._list, {"of": "0" * 64, "at": 2**50}),
            (store._database._sweep, {"at": 1}),
        )
    )
    for one in (loading, listing, sweeping):
        assert "SCAN iron_sessions" not in one
        assert "Seq Scan" not in one
    assert "iron_sessions_pkey" in loading or "autoindex_iron_sessions" in loading
    assert "iron_sessions_subject" in listing
    assert "iron_sessions_expires_at" in sweeping


def test_a_dump_and_the_files_reveal_no_id_no_subject_and_no_data(
    stores: ExitStack, database_url: str, tmp_path: Path
) -> None:
    store = open_store(stores, database_url)
    options = SessionOptions(
        password=generate_password(), cookie_name="s", store=store, storage="store", subject="user"
    )
    jar = DictJar()
    with get_iron_session(jar, options) as session:
        session["user"] = f"user {CANARY}"
        session["secret"] = CANARY * 3
    with get_iron_session(DictJar(jar.cookies), options) as session:
        assert session["secret"] == CANARY * 3
        sid = session.sid
    rows = repr(execute(database_url, "SELECT * FROM iron_sessions"))
    assert key_of(sid) in rows
    written = [rows.encode(), *(file.read_bytes() for file in tmp_path.glob("sessions.db*"))]
    assert database_url.startswith("postgresql") or any(key_of(sid).encode() in one for one in written[1:])
    for one in written:
        assert sid.encode() not in one
        assert CANARY.encode() not in one


def test_sweep_removes_more_than_one_batch(stores: ExitStack, database_url: str) -> None:
    clock = FakeClock(10)
    store = open_store(stores, database_url, clock)
    fill(store, [BRIEF] * (BATCH * 2 + 1))
    store.create("lives", replace(RECORD, expires_at=21))
    clock.advance(10)
    statements = Statements(store._database._engine)
    assert store.sweep() == BATCH * 2 + 1
    assert len(statements) == 3
    assert execute(database_url, "SELECT key FROM iron_sessions") == [("lives",)]


def test_two_sweeps_at_once_share_the_work(stores: ExitStack, database_url: str) -> None:
    clock = FakeClock(10)
    pair = [open_store(stores, database_url, clock) for _ in range(2)]
    fill(pair[0], [BRIEF] * BATCH * 4)
    clock.advance(10)
    with ThreadPoolExecutor(2) as threads:
        counts = list(threads.map(SqlStore.sweep, pair))
    assert sum(counts) + pair[0].sweep() == BATCH * 4
    assert execute(database_url, "SELECT key FROM iron_sessions") == []


def test_a_sweep_lets_writers_in(stores: ExitStack, database_url: str) -> None:
    clock = FakeClock(10)
    store = open_store(stores, database_url, clock)
    fill(store, [BRIEF] * BATCH * 20)
    clock.advance(10)
    is_over, waits = threading.Event(), []

    def write() -> None:
        writer = open_store(stores, database_url, clock)
        number = 0
        while not is_over.is_set():
            began = time.monotonic()
            writer.create(f"new {number}", replace(RECORD, expires_at=None))
            waits.append(time.monotonic() - began)
            number += 1

    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(write)
        try:
            while not waits:
                time.sleep(0.001)
            waits.clear()
            assert store.sweep() == BATCH * 20
        finally:
            is_over.set()
        writing.result()
    assert len(waits) > 20
    assert max(waits) < 1


def test_a_reader_does_not_wait_for_a_writer(stores: ExitStack, database_url: str) -> None:
    store = open_store(stores, database_url, FakeClock(10))
    store.create("key", RECORD)
    engine = engine_of(database_url)
    stores.callback(engine.dispose)
    with engine.connect() as other:
        other.exec_driver_sql("BEGIN")
        other.exec_driver_sql("UPDATE iron_sessions SET value = 'not yet'")
        began = time.monotonic()
        assert store.load("key") == RECORD
        assert time.monotonic() - began < 0.2
        other.exec_driver_sql("ROLLBACK")


def test_of_anonymous_sessions_there_is_no_list(stores: ExitStack, database_url: str) -> None:
    store = open_store(stores, database_url, FakeClock(10))
    store.create("key", replace(RECORD, subject=""))
    assert list(store.list_subject("")) == []


def test_repr_and_errors_of_a_store_hold_no_password(stores: ExitStack) -> None:
    store = open_store(stores, "postgresql://iron:geheim@127.0.0.1:1/none")
    operations = partial(store.load, "key"), partial(store.create, "key", RECORD)
    for operation in operations:
        with pytest.raises(Exception, match="refused") as caught:
            operation()
        assert "geheim" not in f"{caught.value!r} {caught.value}"
    assert "geheim" not in repr(store)
