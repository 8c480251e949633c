"""What a visitor is answered while a store or a list does not answer: 503, wherever it shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest
from werkzeug.middleware.lint import LintMiddleware

from iron_wsgi import (
    IronSessionMiddleware,
    Session,
    SessionOptions,
    Unavailable,
    apply_session,
    get_iron_session,
    session_from,
)
from iron_wsgi.servers.outages import RETRY_AFTER
from iron_wsgi.testing import DictJar, FakeClock

from .shaky import ShakyList, ShakyStore
from .visitor import PASSWORD, Visitor, sign_in

Headers = list[tuple[str, str]]
PLAIN: Headers = [("Content-Type", "text/plain")]
REFUSED: Headers = [
    ("Retry-After", str(RETRY_AFTER)),
    ("Cache-Control", "no-store"),
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Length", "0"),
]


class Site:
    """An application behind the middleware, with a visitor who is signed in."""

    def __init__(self, clock: FakeClock, mode: str) -> None:
        self.store, self.list = ShakyStore(clock), ShakyList(clock)
        self.part = self.store if mode == "store" else self.list
        self.options: dict[str, Any] = {
            "password": PASSWORD,
            "cookie_name": "s",
            "clock": clock,
            "on_outage": "accept" if mode == "store" else "refuse",
            **({"storage": "store", "store": self.store} if mode == "store" else {"revocations": self.list}),
        }
        self.visitor = Visitor(clock)
        self.visitor.options = self.options
        self.visitor.visit(sign_in)
        self.starts: list[tuple[str, Headers]] = []
        self.body: list[bytes] = []
        self.written: list[bytes] = []
        self.closed = 0

    def fail(self) -> None:
        """From now on nothing answers."""
        self.part.down = {"load", "create", "save", "touch", "delete", "is_revoked", "revoke"}

    def session(self, environ: Any) -> Session:
        return session_from(environ)

    def start_response(self, status: str, headers: Headers, exc_info: Any = None) -> Any:
        if exc_info is not None and self.body:
            raise exc_info[1]
        self.starts.append((status, list(headers)))
        return self.written.append

    def serve(
        self, app: Any, *, method: str = "GET", prime: bool = True, check: Any = None, **more: Any
    ) -> Any:
        """Send one request, as a server does, and return what the server saw: status and headers."""
        middleware: Any = IronSessionMiddleware(app, prime=prime, **self.options)
        if check is not None:
            middleware = check(middleware)
        environ: dict[str, Any] = {
            "wsgi.url_scheme": "https",
            "REQUEST_METHOD": method,
            "HTTP_COOKIE": f"s={self.visitor.value}",
            "QUERY_STRING": "",
            **more,
        }
        setup_testing_defaults(environ)
        environ.pop("CONTENT_LENGTH", None)
        body = middleware(environ, self.start_response)
        try:
            for chunk in body:
                assert self.starts, "a body before the headers"
                self.body.append(chunk)
        finally:
            if hasattr(body, "close"):
                body.close()
        return self.starts

    def recovers(self) -> bool:
        """Whether the visitor is signed in when the server is back."""
        self.part.down = set()
        return self.visitor.finds().get("user") == 7


@pytest.fixture(params=["store", "list"])
def site(request: pytest.FixtureRequest, clock: FakeClock) -> Site:
    return Site(clock, request.param)


class Watched:
    """A body that counts how often it is closed."""

    def __init__(self, site: Site, chunks: Iterable[bytes]) -> None:
        self.site = site
        self.chunks = iter(chunks)

    def __iter__(self) -> Iterator[bytes]:
        return self.chunks

    def close(self) -> None:
        self.site.closed += 1


class WatchedList(list[bytes]):
    """The same for a list, which servers join."""

    def __init__(self, site: Site, chunks: Iterable[bytes]) -> None:
        super().__init__(chunks)
        self.site = site

    def close(self) -> None:
        self.site.closed += 1


class WatchedFile(FileWrapper):
    """A server's wrapper of a file."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.close = self._count  # type: ignore[method-assign]

    def _count(self) -> None:
        self.site.closed += 1


def _use(site: Site, environ: Any, use: str) -> None:
    """Fail, and then do what asks the server: at once, or at the commit."""
    session = site.session(environ)
    if use == "read":
        site.fail()
        session.get("user")
    elif use == "destroy":
        session.get("user")
        site.fail()
        session.destroy()
    elif use == "save":
        session.get("user")
        session.regenerate()
        site.fail()
        session.save()
    else:  # at the commit
        session.get("user")
        session.regenerate()
        site.fail()


# In the view, before or after it has called start_response; whatever it returns.

USES = ["read", "destroy", "save", "commit"]


