"""Whole requests through the middleware, driven as a server drives them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import flask
from werkzeug.http import dump_cookie
from werkzeug.sansio.http import parse_cookie
from werkzeug.test import create_environ

from iron_wsgi import IronSessionMiddleware, session_from

from . import floors
from .payloads import NOW, PASSWORD, SIZES, TTL, data_of, text_of
from .report import Group, Line, Target
from .timing import Effort, line

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

UNTOUCHED: Final = Target("extra", 5.0)
HEADER: Final = Target("at most", 1.5)
CHEAPER: Final = Target("at most", 1.0)
MEBIBYTE: Final = 1024 * 1024


def groups(effort: Effort) -> Iterator[Group]:
    """Measure untouched, read, written and hostile requests."""
    # What is said of forged cookies would otherwise be printed among the figures.
    logging.getLogger("iron_wsgi").setLevel(logging.ERROR)
    yield Group(
        title="A request that does not touch its session, wrapped in the middleware against not wrapped",
        lines=list(_untouched(effort)),
    )
    yield Group(
        title="A request that uses its session, against the primitives and Werkzeug's cookie functions",
        lines=[one for size in SIZES for one in _used(size, effort)],
    )
    yield Group(
        title="A request whose cookie is forged against one whose cookie opens",
        lines=[one for size in SIZES for one in _forged(size, effort)],
    )
    yield Group(
        title="A cookie header of 1 MiB: a request that reads its session against parsing that header",
        lines=list(_oversized(effort)),
    )


def bare(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with a list, as most applications do."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


def streaming(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with a generator."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"ok"


def reading(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Look at the session."""
    session_from(environ).get("user_id")
    return bare(environ, start_response)


def writing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Change the session."""
    session_from(environ)["user_id"] = 4712
    return bare(environ, start_response)


def _untouched(effort: Effort) -> Iterator[Line]:
    site = flask.Flask("benchmarks")
    site.add_url_rule("/", view_func=lambda: "ok")
    environ = _environ(f"session={floors.seal_data(data_of(SIZES[1]), PASSWORD, NOW + TTL)}")
    applications: dict[str, WSGIApplication] = {
        "that returns a list": bare,
        "that streams": streaming,
        "of Flask": site.wsgi_app,
    }
    for name, application in applications.items():
        yield line(
            f"an application {name}",
            _request(_wrapped(application), environ),
            _request(application, environ),
            effort,
            against="not wrapped",
            target=UNTOUCHED,
        )


def _used(size: int, effort: Effort) -> Iterator[Line]:
    data = data_of(size)
    sealed = floors.seal_data(data, PASSWORD, NOW + TTL)
    header = f"session={sealed}"
    environ = _environ(header)

    def read() -> Any:
        return floors.unseal_data(parse_cookie(header)["session"], PASSWORD, NOW)

    def write() -> None:
        value = floors.seal_data(read() | {"user_id": 4712}, PASSWORD, NOW + TTL)
        dump_cookie("session", value, max_age=TTL, secure=True, httponly=True, samesite="Lax", max_size=0)

    for verb, application, theirs in (("read", reading, read), ("write", writing, write)):
        yield line(
            f"{verb} {size} octets of JSON",
            _request(_wrapped(application), environ),
            theirs,
            effort,
            against="primitives",
        )


def _forged(size: int, effort: Effort) -> Iterator[Line]:
    good = floors.seal(text_of(data_of(size)), PASSWORD, NOW + TTL)
    forged = good[:-1] + ("A" if good[-1] != "A" else "E")
    application = _wrapped(reading)
    yield line(
        f"{size} octets of JSON",
        _request(application, _environ(f"session={forged}")),
        _request(application, _environ(f"session={good}")),
        effort,
        against="a good one",
        target=CHEAPER,
    )


def _oversized(effort: Effort) -> Iterator[Line]:
    sealed = floors.seal_data(data_of(SIZES[1]), PASSWORD, NOW + TTL)
    forged = sealed[:-3] + ("A~2" if sealed[-3] != "A" else "E~2")
    longest = "session=Fe26.2*1*" + "a" * 16_000 + "*a" * 5
    headers = {
        "one value": "session=" + "a" * MEBIBYTE,
        "many cookies": _repeated("a=b"),
        "forged seals": _repeated(f"session={forged}"),
        "long forged seals": _repeated(longest),
        "forged, one good": f"session={sealed}; " + _repeated("other=" + "a" * 1000),
    }
    for name, header in headers.items():
        yield line(
            name,
            _request(_wrapped(reading), _environ(header)),
            lambda header=header: parse_cookie(header),  # type: ignore[misc]
            effort,
            against="parse_cookie",
            target=HEADER,
        )


def _repeated(pair: str) -> str:
    return "; ".join([pair] * (MEBIBYTE // (len(pair) + 2)))


def _wrapped(application: WSGIApplication) -> WSGIApplication:
    return IronSessionMiddleware(application, password=PASSWORD, cookie_name="session", clock=lambda: NOW)


def _environ(cookies: str) -> WSGIEnvironment:
    return create_environ(base_url="https://localhost/", headers={"Cookie": cookies})


def _request(application: WSGIApplication, environ: WSGIEnvironment) -> Callable[[], None]:
    def start_response(_status: str, _headers: list[tuple[str, str]], _exc_info: Any = None, /) -> Any:
        return None

    def request() -> None:
        body = application(environ, start_response)
        for _ in body:
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()

    return request
