"""What sessions on a server cost: in Redis, beside Flask-Session and Django's ``cached_db``; and the list."""

from __future__ import annotations

import json
import logging
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

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

from . import django_sessions, flask_sessions, floors
from .payloads import PASSWORD, SIZES, USUAL, data_of
from .report import Group, Line
from .timing import Effort, Timer, compare, python

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from flask.sessions import SessionInterface

    from tests.services.redis import RedisServer

LIMITS: Final = {"read": 1.0, "write": 1.5, "ignore": 0.3}
THEIRS: Final = "Flask-Session"
LARGE: Final = 10_000  # octets; more than fits into a cookie
MIB: Final = 2**20
MANY: Final = 100_000  # entries, of which the memory of a million is reckoned
VISITS: Final = 10  # requests whose commands are counted

Request = Callable[[], None]
"""Has a site answer one request."""


class Interfaces(NamedTuple):
    """Sessions in one and the same Redis, and none: the zero."""

    ours: SessionInterface
    theirs: SessionInterface
    null: SessionInterface

    def requests(self, verb: str, size: int, *, is_permanent: bool = False) -> dict[str, Request]:
        """Return a request to a Flask application with each.

        Flask-Session makes its sessions permanent, so that each request writes. Ours are as Flask's own.
        """
        permanent = {"ours": is_permanent, "theirs": True, "null": False}
        return {
            name: _visit(interface, verb, size, is_permanent=permanent[name])
            for name, interface in self._asdict().items()
        }


def goals(effort: Effort) -> Iterator[Group]:
    """Measure what sessions in Redis add to a request of Flask, as each comes out of the box."""
    titles = {"read": "read", "write": "write", "ignore": "untouched"}
    titles = {verb: f"Flask on Redis: {title}, of what Flask-Session adds" for verb, title in titles.items()}
    trips = "Flask on Redis: round trips of an untouched request"
    with _redis() as server:
        if isinstance(server, str):
            for title, limit in (*((titles[verb], LIMITS[verb]) for verb in LIMITS), (trips, 0)):
                line = Line(what="", ours=None, against=THEIRS, theirs=None, limit=limit)
                yield Group(title=title, lines=[line], note=server)
            return
        interfaces = _interfaces(server)
        for verb in LIMITS:
            yield Group(title=titles[verb], lines=list(_added(interfaces, verb, effort)))
        yield Group(title=trips, lines=list(_untouched_trips(interfaces, server)))


