"""What sessions on a server cost: in Redis, beside Flask-Session and Django's ``cached_db``; and the list."""

from __future__ import annotations

import binascii
import json
import logging
import secrets
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from django.conf import settings
from django.core.cache import caches
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test.utils import override_settings
from django.urls import path
from flask import Flask, session
from flask_session.redis import RedisSessionInterface  # type: ignore[import-untyped]
from redis import Redis
from werkzeug.test import create_environ

from iron_wsgi.revocation.redis import RedisRevocations
from iron_wsgi.stores.redis import RedisStore
from iron_wsgi_flask import IronSessionInterface
from tests.parts import MissingPart
from tests.services.redis import RedisServer

from . import django_sessions, flask_sessions, floors
from .payloads import PASSWORD, lifelike_of
from .report import Group, Line, Target
from .timing import Effort, Timer, compare

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from flask.sessions import SessionInterface

NO_SLOWER: Final = Target("at most", 1.0)
SIZES: Final = (100, 1000, 10_000)  # octets of JSON
VERBS: Final = ("read", "write")
VIEWS: Final = {"ignore": "/ignore", "read": "/read", "write": "/count"}
MIB: Final = 2**20
MANY: Final = 100_000  # entries, of which the memory of a million is reckoned
VISITS: Final = 10  # requests whose commands are counted

Request = Callable[[], None]
"""Has a site answer one request."""


class Sites(NamedTuple):
    """Flask applications with their sessions in one and the same Redis."""

    ours: SessionInterface
    theirs: SessionInterface


def groups(effort: Effort) -> Iterator[Group]:
    """Measure whole requests to sites whose sessions are in one and the same Redis."""
    logging.getLogger("iron_wsgi").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        try:
            server = RedisServer(Path(folder) / "redis").start()
        except MissingPart as missing:
            yield Group(title="Sessions in Redis", lines=[], note=f"left out: {missing}")
            return
        try:
            yield from _flask(server, effort)
            yield Group(
                title="Flask with its sessions in cookies: a whole request, with revocations in Redis",
                lines=list(_list(server, effort)),
                note=_memory(server, MANY if effort.turn else 100),
            )
            yield Group(
                title="Django with its sessions in Redis; cached_db has its cache there, its table in SQLite",
                lines=list(_django(server, Path(folder), effort)),
            )
        finally:
            server.kill()


def _flask(server: RedisServer, effort: Effort) -> Iterator[Group]:
    sites = Sites(
        ours=IronSessionInterface(storage="store", store=RedisStore(server.client())),
        theirs=RedisSessionInterface(app=Flask("flask_session"), client=server.client()),
    )
    # Flask-Session makes its sessions permanent, and then each request writes. Here they are as Flask's own.
    for title, is_permanent in (
        ("as each comes out of the box", False),
        ("like for like: permanent sessions, renewed at every request", True),
    ):
        yield Group(
            title=f"Flask with its sessions in Redis, {title}: a whole request",
            lines=list(_requests(sites, server, effort, is_permanent=is_permanent)),
            note=_commands(sites, server, is_permanent=is_permanent),
        )


def _requests(sites: Sites, server: RedisServer, effort: Effort, *, is_permanent: bool) -> Iterator[Line]:
    for size in SIZES:
        for verb in VERBS:
            requests = {
                "ours": _visit(sites.ours, verb, size, is_permanent=is_permanent),
                "theirs": _visit(sites.theirs, verb, size, is_permanent=True),
            }
            if is_permanent:
                requests["floor"] = _floor(server, verb, size)
            timers = {name: timeit.Timer(request).timeit for name, request in requests.items()}
            for name, request in requests.items():
                timers[f"{name} processor"] = timeit.Timer(request, timer=time.process_time).timeit
            seconds = compare(timers, effort)
            for kind, suffix in (("", ""), (" processor", ", processor time")):
                theirs = seconds[f"theirs{kind}"]
                yield Line(
                    what=f"{verb} {size} octets{suffix}",
                    ours=seconds[f"ours{kind}"],
                    against="Flask-Session",
                    theirs=theirs,
                    target=NO_SLOWER,
                )
                if is_permanent:
                    yield Line(
                        what=f"{verb} {size} octets{suffix}, primitives alone",
                        ours=seconds[f"floor{kind}"],
                        against="Flask-Session",
                        theirs=theirs,
                    )


