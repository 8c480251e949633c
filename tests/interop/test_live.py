"""One login, two servers: iron-session in Node and this package under waitress, over real HTTP.

Both listen on 127.0.0.1. Cookies belong to a host and not to a port, so one browser sends the same cookie to
both, as it would behind one proxy. Neither cookie is Secure, because there is no TLS between here and there.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any, Final
from urllib.request import HTTPCookieProcessor, OpenerDirector, ProxyHandler, Request, build_opener

import pytest
from waitress import wasyncore  # type: ignore[import-untyped]
from waitress.server import create_server  # type: ignore[import-untyped]

from iron_wsgi import IronSessionMiddleware, session_from

from .forge import OLD
from .peers import SESSIONS
from .visits import COOKIE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from .peers import Peers

pytestmark = pytest.mark.needs("node")

TTL: Final = (
    300  # seconds; iron-session 6 and 8 take 60 off for the browser, so with less their cookies never arrive
)
OVER: Final = TTL + 60  # seconds after which the seal is refused
ANSWER_WITHIN: Final = 10.0


def pages(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """The pages that the Node program serves too: ``GET /``, ``POST /change`` and ``POST /logout``."""
    session = session_from(environ)
    route = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    status = "200 OK"
    if route == "POST /change":
        for key, value in json.loads(environ["wsgi.input"].read()).items():
            if value is None:
                session.unset(key)
            else:
                session[key] = value
    elif route == "POST /logout":
        session.destroy()
    elif route != "GET /":
        status = "404 Not Found"
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(session.copy()).encode()]


@dataclass
class Clock:
    """The time on both servers. It begins at the real time, which the browser goes by."""

    peers: Peers
    at_ms: int = field(default_factory=lambda: int(time.time() * 1000))

    def __call__(self) -> float:
        """Tell this side's middleware."""
        return self.at_ms / 1000

    def move(self, seconds: float) -> None:
        """Let time pass, here and in Node."""
        self.at_ms += round(seconds * 1000)
        self.peers.value("clock", at=self.at_ms)


@dataclass
class Visitor:
    """A browser that goes to two sites with one set of cookies."""

    sites: dict[str, str]
    jar: CookieJar = field(default_factory=CookieJar)

    def __post_init__(self) -> None:
        # Whatever proxy this machine is told to use, it is not for loopback.
        self._opener: OpenerDirector = build_opener(ProxyHandler({}), HTTPCookieProcessor(self.jar))

    def read(self, site: str) -> Any:
        """Return the session as a site shows it."""
        return self._fetch(Request(f"{self.sites[site]}/"))

    def change(self, site: str, **values: Any) -> Any:
        """Set values in the session, or remove those that are None."""
        return self._fetch(Request(f"{self.sites[site]}/change", data=json.dumps(values).encode()))

    def leave(self, site: str) -> Any:
        """Sign out."""
        return self._fetch(Request(f"{self.sites[site]}/logout", data=b""))

    @property
    def cookies(self) -> dict[str, str]:
        """What the browser holds."""
        return {cookie.name: cookie.value or "" for cookie in self.jar}

    def _fetch(self, request: Request) -> Any:
        with self._opener.open(request, timeout=ANSWER_WITHIN) as response:
            return json.load(response)


@contextmanager
def waitress(application: WSGIApplication) -> Iterator[str]:
    """Serve *application* on a free port and yield its address."""
    server = create_server(application, host="127.0.0.1", port=0, threads=2)
    over = threading.Event()

    def serve() -> None:
        # In turns instead of by server.run(), which only an interrupt of the whole process ends. The workers
        # go first: they wake the loop through a pipe that closing takes away.
        while not over.is_set():
            wasyncore.loop(timeout=0.02, map=server._map, count=1)
        server.task_dispatcher.shutdown()
        wasyncore.close_all(server._map)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        over.set()
        thread.join(timeout=ANSWER_WITHIN)
        assert not thread.is_alive()


@contextmanager
def two_sites(
    peers: Peers, peer: str, *, chunk: bool = False, **options: Any
) -> Iterator[tuple[Visitor, Clock]]:
    """Serve both sites under one password and one clock."""
    clock = Clock(peers)
    clock.move(0)
    theirs = {
        "cookieName": COOKIE,
        "password": OLD,
        "ttl": TTL,
        "chunk": chunk,
        "cookieOptions": {"secure": False},
    }
    port = peers.value("listen", peer=peer, options=theirs)
    ours = {"ttl": TTL, "clock": clock, "overflow": "chunk" if chunk else "raise", "max_chunks": 4, **options}
    application = IronSessionMiddleware(
        pages, password=OLD, cookie_name=COOKIE, cookie_options={"secure": False}, **ours
    )
    try:
        with waitress(application) as address:
            yield Visitor({"here": address, "there": f"http://127.0.0.1:{port}"}), clock
    finally:
        peers.value("close", port=port)
        peers.value("clock", at=None)


@pytest.fixture(params=[("here", "there"), ("there", "here")], ids=["signed in here", "signed in there"])
def directions(request: pytest.FixtureRequest) -> tuple[str, str]:
    """On which site the visitor signs in, and the other one."""
    first, second = request.param
    return first, second