def _is_refused(site: Site, starts: Any) -> bool:
    return bool(starts == [("503 Service Unavailable", REFUSED)]) and site.body == [] and site.written == []


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("prime", [True, False])
@pytest.mark.parametrize("way", ["list", "tuple", "iterator", "file"])
def test_an_outage_in_a_view_is_a_503_without_a_cookie(
    site: Site, use: str, when: str, way: str, *, prime: bool
) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        if when == "before":
            _use(site, environ, use)
        start_response("200 OK", [*PLAIN, ("X-Mine", "1"), ("Set-Cookie", "mine=1")])
        if when == "after":
            _use(site, environ, use)
        if way == "tuple":
            return (b"secret",)
        if way == "file":
            return WatchedFile(site)
        return WatchedList(site, [b"secret"]) if way == "list" else Watched(site, [b"secret"])

    starts = site.serve(app, prime=prime, **{"wsgi.file_wrapper": FileWrapper})
    assert _is_refused(site, starts)
    # A body that was returned is closed, once; of what raised there is none.
    assert site.closed == (use == "commit" and way != "tuple")
    assert site.recovers()


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("prime", [True, False])
@pytest.mark.parametrize("empty", [0, 2])
def test_an_outage_in_a_generator_before_its_first_chunk_is_a_503(
    site: Site, use: str, empty: int, *, prime: bool
) -> None:
    def body(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        for _ in range(empty):
            yield b""
        _use(site, environ, use)
        yield b"secret"

    starts = site.serve(lambda environ, start: Watched(site, body(environ, start)), prime=prime)
    assert _is_refused(site, starts)
    assert site.closed == 1
    assert site.recovers()


def test_a_generator_that_failed_before_it_called_start_response_is_a_503(site: Site) -> None:
    def body(environ: Any, start_response: Any) -> Iterator[bytes]:
        _use(site, environ, "read")
        start_response("200 OK", PLAIN)
        yield b"secret"

    assert _is_refused(site, site.serve(lambda environ, start: Watched(site, body(environ, start))))
    assert site.closed == 1


@pytest.mark.parametrize("use", ["read", "destroy"])
def test_an_outage_after_the_first_chunk_is_the_servers_to_end(site: Site, use: str) -> None:
    def body(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"first"
        _use(site, environ, use)
        yield b"secret"

    with pytest.raises(Unavailable):
        site.serve(lambda environ, start: Watched(site, body(environ, start)))
    assert [status for status, _ in site.starts] == ["200 OK"]
    assert (site.body, site.closed) == ([b"first"], 1)
    assert site.recovers()


@pytest.mark.parametrize("use", USES)
def test_an_outage_before_the_first_write_is_a_503(site: Site, use: str) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", PLAIN)
        _use(site, environ, use)
        write(b"secret")
        return []

    assert _is_refused(site, site.serve(app))
    assert site.recovers()


def test_an_outage_after_the_first_write_is_the_servers_to_end(site: Site) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)(b"first")
        _use(site, environ, "read")
        return []

    with pytest.raises(Unavailable):
        site.serve(app)
    assert [status for status, _ in site.starts] == ["200 OK"]
    assert site.written == [b"first"]


@pytest.mark.parametrize("use", ["read", "commit"])
def test_a_head_request_is_answered_alike(site: Site, use: str) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        _use(site, environ, use)
        start_response("200 OK", PLAIN)
        return []

    assert _is_refused(site, site.serve(app, method="HEAD"))


def test_what_was_saved_before_the_outage_does_not_go_out_with_the_503(site: Site) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        session = site.session(environ)
        session["n"] = 1
        session.save()
        session.regenerate()
        site.fail()
        start_response("200 OK", PLAIN)
        return [b"secret"]

    assert _is_refused(site, site.serve(app))
    assert site.recovers()


def test_an_application_may_answer_an_outage_itself(site: Site) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        site.fail()
        try:
            site.session(environ).get("user")
        except Unavailable:
            start_response("200 OK", PLAIN)
            return [b"without you"]
        raise AssertionError

    assert site.serve(app) == [("200 OK", PLAIN)]
    assert site.body == [b"without you"]
    assert site.recovers()


def test_a_request_that_does_not_touch_its_session_does_not_notice(site: Site) -> None:
    def app(_environ: Any, start_response: Any) -> list[bytes]:
        site.fail()
        start_response("200 OK", PLAIN)
        return [b"hello"]

    assert site.serve(app) == [("200 OK", PLAIN)]


def test_a_visitor_without_a_session_does_not_notice_until_one_is_written(site: Site) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        site.session(environ).get("user")
        start_response("200 OK", PLAIN)
        return [b"hello"]

    site.fail()
    ((status, headers),) = site.serve(app, HTTP_COOKIE="s=garbage")
    assert status == "200 OK"
    assert [name for name, _ in headers if name == "Set-Cookie"] == ["Set-Cookie"]  # junk is deleted


@pytest.mark.parametrize("check", [validator, LintMiddleware])
@pytest.mark.parametrize("use", ["read", "commit"])
def test_the_503_is_a_response_as_pep_3333_wants_it(site: Site, use: str, check: Any) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        _use(site, environ, use)
        yield b"secret"

    assert _is_refused(site, site.serve(app, check=check))


def test_other_errors_of_the_application_are_no_outage(site: Site) -> None:
    def app(_environ: Any, _start_response: Any) -> list[bytes]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        site.serve(app)
    assert site.starts == []


def test_options_of_the_request_are_heard_too(site: Site) -> None:
    def app(environ: Any, _start_response: Any) -> list[bytes]:
        _use(site, environ, "read")
        raise AssertionError

    options = SessionOptions(**site.options)
    middleware = IronSessionMiddleware(app, options=lambda _environ: options)
    environ: dict[str, Any] = {"HTTP_COOKIE": f"s={site.visitor.value}"}
    setup_testing_defaults(environ)
    assert list(middleware(environ, site.start_response)) == []
    assert site.starts == [("503 Service Unavailable", REFUSED)]


def test_without_the_middleware_the_outage_is_the_callers_to_answer(site: Site) -> None:
    site.fail()
    session = get_iron_session(DictJar(site.visitor.cookies), **site.options)
    with pytest.raises(Unavailable) as caught:
        session.get("user")
    assert PASSWORD not in str(caught.value)
    environ: dict[str, Any] = {"HTTP_COOKIE": f"s={site.visitor.value}"}
    setup_testing_defaults(environ)
    session, _ = apply_session(environ, site.start_response, **site.options)
    with pytest.raises(Unavailable):
        session.get("user")
    assert site.starts == []