def groups(effort: Effort) -> Iterator[Group]:
    """Measure whole requests to sites whose sessions, or whose revocations, are in one and the same Redis."""
    with _redis() as server, tempfile.TemporaryDirectory() as folder:
        if isinstance(server, str):
            yield Group(title="Sessions in Redis", lines=[], note=server)
            return
        interfaces = _interfaces(server)
        for title, is_permanent in (
            ("as each comes out of the box", False),
            ("like for like: permanent sessions, renewed at every request", True),
        ):
            yield Group(
                title=f"Flask with its sessions in Redis, {title}: a whole request",
                lines=list(_whole(interfaces, server, effort, is_permanent=is_permanent)),
                note=_commands(interfaces, server, is_permanent=is_permanent),
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


@contextmanager
def _redis() -> Iterator[RedisServer | str]:
    """Yield a server, or why there is none."""
    try:
        from tests.parts import MissingPart  # noqa: PLC0415 - needs pytest
        from tests.services.redis import RedisServer  # noqa: PLC0415
    except ModuleNotFoundError as error:
        yield f"To measure these: `pip install {error.name}`."
        return
    logging.getLogger("iron_wsgi").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        try:
            server = RedisServer(Path(folder)).start()
        except MissingPart as missing:
            yield f"To measure these: {missing}."
            return
        try:
            yield server
        finally:
            server.kill()


def _interfaces(server: RedisServer) -> Interfaces:
    return Interfaces(
        ours=IronSessionInterface(storage="store", store=RedisStore(server.client())),
        theirs=RedisSessionInterface(app=Flask("flask_session"), client=server.client()),
        null=flask_sessions.NullInterface(),
    )


def _added(interfaces: Interfaces, verb: str, effort: Effort) -> Iterator[Line]:
    for size in SIZES:
        requests = interfaces.requests(verb, size)
        # Not processor time: a request waits for its answers. Longer, since more can interrupt it.
        timers = {name: python(request) for name, request in requests.items()}
        seconds = compare(timers, replace(effort, share=2 * effort.share))
        yield Line(
            what=f"{size:,} octets",
            ours=seconds["ours"] - seconds["null"],
            against=THEIRS,
            theirs=seconds["theirs"] - seconds["null"],
            limit=LIMITS[verb] if size == USUAL else None,
        )


def _untouched_trips(interfaces: Interfaces, server: RedisServer) -> Iterator[Line]:
    """Yield lines of round trips, by Redis's own count, of sessions as they come and of permanent ones."""
    for what, is_permanent, limit in (("as it comes", False, 0), ("permanent", True, None)):
        requests = interfaces.requests("ignore", USUAL, is_permanent=is_permanent)
        with server.client() as client:
            ours, theirs = (_asked(client, requests[name])[0] for name in ("ours", "theirs"))
        yield Line(what=what, ours=ours, against=THEIRS, theirs=theirs, kind="number", limit=limit)


def _whole(
    interfaces: Interfaces, server: RedisServer, effort: Effort, *, is_permanent: bool
) -> Iterator[Line]:
    for size in (*SIZES, LARGE):
        for verb in LIMITS:
            requests = interfaces.requests(verb, size, is_permanent=is_permanent)
            timers = {name: python(request) for name, request in requests.items() if name != "null"}
            if is_permanent and verb != "ignore":
                timers["floor"] = python(_floor(server, verb, size))
            seconds = compare(timers, effort)
            for name, suffix in (("ours", ""), ("floor", ", primitives alone")):
                if name in seconds:
                    yield Line(
                        what=f"{verb} {size:,} octets{suffix}",
                        ours=seconds[name],
                        against=THEIRS,
                        theirs=seconds["theirs"],
                    )


def _floor(server: RedisServer, verb: str, size: int) -> Request:
    """Return the least that encrypted sessions in Redis ask for: the libraries' calls, in a straight line.

    Flask without a session; a reference is opened, a record is fetched and opened, and both are written, the
    reference alone where nothing changes.
    """
    ignore = _visit(flask_sessions.NullInterface(), "ignore", size)
    client, at, reference = server.client(), time.time(), {"_iron": {"sid": "i" * 43, "iat": 1_700_000_000.0}}
    cookie = floors.seal_data(reference, PASSWORD, at + 1e6)
    client.set("floor", floors.encrypt_record(data_of(size)))

    def request() -> None:
        ignore()
        opened = floors.unseal_data(cookie, PASSWORD, at)
        record: Any = client.get("floor")
        data = floors.decrypt_record(record)
        if verb == "write":
            client.set("floor", floors.encrypt_record(data), ex=1_000_000)
        else:
            client.expire("floor", 1_000_000)
        floors.seal_data(opened, PASSWORD, at + 1e6)

    return request


def _commands(interfaces: Interfaces, server: RedisServer, *, is_permanent: bool) -> str:
    """Say what one request asks of Redis, by Redis's own count: commands in scripts are among them."""
    told = []
    with server.client() as client:
        for verb in LIMITS:
            requests = interfaces.requests(verb, USUAL, is_permanent=is_permanent)
            for name in ("ours", "theirs"):
                trips, commands = _asked(client, requests[name])
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
    for verb in LIMITS:
        with server.client() as client:
            requests: dict[str, Callable[[], object]] = {
                "ours": _visit(listed, verb, USUAL),
                "theirs": _visit(IronSessionInterface(), verb, USUAL),
                "ping": client.ping,
            }
            seconds = compare({name: python(request) for name, request in requests.items()}, effort)
            trips, _ = _asked(client, _visit(listed, verb, USUAL))
        yield Line(
            what=f"{verb} {USUAL:,} octets",
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
        "theirs": {
            "MIDDLEWARE": [django_sessions.STOCK],
            "SESSION_ENGINE": f"{django_sessions.DJANGOS}.cached_db",
        },
    }
    with override_settings(CACHES=caches_in_redis):
        for size in (*SIZES, LARGE):
            for verb in LIMITS:
                timers = {name: _django_visits(own, verb, size) for name, own in sites.items()}
                seconds = compare(timers, replace(effort, turn=2.5 * effort.turn))
                yield Line(
                    what=f"{verb} {size:,} octets",
                    ours=seconds["ours"],
                    against="cached_db",
                    theirs=seconds["theirs"],
                )
        caches["default"].close()
    connection.close()


def _visit(interface: SessionInterface, verb: str, size: int, *, is_permanent: bool = False) -> Request:
    """Return a request of a visitor whose session holds *size* octets."""
    site = flask_sessions.site_with(interface)
    cookie = flask_sessions.cookie_of(site, data_of(size), permanent=is_permanent)
    environ = create_environ(f"/{verb}", base_url="https://localhost/", headers={"Cookie": cookie})
    return _request_to(site.wsgi_app, environ)


def _django_visits(own: dict[str, Any], verb: str, size: int) -> Timer:
    data = data_of(size)
    with override_settings(**own):
        handler = WSGIHandler()
        made = create_environ("/fill", base_url="https://localhost/", method="POST", json=data)
        text, given = django_sessions.answer_of(handler, made)
        if json.loads(text) != data:
            msg = f"{own['SESSION_ENGINE']} did not keep the session"
            raise AssertionError(msg)
    headers = {"Cookie": f"{django_sessions.COOKIE}={given[django_sessions.COOKIE]}"}
    environ = create_environ(f"/{verb}", base_url="https://localhost/", headers=headers)
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
