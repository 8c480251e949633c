"""Whole requests through the middleware, driven as a server drives them."""

from __future__ import annotations

import json
import logging
import time
import timeit
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import flask
from werkzeug.sansio.http import parse_cookie
from werkzeug.test import create_environ

from iron_wsgi import IronSessionMiddleware, session_from

from . import floors
from .payloads import PASSWORD, SIZES, TTL, USER_ID, USUAL, data_of
from .report import Group, Line
from .seals import COUNTS, flat
from .timing import Effort, compare, python, same

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

USED: Final = 3.2
UNTOUCHED: Final = 3.0  # microseconds
HEADER: Final = 1.5
CHEAPER: Final = 1.0

COPIES: Final = 6  # of each application, since where its objects lie in memory makes half a microsecond
MEBIBYTE: Final = 1024 * 1024
BODY: Final = b"ok"
FOREIGN: Final = "preference_{number:03}=9f86d081884c7d65"


class Answer(NamedTuple):
    """What a request got.

    Attributes:
        body: All octets.
        cookies: The values of its ``Set-Cookie`` lines, by their names.
    """

    body: bytes
    cookies: dict[str, str]


def goals(effort: Effort) -> Iterator[Group]:
    """Measure requests that use their session, and such that leave it alone."""
    _silence()
    yield from _used(effort)
    yield Group(
        title="WSGI: untouched, beside the same without the middleware", lines=list(_untouched(effort))
    )
    visits = {count: visit(reading, header=_among(count)) for count in COUNTS}
    yield Group(
        title="WSGI: reading among many foreign cookies, of what it costs beside one",
        lines=list(flat(visits, "cookies", effort)),
    )


def groups(effort: Effort) -> Iterator[Group]:
    """Measure hostile headers."""
    _silence()
    yield Group(
        title="A cookie header of 1 MiB: a request that reads its session against parsing that header",
        lines=list(_oversized(effort)),
    )