def _floor(server: RedisServer, verb: str, size: int) -> Request:
    """Return the least that encrypted sessions in Redis ask for: the libraries' calls, in a straight line.

    Flask without a session; a reference is opened, a record is fetched and opened, and both are written, the
    reference alone where nothing changes.
    """
    ignore = _visit(flask_sessions.NullInterface(), "ignore", size)
    client, at, reference = server.client(), time.time(), {"_iron": {"sid": "i" * 43, "iat": 1_700_000_000.0}}
    cookie = floors.seal_data(reference, PASSWORD, at + 1e6)
    cipher, name = AESGCMSIV(bytes(32)), b"n" * 64

    def encrypted(data: Any) -> bytes:
        nonce = secrets.token_bytes(12)
        octets = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        return binascii.b2a_base64(nonce + cipher.encrypt(nonce, octets, name), newline=False)

    client.set("floor", encrypted(lifelike_of(size)))

    def request() -> None:
        ignore()
        opened = floors.unseal_data(cookie, PASSWORD, at)
        record: Any = client.get("floor")
        octets = binascii.a2b_base64(record)
        data = json.loads(cipher.decrypt(octets[:12], octets[12:], name))
        if verb == "write":
            client.set("floor", encrypted(data), ex=1_000_000)
        else:
            client.expire("floor", 1_000_000)
        floors.seal_data(opened, PASSWORD, at + 1e6)

    return request


def _commands(sites: Sites, server: RedisServer, *, is_permanent: bool) -> str:
    """Say what one request asks of Redis, by Redis's own count: commands in scripts are among them."""
    told = []
    with server.client() as client:
        for name, interface, permanent in (
            ("ours", sites.ours, is_permanent),
            ("theirs", sites.theirs, True),
        ):
            for verb in VERBS:
                trips, commands = _asked(client, _visit(interface, verb, SIZES[1], is_permanent=permanent))
                said = ", ".join(f"{count:g} {command}" for command, count in commands.items())
                told.append(f"{name}, {verb}: {_trips(trips)} ({said})")
    return "One request asks of Redis, commands within scripts included:\n    " + "\n    ".join(told)


def _trips(number: float) -> str:
    return f"{number:g} round trip{'' if number == 1 else 's'}"


def _asked(client: Redis, request: Request) -> tuple[float, dict[str, float]]:
    """Return the round trips of one request, and its commands by their names."""
    request()  # what is said once is said here
    client.config_resetstat()
    for _ in range(VISITS):
        request()
    trips = client.info("stats")["total_reads_processed"] - 1  # this question is one of them
    counts = {
        name.removeprefix("cmdstat_").upper(): told["calls"] / VISITS
        for name, told in sorted(client.info("commandstats").items())
    }
    ours = {name: count for name, count in counts.items() if not name.startswith(("CONFIG", "INFO"))}
    return trips / VISITS, ours


def _list(server: RedisServer, effort: Effort) -> Iterator[Line]:
    listed = IronSessionInterface(revocations=RedisRevocations(server.client()))
    for verb in VIEWS:
        with server.client() as client:
            requests: dict[str, Callable[[], object]] = {
                "ours": _visit(listed, verb, SIZES[1]),
                "theirs": _visit(IronSessionInterface(), verb, SIZES[1]),
                "ping": client.ping,
            }
            timers = {name: timeit.Timer(request).timeit for name, request in requests.items()}
            seconds = compare(timers, effort)
            trips, _ = _asked(client, _visit(listed, verb, SIZES[1]))
        yield Line(
            what=f"{verb} {SIZES[1]} octets",
            ours=seconds["ours"],
            against=f"no list, and {trips:g} PING",
            theirs=seconds["theirs"] + trips * seconds["ping"],
        )


