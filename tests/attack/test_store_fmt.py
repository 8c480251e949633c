"""T-STORE-FMT, T-NS: what others have put where our records are is nobody's session, and runs nothing."""

from __future__ import annotations

import base64
import json
import pickle
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from cachelib import FileSystemCache, SimpleCache

from iron_wsgi.revocation.redis import RedisRevocations
from iron_wsgi.revocation.sql import SqlRevocations
from iron_wsgi.servers.ids import key_of
from iron_wsgi.stores import Store
from iron_wsgi.stores.cache import CacheStore
from iron_wsgi.stores.redis import RedisStore
from iron_wsgi.stores.sql import SqlStore
from tests.interop import forge_record

from .parallel import Site
from .seals import NEW, OLD, OTHER, forged

if TYPE_CHECKING:
    from tests.services.redis import RedisServer

pytest_plugins = ("tests.services.redis",)

USER: Final = {"user": 7, "_user_id": "7", "_auth_user_id": "7", "_permanent": True}
"""What each format says, in the words of each framework."""


@dataclass
class Trap:
    """A pickle of it touches a file when it is read."""

    file: Path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.file,)


def own(name: str = "", plaintext: bytes = b"", **changes: str) -> bytes:
    """Return the record of a session whose user is somebody else, but for *changes*."""
    data = {**USER, "user": 8, "_iron": {"sid": "sid", "iat": 1_700_000_000, "ref": "sid"}}
    octets = plaintext or json.dumps(data).encode()
    return forge_record.record(octets, name or key_of("sid"), **changes).encode()


def payloads(canary: Path) -> dict[str, bytes]:
    """Return what other programs keep, and what an attacker would."""
    trap = pickle.dumps({**USER, "trap": Trap(canary)})
    document = json.dumps(USER).encode()
    record = {"value": forged(USER), "version": 1, "expires_at": None}
    return {
        "a pickle": trap,
        "an old pickle": pickle.dumps({**USER, "trap": Trap(canary)}, protocol=0),
        "a pickle as cachelib marks it": b"!" + trap,
        "JSON of Flask-Session": document,
        "msgpack of Flask-Session": b"\x82\xa4user\x07\xaa_permanent\xc3",
        "JSON of connect-redis": json.dumps({"cookie": {"originalMaxAge": None}, **USER}).encode(),
        "JSON of a record": json.dumps(record).encode(),
        "JSON as it is in a cookie": json.dumps({**USER, "_iron": {"sid": "sid", "ref": "sid"}}).encode(),
        "a signed cookie of Flask": b"eyJ1c2VyIjo3fQ.aSBVNA.2yQ4vV8d0vTqK9h0F1o0y1b7jzs",
        "a session of Django's database": b"eyJ1c2VyIjo3fQ:1vM8fJ:Vn8cM3Sg4zQf0xR2pQ0c2lq0C8r0P9mJmE5Zp0Q",
        "a cookie's seal": forged(USER).encode(),
        "a cookie's seal of this very session": forged(
            {**USER, "_iron": {"sid": "sid", "iat": 1, "ref": "sid"}}
        ).encode(),
        "a seal under another password": forged(USER, NEW).encode(),
        "a seal of another version": forged(USER).replace("Fe26.2", "Fe26.3").encode(),
        "an expired seal": forged(USER, expiration="1000").encode(),
        "a record under another name": own(key_of("other")),
        "a record under another password": own(password=NEW),
        "a record under an id that nobody has": own(password_id="2"),
        "a record of another version": own(version="2"),
        "a record of another version that names this one": b"1" + own(version="2")[1:],
        "a record without a password id": own(password_id=""),
        "an empty record with a tag of zeros": b"1.1." + base64.b64encode(bytes(28)),
        "a record that holds a pickle": own(plaintext=trap),
        "a record that holds no session": own(plaintext=b"[7]"),
        "the head of a record": b"1.1.",
        "a pickle in a record's clothes": b"iron_wsgi 1 1 - 1 1 -\n" + trap,
        "nothing": b"",
        "zeros": bytes(64),
        "high octets": bytes(range(128, 256)),
        "a number": b"1e999",
        "deep": b"[" * 100_000,
    }


FORMATS: Final = list(payloads(Path()))

Put = Callable[[str, bytes], object]


