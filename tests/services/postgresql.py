"""A PostgreSQL server for tests.

A plugin of pytest with two fixtures: `postgresql_server`, one for the whole run, and `postgresql`, the URL of
a schema on it that is empty at the beginning of a test. A test module asks for it by
``pytest_plugins = ("tests.services.postgresql",)``. The server listens on loopback, and is stopped by its
process id when the run ends.

What a test breaks it breaks on a server of its own: ``with PostgresqlServer() as server: ...``.

It has no assertions of its own to explain: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import quote

import psycopg
import pytest
from typing_extensions import Self

from tests.parts import program

from .ports import free_port

WITHIN: Final = 30.0  # seconds for the server to do what it is told
OWNER: Final = "iron"

# What is lost with the machine may be lost: it is never switched off in the middle of a test.
SETTINGS: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "200",
}


class PostgresqlServer:
    """One server, which keeps its port and its folder however often it is started.

    Attributes:
        port: Where it listens.
    """

    def __init__(self) -> None:
        """Make an empty database cluster when it is first started."""
        # Not in pytest's own folder, which for root is closed to the user that the server must run as.
        self._folder = Path(tempfile.mkdtemp(prefix="iron-postgresql-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def __enter__(self) -> Self:
        """Make the cluster and start."""
        try:
            self._initialise()
            return self.start()
        except BaseException:
            self._remove()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and remove all, whatever has happened."""
        self._remove()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/postgres"

    def url_of(self, schema: str) -> str:
        """Where one of its schemas is."""
        return f"{self.url}?options={quote(f'-c search_path={schema}')}"

    def execute(self, statement: str) -> None:
        """Execute a statement as the owner."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def start(self) -> Self:
        """Start, and wait until it answers."""
        settings = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    program("postgresql").with_name("postgres"),
                    "-D",
                    self._data,
                    "-p",
                    str(self.port),
                    *settings,
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                user=_unprivileged(),
                cwd="/",
            )
        give_up_at = time.monotonic() + WITHIN
        while not self._answers():
            if time.monotonic() >= give_up_at or self._process.poll() is not None:
                raise RuntimeError((self._folder / "log").read_text())
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """Ask it to end without waiting for its clients, and wait for that."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Let it and all that serve its clients end at once; it recovers when it is started again."""
        self._end(signal.SIGQUIT)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _initialise(self) -> None:
        user = _unprivileged()
        if user is not None:
            os.chown(self._folder, user, -1)
        options = ("-U", OWNER, "-A", "trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        subprocess.run(
            [program("postgresql"), "-D", self._data, *options],
            stdout=subprocess.DEVNULL,
            user=user,
            cwd="/",
            timeout=WITHIN,
            check=True,
        )

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            try:
                self._process.send_signal(number)
                self._process.wait(WITHIN)
            finally:
                self._process.kill()
                self._process.wait()
                self._process = None

    def _remove(self) -> None:
        try:
            self.kill()
        finally:
            shutil.rmtree(self._folder)


def _unprivileged() -> int | None:
    """Whom to run as: the server refuses root."""
    if os.getuid():
        return None
    users = {user.pw_name: user.pw_uid for user in pwd.getpwall()}
    return users.get("postgres", users["nobody"])


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """Return a server that other tests use too."""
    with PostgresqlServer() as server:
        yield server


_numbers = itertools.count()


@pytest.fixture
def postgresql(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """Return the URL of an empty schema."""
    schema = f"test_{next(_numbers)}"
    postgresql_server.execute(f"CREATE SCHEMA {schema}")
    yield postgresql_server.url_of(schema)
    postgresql_server.execute(f"DROP SCHEMA {schema} CASCADE")
