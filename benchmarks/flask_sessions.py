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

from .payloads import PASSWORD, lifelike_of
from .report import Group, Line, Target
from .timing import Effort, compare

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from flask import Request, Response

TENTH: Final = Target("at most", 0.1)
LAZY: Final = Target("at most", 0.6)
CHEAPER: Final = Target("at most", 1.0)

SIZES: Final = (100, 1000, 2500)  # octets of JSON
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
        self._session = Plain(user_id=4711)

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


def groups(effort: Effort) -> Iterator[Group]:
    """Measure requests that leave their session alone, and such that use it."""
    # Nothing that is said of cookies is to stand among the figures.
    logging.getLogger("iron_wsgi").setLevel(logging.ERROR)
    yield Group(
        title="Flask: what the session adds to a request that does not touch it",
        lines=list(_untouched(effort)),
    )
    yield Group(
        title="Flask: what the session adds to a request that uses it",
        lines=list(_used(effort)),
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request, and the session that comes with it.

    Attributes:
        path: What is asked for: ``/ignore``, ``/read`` or ``/write``.
        size: Octets of the data that the session holds as JSON; None for a visitor without a session.
        others: Other cookies, as the header has them.
        is_permanent: The session is permanent in Flask's sense.
        is_written: The response carries the session's cookie.
        is_first: The same Cookie header never comes again.
        config: The application's configuration.
    """

    path: str
    size: int | None = None
    others: str = ""
    is_permanent: bool = False
    is_written: bool = False
    is_first: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)

    def request(self, interface: SessionInterface) -> Callable[[], None]:
        """Return what makes an application with *interface* answer such a request."""
        site = site_with(interface, **self.config)
        environ = self._environ(site)
        is_written = self.is_written and not isinstance(interface, NullInterface)
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
            cookies = cookie_of(site, lifelike_of(self.size), permanent=self.is_permanent)
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
        return "ok" if session.get("user_id") == 4711 else "not read"

    @site.get("/write")
    def write() -> str:
        session["user_id"] = 4712
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


def _untouched(effort: Effort) -> Iterator[Line]:
    small = SIZES[0]
    yield from _added("no cookie", Visit(path="/ignore"), effort, TENTH)
    yield from _added("other cookies only", Visit(path="/ignore", others=OTHERS), effort, TENTH)
    yield from _added(
        f"{small} octets, SESSION_REFRESH_EACH_REQUEST=False",
        Visit(path="/ignore", size=small, config={"SESSION_REFRESH_EACH_REQUEST": False}),
        effort,
        TENTH,
    )
    for size in SIZES:
        visit = Visit(path="/ignore", size=size)
        yield from _added(f"{size} octets, cookies seen before", visit, effort, LAZY)
    for size in SIZES:
        visit = Visit(path="/ignore", size=size, is_first=True)
        yield from _added(f"{size} octets, cookies not seen before", visit, effort, None)
    for size in SIZES:
        visit = Visit(path="/ignore", size=size, is_permanent=True, is_written=True)
        yield from _added(f"{size} octets, permanent: written each time", visit, effort, CHEAPER)


def _used(effort: Effort) -> Iterator[Line]:
    for size in SIZES:
        yield from _added(f"read {size} octets", Visit(path="/read", size=size), effort, CHEAPER)
    for size in SIZES:
        visit = Visit(path="/write", size=size, is_written=True)
        yield from _added(f"write {size} octets", visit, effort, CHEAPER)


def _added(what: str, visit: Visit, effort: Effort, target: Target | None) -> Iterator[Line]:
    """Yield the lines of one request, from times measured together and less the same zero."""
    copies = range(COPIES if effort.turn else 1)
    timers = {
        # Processor time: nothing here waits, and a difference of times suffers more than others where the
        # machine is busy.
        f"{name} {copy}": timeit.Timer(visit.request(interface()), timer=time.process_time).timeit
        for copy in copies
        for name, interface in INTERFACES.items()
    }
    # In a turn that is long beside what it takes CPython to specialise its bytecode for the class at hand.
    seconds = compare(timers, replace(effort, turn=2.5 * effort.turn, share=effort.share / 5))
    least = {name: min(seconds[f"{name} {copy}"] for copy in copies) for name in INTERFACES}
    added = {name: max(took - least["null"], LEAST) for name, took in least.items()}
    for name, suffix, limit in (("ours", "", target), ("json", ', serializer="json"', None)):
        yield Line(
            what=what + suffix,
            ours=added[name],
            against="Flask's own",
            theirs=added["theirs"],
            target=limit,
        )
