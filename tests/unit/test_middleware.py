from __future__ import annotations

import gc
import io
import logging
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from wsgiref.simple_server import demo_app
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest
from werkzeug.middleware.lint import LintMiddleware

from iron_wsgi import (
    ConfigError,
    CookieTooLarge,
    EnvironJar,
    HeadersAlreadySent,
    InvalidSeal,
    IronSessionMiddleware,
    Sealer,
    Session,
    SessionOptions,
    apply_session,
    get_iron_session,
    session_from,
    unseal_data,
    with_iron_session,
)
from iron_wsgi.revocation import open_revocations
from iron_wsgi.testing import FakeClock

from .visitor import NEWER, OTHER, PASSWORD, sealed

App = Callable[..., Iterable[bytes]]
Headers = list[tuple[str, str]]

SETTINGS: dict[str, Any] = {"password": PASSWORD, "cookie_name": "s"}
PLAIN: Headers = [("Content-Type", "text/plain")]


@dataclass
class Server:
    """What a WSGI server does with one request, and what it saw."""

    app: App
    starts: list[tuple[str, Headers]] = field(default_factory=list)
    body: bytes = b""
    written: bytes = b""
    returned: object = None

    def _write(self, data: bytes) -> None:
        self.written += data

    def start_response(
        self, status: str, headers: Headers, exc_info: Any = None
    ) -> Callable[[bytes], object]:
        if exc_info is not None and self.body:
            raise exc_info[1]
        self.starts.append((status, list(headers)))
        return self._write

    def serve(self, cookie: str = "", **more: Any) -> Server:
        environ: dict[str, Any] = {
            "wsgi.url_scheme": "https",
            "HTTPS": "on",
            "QUERY_STRING": "",
            "HTTP_COOKIE": cookie,
        }
        environ.update(more)
        setup_testing_defaults(environ)
        environ.pop("CONTENT_LENGTH", None)
        body = self.app(environ, self.start_response)
        self.returned = body
        try:
            for chunk in body:
                assert self.starts, "a body before the headers"
                self.body += chunk
        finally:
            if hasattr(body, "close"):
                body.close()
        return self

    @property
    def status(self) -> str:
        return self.starts[-1][0]

    @property
    def headers(self) -> Headers:
        return self.starts[-1][1]

    def header(self, name: str) -> list[str]:
        return [value for one, value in self.headers if one.lower() == name.lower()]

    @property
    def cookies(self) -> dict[str, str]:
        return dict(line.partition(";")[0].split("=", 1) for line in self.header("Set-Cookie"))


def _serve(app: App, cookie: str = "", *, prime: bool = True, environ: Any = None, **settings: Any) -> Server:
    return Server(IronSessionMiddleware(app, prime=prime, **{**SETTINGS, **settings})).serve(
        cookie, **environ or {}
    )