@dataclass
class Place:
    """A store, and the ways in which others write below its keys.

    Attributes:
        store: The store.
        puts: Each puts octets where the record with a key is.
    """

    store: Store
    puts: Mapping[str, Put]


def redis_place(server: RedisServer) -> Place:
    client: Any = server.client()

    def replacing(write: Callable[[str, bytes], object]) -> Put:
        def put(key: str, octets: bytes) -> None:
            client.delete(f"iron_wsgi:{key}")
            write(f"iron_wsgi:{key}", octets)

        return put

    whole = {"version": "1", "subject": "", "created_at": "1", "written_at": "1", "expires_at": ""}
    puts: dict[str, Put] = {
        "a string": replacing(client.set),
        "a list": replacing(client.rpush),
        "a set": replacing(client.sadd),
        "a hash of others": replacing(lambda name, octets: client.hset(name, "data", octets)),
        "a record of another version": replacing(
            lambda name, octets: client.hset(name, mapping={"value": octets, "version": "1"})
        ),
        "a whole record": replacing(
            lambda name, octets: client.hset(name, mapping={**whole, "value": octets})
        ),
        "a whole record, after ours": lambda key, octets: client.hset(f"iron_wsgi:{key}", "value", octets),
    }

    def putting(field: str) -> Put:
        return lambda key, octets: client.hset(f"iron_wsgi:{key}", field, octets)

    puts |= {f"{field} of ours": putting(field) for field in whole}
    return Place(RedisStore.from_url(server.url), puts)


def sqlite_place(folder: Path) -> Place:
    file = folder / "sessions.db"

    def putting(column: str, cast: str = "?") -> Put:
        def put(key: str, octets: bytes) -> None:
            connection = sqlite3.connect(file)
            connection.execute(f"UPDATE iron_sessions SET {column} = {cast} WHERE key = ?", (octets, key))  # noqa: S608
            connection.commit()
            connection.close()

        return put

    columns = ("value", "version", "subject", "created_at", "written_at", "expires_at")
    puts = {f"octets in {column}": putting(column) for column in columns}
    puts["text in value"] = putting("value", "CAST(? AS TEXT)")
    return Place(SqlStore.from_url(f"sqlite:///{file}"), puts)


def cache_place(cache: Any) -> Place:
    puts: dict[str, Put] = {
        "octets": lambda key, octets: cache.set(f"iron_wsgi:{key}", octets),
        "text": lambda key, octets: cache.set(f"iron_wsgi:{key}", octets.decode("latin-1")),
        "a dict": lambda key, octets: cache.set(f"iron_wsgi:{key}", {**USER, "octets": octets}),
        "a list": lambda key, octets: cache.set(f"iron_wsgi:{key}", [octets]),
        "a whole record": lambda key, octets: cache.set(
            f"iron_wsgi:{key}", b"iron_wsgi 1 1 - 1 1 -\n" + octets
        ),
    }
    return Place(CacheStore(cache), puts)


