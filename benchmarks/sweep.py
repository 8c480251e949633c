"""What it costs to remove a million expired rows from a database, and how much room the rows take."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, event, make_url, text

from iron_wsgi.revocation.sql import SqlRevocations
from iron_wsgi.servers.database import BATCH, engine_of
from iron_wsgi.stores.sql import SqlStore

from .report import Group, Line
from .timing import Effort

MANY: Final = 1_000_000
FEW: Final = 10_000
VALUE: Final = 500  # octets; a sealed session of some 250 octets of JSON

SWEPT: Final = "sweep, per expired session"
SLOWEST: Final = f"its slowest batch of {BATCH:,}: how long a lock is held"
SINGLE: Final = "one DELETE"
HELD: Final = 0.1
NOW: Final = 1_800_000_000.0

# Made by the database itself. Keys come in no order, as hashes do; every second row has expired.
SESSIONS: Final = {
    "sqlite": (
        "WITH RECURSIVE rows (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM rows WHERE n < :count) "
        "INSERT INTO iron_sessions SELECT lower(hex(randomblob(32))), hex(randomblob(:half)), n, "
        "lower(hex(randomblob(32))), :now, :now, :now + CASE n % 2 WHEN 0 THEN n ELSE -n END FROM rows"
    ),
    "postgresql": (
        "INSERT INTO iron_sessions SELECT encode(sha256(n::text::bytea), 'hex'), "
        "substr(repeat(encode(sha256(n::text::bytea), 'hex'), 1 + :half / 32), 1, :half * 2), n, "
        "encode(sha256((-n)::text::bytea), 'hex'), :now, :now, :now + CASE n % 2 WHEN 0 THEN n ELSE -n END "
        "FROM generate_series(1::bigint, :count) AS n"
    ),
}
REVOCATIONS: Final = {
    "sqlite": (
        "WITH RECURSIVE rows (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM rows WHERE n < :count) "
        "INSERT INTO iron_revocations SELECT lower(hex(randomblob(32))), NULL, :now + n FROM rows"
    ),
    "postgresql": (
        "INSERT INTO iron_revocations SELECT encode(sha256(n::text::bytea), 'hex'), NULL, :now + n "
        "FROM generate_series(1::bigint, :count) AS n"
    ),
}
EXPIRED: Final = text("DELETE FROM iron_sessions WHERE expires_at <= :now")


def groups(effort: Effort) -> Iterator[Group]:
    """Measure SQLite, and PostgreSQL where it is installed."""
    count = MANY if effort.turn else FEW
    with tempfile.TemporaryDirectory() as folder:
        yield _group("SQLite", f"sqlite:///{folder}/sessions.db", count)
    title = _title("PostgreSQL", count)
    with ExitStack() as stack:
        try:
            url = stack.enter_context(_postgresql())
        except ModuleNotFoundError as error:
            missing = f"`pip install {error.name}`"
        except LookupError as error:
            missing = str(error)
        else:
            yield _group("PostgreSQL", url, count)
            return
    lines = [Line(what=what, ours=None, against=SINGLE, theirs=None) for what in (SWEPT, SLOWEST)]
    yield Group(title=title, lines=lines, note=f"To measure these: {missing}.")


def _title(name: str, count: int) -> str:
    return f"{name}: removing the expired half of {count:,} sessions"


@contextmanager
def _postgresql() -> Iterator[str]:
    """Start a server, with which no statement is too slow.

    Raises:
        LookupError: PostgreSQL is not installed.
    """
    from tests.parts import MissingPart, program  # noqa: PLC0415 - needs pytest
    from tests.services.postgresql import PostgresqlServer  # noqa: PLC0415

    try:
        program("postgresql")
    except MissingPart as missing:
        raise LookupError(str(missing)) from missing
    with PostgresqlServer() as server:
        yield f"{server.url}?options=-c%20statement_timeout%3D0"


def _group(name: str, url: str, count: int) -> Group:
    engine = engine_of(url)
    store = SqlStore(engine, clock=lambda: NOW)
    revocations = SqlRevocations(engine, clock=lambda: NOW)
    store.load("first use")
    revocations.is_revoked("first use", None, NOW)

    empty = _size(engine)
    _execute(engine, REVOCATIONS[engine.dialect.name], count)
    per_revocation = (_size(engine) - empty) / count
    before = _size(engine)
    _execute(engine, SESSIONS[engine.dialect.name], count)
    per_session = (_size(engine) - before) / count

    batches: list[float] = []
    swept = _timed(lambda: _sweep(engine, store, batches))
    _execute(engine, "DELETE FROM iron_sessions", count)
    _execute(engine, SESSIONS[engine.dialect.name], count)
    single = _timed(lambda: _execute(engine, EXPIRED.text, count))
    engine.dispose()

    half = count // 2
    lines = [
        Line(what=SWEPT, ours=swept / half, against=SINGLE, theirs=single / half),
        Line(what=SLOWEST, ours=max(batches), against=f"{SINGLE} of all", theirs=single, limit=HELD),
    ]
    note = (
        f"In all {swept:.1f} s, half of them waiting. On disk: {per_session:,.0f} octets per session whose "
        f"value has {VALUE}; {per_revocation:,.0f} MB per million revocations."
    )
    return Group(title=_title(name, count), lines=lines, note=note)


def _sweep(engine: Engine, store: SqlStore, batches: list[float]) -> None:
    """Sweep, and note how long each batch takes."""
    began: list[float] = []

    def before(*_: object) -> None:
        began.append(time.perf_counter())

    def after(*_: object) -> None:
        batches.append(time.perf_counter() - began[-1])

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    store.sweep()
    event.remove(engine, "before_cursor_execute", before)
    event.remove(engine, "after_cursor_execute", after)


def _timed(job: Callable[[], object]) -> float:
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def _execute(engine: Engine, statement: str, count: int) -> None:
    given = {"count": count, "half": VALUE // 2, "now": round(NOW * 1000)}
    with engine.begin() as connection:
        used = {name: value for name, value in given.items() if f":{name}" in statement}
        connection.execute(text(statement), used)


def _size(engine: Engine) -> int:
    """Return how many octets of the disk the tables and their indexes take."""
    if engine.dialect.name == "sqlite":
        engine.dispose()  # which writes the journal back
        return Path(make_url(engine.url).database or "").stat().st_size
    with engine.begin() as connection:
        names = ("iron_sessions", "iron_revocations")
        sizes = [connection.exec_driver_sql(f"SELECT pg_total_relation_size('{name}')") for name in names]
        return sum(int(size.scalar_one()) for size in sizes)