@pytest.mark.parametrize("peer", SESSIONS)
def test_a_visitor_signed_in_on_one_server_is_signed_in_on_the_other_and_what_either_changes_both_see(
    peers: Peers, peer: str, directions: tuple[str, str]
) -> None:
    first, second = directions
    with two_sites(peers, peer) as (visitor, _):
        assert visitor.read(first) == visitor.read(second) == {}
        assert visitor.cookies == {}

        visitor.change(first, user={"id": 7, "name": "Zoë 🦊 \ud800"}, theme="dark")
        assert visitor.cookies[COOKIE].startswith("Fe26.2*1*")
        assert visitor.read(second) == {"user": {"id": 7, "name": "Zoë 🦊 \ud800"}, "theme": "dark"}

        visitor.change(second, cart=["a", {"n": 2**53 - 1}], theme=None)
        changed = {"user": {"id": 7, "name": "Zoë 🦊 \ud800"}, "cart": ["a", {"n": 2**53 - 1}]}
        assert visitor.read(first) == changed

        visitor.change(first, user={"id": 8})
        assert visitor.read(second) == visitor.read(first) == {**changed, "user": {"id": 8}}
        assert list(visitor.cookies) == [COOKIE]


@pytest.mark.parametrize("peer", SESSIONS)
@pytest.mark.parametrize("leaves_where_signed_in", [True, False])
def test_a_visitor_who_signs_out_on_either_server_is_signed_out_on_both(
    peers: Peers, peer: str, directions: tuple[str, str], *, leaves_where_signed_in: bool
) -> None:
    first, second = directions
    with two_sites(peers, peer) as (visitor, _):
        visitor.change(first, user=7)
        assert visitor.read(second) == {"user": 7}
        assert visitor.leave(first if leaves_where_signed_in else second) == {}
        assert visitor.cookies == {}
        assert visitor.read(first) == visitor.read(second) == {}


@pytest.mark.parametrize("peer", SESSIONS)
def test_a_visitor_times_out_on_both_servers_at_the_same_moment(
    peers: Peers, peer: str, directions: tuple[str, str]
) -> None:
    first, _ = directions
    with two_sites(peers, peer) as (visitor, clock):
        visitor.change(first, user=7)
        cookie = _held(visitor)
        clock.move(OVER - 0.001)
        assert visitor.read("here") == visitor.read("there") == {"user": 7}
        clock.move(0.001)
        assert visitor.read("there") == {}
        assert visitor.cookies == {COOKIE: cookie}  # it was sent, and read as nothing
        assert visitor.read("here") == {}
        assert visitor.cookies == {}  # a cookie that nobody will accept again is deleted


@pytest.mark.parametrize("peer", SESSIONS)
def test_a_change_on_the_other_server_gives_the_visitor_a_new_lifetime_on_both(
    peers: Peers, peer: str, directions: tuple[str, str]
) -> None:
    first, second = directions
    with two_sites(peers, peer) as (visitor, clock):
        visitor.change(first, user=7)
        clock.move(TTL)
        visitor.change(second, seen=True)
        clock.move(OVER - 1)  # long after the first cookie's end
        assert visitor.read("here") == visitor.read("there") == {"user": 7, "seen": True}


def test_a_session_that_is_used_here_and_renewed_by_refresh_after_lives_on_in_node(peers: Peers) -> None:
    with two_sites(peers, "iron-session-9", refresh_after=100) as (visitor, clock):
        visitor.change("there", user=7)
        first = _held(visitor)
        clock.move(99.999)
        visitor.read("here")
        assert _held(visitor) == first  # not due yet
        clock.move(0.001)
        visitor.read("here")
        renewed = _held(visitor)
        assert renewed != first
        clock.move(OVER - 1)
        _give(visitor, first)
        assert visitor.read("there") == {}
        _give(visitor, renewed)
        assert visitor.read("there") == {"user": 7}


def test_a_session_of_several_cookies_grows_and_shrinks_on_both_servers(
    peers: Peers, directions: tuple[str, str]
) -> None:
    first, second = directions
    with two_sites(peers, "iron-session-9", chunk=True) as (visitor, _):
        visitor.change(first, text="x" * 7000)
        assert sorted(visitor.cookies) == [f"{COOKIE}.{number}" for number in range(3)]
        assert visitor.read(second) == {"text": "x" * 7000}
        visitor.change(second, text="short")
        assert sorted(visitor.cookies) == [COOKIE]
        assert visitor.read(first) == {"text": "short"}
        visitor.change(first, text="y" * 4000)
        assert visitor.read(second) == {"text": "y" * 4000}
        visitor.leave(second)
        assert visitor.cookies == {}


def _held(visitor: Visitor) -> str:
    assert list(visitor.cookies) == [COOKIE]
    return visitor.cookies[COOKIE]


def _give(visitor: Visitor, cookie: str) -> None:
    """Put another value into the browser's cookie."""
    for held in visitor.jar:
        held.value = cookie
    assert visitor.cookies == {COOKIE: cookie}