def _answer(use: Callable[[Session], object], status: str = "200 OK", headers: Headers | None = None) -> App:
    """An application that uses its session and answers."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        use(session_from(environ))
        start_response(status, PLAIN if headers is None else headers)
        return [b"hello"]

    return app


def _sign_in(session: Session) -> None:
    session["user"] = 7


SIGNED_IN = sealed({"user": 7}, expires_at=None)
NEVER = {"ttl": 0}

# The ways in which an application may answer. Each writes its session; b"ab" is the body.


def _as_list(environ: Any, start_response: Any) -> Iterable[bytes]:
    _sign_in(session_from(environ))
    start_response("200 OK", list(PLAIN))
    return [b"a", b"b"]


def _as_tuple(environ: Any, start_response: Any) -> Iterable[bytes]:
    return tuple(_as_list(environ, start_response))


def _as_iterator(environ: Any, start_response: Any) -> Iterable[bytes]:
    return iter(_as_list(environ, start_response))


def _as_generator(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", list(PLAIN))
    yield b""
    _sign_in(session_from(environ))
    yield b"a"
    yield b""
    yield b"b"


def _as_write(environ: Any, start_response: Any) -> Iterable[bytes]:
    _sign_in(session_from(environ))
    write = start_response("200 OK", list(PLAIN))
    write(b"a")
    return [b"b"]


def _as_empty_generator(environ: Any, start_response: Any) -> Iterator[bytes]:
    _sign_in(session_from(environ))
    start_response("204 No Content", [])
    yield from ()


WAYS: dict[str, App] = {
    "list": _as_list,
    "tuple": _as_tuple,
    "iterator": _as_iterator,
    "generator": _as_generator,
    "write": _as_write,
}


# ---- sessions around an application ----


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("prime", [True, False])
def test_a_session_is_committed_however_the_application_answers(way: str, *, prime: bool) -> None:
    server = _serve(WAYS[way], prime=prime)
    assert [status for status, _ in server.starts] == ["200 OK"]
    assert server.written + server.body == b"ab"
    assert unseal_data(server.cookies["s"], password=PASSWORD) == {"user": 7}
    assert (server.header("Vary"), server.header("Cache-Control")) == (["Cookie"], ["private, no-store"])


@pytest.mark.parametrize("way", WAYS)
def test_both_sides_keep_the_rules_of_wsgi(way: str) -> None:
    app = validator(IronSessionMiddleware(validator(WAYS[way]), **SETTINGS))
    server = Server(app).serve()
    assert server.written + server.body == b"ab"
    assert "s" in server.cookies
    linted = LintMiddleware(IronSessionMiddleware(LintMiddleware(WAYS[way]), **SETTINGS))
    server = Server(linted).serve()
    assert server.written + server.body == b"ab"
    assert "s" in server.cookies


def test_an_application_that_answers_nothing_still_commits() -> None:
    server = _serve(_as_empty_generator)
    assert (server.status, server.body, list(server.cookies)) == ("204 No Content", b"", ["s"])


def test_a_visitor_comes_back_and_is_known() -> None:
    seen: list[Any] = []
    cookie = "; ".join("=".join(pair) for pair in _serve(_answer(_sign_in)).cookies.items())
    server = _serve(_answer(lambda session: seen.append(session["user"])), cookie)
    assert seen == [7]
    assert (server.header("Vary"), server.header("Set-Cookie"), server.header("Cache-Control")) == (
        ["Cookie"],
        [],
        [],
    )


def test_signing_out_deletes_the_cookie() -> None:
    server = _serve(_answer(Session.destroy), f"s={SIGNED_IN}", **NEVER)
    assert server.cookies == {"s": ""}
    assert server.header("Cache-Control") == ["private, no-store"]


def test_a_bad_cookie_never_makes_an_error() -> None:
    for value in (
        "garbage",
        sealed({}, password=OTHER),
        "\xff\xfe",
        "%",
        '"',
        "=",
        "Fe26.2*1*é",
        "x" * 100_000,
    ):
        server = _serve(_answer(bool), f"s={value}")
        assert server.status == "200 OK"


def test_other_headers_stay_as_they_are_and_in_order() -> None:
    given = [
        *PLAIN,
        ("Content-Length", "5"),
        ("Set-Cookie", 'theme="dark"; Path=/'),
        ("X-é", "é"),
        ("x-a", "1"),
    ]
    server = _serve(_answer(_sign_in, headers=given))
    assert server.headers[: len(given)] == given


def test_the_applications_own_list_of_headers_is_not_changed() -> None:
    shared = list(PLAIN)
    for _ in range(2):
        assert len(_serve(_answer(_sign_in, headers=shared)).header("Set-Cookie")) == 1
    assert shared == PLAIN


def test_sessions_of_two_requests_do_not_meet() -> None:
    middleware = IronSessionMiddleware(_answer(lambda session: session.update(n=len(session))), **SETTINGS)
    for _ in range(3):
        server = Server(middleware).serve()
        assert unseal_data(server.cookies["s"], password=PASSWORD) == {"n": 0}


# ---- no work for a session that nobody touched ----


def _profile(app: App, cookie: str) -> tuple[Counter[str], Server]:
    """The functions that one request calls, named by module."""
    calls: Counter[str] = Counter()

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            calls[f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}"] += 1
        elif event == "c_call":
            calls[f"{getattr(argument, '__module__', None)}.{getattr(argument, '__name__', argument)}"] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        server = Server(app).serve(cookie)
    finally:
        sys.setprofile(before)
    return calls, server


WORK = (
    "parse_cookie",
    "keys._derive",
    "digest",
    "urandom",
    "json.",
    "cryptography",
    "base64",
    "iron_wsgi.engine.engine.open",
)


def _work(calls: Counter[str]) -> set[str]:
    return {word for word in WORK if any(word in call.lower() for call in calls)}


@pytest.mark.parametrize("way", ["list", "generator"])
def test_a_request_that_never_touches_its_session_costs_no_parsing_no_cryptography_and_no_json(
    way: str,
) -> None:
    def untouched(_environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        body = [b"hello"]
        return body if way == "list" else iter(body)

    cookie = f"s={SIGNED_IN}"
    events: list[object] = []
    app = IronSessionMiddleware(untouched, refresh_after=0, on_event=events.append, **SETTINGS, **NEVER)
    calls, server = _profile(app, cookie)
    assert _work(calls) == set()
    assert {".".join(call.split(".")[1:3]) for call in calls if call.startswith("iron_wsgi.")} <= {
        "wsgi.middleware",
        "wsgi.response",
        "wsgi.jars",
        "engine.exchange",
        "engine.session",
    }
    assert sum(calls.values()) < 60
    assert server.headers == PLAIN
    assert events == []


def test_the_spies_see_the_work_for_a_session_that_is_touched() -> None:
    app = IronSessionMiddleware(_answer(lambda session: session.update(n=1)), **SETTINGS, **NEVER)
    calls, _ = _profile(app, f's={SIGNED_IN}; other="x"')  # a quote needs the parser
    assert _work(calls) == set(WORK)


def test_the_cookie_header_is_parsed_and_the_seal_opened_once_however_often_the_session_is_used() -> None:
    def use(session: Session) -> None:
        for _ in range(10):
            assert session["user"] == 7

    app = IronSessionMiddleware(_answer(use), **SETTINGS, **NEVER)
    calls, _ = _profile(app, f's={SIGNED_IN}; other="x"')
    assert calls["werkzeug.sansio.http.parse_cookie"] == calls["iron_wsgi.seals.seal.unseal_at"] == 1


def test_a_session_read_and_not_changed_is_not_sealed() -> None:
    calls, _ = _profile(IronSessionMiddleware(_answer(dict), **SETTINGS, **NEVER), f"s={SIGNED_IN}")
    assert calls["iron_wsgi.seals.seal.seal_at"] == 0


# ---- WSGI, rule by rule ----


class _Body:
    """A body that counts how often it is closed."""

    def __init__(self, chunks: Iterable[bytes] = (b"a", b"b")) -> None:
        self.closed = 0
        self._chunks = iter(chunks)

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        self.closed += 1


def _returning(body: object, use: Callable[[Session], object] = _sign_in, status: str = "200 OK") -> App:
    def app(environ: Any, start_response: Any) -> Any:
        use(session_from(environ))
        start_response(status, list(PLAIN))
        return body

    return app


@pytest.mark.parametrize("body", [[b"a", b"b"], (b"ab",), [], [b""]])
def test_lists_and_tuples_are_returned_as_they_are(body: Any) -> None:
    server = _serve(_returning(body))
    assert server.returned is body
    assert "s" in server.cookies


def test_files_are_returned_as_they_are_so_that_the_kernel_can_send_them() -> None:
    body = FileWrapper(io.BytesIO(b"ab"))
    server = _serve(_returning(body), environ={"wsgi.file_wrapper": FileWrapper})
    assert server.returned is body
    assert "s" in server.cookies
    # Where the server has a wrapper of another kind, the body is one like any other.
    server = _serve(
        _returning(FileWrapper(io.BytesIO(b"ab"))), environ={"wsgi.file_wrapper": lambda file: file}
    )
    assert server.body == b"ab"
    assert "s" in server.cookies


@pytest.mark.parametrize("prime", [True, False])
def test_the_body_is_closed_exactly_once(*, prime: bool) -> None:
    body = _Body()
    server = _serve(_returning(body), prime=prime)
    assert (server.body, body.closed) == (b"ab", 1)


def test_a_body_that_nobody_reads_is_closed_too() -> None:
    for prime in (True, False):
        body = _Body()
        returned: Any = IronSessionMiddleware(_returning(body), prime=prime, **SETTINGS)({}, lambda *_: print)
        returned.close()
        returned.close()
        assert body.closed == 1


def test_a_body_is_closed_when_the_session_cannot_be_committed() -> None:
    class ClosedList(list[bytes]):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    for body in (_Body(), ClosedList([b"a"])):
        with pytest.raises(CookieTooLarge):
            _serve(_returning(body, lambda session: session.update(text="x" * 5000)))
        assert body.closed == 1
    with pytest.raises(CookieTooLarge):
        _serve(_returning([b"a"], lambda session: session.update(text="x" * 5000)))


def test_a_body_that_cannot_be_iterated_is_closed_and_the_error_passes() -> None:
    class Broken(_Body):
        def __iter__(self) -> Iterator[bytes]:
            raise LookupError("no chunks")

    body = Broken()
    with pytest.raises(LookupError, match="no chunks"):
        _serve(_returning(body))
    assert body.closed == 1


def test_an_error_before_the_first_chunk_is_a_real_error_and_no_200_with_a_cookie() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        _sign_in(session_from(environ))
        start_response("200 OK", PLAIN)
        yield b""
        raise LookupError("late")

    server = Server(IronSessionMiddleware(app, **SETTINGS))
    with pytest.raises(LookupError, match="late"):
        server.serve()
    assert server.starts == []


def test_an_error_before_start_response_passes_untouched() -> None:
    def app(environ: Any, _start_response: Any) -> list[bytes]:
        _sign_in(session_from(environ))
        raise LookupError("early")

    server = Server(IronSessionMiddleware(app, **SETTINGS))
    with pytest.raises(LookupError, match="early"):
        server.serve()
    assert server.starts == []


def test_an_error_in_mid_body_passes_after_the_headers() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        _sign_in(session_from(environ))
        start_response("200 OK", PLAIN)
        yield b"a"
        raise LookupError("middle")

    server = Server(IronSessionMiddleware(app, **SETTINGS))
    with pytest.raises(LookupError, match="middle"):
        server.serve()
    assert (server.body, list(server.cookies)) == (b"a", ["s"])


def test_with_prime_the_headers_go_out_before_the_server_gets_the_body_and_only_one_chunk_is_produced() -> (
    None
):
    produced: list[bytes] = []

    def app(_environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        for chunk in (b"", b"a", b"b"):
            produced.append(chunk)
            yield chunk

    for prime, expected in ((True, [b"", b"a"]), (False, [])):
        produced.clear()
        server = Server(IronSessionMiddleware(app, prime=prime, **SETTINGS))
        body = server.app({}, server.start_response)
        assert produced == expected
        assert len(server.starts) == prime
        assert b"".join(body) == b"ab"


def _exc_info(message: str) -> Any:
    return LookupError, LookupError(message), None


def _restarting(first: str, second: str, use: Callable[[Session], object]) -> App:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response(first, [("X-First", "1")])
        use(session_from(environ))
        start_response(second, [("X-Second", "1")], _exc_info("again"))
        return [b"x"]

    return app


def test_before_the_headers_a_second_start_response_replaces_the_first() -> None:
    server = _serve(_restarting("200 OK", "404 Not Found", _sign_in))
    assert [status for status, _ in server.starts] == ["404 Not Found"]
    assert (server.header("X-First"), server.header("X-Second"), len(server.header("Set-Cookie"))) == (
        [],
        ["1"],
        1,
    )


def test_the_status_that_goes_out_decides_what_is_saved() -> None:
    assert _serve(_restarting("200 OK", "500 Oops", _sign_in)).cookies == {}
    assert list(_serve(_restarting("500 Oops", "200 OK", _sign_in)).cookies) == ["s"]
    assert list(_serve(_restarting("200 OK", "500 Oops", _sign_in), save_on_error=True).cookies) == ["s"]


def test_after_the_headers_a_second_start_response_raises_the_applications_error() -> None:
    def app(_environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"a"
        start_response("500 Oops", [], _exc_info("too late"))
        yield b"never"

    with pytest.raises(LookupError, match="too late"):
        _serve(app)


def test_no_reference_to_a_traceback_is_kept() -> None:
    class Held:
        pass

    alive: list[weakref.ref[Held]] = []

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        def fail() -> None:
            held = Held()
            alive.append(weakref.ref(held))
            raise LookupError

        try:
            fail()
        except LookupError:
            start_response("404 Not Found", PLAIN, sys.exc_info())
        return [b"x"]

    server = _serve(app)
    gc.collect()
    assert server.status == "404 Not Found"
    assert alive[0]() is None


@pytest.mark.parametrize(
    ("app", "error", "problem"),
    [
        (lambda _environ, _start: [b"x"], AssertionError, "without calling start_response"),
        (lambda _environ, _start: iter([b"x"]), AssertionError, "without calling start_response"),
        (
            lambda _environ, start: (start("200 OK", []), start("200 OK", [])),
            AssertionError,
            "called twice without exc_info",
        ),
        (lambda _environ, start: start("200 OK", ()), TypeError, "needs a list of headers, got a tuple"),
    ],
    ids=["never", "never, iterator", "twice", "tuple"],
)
def test_an_application_that_breaks_pep_3333_is_told(app: App, error: type[Exception], problem: str) -> None:
    with pytest.raises(error, match=rf"{problem} \(PEP 3333\)|{problem}.*\(PEP 3333\)"):
        _serve(app)


def test_a_file_without_start_response_is_told_and_closed() -> None:
    file = io.BytesIO(b"ab")
    with pytest.raises(AssertionError, match="without calling start_response"):
        _serve(lambda *_: FileWrapper(file), environ={"wsgi.file_wrapper": FileWrapper})
    assert file.closed


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "304 Not Modified", "404 Not Found"])
def test_responses_without_a_body_commit_as_others_do(status: str) -> None:
    assert list(_serve(_answer(_sign_in, status)).cookies) == ["s"]


def test_a_304_does_not_renew() -> None:
    for status, renewed in (("200 OK", 1), ("304 Not Modified", 0)):
        server = _serve(_answer(bool, status), f"s={sealed({'a': 1})}", refresh_after=0, clock=FakeClock())
        assert len(server.cookies) == renewed


def test_a_websocket_can_read_its_session_and_gets_no_cookie() -> None:
    seen: list[Any] = []
    app = _answer(
        lambda session: (seen.append(session["user"]), session.update(n=1)), "101 Switching Protocols"
    )
    server = _serve(app, f"s={SIGNED_IN}", **NEVER)
    assert seen == [7]
    assert server.headers == PLAIN


def test_a_failed_request_saves_nothing_and_still_signs_out() -> None:
    assert _serve(_answer(_sign_in, "500 Oops")).cookies == {}
    assert _serve(_answer(lambda s: (s.update(n=1), s.save()), "500 Oops")).cookies.keys() == {"s"}
    assert _serve(_answer(Session.destroy, "500 Oops"), f"s={SIGNED_IN}", **NEVER).cookies == {"s": ""}


# ---- after the headers ----


def _late(use: Callable[[Session], object], before: Callable[[Session], object] = bool) -> App:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        session = session_from(environ)
        before(session)
        start_response("200 OK", list(PLAIN))
        yield b"a"
        use(session)
        yield b"b"

    return app


def test_saving_and_destroying_after_the_headers_is_an_error() -> None:
    def late(session: Session) -> None:
        session["user"] = 8
        with pytest.raises(HeadersAlreadySent, match="before the first chunk of the body"):
            session.save()
        with pytest.raises(HeadersAlreadySent):
            session.destroy()

    assert _serve(_late(late), f"s={SIGNED_IN}", **NEVER).body == b"ab"


def test_it_is_an_error_also_on_a_server_whose_start_response_returns_nothing() -> None:
    def late(session: Session) -> None:
        session["user"] = 8
        with pytest.raises(HeadersAlreadySent):
            session.save()

    body: Any = IronSessionMiddleware(_late(late), **SETTINGS)({}, lambda *_: None)
    assert b"".join(body) == b"ab"
    body.close()


def test_on_such_a_server_imperative_writing_is_told_what_to_do_instead() -> None:
    with pytest.raises(AssertionError, match=r"returned no write function .* return the body instead"):
        list(IronSessionMiddleware(_as_write, **SETTINGS)({}, lambda *_: None))


def _lines(caplog: pytest.LogCaptureFixture, app: App, times: int = 1, **settings: Any) -> list[str]:
    with caplog.at_level(logging.WARNING, "iron_wsgi"):
        for _ in range(times):
            with suppress(LookupError, CookieTooLarge):
                _serve(app, **settings)
    return caplog.messages


def test_a_change_after_the_headers_is_explained_once(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = _lines(caplog, _late(_sign_in), times=3)
    assert line.startswith("session cookie 's': it was changed after the response's headers had gone out")


def test_a_nested_change_after_the_headers_is_explained(caplog: pytest.LogCaptureFixture) -> None:
    app = _late(lambda session: session["cart"].append(1), lambda session: session.update(cart=[]))
    assert len(_lines(caplog, app)) == 1


@pytest.mark.parametrize(
    ("use", "before"),
    [(bool, bool), (bool, _sign_in), (lambda session: session["user"], _sign_in), (bool, Session.destroy)],
    ids=["read", "written before", "written before and read after", "destroyed before"],
)
def test_where_no_change_is_lost_nothing_is_explained(
    caplog: pytest.LogCaptureFixture, use: Any, before: Any
) -> None:
    assert _lines(caplog, _late(use, before)) == []


def test_what_was_dropped_on_purpose_is_not_explained(caplog: pytest.LogCaptureFixture) -> None:
    def failing(environ: Any, start_response: Any) -> Iterator[bytes]:
        _sign_in(session_from(environ))
        start_response("500 Oops", list(PLAIN))
        yield b"x"

    assert _lines(caplog, failing) == []
    assert _lines(caplog, _late(bool, _sign_in), auto_commit=False) == []


def test_what_failed_before_the_headers_is_not_explained_as_a_late_change(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def failing(environ: Any, start_response: Any) -> Iterator[bytes]:
        _sign_in(session_from(environ))
        start_response("200 OK", list(PLAIN))
        raise LookupError
        yield b""

    assert _lines(caplog, failing) == []
    lines = _lines(caplog, _late(bool, lambda session: session.update(text="x" * 5000)))
    assert [line for line in lines if "headers had gone out" in line] == []


def test_a_secure_cookie_over_plain_http_is_explained(caplog: pytest.LogCaptureFixture) -> None:
    plain = {"wsgi.url_scheme": "http", "HTTP_HOST": "example.com"}
    (line,) = _lines(caplog, _answer(_sign_in), times=2, environ=plain)
    assert "Secure and the request came over plain http" in line


# ---- where the session is found ----


def test_the_session_stands_in_the_environ_under_a_key_that_can_be_chosen() -> None:
    found: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        found.append(environ.get("iron_wsgi.session"))
        found.append(environ.get("admin"))
        start_response("200 OK", PLAIN)
        return []

    _serve(app)
    _serve(app, environ_key="admin")
    assert [isinstance(one, Session) for one in found] == [True, False, False, True]


def test_session_from_says_what_is_missing() -> None:
    with pytest.raises(
        ConfigError, match=r"no session under 'iron_wsgi\.session': wrap the application in Iron"
    ):
        session_from({})
    with pytest.raises(ConfigError, match="no session under 'admin'"):
        session_from({"admin": "somebody"}, "admin")


def test_two_middlewares_with_two_cookies_work_side_by_side() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        session_from(environ, "shop")["cart"] = [1]
        session_from(environ, "admin")["user"] = 7
        start_response("200 OK", PLAIN)
        return [b"x"]

    inner = IronSessionMiddleware(app, password=PASSWORD, cookie_name="shop", environ_key="shop")
    outer = IronSessionMiddleware(inner, password=OTHER, cookie_name="admin", environ_key="admin")
    server = Server(outer).serve()
    assert unseal_data(server.cookies["shop"], password=PASSWORD) == {"cart": [1]}
    assert unseal_data(server.cookies["admin"], password=OTHER) == {"user": 7}
    assert server.header("Vary") == ["Cookie"]


def test_an_application_that_copies_the_environ_uses_the_same_session() -> None:
    def outer(environ: Any, start_response: Any) -> Iterable[bytes]:
        return _answer(_sign_in)(dict(environ), start_response)

    assert list(_serve(outer).cookies) == ["s"]


def test_the_session_of_the_middleware_and_one_asked_for_by_a_jar_are_one() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        headers: Headers = list(PLAIN)
        session_from(environ)["a"] = 1
        with get_iron_session(EnvironJar(environ, headers), **SETTINGS) as session:
            session["b"] = 2
        start_response("200 OK", headers)
        return [b"x"]

    server = _serve(app)
    assert len(server.header("Set-Cookie")) == 1
    assert unseal_data(server.cookies["s"], password=PASSWORD) == {"a": 1, "b": 2}


def test_a_with_statement_inside_the_middleware_loses_nothing() -> None:
    def use(session: Session) -> None:
        with session:
            session["a"] = 1
        with session:
            assert session["a"] == 1

    assert unseal_data(_serve(_answer(use)).cookies["s"], password=PASSWORD) == {"a": 1}


# ---- options ----


def test_options_are_given_ready_made_or_singly_and_not_both() -> None:
    options = SessionOptions(password=PASSWORD, cookie_name="t")
    server = Server(IronSessionMiddleware(_answer(_sign_in), options=options)).serve()
    assert list(server.cookies) == ["t"]
    with pytest.raises(ConfigError, match="either options or single settings, not both"):
        IronSessionMiddleware(_answer(bool), options=options, ttl=60)


def test_unusable_options_are_refused_when_the_application_is_wrapped() -> None:
    with pytest.raises(ConfigError, match="cookie_name is missing"):
        IronSessionMiddleware(_answer(bool), password=PASSWORD)
    with pytest.raises(ConfigError, match="write cookie_name"):
        IronSessionMiddleware(_answer(bool), password=PASSWORD, cookieName="s")  # type: ignore[call-arg]


def test_options_can_be_a_function_of_the_environ() -> None:
    tenants = {
        "a.example": SessionOptions(password=PASSWORD, cookie_name="a"),
        "b.example": SessionOptions(password=OTHER, cookie_name="b", environ_key="b"),
    }
    found: list[str] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        key = "b" if environ["HTTP_HOST"] == "b.example" else "iron_wsgi.session"
        _sign_in(session_from(environ, key))
        found.append(environ["HTTP_HOST"])
        start_response("200 OK", PLAIN)
        return []

    middleware = IronSessionMiddleware(app, options=lambda environ: tenants[environ["HTTP_HOST"]])
    a = Server(middleware).serve(HTTP_HOST="a.example").cookies
    b = Server(middleware).serve(HTTP_HOST="b.example").cookies
    assert unseal_data(a["a"], password=PASSWORD) == unseal_data(b["b"], password=OTHER) == {"user": 7}
    with pytest.raises(ConfigError, match=r"the options depend on the request; make a Sealer\(password"):
        middleware.sealer("links")


def test_a_middleware_makes_sealers_under_its_password() -> None:
    clock = FakeClock()
    middleware = IronSessionMiddleware(
        _answer(bool),
        password={2: NEWER, 1: PASSWORD},
        seal_with=1,
        cookie_name="s",
        iterations=3,
        clock=clock,
    )
    links = middleware.sealer("links")
    token = links.seal({"user": 7}, ttl=900)
    assert Sealer(PASSWORD, purpose="links", iterations=3, clock=clock).unseal(token) == {"user": 7}
    with pytest.raises(InvalidSeal):
        middleware.sealer("reset").unseal(token)


# ---- the other two ways in ----


def test_a_decorated_application_has_sessions_and_keeps_its_name() -> None:
    @with_iron_session(**SETTINGS)
    def app(environ: Any, start_response: Any) -> list[bytes]:
        """Answer."""
        _sign_in(session_from(environ))
        start_response("200 OK", PLAIN)
        return [b"x"]

    assert isinstance(app, IronSessionMiddleware)
    assert (app.__name__, app.__doc__) == ("app", "Answer.")  # type: ignore[attr-defined]
    assert list(Server(app).serve().cookies) == ["s"]


def test_an_application_can_be_decorated_twice() -> None:
    @with_iron_session(**{**SETTINGS, "cookie_name": "a"}, environ_key="a")
    @with_iron_session(**{**SETTINGS, "cookie_name": "b"}, environ_key="b")
    def app(environ: Any, start_response: Any) -> list[bytes]:
        session_from(environ, "a")["n"] = 1
        session_from(environ, "b")["n"] = 2
        start_response("200 OK", PLAIN)
        return [b"x"]

    cookies = Server(app).serve().cookies
    assert {name: unseal_data(value, password=PASSWORD) for name, value in cookies.items()} == {
        "a": {"n": 1},
        "b": {"n": 2},
    }


def test_apply_session_gives_a_session_and_a_start_response_that_commits_it() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        session, start_response = apply_session(environ, start_response, **SETTINGS)
        session["user"] = 7
        write = start_response("200 OK", list(PLAIN))
        write(b"a")
        session["user"] = 8
        with pytest.raises(HeadersAlreadySent):
            session.save()
        yield b"b"

    server = Server(app).serve()
    assert (server.written, server.body) == (b"a", b"b")
    assert unseal_data(server.cookies["s"], password=PASSWORD) == {"user": 7}
    assert len(server.header("Set-Cookie")) == 1


def test_what_the_urls_among_the_options_stand_for_can_be_asked_of_the_middleware() -> None:
    app = IronSessionMiddleware(demo_app, password=PASSWORD, cookie_name="s", revocations="memory:")
    assert app.options.revocations is open_revocations("memory:")
    dependent = IronSessionMiddleware(demo_app, options=lambda _environ: app.options)
    with pytest.raises(ConfigError, match="depend on the request"):
        _ = dependent.options
