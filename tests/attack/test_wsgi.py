"""T-WSGI: every way that an application may answer (PEP 3333), and some that it may not."""

from __future__ import annotations

import gc
import io
import itertools
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper

import pytest

from iron_wsgi import HeadersAlreadySent, Session, apply_session, session_from
from iron_wsgi.sessions.events import notices
from iron_wsgi.sessions.state import State

from .seals import OLD, forged
from .site import VALIDATORS, Browser, Validator, checked, environ, serve, sessions

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PLAIN = [("Content-Type", "text/plain"), ("X-Custom", "a,  b;c"), ("X-Custom", "again"), ("Link", "<\xe9>")]
COOKIE = f"session={forged({'user': 1})}"


@pytest.fixture(autouse=True)
def _unread_notices() -> None:
    notices.forget()


def change(request: WSGIEnvironment) -> None:
    session = session_from(request)
    session["count"] = session.get("count", 0) + 1


class Closing:
    """A body that counts how often it is closed, and how often it is asked for chunks."""

    def __init__(self, chunks: Iterable[bytes], *, on_close: Callable[[], object] = lambda: None) -> None:
        self._chunks = iter(chunks)
        self._on_close = on_close
        self.closed = 0
        self.asked = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.asked += 1
        return next(self._chunks)

    def close(self) -> None:
        self.closed += 1
        self._on_close()