@pytest.fixture(params=[pytest.param("redis", marks=pytest.mark.needs("redis")), "sqlite", "simple", "files"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "redis":
        return redis_place(request.getfixturevalue("redis_server"))
    if request.param == "sqlite":
        return sqlite_place(tmp_path)
    return cache_place(
        SimpleCache() if request.param == "simple" else FileSystemCache(str(tmp_path / "cache"))
    )


@pytest.mark.parametrize("format_", FORMATS)
def test_what_others_have_put_under_our_key_is_an_anonymous_visitor(
    format_: str, place: Place, tmp_path: Path
) -> None:
    canary = tmp_path / "executed"
    octets = payloads(canary)[format_]
    for way, put in place.puts.items():
        site = Site(
            storage="store", store=place.store, subject="user", generate_id=iter(["sid", "new"]).__next__
        )
        cookie = site.sign_in(user=7)
        if site.finds(cookie) != {"user": 7}:
            pytest.fail("the session was not there")
        put(key_of("sid"), octets)
        found = site.finds(cookie)
        # A column about which the session does not depend may hold anything.
        assert found in ({}, {"user": 7} if is_beside(way) else {}), way
        visitor = site.begin(cookie)
        visitor.session["visits"] = 1
        assert visitor.answer(), "he gets a session"
        leaver = site.begin(cookie)
        leaver.session.destroy()
        leaver.answer()
        assert not canary.exists(), way
        for key in map(key_of, ("sid", "new")):
            place.store.delete(key)


def is_beside(way: str) -> bool:
    """Whether only a field beside the value is written, which the store may be able to read all the same."""
    return way.endswith(" of ours") or (way.startswith("octets in ") and not way.endswith("value"))


# T-NS: what belongs to others.


@pytest.mark.parametrize("kind", [pytest.param("redis", marks=pytest.mark.needs("redis")), "sqlite", "cache"])
def test_two_applications_in_one_place_do_not_see_each_other(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    def options(name: str) -> dict[str, Any]:
        if kind == "redis":
            server = request.getfixturevalue("redis_server")
            revocations = RedisRevocations.from_url(server.url, prefix=f"{name}:revoked:")
            revocations.initialize()
            return {"store": RedisStore.from_url(server.url, prefix=f"{name}:"), "revocations": revocations}
        if kind == "cache":
            return {"store": CacheStore(cache, prefix=f"{name}:")}
        url = f"sqlite:///{tmp_path / 'sessions.db'}"
        return {
            "store": SqlStore.from_url(url, table=f"{name}_sessions"),
            "revocations": SqlRevocations.from_url(url, table=f"{name}_revocations"),
        }

    cache = SimpleCache()
    # Of all that two applications can have in common, they have everything: the password, the ids, the users.
    shop, blog = (
        Site(storage="store", subject="user", generate_id=lambda: "sid", **options(name))
        for name in ("shop", "blog")
    )
    at_shop = shop.sign_in(user=7, of="shop")
    assert blog.finds(at_shop) == {}
    at_blog = blog.sign_in(user=7, of="blog")
    assert shop.finds(at_blog) == {"user": 7, "of": "shop"}, (
        "the same password: a reference is as good as the id"
    )
    assert blog.finds(at_blog) == {"user": 7, "of": "blog"}
    blog.sign_out(at_blog)
    if blog.options.revocations is not None:
        blog.options.revocations.revoke_subject("7")
        blog.options.revocations.revoke_all()
    assert blog.options.store is not None
    assert blog.options.store.end_sessions_of("7") == 0
    assert shop.finds(at_shop) == {"user": 7, "of": "shop"}


def test_of_two_applications_under_one_prefix_neither_reads_or_overwrites_the_others_sessions(
    place: Place,
) -> None:
    ours, theirs = (
        Site(storage="store", store=place.store, password=password, generate_id=iter(ids).__next__)
        for password, ids in ((OTHER, ["sid"]), (NEW, ["sid", "another"]))
    )
    cookie = ours.sign_in(user=7)
    assert theirs.finds(cookie) == {}
    other = theirs.sign_in(user=8)
    assert ours.finds(cookie) == {"user": 7}
    assert theirs.finds(other) == {"user": 8}
    theirs.sign_out(cookie)
    assert ours.finds(cookie) == {"user": 7}


@pytest.mark.needs("redis")
def test_what_an_application_keeps_in_the_same_redis_cannot_become_a_session(
    redis_server: RedisServer,
) -> None:
    site = Site(storage="store", store=RedisStore.from_url(redis_server.url), generate_id=lambda: "sid")
    victim = site.sign_in(user=7)
    with redis_server.client() as client:
        (name,) = client.keys("iron_wsgi:*")
        record = client.hgetall(name)
        # Names and values that a visitor may choose, under the application's own prefix.
        for own in ("", "app:", "iron_wsgi", "iron_wsgi_app:", "IRON_WSGI:"):
            client.hset(f"{own}{key_of('chosen')}", mapping=record)
            client.hset(f"{own}chosen", mapping=record)
    for ref in (
        "chosen",
        "app:chosen",
        f"app:{key_of('chosen')}",
        "../sid",
        "sid\x00",
        "*",
        "",
        "subject:7",
        "revoked:all",
    ):
        # The password is known to nobody but the site; this is what it would be worth.
        given = forged({"_iron": {"sid": "x", "iat": 1_700_000_000, "ref": ref}}, expiration=str(2**42))
        assert site.finds(given) == {}
    assert site.finds(victim) == {"user": 7}


def test_a_record_that_was_moved_to_another_key_is_nobodys_session(place: Place) -> None:
    site = Site(
        storage="store", store=place.store, generate_id=iter(["victim", "attacker", "fresh"]).__next__
    )
    victim, attacker = site.sign_in(user=7), site.sign_in(user=8)
    stolen = place.store.load(key_of("victim"))
    assert stolen is not None
    place.store.delete(key_of("attacker"))
    assert place.store.create(key_of("attacker"), stolen)
    assert site.finds(attacker) == {}
    assert site.finds(victim) == {"user": 7}


def test_a_record_is_no_cookie_and_a_cookie_is_no_record(place: Place) -> None:
    site = Site(storage="store", store=place.store, generate_id=lambda: "sid")
    cookie = site.sign_in(user=7)
    record = place.store.load(key_of("sid"))
    assert record is not None
    assert site.finds(record.value) == {}
    inline = Site().sign_in(user=9, _flash={})
    place.store.delete(key_of("sid"))
    place.store.create(key_of("sid"), replace(record, value=inline))
    assert site.finds(cookie) == {}
    place.store.delete(key_of("sid"))
    place.store.create(key_of("sid"), replace(record, value=cookie))
    assert site.finds(cookie) == {}


def test_only_what_is_authentic_under_that_very_name_is_a_session(place: Place) -> None:
    """Whoever holds the key can write one, and nobody else: each part of a record counts."""
    site = Site(storage="store", store=place.store, password={1: OLD, 2: NEW}, generate_id=lambda: "sid")
    cookie = site.sign_in(user=7)
    written = place.store.load(key_of("sid"))
    assert written is not None

    def found(value: str) -> dict[str, Any]:
        place.store.delete(key_of("sid"))
        place.store.create(key_of("sid"), replace(written, value=value))
        return site.finds(cookie)

    assert found(own(password_id="1").decode())["user"] == 8
    assert found(own(password=NEW, password_id="2").decode())["user"] == 8
    assert found(written.value) == {"user": 7}
    _, password_id, text = written.value.split(".")
    assert password_id == "2"
    octets = base64.b64decode(text)
    for changed in (
        f"1.1.{text}",
        f"2.2.{text}",
        f"1.2.{base64.b64encode(octets[:-1]).decode()}",
        f"1.2.{text[:-8]}",
        f"1.2.{text[:20]}",
        *(f"1.2.{base64.b64encode(flipped(octets, place)).decode()}" for place in (0, 11, 12, 40, -16, -1)),
    ):
        assert found(changed) == {}
    assert found(written.value) == {"user": 7}


def flipped(octets: bytes, place: int) -> bytes:
    changed = bytearray(octets)
    changed[place] ^= 1
    return bytes(changed)


# T-STRICT, T-COLL.


def test_an_id_that_nobody_was_given_is_never_adopted(place: Place) -> None:
    ids = iter(["new one", "new two", "new three"]).__next__
    site = Site(storage="store", store=place.store, generate_id=ids)
    for ref in ("fixed", "x" * 128, "a b"):
        given = forged({"_iron": {"sid": ref, "iat": 1_700_000_000, "ref": ref}}, expiration=str(2**42))
        visitor = site.begin(given)
        visitor.session["user"] = 7
        assert visitor.answer()
        assert visitor.session.sid.startswith("new ")
        assert place.store.load(key_of(ref)) is None


def test_an_id_that_somebody_has_already_is_given_to_nobody_else(place: Place) -> None:
    site = Site(
        storage="store", store=place.store, generate_id=iter(["same", "same", "same", "other"]).__next__
    )
    first = site.sign_in(user=7)
    second = site.sign_in(user=8)
    assert (site.finds(first), site.finds(second)) == ({"user": 7}, {"user": 8})


def test_a_name_in_the_store_is_no_session(place: Place) -> None:
    site = Site(storage="store", store=place.store, subject="user")
    site.sign_in(user=7)
    (listed,) = place.store.sessions_of("7")
    for value in (listed.key, f"iron_wsgi:{listed.key}", ""):
        assert site.finds(value) == {}
    ref = {"sid": listed.key, "iat": 1_700_000_000, "ref": listed.key}
    assert site.finds(forged({"_iron": ref}, expiration=str(2**42))) == {}
