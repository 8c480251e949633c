"""Whoever reads all that a server keeps, and all that it is told, learns nothing and becomes nobody."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest

from iron_wsgi import session_from
from iron_wsgi.revocation import Revocations, open_revocations
from iron_wsgi.revocation.redis import RedisRevocations
from iron_wsgi.stores import Store, open_store

from .seals import OLD
from .site import Browser, environ, serve, sessions

if TYPE_CHECKING:
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from tests.services.redis import RedisServer

pytest_plugins = ("tests.services.redis", "tests.services.postgresql")

VISITORS: Final = 10


class Visitors:
    """Some who have used a site in every way.

    Attributes:
        secrets: What must not be found: names, ids, what they left in their sessions, and their cookies.
    """

    def __init__(self, **options: Any) -> None:
        self.secrets: list[str] = [OLD]
        self._options = {"clock": None, "subject": "user", **options}
        self._site = sessions(self._page, **self._options)
        self._times = 200 if "store" in options else 1  # what is large has no room in a cookie

    def _page(self, request: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        session = session_from(request)
        given = json.loads(request["QUERY_STRING"] or "{}")
        if given.pop("sign in", False):
            session.regenerate()
        session.update(given)
        if given.get("leave"):
            session.destroy()
        else:
            self.secrets.append(session.sid)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    def come(self) -> None:
        """Sign in, write, and look; half of them sign out."""
        for number in range(VISITORS):
            browser = Browser()
            name, word, large = (f"{kind}-{secrets.token_hex(12)}" for kind in ("anna", "canary", "large"))
            self.secrets += [name, word, large, f"key-{word}"]
            self._visit(browser, note=word)
            self._visit(browser, **{"sign in": True, "user": name, f"key-{word}": [{"deep": word}]})
            self._visit(browser, large=large * self._times)
            self._visit(browser, large="")
            self._visit(browser, note=f"{word} again")
            if number % 2:
                self._visit(browser, leave=True)

    def _visit(self, browser: Browser, **values: Any) -> None:
        answer = browser.visit(self._site, QUERY_STRING=json.dumps(values))
        assert (answer.status, answer.body) == ("200 OK", b"ok")
        self.secrets += browser.cookies.values()

    def become(self, stolen: str) -> dict[str, Any]:
        """Return the session that a cookie of this value opens."""
        found: list[dict[str, Any]] = []

        def look(request: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
            found.append(dict(session_from(request)))
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"ok"]

        serve(sessions(look, **self._options), environ(f"session={stolen}"))
        return found[0]


def spellings(secret: str) -> Iterator[bytes]:
    """Yield a secret as it may stand in a dump."""
    octets = secret.encode()
    yield octets
    yield octets[::-1]
    yield octets.hex().encode()
    yield octets.hex().upper().encode()
    yield urllib.parse.quote(secret, safe="").encode()
    for shift in range(3):  # base64 of a text that holds it
        yield base64.b64encode(b"?" * shift + octets)[4 : -4 or None]
    if len(secret) == 43:  # an id: 32 octets
        raw = base64.urlsafe_b64decode(secret + "=")
        yield from (raw, raw.hex().encode())


def check(visitors: Visitors, dump: bytes, *, least: int) -> None:
    """Hold a dump to the promise."""
    assert len(dump) > least, "there is something in it"
    assert len(set(visitors.secrets)) > 8 * VISITORS
    for secret in set(visitors.secrets):
        for spelling in spellings(secret):
            assert spelling not in dump, f"{secret} as {spelling[:60]!r}"


def check_seals(visitors: Visitors, values: list[str]) -> None:
    """Nobody becomes a visitor by what was read."""
    assert values
    for value in values:
        assert visitors.become(value) == {}


MODES: Final[dict[str, dict[str, str]]] = {
    "store": {"storage": "store"},
    "overflow": {"overflow": "store"},
    "cookie": {},
}


def options_of(mode: str, url: str) -> dict[str, Any]:
    store: dict[str, Store] = {} if mode == "cookie" else {"store": open_store(url)}
    revocations: Revocations = open_revocations(url)
    if isinstance(revocations, RedisRevocations):
        revocations.initialize()
    return {**MODES[mode], **store, "revocations": revocations}


@contextmanager
def monitored(server: RedisServer) -> Iterator[list[bytes]]:
    """Collect all that a server is told meanwhile."""
    told: list[bytes] = []
    with server.client() as client, client.monitor() as monitor:

        def listen() -> None:
            for command in monitor.listen():
                told.append(json.dumps(command, default=str).encode())
                if "over" in command["command"]:
                    return

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield told
        finally:
            client.echo("over")
            thread.join(10)


@pytest.mark.needs("redis")
@pytest.mark.parametrize("mode", MODES)
def test_neither_what_redis_keeps_nor_what_it_is_told_holds_an_id_or_a_value(
    mode: str, redis_server: RedisServer
) -> None:
    visitors = Visitors(**options_of(mode, redis_server.url))
    with monitored(redis_server) as told:
        visitors.come()
    dump: list[bytes] = []
    seals: list[str] = []
    with redis_server.client() as client:
        for name in client.scan_iter():
            dump += [name, client.dump(name)]
            kind = client.type(name)
            if kind == b"hash":
                fields = client.hgetall(name)
                dump += [part for pair in fields.items() for part in pair]
                seals.append(fields[b"value"].decode())
            elif kind == b"zset":
                dump += client.zrange(name, 0, -1)
            else:
                assert kind == b"string"
                dump.append(client.get(name))
    check(visitors, b"\n".join(dump), least=100)
    check(visitors, b"\n".join(told), least=1000)
    if mode == "store":
        check_seals(visitors, seals)
        check_seals(
            visitors, [name.decode().rpartition(":")[2] for name in dump if name.startswith(b"iron_wsgi:")]
        )


@pytest.mark.parametrize("mode", MODES)
def test_no_octet_of_the_files_of_sqlite_holds_an_id_or_a_value(mode: str, tmp_path: Path) -> None:
    visitors = Visitors(**options_of(mode, f"sqlite:///{tmp_path / 'sessions.db'}"))
    visitors.come()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["sessions.db", "sessions.db-shm", "sessions.db-wal"]
    check(visitors, b"\n".join(file.read_bytes() for file in files), least=1000)


@pytest.mark.needs("postgresql")
@pytest.mark.parametrize("mode", MODES)
def test_no_row_of_postgresql_holds_an_id_or_a_value(mode: str, postgresql: str) -> None:
    visitors = Visitors(**options_of(mode, postgresql))
    visitors.come()
    rows: list[str] = []
    with psycopg.connect(postgresql) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        for (table,) in tables.fetchall():
            rows += [row for (row,) in connection.execute(f"SELECT t::text FROM {table} t".encode())]  # noqa: S608
        if mode == "store":
            seals = connection.execute("SELECT value FROM iron_sessions").fetchall()
            check_seals(visitors, [value for (value,) in seals])
    check(visitors, "\n".join(rows).encode(), least=100)