def bare(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with a list, as most applications do."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [BODY]


def streaming(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with a generator."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield BODY


def reading(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Read a nested value."""
    if session_from(environ)["user"]["id"] != USER_ID:
        raise AssertionError
    return bare(environ, start_response)


def looking(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Read a value that may be missing."""
    session_from(environ).get("user")
    return bare(environ, start_response)


def writing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Change a value."""
    session = session_from(environ)
    session["visits"] = session["visits"] + 1
    return bare(environ, start_response)


def visit(application: WSGIApplication, *, header: str, is_wrapped: bool = True) -> Callable[[], None]:
    """Return what makes *application*, or that in the middleware, answer a request with such cookies."""
    if is_wrapped:
        application = IronSessionMiddleware(application, password=PASSWORD, cookie_name="session")
    environ = environ_with(header)

    def start_response(_status: str, _headers: list[tuple[str, str]], _exc_info: Any = None, /) -> Any:
        return None

    def request() -> None:
        # What is kept in the environ is not to be found there by the next request.
        body = application(dict(environ), start_response)
        for _ in body:
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()

    return request


def answer(application: WSGIApplication, header: str) -> Answer:
    """Return what *application*, wrapped in the middleware, answers."""
    cookies = {}

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None, /) -> Any:
        same(status, "200 OK")
        for name, value in headers:
            if name == "Set-Cookie":
                cookie, _, rest = value.partition("=")
                cookies[cookie] = rest.partition(";")[0]

    wrapped = IronSessionMiddleware(application, password=PASSWORD, cookie_name="session")
    body = wrapped(environ_with(header), start_response)
    return Answer(b"".join(body), cookies)


def environ_with(cookies: str) -> WSGIEnvironment:
    """Return the environ of a request with these cookies."""
    return create_environ(base_url="https://localhost/", headers={"Cookie": cookies})


def sealed(size: int) -> str:
    """Return a session's seal as iron-session makes it."""
    return floors.seal_data(data_of(size), PASSWORD, time.time() + TTL)


def _silence() -> None:
    """What is said of forged cookies would otherwise be printed among the figures."""
    logging.getLogger("iron_wsgi").setLevel(logging.ERROR)


def _used(effort: Effort) -> Iterator[Group]:
    lines: dict[str, list[Line]] = {"read": [], "write": [], "refuse": []}
    for size in SIZES:
        seal = sealed(size)
        good, forged = f"session={seal}", f"session={_forged(seal)}"
        same(answer(reading, good), Answer(BODY, {}))
        same(answer(looking, forged), Answer(BODY, {"session": ""}))
        written = floors.unseal_data(answer(writing, good).cookies["session"], PASSWORD, time.time())
        same(written, data_of(size) | {"visits": 1})
        timers = {
            "read": visit(reading, header=good),
            "write": visit(writing, header=good),
            "look": visit(looking, header=good),
            "refuse": visit(looking, header=forged),
            "four": floors.demanded(seal, PASSWORD),
            "straight read": partial(_straight, seal, writes=False),
            "straight write": partial(_straight, seal, writes=True),
        }
        seconds = compare({name: python(function) for name, function in timers.items()}, effort)
        for name, against, theirs, limit in (
            ("read", "two keys, HMAC, AES", seconds["four"], USED),
            ("write", "twice two keys, HMAC, AES", 2 * seconds["four"], USED),
            ("refuse", "a good one", seconds["look"], CHEAPER),
            ("straight read", "two keys, HMAC, AES", seconds["four"], None),
            ("straight write", "twice two keys, HMAC, AES", 2 * seconds["four"], None),
        ):
            part, is_straight = name.removeprefix("straight "), name.startswith("straight")
            lines[part].append(
                Line(
                    what=f"{size:,} octets, the calls alone" if is_straight else f"{size:,} octets",
                    ours=seconds[name],
                    against=against,
                    theirs=theirs,
                    limit=limit if size == USUAL else None,
                )
            )
    yield Group(title="WSGI: read, of two key derivations, HMAC and AES", lines=lines["read"])
    yield Group(title="WSGI: write, of twice these", lines=lines["write"])
    yield Group(title="WSGI: refusing a forged cookie, of opening a good one", lines=lines["refuse"])


def _straight(seal: str, *, writes: bool) -> str:
    """Open a seal, parse its JSON, and write it as JSON or as a seal: the library calls of a request alone.

    No cookie is looked for, nothing is checked, and there is no session. A request that reads encodes what it
    may have changed; one that writes seals it.
    """
    now = time.time()
    data = floors.unseal_data(seal, PASSWORD, now)
    if writes:
        return floors.seal_data(data, PASSWORD, now + TTL)
    return json.dumps(data["user"], separators=(",", ":"))


def _untouched(effort: Effort) -> Iterator[Line]:
    header = f"session={sealed(USUAL)}"
    site = flask.Flask("benchmarks")
    site.add_url_rule("/", view_func=BODY.decode)
    for name, application in (
        ("an application that returns a list", bare),
        ("one that streams", streaming),
        ("one of Flask", site.wsgi_app),
    ):
        same(answer(application, header), Answer(BODY, {}))
        copies = range(COPIES if effort.turn else 1)
        # Processor time: nothing here waits, and a difference of times suffers more than others where the
        # machine is busy.
        timers = {
            f"{kind} {copy}": timeit.Timer(
                visit(application, header=header, is_wrapped=kind == "ours"), timer=time.process_time
            ).timeit
            for copy in copies
            for kind in ("ours", "bare")
        }
        seconds = compare(timers, replace(effort, share=effort.share / 3))
        least = {kind: min(seconds[f"{kind} {copy}"] for copy in copies) for kind in ("ours", "bare")}
        yield Line(
            what=name,
            ours=least["ours"],
            against="not wrapped",
            theirs=least["bare"],
            kind="longer",
            limit=UNTOUCHED,
        )


def _oversized(effort: Effort) -> Iterator[Line]:
    seal = sealed(USUAL)
    longest = "session=Fe26.2*1*" + "a" * 16_000 + "*a" * 5
    headers = {
        "one value": "session=" + "a" * MEBIBYTE,
        "many cookies": _repeated("a=b"),
        "forged seals": _repeated(f"session={_forged(seal)}"),
        "long forged seals": _repeated(longest),
        "forged, one good": f"session={seal}; " + _repeated("other=" + "a" * 1000),
    }
    for name, header in headers.items():
        timers = {
            "ours": python(visit(looking, header=header)),
            "theirs": python(lambda header=header: parse_cookie(header)),  # type: ignore[misc]
        }
        seconds = compare(timers, effort)
        yield Line(
            what=name,
            ours=seconds["ours"],
            against="parse_cookie",
            theirs=seconds["theirs"],
            limit=HEADER,
        )


def _among(count: int) -> str:
    """Return a header with the session in the middle of *count* other cookies."""
    others = [FOREIGN.format(number=number) for number in range(count)]
    others.insert(count // 2, f"session={sealed(USUAL)}")
    header = "; ".join(others)
    same(answer(reading, header), Answer(BODY, {}))
    return header


def _forged(seal: str) -> str:
    """Return the seal with another MAC."""
    return seal[:-3] + ("A~2" if seal[-3] != "A" else "E~2")


def _repeated(pair: str) -> str:
    return "; ".join([pair] * (MEBIBYTE // (len(pair) + 2)))