class ClosingList(list[bytes]):
    """A list with a close method, as some frameworks return."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


def before_start(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    change(request)
    start_response("200 OK", list(PLAIN))
    return [b"ok"]


def after_start(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    change(request)
    return [b"ok"]


def as_tuple(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    change(request)
    return (b"o", b"k")


def lazy(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    change(request)
    start_response("200 OK", list(PLAIN))
    yield b"o"
    yield b"k"


def lazy_after_empty_chunks(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    yield b""
    yield b""
    change(request)
    yield b"ok"


def generator(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))

    def body() -> Iterator[bytes]:
        change(request)
        yield b"ok"

    return body()


def closing(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    change(request)
    return Closing([b"o", b"", b"k"])


def written(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    write = start_response("200 OK", list(PLAIN))
    change(request)
    write(b"o")
    write(b"k")
    return []


def written_and_returned(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    write = start_response("200 OK", list(PLAIN))
    change(request)
    write(b"o")
    return [b"k"]


def written_and_streamed(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    write = start_response("200 OK", list(PLAIN))
    change(request)
    write(b"o")
    return iter([b"k"])


def replaced_by_an_error_page(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    change(request)
    start_response("404 Not Found", [("Content-Type", "text/plain"), ("X-First", "1")])
    try:
        raise LookupError("shown as a page")  # noqa: TRY301 - the error that exc_info is about
    except LookupError:
        start_response("200 OK", list(PLAIN), sys.exc_info())
    return [b"ok"]


def file(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    change(request)
    wrapper: Any = request.get("wsgi.file_wrapper", FileWrapper)
    return wrapper(io.BytesIO(b"ok"))  # type: ignore[no-any-return]


STYLES: list[WSGIApplication] = [
    *(before_start, after_start, as_tuple, lazy, lazy_after_empty_chunks, generator, closing, written),
    *(written_and_returned, written_and_streamed, replaced_by_an_error_page, file),
]
EVERY_STYLE = pytest.mark.parametrize("app", STYLES, ids=lambda app: app.__name__)


@EVERY_STYLE
@pytest.mark.parametrize("prime", [True, False])
def test_a_change_before_the_first_octet_is_saved_however_the_application_answers(
    app: WSGIApplication,
    prime: bool,  # noqa: FBT001
) -> None:
    seen: list[int] = []

    def watched(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return app(request, start_response)

    browser = Browser()
    for _ in range(3):
        answer = browser.visit(sessions(watched, prime=prime))
        assert (answer.status, answer.body, answer.starts) == ("200 OK", b"ok", 1)
        assert len(answer.cookies) == 1
        assert answer.headers[: len(PLAIN)] == PLAIN
        assert answer.headers[len(PLAIN) :] == [
            ("Vary", "Cookie"),
            ("Cache-Control", "private, no-store"),
            ("Set-Cookie", answer.cookies[0]),
        ]
    browser.visit(sessions(reader(seen)))
    assert seen == [3]


def reader(seen: list[int]) -> WSGIApplication:
    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(session_from(request).get("count", 0))
        start_response("200 OK", list(PLAIN))
        return [b"ok"]

    return app


@EVERY_STYLE
@pytest.mark.parametrize("validate", VALIDATORS)
def test_validators_on_both_sides_find_nothing_to_say(app: WSGIApplication, validate: Validator) -> None:
    browser = Browser()
    for count in (1, 2):
        answer = browser.visit(checked(with_length(app), validate))
        assert (answer.status, answer.body, len(answer.cookies)) == ("200 OK", b"ok", 1)
        seen: list[int] = []
        browser.visit(checked(with_length(reader(seen)), validate))
        assert seen == [count]


def with_length(app: WSGIApplication) -> WSGIApplication:
    """Return *app* with headers that the validators find right: an ASCII Link, and a Content-Length."""

    def checked_app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            kept = [(name, value) for name, value in headers if name != "Link"]
            return start_response(status, [*kept, ("Content-Length", "2")], *exc_info)

        return app(request, start)

    return checked_app


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("use", ["untouched", "read", "write", "destroy"])
@pytest.mark.parametrize("validate", VALIDATORS)
def test_a_response_without_body_passes_the_validators(status: str, use: str, validate: Validator) -> None:
    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session = session_from(request)
        {
            "untouched": lambda: None,
            "read": lambda: len(session),
            "write": lambda: session.update(seen=1),
            "destroy": session.destroy,
        }[use]()
        start_response(status, [("ETag", '"1"')] if status.startswith("304") else [("Content-Length", "0")])
        return []

    answer = serve(checked(app, validate), environ(COOKIE))
    assert (answer.status, answer.body) == (status, b"")
    assert len(answer.cookies) == (use in ("write", "destroy"))
    assert answer.all("Vary") == ([] if use == "untouched" else ["Cookie"])


@pytest.mark.parametrize("style", [before_start, lazy, generator])
def test_head_is_answered_with_the_headers_of_get_and_no_body_of_ours(style: WSGIApplication) -> None:
    def without_body(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = style(request, start_response)
        return body if request["REQUEST_METHOD"] == "GET" else (b"" for _ in body)

    get = serve(sessions(without_body), environ())
    head = serve(sessions(without_body), environ(REQUEST_METHOD="HEAD"))
    assert [name for name, _ in head.headers] == [name for name, _ in get.headers]
    assert (get.body, head.body) == (b"ok", b"")
    assert len(head.cookies) == 1


@pytest.mark.parametrize(
    "body", [[], (), [b""], iter([]), iter([b""])], ids=["list", "tuple", "blank", "none", "one"]
)
def test_an_empty_body_is_answered_all_the_same(body: Iterable[bytes]) -> None:
    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        change(request)
        start_response("200 OK", list(PLAIN))
        return body

    answer = serve(sessions(app), environ())
    assert (answer.body, answer.starts, len(answer.cookies)) == (b"", 1, 1)


@pytest.mark.parametrize(
    "body", [[b"o", b"k"], (b"o", b"k"), [], ClosingList([b"ok"])], ids=["list", "tuple", "empty", "subclass"]
)
def test_a_list_is_returned_as_the_very_object(body: Any) -> None:
    def app(_request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        return body  # type: ignore[no-any-return]

    started: list[Any] = []
    assert sessions(app)(environ(), lambda *args: started.append(args)) is body  # type: ignore[arg-type,return-value]
    assert len(started) == 1
    assert getattr(body, "closed", 0) == 0  # that is the server's to do


def test_a_file_is_returned_as_the_very_object_unread() -> None:
    opened = io.BytesIO(b"content")
    wrapped = FileWrapper(opened)

    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        change(request)
        start_response("200 OK", list(PLAIN))
        return wrapped

    assert sessions(app)(environ(), lambda *_: lambda _data: None) is wrapped  # type: ignore[arg-type]
    assert (opened.tell(), opened.closed) == (0, False)


@pytest.mark.parametrize("kind", [list, iter])
@pytest.mark.parametrize("wrapper", [None, lambda opened: [opened.read()]], ids=["none", "a function"])
def test_a_server_whose_file_wrapper_is_no_class_is_served(kind: Any, wrapper: Any) -> None:
    def app(_request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        return kind([b"ok"])  # type: ignore[no-any-return]

    request = environ(**{"wsgi.file_wrapper": wrapper})
    if wrapper is None:
        del request["wsgi.file_wrapper"]
    assert serve(sessions(app), request).body == b"ok"


# How bodies are closed.


@pytest.mark.parametrize("prime", [True, False])
@pytest.mark.parametrize("chunks", [[], [b""], [b"a"], [b"", b"a", b"b"]], ids=str)
@pytest.mark.parametrize("taken", [0, 1, None])
def test_the_body_is_closed_exactly_once_however_much_of_it_was_taken(
    chunks: list[bytes],
    taken: int | None,
    prime: bool,  # noqa: FBT001
) -> None:
    inner = Closing(chunks)

    def app(_request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        return inner

    body: Any = sessions(app, prime=prime)(environ(), lambda *_: lambda _data: None)  # type: ignore[arg-type]
    assert inner.closed == 0
    list(itertools.islice(body, taken))
    body.close()
    body.close()
    assert inner.closed == 1


class Failure(Exception):
    """What applications raise here."""


def failing(chunks: list[bytes]) -> Iterator[bytes]:
    yield from chunks
    raise Failure


@pytest.mark.parametrize("prime", [True, False])
@pytest.mark.parametrize("chunks", [[], [b""], [b"a"], [b"a", b"b"]], ids=str)
def test_the_body_is_closed_exactly_once_when_it_fails(chunks: list[bytes], prime: bool) -> None:  # noqa: FBT001
    inner = Closing(failing(chunks))

    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        change(request)
        start_response("200 OK", list(PLAIN))
        return inner

    with pytest.raises(Failure):
        serve(sessions(app, prime=prime), environ())
    assert inner.closed == 1


def test_a_failure_before_the_first_chunk_reaches_the_server_before_any_header() -> None:
    started: list[Any] = []

    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        change(request)
        start_response("200 OK", list(PLAIN))
        return failing([b"", b""])

    with pytest.raises(Failure):
        sessions(app)(environ(), lambda *args: started.append(args))  # type: ignore[arg-type,return-value]
    assert started == []


@pytest.mark.parametrize("kind", [list, tuple, ClosingList, iter, Closing], ids=lambda kind: kind.__name__)
def test_a_session_that_cannot_be_written_is_an_error_before_any_header_and_closes_the_body(
    kind: Any,
) -> None:
    body = kind([b"ok"])
    started: list[Any] = []

    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session_from(request)["when"] = {1, 2}
        start_response("200 OK", list(PLAIN))
        return body  # type: ignore[no-any-return]

    with pytest.raises(TypeError, match=r"session\.when is a set"):
        sessions(app)(environ(COOKIE), lambda *args: started.append(args))  # type: ignore[arg-type,return-value]
    assert started == []
    assert getattr(body, "closed", 1) == 1


def test_a_body_that_cannot_be_iterated_is_closed_and_its_error_raised() -> None:
    class Odd:
        closed = 0

        def __iter__(self) -> Iterator[bytes]:
            raise Failure

        def close(self) -> None:
            self.closed += 1

    odd = Odd()

    def app(_request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        return odd

    with pytest.raises(Failure):
        serve(sessions(app), environ())
    assert odd.closed == 1


def test_an_error_in_close_is_raised_once() -> None:
    def fail() -> None:
        raise Failure

    inner = Closing([b"ok"], on_close=fail)

    def app(_request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        return inner

    body: Any = sessions(app)(environ(), lambda *_: lambda _data: None)  # type: ignore[arg-type]
    with pytest.raises(Failure):
        body.close()
    body.close()
    assert inner.closed == 1


# Errors of the application, and start_response called again.


def test_an_application_that_raises_before_it_answers_is_left_alone() -> None:
    started: list[Any] = []
    error = Failure()

    def app(request: WSGIEnvironment, _start_response: StartResponse) -> Iterable[bytes]:
        change(request)
        raise error

    with pytest.raises(Failure) as caught:
        sessions(app)(environ(COOKIE), lambda *args: started.append(args))  # type: ignore[arg-type,return-value]
    assert caught.value is error
    assert started == []


@pytest.mark.parametrize("body", [[b"ok"], iter([b"ok"])], ids=["list", "stream"])
def test_an_application_that_never_calls_start_response_is_told_so(body: Any) -> None:
    def app(request: WSGIEnvironment, _start_response: StartResponse) -> Iterable[bytes]:
        change(request)
        return body  # type: ignore[no-any-return]

    with pytest.raises(AssertionError, match="without calling start_response"):
        serve(sessions(app), environ())


def test_a_second_start_response_without_an_error_is_refused() -> None:
    def app(_request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        start_response("200 OK", list(PLAIN))
        return [b"ok"]

    with pytest.raises(AssertionError, match="called twice"):
        serve(sessions(app), environ())


def error_info() -> Any:
    try:
        raise Failure  # noqa: TRY301 - see above
    except Failure:
        return sys.exc_info()


def test_an_error_page_replaces_status_and_headers_and_has_one_cookie() -> None:
    answer = serve(sessions(replaced_by_an_error_page), environ())
    assert (answer.starts, len(answer.cookies)) == (1, 1)
    assert answer.all("X-First") == []


@pytest.mark.parametrize(("times", "cookies"), [(1, 0), (2, 0)])
def test_an_error_page_of_the_server_carries_no_change(times: int, cookies: int) -> None:
    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        change(request)
        start_response("200 OK", list(PLAIN))
        for _ in range(times):
            start_response("500 Internal Server Error", list(PLAIN), error_info())
        return [b"ok"]

    answer = serve(sessions(app), environ(COOKIE))
    assert (answer.status, answer.starts, len(answer.cookies)) == ("500 Internal Server Error", 1, cookies)
    assert answer.all("Vary") == ["Cookie"]


@pytest.mark.parametrize("with_write", [True, False])
def test_an_error_after_the_headers_is_raised_again_by_the_server(with_write: bool) -> None:  # noqa: FBT001
    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", list(PLAIN))
        change(request)
        if with_write:
            write(b"begun")
        else:
            yield b"begun"
        start_response("500 Internal Server Error", list(PLAIN), error_info())
        yield b"never"

    with pytest.raises(Failure):
        serve(sessions(app), environ())


def test_the_servers_error_is_not_kept_alive() -> None:
    class StoredSession(Exception):
        pass

    alive: list[Any] = []

    def app(_request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        try:
            raise StoredSession  # noqa: TRY301 - see above
        except StoredSession as error:
            alive.append(weakref.ref(error))
            start_response("200 OK", list(PLAIN), sys.exc_info())
        return iter([b"ok"])

    body: Any = sessions(app)(environ(), lambda *_: lambda _data: None)  # type: ignore[arg-type]
    gc.collect()
    assert alive[0]() is None
    body.close()


# Headers.


def test_a_list_of_headers_that_all_responses_share_carries_no_cookie_to_the_next_visitor() -> None:
    shared = list(PLAIN)

    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if request["PATH_INFO"] == "/in":
            change(request)
        start_response("200 OK", shared)
        return [b"ok"]

    middleware = sessions(app)
    assert len(serve(middleware, environ(PATH_INFO="/in")).cookies) == 1
    assert shared == PLAIN
    assert serve(middleware, environ()).headers == PLAIN


def test_a_list_of_headers_changed_after_start_response_changes_nothing() -> None:
    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        headers = list(PLAIN)
        start_response("200 OK", headers)
        headers.clear()
        change(request)
        return [b"ok"]

    assert serve(sessions(app), environ()).headers[: len(PLAIN)] == PLAIN


@pytest.mark.parametrize(
    "headers", [tuple(PLAIN), dict(PLAIN), iter(PLAIN), None], ids=["tuple", "dict", "iterator", "None"]
)
def test_headers_that_are_no_list_are_answered_with_a_clear_error(headers: Any) -> None:
    def app(_request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", headers)
        return [b"ok"]

    with pytest.raises(TypeError, match="needs a list of headers"):
        serve(sessions(app), environ())


@EVERY_STYLE
def test_a_response_whose_session_was_not_touched_is_the_response_of_the_application(
    app: WSGIApplication,
) -> None:
    def untouched(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return app({**request, "iron_wsgi.session": Session(NoExchange())}, start_response)

    class NoExchange:
        """Stands in for the session, which this application must not touch."""

        def __getattr__(self, name: str) -> Any:
            return lambda *_: State() if name == "open" else None

    bare = serve(untouched, environ(COOKIE))
    wrapped = serve(sessions(untouched), environ(COOKIE))
    assert (wrapped.status, wrapped.headers, wrapped.body) == (bare.status, bare.headers, bare.body)


def test_other_cookies_of_the_application_stay_as_they_are() -> None:
    lines = [
        ("Set-Cookie", "session=application"),
        ("set-cookie", "a=b; Path=/"),
        ("Set-Cookie", "session=application"),
    ]

    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        change(request)
        start_response("200 OK", lines)
        return [b"ok"]

    answer = serve(sessions(app), environ())
    assert [header for header in answer.headers if header in lines] == lines
    assert len(answer.cookies) == 4


# Late changes.


def test_a_save_or_a_destroy_after_the_first_chunk_raises() -> None:
    raised: list[str] = []

    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session = session_from(request)
        start_response("200 OK", list(PLAIN))
        yield b"first"
        session["late"] = True
        for late in (session.save, session.destroy):
            try:
                late()
            except HeadersAlreadySent as error:  # noqa: PERF203 - both must raise
                raised.append(str(error))
        yield b"second"

    answer = serve(sessions(app), environ(COOKIE))
    assert (answer.body, answer.cookies) == (b"firstsecond", [])
    assert len(raised) == 2
    assert all("headers have gone out" in message for message in raised)


@pytest.mark.parametrize("style", ["stream", "write"])
def test_a_change_after_the_headers_is_logged_once_and_lost(
    style: str, caplog: pytest.LogCaptureFixture
) -> None:
    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", list(PLAIN))
        if style == "write":
            write(b"first")
            session_from(request)["late"] = True
            return iter([b"second"])

        def body() -> Iterator[bytes]:
            yield b"first"
            session_from(request)["late"] = True
            yield b"second"

        return body()

    for _ in range(3):
        assert serve(sessions(app), environ(COOKIE)).cookies == []
    lines = [
        record.getMessage() for record in caplog.records if "headers had gone out" in record.getMessage()
    ]
    assert len(lines) == 1


def test_a_change_after_write_is_logged_when_a_list_is_returned_too(caplog: pytest.LogCaptureFixture) -> None:
    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))(b"first")
        session_from(request)["late"] = True
        return [b"second"]

    assert serve(sessions(app), environ(COOKIE)).cookies == []
    assert "headers had gone out" in caplog.text


def test_a_server_that_returns_no_write_is_as_good_as_another() -> None:
    raised: list[Exception] = []

    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        change(request)
        yield b"first"
        try:
            session_from(request).save()
        except HeadersAlreadySent as error:
            raised.append(error)
        yield b"second"

    started: list[Any] = []
    body: Any = sessions(app)(environ(), lambda *args: started.append(args))  # type: ignore[arg-type,return-value]
    assert b"".join(body) == b"firstsecond"
    body.close()
    assert (len(started), len(raised)) == (1, 1)


def test_unprimed_headers_go_out_when_the_server_asks_for_the_first_chunk() -> None:
    inner = Closing([b"first", b"second"])

    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        change(request)
        return inner

    started: list[Any] = []

    def start(*args: Any) -> Any:
        started.append(args)
        return lambda _data: None

    body = iter(sessions(app, prime=False)(environ(), start))
    assert (started, inner.asked) == ([], 0)
    assert next(body) == b"first"
    assert len(started) == 1
    primed = Closing([b"first", b"second"])
    inner = primed
    sessions(app)(environ(), start)
    assert (len(started), primed.asked) == (2, 1)  # no more than one chunk ahead


# Around and within other middlewares.


def test_two_middlewares_with_two_cookies_keep_two_sessions() -> None:
    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        for key in ("outer.session", "iron_wsgi.session"):
            session = session_from(request, key)
            session[key] = session.get(key, 0) + 1
        start_response("200 OK", list(PLAIN))
        return [b"ok"]

    nested = sessions(sessions(app, cookie_name="inner"), cookie_name="outer", environ_key="outer.session")
    browser = Browser()
    for _ in range(3):
        answer = browser.visit(nested)
        assert sorted(line.partition("=")[0] for line in answer.cookies) == ["inner", "outer"]
        assert answer.all("Vary") == ["Cookie"]
        assert answer.all("Cache-Control") == ["private, no-store"]
    seen: list[Any] = []
    for name in ("inner", "outer"):
        browser.visit(sessions(looking(seen), cookie_name=name))
    assert seen == [{"iron_wsgi.session": 3}, {"outer.session": 3}]


def looking(seen: list[Any]) -> WSGIApplication:
    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(dict(session_from(request)))
        start_response("200 OK", list(PLAIN))
        return [b"ok"]

    return app


def test_an_environ_that_was_copied_on_the_way_leads_to_the_same_session() -> None:
    def copying(app: WSGIApplication) -> WSGIApplication:
        return lambda request, start_response: app({**request, "SCRIPT_NAME": "/mounted"}, start_response)

    assert len(serve(sessions(copying(after_start)), environ()).cookies) == 1
    assert len(serve(copying(sessions(copying(lazy))), environ()).cookies) == 1


def test_the_session_is_what_came_in_even_if_the_application_changes_the_environ() -> None:
    seen: list[Any] = []

    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session = request.pop("iron_wsgi.session")
        seen.append(dict(session))
        session["more"] = True
        request.clear()
        start_response("200 OK", list(PLAIN))
        return [b"ok"]

    assert len(serve(sessions(app), environ(COOKIE)).cookies) == 1
    assert seen == [{"user": 1}]


def test_a_change_between_the_applications_answer_and_the_first_octet_is_saved() -> None:
    # The outer one is within ours, and touches the session between the answer and the first octet.
    def outer(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = lazy_reader(request, start_response)
        change(request)
        return body

    def lazy_reader(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        yield str(len(session_from(request))).encode()

    assert len(serve(sessions(outer), environ()).cookies) == 1


@pytest.mark.parametrize("use", ["read", "write", "save", "destroy"])
def test_switching_protocols_sets_no_cookie_and_changes_no_header(use: str) -> None:
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
    seen: list[Any] = []

    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session = session_from(request)
        seen.append(session.get("user"))
        {"read": lambda: None, "write": session.touch, "save": session.save, "destroy": session.destroy}[
            use
        ]()
        start_response("101 Switching Protocols", list(upgrade))
        return []

    answer = serve(sessions(app), environ(COOKIE))
    assert (answer.headers, seen) == (upgrade, [1])


def test_two_requests_at_once_share_nothing() -> None:
    inside: list[WSGIEnvironment] = []

    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if request["PATH_INFO"] == "/outer":
            session_from(request)["who"] = "outer"
            inside.append(request)
            answer = serve(middleware, environ(PATH_INFO="/inner"))
            assert len(answer.cookies) == 1
        else:
            assert "who" not in session_from(request)
            session_from(request)["who"] = "inner"
        start_response("200 OK", list(PLAIN))
        return [b"ok"]

    middleware = sessions(app)
    browser = Browser()
    browser.visit(middleware, PATH_INFO="/outer")
    seen: list[Any] = []
    browser.visit(sessions(looking(seen)))
    assert seen == [{"who": "outer"}]


def test_apply_session_answers_as_the_middleware_does() -> None:
    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        session, start = apply_session(request, start_response, password=OLD, cookie_name="session")
        session["count"] = session.get("count", 0) + 1
        start("200 OK", list(PLAIN))
        return [str(session["count"]).encode()]

    browser = Browser()
    assert [browser.visit(app).body for _ in range(3)] == [b"1", b"2", b"3"]
    assert browser.visit(app).headers[: len(PLAIN)] == PLAIN


@pytest.mark.parametrize("validate", VALIDATORS)
def test_the_validators_would_notice(validate: Validator) -> None:
    def app(_request: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200", [("Status", "200")])
        return ["text"]  # type: ignore[list-item]

    with pytest.raises((AssertionError, Warning)):
        serve(checked(app, validate), environ())