def _memory(server: RedisServer, count: int) -> str:
    """Say what a million revocations take, by what *count* of them do."""
    with server.client() as client:
        client.flushall()
        revocations = RedisRevocations(client)
        before: int = client.info("memory")["used_memory"]
        for number in range(count):
            revocations.revoke(f"session {number}")
        took = client.info("memory")["used_memory"] - before
    return (
        f"A million revocations take {took / count * 1e6 / MIB:.0f} MiB of Redis (reckoned from {count:,})."
    )


def _django(server: RedisServer, folder: Path, effort: Effort) -> Iterator[Line]:
    if settings.configured:  # another part may have had the connection lead to a file that is gone
        connection.settings_dict["NAME"] = str(folder / "sessions.sqlite3")
    django_sessions.set_up(folder)
    caches_in_redis = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": server.url}
    }
    sites: dict[str, dict[str, Any]] = {
        "ours": {
            "MIDDLEWARE": [django_sessions.OURS],
            "SESSION_ENGINE": django_sessions.SEALED,
            "IRON_SESSION": {"storage": "store", "store": RedisStore(server.client())},
        },
        "cached_db": {
            "MIDDLEWARE": [django_sessions.STOCK],
            "SESSION_ENGINE": f"{django_sessions.DJANGOS}.cached_db",
        },
    }
    with override_settings(CACHES=caches_in_redis, ROOT_URLCONF=__name__):
        for size in SIZES:
            for verb in VERBS:
                timers = {name: _django_visits(own, verb, size) for name, own in sites.items()}
                seconds = compare(timers, replace(effort, turn=2.5 * effort.turn))
                yield Line(
                    what=f"{verb} {size} octets",
                    ours=seconds["ours"],
                    against="cached_db",
                    theirs=seconds["cached_db"],
                    target=NO_SLOWER,
                )
        caches["default"].close()
    connection.close()


def count(request: HttpRequest) -> HttpResponse:
    """Write another value each time: what is equal need not be written."""
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse("ok")


urlpatterns = [*django_sessions.urlpatterns, path("count", count)]


def _visit(interface: SessionInterface, verb: str, size: int, *, is_permanent: bool = False) -> Request:
    """Return a request of a visitor whose session holds *size* octets."""
    site = flask_sessions.site_with(interface)

    @site.get("/count")
    def count() -> str:
        session["visits"] = session.get("visits", 0) + 1
        return "ok"

    cookie = flask_sessions.cookie_of(site, lifelike_of(size), permanent=is_permanent)
    environ = create_environ(VIEWS[verb], base_url="https://localhost/", headers={"Cookie": cookie})
    return _request_to(site.wsgi_app, environ)


def _django_visits(own: dict[str, Any], verb: str, size: int) -> Timer:
    data = lifelike_of(size)
    with override_settings(**own):
        handler = WSGIHandler()
        made = create_environ("/fill", base_url="https://localhost/", method="POST", json=data)
        text, given = django_sessions.answer_of(handler, made)
        if json.loads(text) != data:
            msg = f"{own['SESSION_ENGINE']} did not keep the session"
            raise AssertionError(msg)
    headers = {"Cookie": f"{django_sessions.COOKIE}={given[django_sessions.COOKIE]}"}
    environ = create_environ(VIEWS[verb], base_url="https://localhost/", headers=headers)
    request = _request_to(handler, environ)

    def turn(calls: int) -> float:
        with override_settings(**own):
            request()  # what is made once is made here
            return timeit.Timer(request).timeit(calls)

    return turn


def _request_to(application: WSGIApplication, environ: WSGIEnvironment) -> Request:
    def start_response(status: str, _headers: list[tuple[str, str]], _exc_info: Any = None, /) -> Any:
        if not status.startswith("200"):
            raise AssertionError(status)

    def answer() -> None:
        body: Any = application(dict(environ), start_response)
        if b"".join(body) != b"ok":
            msg = f"{environ['PATH_INFO']} found no session"
            raise AssertionError(msg)
        body.close()

    return answer
