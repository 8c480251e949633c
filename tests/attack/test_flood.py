"""T-FLOOD: whoever has no session of ours makes no server remember anything."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pytest
from redis import Redis

from iron_wsgi import Session
from iron_wsgi.revocation.redis import RedisRevocations
from iron_wsgi.revocation.sql import SqlRevocations
from iron_wsgi.servers.ids import key_of
from iron_wsgi.stores.redis import RedisStore
from iron_wsgi.stores.sql import SqlStore
from tests.effort import repetitions
from tests.interop import forge

from .parallel import Site
from .seals import NOW, OLD, OTHER, TTL, forged
from .site import environ, page, serve, sessions

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.redis import RedisServer

pytest_plugins = ("tests.services.redis",)
pytestmark = pytest.mark.needs("redis")

VISITS: Final = repetitions(1_000, 10_000)

USES: Final[dict[str, Callable[[Session], object]]] = {
    "read": lambda session: session.get("user"),
    "sign out": lambda session: session.destroy(),
    "clear": lambda session: session.clear(),
    "touch": lambda session: session.touch(),
    "forget": lambda session: session.unset("user"),
}
"""What a site does for somebody who turns out to be nobody. None of it is a new session."""


def a_reference(password: str = OLD, **stamps: Any) -> str:
    sid = secrets.token_urlsafe(32)
    return forged({"_iron": {"sid": sid, "iat": NOW, "ref": sid, **stamps}}, password)


def altered(seal: str) -> str:
    """Return a seal with other ciphertext and the old MAC."""
    fields = seal.split("*")
    fields[4] = forge.base64url(secrets.token_bytes(64))
    return "*".join(fields)


STRANGERS: Final[dict[str, Callable[[], str]]] = {
    "an id": lambda: secrets.token_urlsafe(32),
    "an id as express-session signs it": lambda: (
        f"s%3A{secrets.token_urlsafe(24)}.{secrets.token_urlsafe(32)}"
    ),
    "a name in the store": lambda: key_of(secrets.token_urlsafe(32)),
    "junk of a seal's shape": lambda: "Fe26.2*" + "*".join(secrets.token_hex(20) for _ in range(7)),
    "a seal by somebody else": lambda: forged({"user": 7}, OTHER),
    "a reference by somebody else": lambda: a_reference(OTHER),
    "an altered reference": lambda: altered(a_reference()),
    "an expired reference": lambda: forged(
        {"_iron": {"sid": "a", "iat": NOW - 9 * TTL, "ref": "a"}}, expiration="1000"
    ),
    "an unknown password": lambda: forged({"user": 7}, OTHER, password_id="9"),
}
"""What is no session of ours, and never was."""

FORMER: Final[dict[str, Callable[[], str]]] = {
    "a reference to nothing": a_reference,
    "a reference by another name": lambda: a_reference(sid="another"),
}
"""What was sealed here, but the record is gone."""


def rows(file: Path) -> dict[str, int]:
    """Return how many rows each of our tables has, but for the row that a list has about itself."""
    connection = sqlite3.connect(file)
    try:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        counts = {
            table: connection.execute(f"SELECT count(*) FROM {table} WHERE key <> 'list'").fetchone()[0]  # noqa: S608
            for table in tables
            if table != "iron_schema"
        }
    finally:
        connection.close()
    return counts


def names(server: RedisServer) -> list[bytes]:
    """Return all keys, but for the marker of a list."""
    with server.client() as client:
        return sorted(set(client.keys()) - {b"iron_wsgi:revoked:all"})


def calls(client: Redis) -> int:
    """Return how often a server was asked for anything but this."""
    stats: dict[str, Any] = client.info("commandstats")
    return sum(
        one["calls"] for name, one in stats.items() if name not in {"cmdstat_info", "cmdstat_client|setinfo"}
    )


@pytest.fixture
def servers(redis_server: RedisServer, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Options that put sessions and lists everywhere."""
    revocations = RedisRevocations.from_url(redis_server.url)
    revocations.initialize()
    file = f"sqlite:///{tmp_path / 'sessions.db'}"
    return {
        "redis": {"store": RedisStore.from_url(redis_server.url), "revocations": revocations},
        "sqlite": {"store": SqlStore.from_url(file), "revocations": SqlRevocations.from_url(file)},
    }


def flood(sites: list[Any], cookies: dict[str, Callable[[], str]]) -> None:
    """Make `VISITS` visits, of every kind of visitor at every page of all sites."""
    pairs = [(make, site) for make in cookies.values() for site in sites]
    for number in range(VISITS):
        make, site = pairs[number % len(pairs)]
        assert serve(site, environ(f"session={make()}")).status == "200 OK"


@pytest.mark.parametrize("place", ["redis", "sqlite"])
def test_strangers_reach_no_server_however_many_come(
    place: str, servers: dict[str, dict[str, Any]], redis_server: RedisServer, tmp_path: Path
) -> None:
    options = {"subject": "user", **servers[place]}
    sites = [
        sessions(page(use), storage=storage, **options)
        for use in USES.values()
        for storage in ("store", "cookie")
    ]
    with redis_server.client() as client:
        before = calls(client)
        flood(sites, STRANGERS)
        assert calls(client) == before
    assert names(redis_server) == []
    assert not (tmp_path / "sessions.db").exists(), "not even a table has been asked for"


@pytest.mark.parametrize("place", ["redis", "sqlite"])
def test_references_to_what_is_gone_leave_no_record(
    place: str, servers: dict[str, dict[str, Any]], redis_server: RedisServer, tmp_path: Path
) -> None:
    options = {"subject": "user", **servers[place]}
    flood([sessions(page(use), storage="store", **options) for use in USES.values()], FORMER)
    if place == "redis":
        assert names(redis_server) == []
    else:
        assert rows(tmp_path / "sessions.db") == {"iron_sessions": 0}


@pytest.mark.parametrize("place", ["redis", "sqlite"])
def test_sign_outs_of_one_session_leave_one_revocation_and_no_record(
    place: str, servers: dict[str, dict[str, Any]], redis_server: RedisServer, tmp_path: Path
) -> None:
    options = {"storage": "store", **servers[place]}
    cookie = Site(**options).sign_in(user=7)
    site = sessions(page(USES["sign out"]), clock=None, **options)
    for _ in range(VISITS):
        assert serve(site, environ(f"session={cookie}")).status == "200 OK"
    if place == "redis":
        assert len(names(redis_server)) == 1
    else:
        assert rows(tmp_path / "sessions.db") == {"iron_sessions": 0, "iron_revocations": 1}


@pytest.mark.parametrize("place", ["redis", "sqlite"])
def test_visitors_who_have_all_signed_out_have_left_no_record(
    place: str, servers: dict[str, dict[str, Any]], redis_server: RedisServer, tmp_path: Path
) -> None:
    site = Site(storage="store", store=servers[place]["store"], subject="user")
    for number in range(VISITS // 20):
        site.sign_out(site.sign_in(user=number % 10))
    for number in range(10):
        assert servers[place]["store"].sessions_of(str(number)) == []
    if place == "redis":
        assert names(redis_server) == []
    else:
        assert rows(tmp_path / "sessions.db") == {"iron_sessions": 0}
