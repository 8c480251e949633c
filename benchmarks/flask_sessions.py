"""What a session costs a request of a Flask application: ours, Flask's own, and none."""

from __future__ import annotations

import itertools
import logging
import time
import timeit
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

from flask import Flask, request, session
from flask.sessions import SecureCookieSessionInterface, SessionInterface, SessionMixin
from werkzeug.test import create_environ

from iron_wsgi_flask import IronSessionInterface

from .payloads import PASSWORD, SIZES, USER_ID, USUAL, data_of
from .report import Group, Line
from .timing import Effort, compare

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from flask import Request, Response

UNTOUCHED: Final = 0.1
READ: Final = 0.75
WRITE: Final = 0.85

LEAST: Final = 1e-9  # seconds; a smaller difference cannot be told from none
COPIES: Final = 6  # of each application, since where its objects lie in memory makes half a microsecond
OTHERS: Final = "consent=yes; theme=dark; _ga=GA1.1.1234567890.1700000000"


class Plain(dict[str, Any], SessionMixin):
    """A dict in the place of a session."""


class NullInterface(SessionInterface):
    """The zero: every request gets the same dict, which nobody reads from a cookie or saves.

    Flask's own null session would not do: it is made anew for each request, which is a cost of its own, and
    it cannot be written. This is less than any session can cost, so the ratios are as strict as can be.
    """

    def __init__(self) -> None:
        """Make the dict."""
        self._session = Plain(data_of(USUAL))

    def open_session(self, app: Flask, request: Request) -> SessionMixin:
        """Return the dict."""
        del app, request
        return self._session

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Do nothing."""


# In an order in which none follows its like, whose warm caches it would have.
INTERFACES: Final[dict[str, Callable[[], SessionInterface]]] = {
    "ours": IronSessionInterface,
    "theirs": SecureCookieSessionInterface,
    "json": partial(IronSessionInterface, serializer="json"),
    "null": NullInterface,
}


def goals(effort: Effort) -> Iterator[Group]:
    """Measure requests that leave their session alone, and such that use it."""
    _silence()
    first = Visit(path="/ignore", size=USUAL, is_first=True)
    untouched = [
        *_by_size("/ignore", UNTOUCHED, effort),
        _added(f"{USUAL:,} octets, a cookie not seen before", first, effort),
        _added("no cookie", Visit(path="/ignore"), effort),
    ]
    read, write = _by_size("/read", READ, effort), _by_size("/write", WRITE, effort)
    yield Group(title="Flask: read, of what its own session adds", lines=list(read))
    yield Group(title="Flask: write, of what its own session adds", lines=list(write))
    yield Group(title="Flask: untouched, of what its own session adds", lines=untouched)


def groups(effort: Effort) -> Iterator[Group]:
    """Measure what is decided by options, the application's and ours."""
    _silence()
    yield Group(
        title="Flask: what the session adds to a request that does not touch it",
        lines=list(_untouched(effort)),
    )
    yield Group(
        title='Flask: what the session adds to a request that uses it, with serializer="json"',
        lines=[
            _added(f"{verb} {size:,} octets", Visit(path=f"/{verb}", size=size), effort, ours="json")
            for verb in ("read", "write")
            for size in SIZES
        ],
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request, and the session that comes with it.

    Attributes:
        path: What is asked for: ``/ignore``, ``/read`` or ``/write``.
        size: Octets of the data that the session holds as JSON; None for a visitor without a session.
        others: Other cookies, as the header has them.
        is_permanent: The session is permanent in Flask's sense, and so written at every request.
        is_first: The same Cookie header never comes again.
        config: The application's configuration.
    """

    path: str
    size: int | None = None
    others: str = ""
    is_permanent: bool = False
    is_first: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)

    def request(self, interface: SessionInterface) -> Callable[[], None]:
        """Return what makes an application with *interface* answer such a request."""
        site = site_with(interface, **self.config)
        environ = self._environ(site)
        is_written = self.path == "/write" or self.is_permanent
        is_written = is_written and not isinstance(interface, NullInterface)
        response = site.test_client(use_cookies=False).open(dict(environ))
        if response.text != "ok" or ("Set-Cookie" in response.headers) is not is_written:
            msg = f"{self} was answered {response.text!r} with {response.headers!r}"
            raise AssertionError(msg)

        def start_response(_status: str, _headers: list[tuple[str, str]], _exc_info: Any = None, /) -> Any:
            return None

        numbers = itertools.count()

        def answer() -> None:
            # Flask and Werkzeug keep things in the environ, so each request has its own.
            fresh = dict(environ)
            if self.is_first:
                fresh["HTTP_COOKIE"] += f"; visit={next(numbers)}"
            body: Any = site.wsgi_app(fresh, start_response)
            for _ in body:
                pass
            body.close()

        return answer

    def _environ(self, site: Flask) -> WSGIEnvironment:
        cookies = self.others
        if self.size is not None:
            cookies = cookie_of(site, data_of(self.size), permanent=self.is_permanent)
        headers = {"Cookie": cookies} if cookies else {}
        return create_environ(self.path, base_url="https://localhost/", headers=headers)


def site_with(interface: SessionInterface, **config: Any) -> Flask:
    """Return an application with views that fill, ignore, read and write their session."""
    site = Flask("benchmarks")
    site.config.update(
        SECRET_KEY=PASSWORD, SESSION_COOKIE_SECURE=True, SESSION_COOKIE_SAMESITE="Lax", **config
    )
    site.session_interface = interface

    @site.post("/fill")
    def fill() -> dict[str, Any]:
        session.update(request.get_json())
        return dict(session)

    @site.get("/ignore")
    def ignore() -> str:
        return "ok"

    @site.get("/read")
    def read() -> str:
        return "ok" if session["user"]["id"] == USER_ID else "not read"

    @site.get("/write")
    def write() -> str:
        session["visits"] = session["visits"] + 1
        return "ok"

    return site


def cookie_of(site: Flask, data: dict[str, Any], *, permanent: bool = False) -> str:
    """Return the Cookie header of a visitor whose session holds *data*."""
    visitor = site.test_client()
    data = data | {"_permanent": True} if permanent else data
    visitor.post("/fill", json=data, base_url="https://localhost")
    cookie = visitor.get_cookie("session")
    # Filling it with nothing shows what it holds.
    kept = visitor.post("/fill", json={}, base_url="https://localhost").get_json()
    if kept != data and not isinstance(site.session_interface, NullInterface):
        msg = f"{site.session_interface} did not keep the session"
        raise AssertionError(msg)
    return f"session={'' if cookie is None else cookie.value}"


def _silence() -> None:
    """Nothing that is said of cookies is to stand among the figures."""
    logging.getLogger("iron_wsgi").setLevel(logging.ERROR)


def _by_size(path: str, limit: float, effort: Effort) -> Iterator[Line]:
    for size in SIZES:
        visit = Visit(path=path, size=size)
        yield _added(f"{size:,} octets", visit, effort, limit=limit if size == USUAL else None)


def _untouched(effort: Effort) -> Iterator[Line]:
    yield _added("other cookies only", Visit(path="/ignore", others=OTHERS), effort)
    config = {"SESSION_REFRESH_EACH_REQUEST": False}
    visit = Visit(path="/ignore", size=USUAL, config=config)
    yield _added(f"{USUAL:,} octets, SESSION_REFRESH_EACH_REQUEST=False", visit, effort)
    for size in SIZES:
        visit = Visit(path="/ignore", size=size, is_first=True)
        yield _added(f"{size:,} octets, cookies not seen before", visit, effort)
    for size in SIZES:
        visit = Visit(path="/ignore", size=size, is_permanent=True)
        yield _added(f"{size:,} octets, permanent: written each time", visit, effort)


def _added(
    what: str, visit: Visit, effort: Effort, *, limit: float | None = None, ours: str = "ours"
) -> Line:
    """Return the line of one request, from times measured together and less the same zero."""
    names, copies = (ours, "theirs", "null"), range(COPIES if effort.turn else 1)
    timers = {
        # Processor time: nothing here waits, and a difference of times suffers more than others where the
        # machine is busy.
        f"{name} {copy}": timeit.Timer(visit.request(INTERFACES[name]()), timer=time.process_time).timeit
        for copy in copies
        for name in names
    }
    # In a turn that is long beside what it takes CPython to specialise its bytecode for the class at hand.
    seconds = compare(timers, replace(effort, turn=2.5 * effort.turn, share=effort.share / 3))
    least = {name: min(seconds[f"{name} {copy}"] for copy in copies) for name in names}
    return Line(
        what=what,
        ours=max(least[ours] - least["null"], LEAST),
        against="Flask's own",
        theirs=max(least["theirs"] - least["null"], LEAST),
        limit=limit,
    )
