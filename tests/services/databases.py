"""The databases on which the SQL store and the SQL list of revocations are tested.

A plugin of pytest with the fixture `database_url`. A test that asks for it is run on each; it is empty.

It has no assertions of its own to explain: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import psycopg
import pytest
from sqlalchemy import Connection, Engine, Executable, create_engine, event, text

from iron_wsgi.servers.database import Database, engine_of

ROOT: Final = Path(__file__).parents[2]
pytest_plugins = ("tests.services.postgresql",)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/sessions.db"
    url: str = request.getfixturevalue(request.param)
    return url


def engine_of_an_application(url: str) -> Engine:
    """Return an engine with SQLAlchemy's own settings, and transactions that may fail."""
    # Without a write-ahead log, writers keep each other waiting for the disk, and some for long.
    patience = {"timeout": 60} if url.startswith("sqlite") else {}
    return create_engine(engine_of(url).url, isolation_level="SERIALIZABLE", connect_args=patience)


class Statements(list[str]):
    """The statements that an engine sends from now on, each of which must be a transaction of its own."""

    def __init__(self, engine: Engine) -> None:
        """Listen to *engine*."""
        super().__init__()
        event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, connection: Connection, _: object, statement: str, *__: object) -> None:
        driver = connection.connection.dbapi_connection
        if isinstance(driver, sqlite3.Connection):
            assert driver.isolation_level is None
        else:
            assert isinstance(driver, psycopg.Connection)
            assert driver.autocommit
        self.append(statement)


def plan(database: Database, statement: Executable, parameters: Mapping[str, object]) -> str:
    """How the database goes about a statement, once it has counted its rows."""
    engine = database._engine
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql("ANALYZE")
    event.listen(engine, "before_cursor_execute", _explained, retval=True)
    try:
        with engine.connect() as connection:
            cursor = connection.execute(statement, parameters).cursor
            assert cursor is not None
            return "\n".join(str(row[-1]) for row in cursor.fetchall())
    finally:
        event.remove(engine, "before_cursor_execute", _explained)


def _explained(
    connection: Connection, _: object, statement: str, parameters: object, *__: object
) -> tuple[str, object]:
    explain = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    return f"{explain} {statement}", parameters


@contextmanager
def programs(source: str, count: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Run *source* in so many processes, each with pipes to it, in which every warning is an error."""
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", source]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
            for _ in range(count)
        ]
        for process in processes:
            stack.callback(process.kill)
        yield processes


def execute(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Execute statements in the database at *url*, past the store; return the rows of the last."""
    engine = engine_of(url)
    with engine.begin() as connection:
        results = [connection.execute(text(statement)) for statement in statements]
        rows = [tuple(row) for row in results[-1]] if results[-1].returns_rows else []
    engine.dispose()
    return rows
