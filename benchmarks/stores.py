"""What sessions on a server cost: in Redis, beside Flask-Session and Django's ``cached_db``; and the list."""

from __future__ import annotations

import json
import logging
import tempfile
import timeit
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.core.cache import caches
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.test.utils import override_settings
from flask import Flask
from flask_session.redis import RedisSessionInterface  # type: ignore[import-untyped]
from redis import Redis
from werkzeug.test import create_environ

from iron_wsgi.revocation.redis import RedisRevocations
from iron_wsgi.stores.redis import RedisStore
from iron_wsgi_flask import IronSessionInterface
from tests.parts import MissingPart
from tests.services.redis import RedisServer

from . import django_sessions, flask_sessions
from .payloads import lifelike_of
from .report import Group, Line, Target
from .timing import Effort, Timer, compare

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from flask.sessions import SessionInterface

NO_SLOWER: Final = Target("at most", 1.0)
SIZES: Final = (100, 1000, 10_000)  # octets of JSON
MIB: Final = 2**20
MANY: Final = 100_000  # entries, of which the memory of a million is reckoned


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
            yield Group(
                title="Flask with its sessions in Redis: a whole request",
                lines=list(_flask(server, effort)),
            )
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


def _flask(server: RedisServer, effort: Effort) -> Iterator[Line]:
    ours = IronSessionInterface(storage="store", store=RedisStore(server.client()))
    for size in SIZES:
        for path in ("/read", "/write"):
            timers = {
                "ours": _visits(ours, path, size),
                "theirs": _visits(_flask_session(server), path, size),
            }
            seconds = compare(timers, effort)
            yield Line(
                what=f"{path[1:]} {size} octets",
                ours=seconds["ours"],
                against="Flask-Session",
                theirs=seconds["theirs"],
                target=NO_SLOWER,
            )


def _list(server: RedisServer, effort: Effort) -> Iterator[Line]:
    listed = IronSessionInterface(revocations=RedisRevocations(server.client()))
    for path in ("/ignore", "/read", "/write"):
        timers = {
            "ours": _visits(listed, path, SIZES[1]),
            "theirs": _visits(IronSessionInterface(), path, SIZES[1]),
        }
        with server.client() as client:
            timers["ping"] = timeit.Timer(client.ping).timeit
            seconds = compare(timers, effort)
        yield Line(
            what=f"{path[1:]} {SIZES[1]} octets",
            ours=seconds["ours"],
            against="no list, and a PING",
            theirs=seconds["theirs"] + (0 if path == "/ignore" else seconds["ping"]),
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
    with override_settings(CACHES=caches_in_redis):
        for size in SIZES:
            for path in ("/read", "/write"):
                timers = {name: _django_visits(own, path, size) for name, own in sites.items()}
                seconds = compare(timers, replace(effort, turn=2.5 * effort.turn))
                yield Line(
                    what=f"{path[1:]} {size} octets",
                    ours=seconds["ours"],
                    against="cached_db",
                    theirs=seconds["cached_db"],
                    target=NO_SLOWER,
                )
        caches["default"].close()
    connection.close()


def _flask_session(server: RedisServer) -> SessionInterface:
    app = Flask("flask_session")
    interface: SessionInterface = RedisSessionInterface(app=app, client=Redis(port=server.port))
    return interface


def _visits(interface: SessionInterface, path: str, size: int) -> Timer:
    """Return what times requests of a visitor whose session holds *size* octets."""
    site = flask_sessions.site_with(interface)
    cookie = flask_sessions.cookie_of(site, lifelike_of(size), permanent=True)
    environ = create_environ(path, base_url="https://localhost/", headers={"Cookie": cookie})
    return timeit.Timer(_request(site.wsgi_app, environ)).timeit


def _django_visits(own: dict[str, Any], path: str, size: int) -> Timer:
    data = lifelike_of(size)
    with override_settings(**own):
        handler = WSGIHandler()
        made = create_environ("/fill", base_url="https://localhost/", method="POST", json=data)
        text, given = django_sessions.answer_of(handler, made)
        if json.loads(text) != data:
            msg = f"{own['SESSION_ENGINE']} did not keep the session"
            raise AssertionError(msg)
    headers = {"Cookie": f"{django_sessions.COOKIE}={given[django_sessions.COOKIE]}"}
    environ = create_environ(path, base_url="https://localhost/", headers=headers)
    request = _request(handler, environ)

    def turn(calls: int) -> float:
        with override_settings(**own):
            request()  # what is made once is made here
            return timeit.Timer(request).timeit(calls)

    return turn


def _request(application: WSGIApplication, environ: WSGIEnvironment) -> Callable[[], None]:
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
