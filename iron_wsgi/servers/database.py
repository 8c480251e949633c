"""A table in an SQL database: made at its first use, and reconnected after a fork."""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar, final

from sqlalchemy import (
    BigInteger,
    Column,
    CursorResult,
    Engine,
    MetaData,
    Row,
    Table,
    Text,
    bindparam,
    create_engine,
    delete,
    event,
    inspect,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    IntegrityError,
    InvalidatePoolError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.base import Executable

from iron_wsgi.errors import ConfigError

T = TypeVar("T")
Insert: TypeAlias = "postgresql.Insert | sqlite.Insert"
Parameters: TypeAlias = Mapping[str, object]

VERSION: Final = 1
"""Of the tables' columns. A program refuses tables that are newer than itself."""

WAIT: Final = 0.25
"""Seconds that PostgreSQL has for a statement, and a thread to get one of the connections."""

BUSY: Final = 2.0
"""Seconds that a writer waits for SQLite's only lock. A turn takes less than a millisecond, so this is for
the thousandth in the queue, and for a disk that is slow when the journal is written back."""

BATCH: Final = 1000
"""Rows that `Database.sweep` deletes at once: few enough for `WAIT`."""

_POSTGRESQL: Final = {
    "connect_timeout": "2",  # seconds; psycopg and libpq before 17 take less for 2
    # A server that is gone without a word: what is sent must be acknowledged within a second (milliseconds),
    # and where an answer is waited for, the other side must show within two that it is there (seconds).
    "tcp_user_timeout": "1000",
    "keepalives_idle": "1",
    "keepalives_interval": "1",
    "keepalives_count": "1",
}
_AUTOCOMMIT: Final = "AUTOCOMMIT"
_OURS: Final = "iron_wsgi"  # marks an engine of `engine_of`
_TRIES: Final = 9  # more than there are things to make, each of which another process may be making

_schema: Final = Table(
    "iron_schema", MetaData(), Column("name", Text, primary_key=True), Column("version", BigInteger)
)


def engine_of(url: str, *, outlives_power: bool = False) -> Engine:
    """Return an engine for *url*, which does not connect yet and does not wait for long when it does.

    SQLite is used with a write-ahead log, so readers and the writer do not wait for each other. What the URL
    itself says of timeouts (``?timeout=`` for SQLite, libpq's parameters for PostgreSQL) is left as it is.

    Args:
        url: ``sqlite:///`` and a path, or ``postgresql://``.
        outlives_power: Whether what was written must be there after a power cut. PostgreSQL sees to that by
            itself; SQLite takes longer for it.

    Raises:
        ConfigError: The URL cannot be used. The message does not quote it, since it may hold a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is not None and parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        _refuse_memory(parsed)
        engine = _engine(parsed, {"timeout": str(BUSY)}, pool_timeout=BUSY)
        # With either, a power cut leaves the file whole. With NORMAL it may take the latest writing with it.
        synchronous = "FULL" if outlives_power else "NORMAL"
        event.listen(engine, "connect", partial(_set_up_sqlite, synchronous))
        return engine
    if parsed is not None and parsed.drivername in {"postgresql", "postgresql+psycopg"}:
        own = f"-c statement_timeout={WAIT * 1000:.0f}"
        options = " ".join((own, *parsed.normalized_query.get("options", ())))
        parsed = parsed.set(drivername="postgresql+psycopg").update_query_dict({"options": options})
        engine = _engine(parsed, _POSTGRESQL, pool_timeout=WAIT)
        event.listen(engine, "checkout", partial(_refuse_dead, engine))
        return engine
    msg = "the URL must be sqlite:///file.db or postgresql://...; give any other driver as an engine"
    raise ConfigError(msg)


def _engine(url: URL, defaults: Mapping[str, str], *, pool_timeout: float) -> Engine:
    absent = {name: value for name, value in defaults.items() if name not in url.query}
    return create_engine(
        url.update_query_dict(absent),
        pool_timeout=pool_timeout,
        hide_parameters=True,
        # Said of the engine: said of each use, it would be set and reset each time, by further statements.
        isolation_level=_AUTOCOMMIT,
        pool_reset_on_return=None,
        execution_options={_OURS: True},
    )


def _refuse_memory(url: URL) -> None:
    if url.database in {None, "", ":memory:"} or url.query.get("mode") == "memory":
        msg = "SQLite in memory is another database in each process and thread: name a file, or use memory:"
        raise ConfigError(msg)


def _set_up_sqlite(synchronous: str, connection: sqlite3.Connection, record: object) -> None:
    del record
    # SQLite's texts may be any octets. What is none of ours is to be no session, and not an outage.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    ((busy,),) = connection.execute("PRAGMA busy_timeout")  # milliseconds
    give_up_at = time.monotonic() + busy / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:  # noqa: PERF203 - no time is lost by catching
            # For the first switch a process must be alone with the file, and SQLite does not always wait.
            if "locked" not in str(error) or time.monotonic() >= give_up_at:
                raise
            time.sleep(0.001)
        else:
            return


def _refuse_dead(engine: Engine, connection: Any, *_: object) -> None:
    """Replace pooled connections that the server has closed, which costs no round trip: its farewell is here.

    Twice, because its last words come before the end.
    """
    try:
        connection.pgconn.consume_input()
        connection.pgconn.consume_input()
    except engine.dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


@final
class Database:
    """One of our tables, in a database of SQLite or PostgreSQL.

    Every statement is a transaction of its own: it costs one round trip, and no lock outlives it. Threads may
    share this object. After a fork neither process uses a connection that was open before.
    """

    def __init__(self, engine: Engine, table: Table, *, first: Parameters | None = None) -> None:
        """Keep *table* in the database of *engine*.

        Args:
            engine: Of SQLite or PostgreSQL.
            table: It has the columns ``key`` and ``expires_at``.
            first: A row that is put into the table when it is made for the first time; not when a table is
                made again that this program, or the database, knows to have been there.

        Raises:
            ConfigError: It is no engine, or one of another database.
        """
        if not isinstance(engine, Engine):
            msg = (
                f"an SQLAlchemy Engine is needed, not {type(engine).__name__}; for a URL there is from_url()"
            )
            raise ConfigError(msg)
        if engine.dialect.name == "sqlite":
            _refuse_memory(engine.url)
            self._insert: Callable[[Table], Insert] = sqlite.insert
            self._of_absence: type[Exception] = OperationalError
        elif engine.dialect.name == "postgresql":
            self._insert = postgresql.insert
            self._of_absence = ProgrammingError
        else:
            msg = f"SQLite and PostgreSQL are known, not {engine.dialect.name}"
            raise ConfigError(msg)
        is_ours = _OURS in engine.get_execution_options()
        self._engine = engine if is_ours else engine.execution_options(isolation_level=_AUTOCOMMIT)
        self._table = table
        self._first = [] if first is None else [self.insert(first).on_conflict_do_nothing()]
        self._is_ready = False
        # Not LIMIT in a subquery, which PostgreSQL may evaluate more than once. A sweep leaves alone what
        # another has in hand; no request takes such locks, and SQLite knows none.
        batch = (
            select(table.c.key)
            .where(table.c.expires_at <= bindparam("at", type_=BigInteger))
            .order_by(table.c.expires_at)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
            .cte("batch", nesting=True)
        )
        self._sweep = delete(table).where(table.c.key.in_(select(batch.c.key)))
        _part_at_fork(self._engine)

    def insert(self, values: Parameters, *, table: Table | None = None) -> Insert:
        """Return the start of an INSERT into our table."""
        start = self._insert(self._table if table is None else table).values(values)
        # The key is ours, so SQLAlchemy need not ask for it; and it forgets the count unless it is told.
        return start.inline().execution_options(preserve_rowcount=True)

    def rows(self, statement: Executable, parameters: Parameters) -> Sequence[Row[Any]]:
        """Execute *statement* and return its rows."""
        return self._send(statement, parameters, CursorResult.all)

    def count(self, statement: Executable, parameters: Parameters) -> int:
        """Execute *statement* and return how many rows it wrote."""
        return self._send(statement, parameters, _rowcount)

    def sweep(self, at: int) -> int:
        """Delete the rows whose ``expires_at`` is *at* or before, and return how many there were.

        In batches, between which it waits as long as they take: SQLite's only lock would otherwise hardly
        ever be free for others.
        """
        total = 0
        while True:
            began = time.perf_counter()
            count = self.count(self._sweep, {"at": at})
            total += count
            if count < BATCH:
                return total
            time.sleep(time.perf_counter() - began)

    def close(self) -> None:
        """Close the connections that are not in use. The next statement opens one."""
        self._engine.dispose()

    def _send(
        self, statement: Executable, parameters: Parameters, take: Callable[[CursorResult[Any]], T]
    ) -> T:
        if not self._is_ready:
            self._prepare()
        try:
            return self._execute(statement, parameters, take)
        except self._of_absence:
            with self._engine.connect() as connection:
                if inspect(connection).has_table(self._table.name):
                    raise
        self._make()  # somebody has dropped it
        return self._execute(statement, parameters, take)

    def _execute(
        self, statement: Executable, parameters: Parameters, take: Callable[[CursorResult[Any]], T]
    ) -> T:
        with self._engine.begin() as connection:
            return take(connection.execute(statement, parameters))

    def _prepare(self) -> None:
        """Make sure that the table is there, and not newer than we are."""
        version = self._version()
        if version is None:
            self._make()
        elif version > VERSION:
            msg = f"the table {self._table.name} has version {version}, we know {VERSION}: update iron-wsgi"
            raise ConfigError(msg)
        self._is_ready = True

    def _version(self) -> int | None:
        with self._engine.connect() as connection:
            if not inspect(connection).has_table(_schema.name):
                return None
            named = select(_schema.c.version).where(_schema.c.name == self._table.name)
            return connection.execute(named).scalar()

    def _make(self, *, tries: int = _TRIES) -> None:
        try:
            self._make_what_is_missing()
        except (IntegrityError, ProgrammingError):
            # Another process was making the same at once: PostgreSQL says so, IF NOT EXISTS or not.
            if not tries:
                raise
            self._make(tries=tries - 1)

    def _make_what_is_missing(self) -> None:
        """Take steps that may be repeated, and taken by several processes; the last says that all is done."""
        steps: list[Executable] = [
            CreateTable(_schema, if_not_exists=True),
            CreateTable(self._table, if_not_exists=True),
            *(CreateIndex(index, if_not_exists=True) for index in self._table.indexes),
        ]
        for step in steps:
            self._execute(step, {}, bool)
        if self._is_ready or self._version() is not None:
            return
        done = self.insert({"name": self._table.name, "version": VERSION}, table=_schema)
        for step in (*self._first, done.on_conflict_do_nothing()):
            self._execute(step, {}, bool)


def _rowcount(result: CursorResult[Any]) -> int:
    return result.rowcount


def _part_at_fork(engine: Engine) -> None:
    """Close what is idle before a fork, and begin afresh in the child.

    Two processes that speak through one socket read each other's answers. And SQLite, which finds a file that
    was open before the fork, believes in locks that only the parent holds.
    """
    if not hasattr(os, "register_at_fork"):
        return
    reference = weakref.ref(engine)

    def dispose(*, close: bool) -> None:
        living = reference()
        if living is not None:
            living.dispose(close=close)

    os.register_at_fork(before=partial(dispose, close=True), after_in_child=partial(dispose, close=False))
