"""T-WSGI on real servers: what their own start_response, file wrapper and header parsing make of it."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import waitress.server
import werkzeug.serving

from .seals import forged
from .site import sessions
from .test_wsgi import PLAIN, STYLES, reader

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

pytestmark = pytest.mark.servers

Server = Callable[["WSGIApplication"], Any]


class Silent(WSGIRequestHandler):
    """Says nothing about requests."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class SilentWerkzeug(werkzeug.serving.WSGIRequestHandler):
    """Says nothing about requests."""

    def log(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def wsgiref_server(app: WSGIApplication) -> Iterator[int]:
    with make_server("127.0.0.1", 0, app, handler_class=Silent) as server:
        yield from in_a_thread(
            lambda: server.serve_forever(poll_interval=0.02), server.shutdown, server.server_port
        )


@contextmanager
def werkzeug_server(app: WSGIApplication) -> Iterator[int]:
    server = werkzeug.serving.make_server("127.0.0.1", 0, app, request_handler=SilentWerkzeug)
    try:
        yield from in_a_thread(
            lambda: server.serve_forever(poll_interval=0.02), server.shutdown, server.server_port
        )
    finally:
        server.server_close()


@contextmanager
def waitress_server(app: WSGIApplication) -> Iterator[int]:
    sockets: dict[int, Any] = {}
    server: Any = waitress.server.create_server(app, map=sockets, host="127.0.0.1", port=0, threads=1)

    def stop() -> None:
        # Its loop ends when no socket is left; they are closed by the loop's own thread.
        server.trigger.pull_trigger(lambda: [one.close() for one in list(sockets.values())])

    yield from in_a_thread(server.run, stop, server.effective_port)
    server.task_dispatcher.shutdown()


def in_a_thread(run: Callable[[], object], stop: Callable[[], object], port: int) -> Iterator[int]:
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        stop()
        thread.join(10)
        assert not thread.is_alive()


SERVERS: list[Server] = [wsgiref_server, werkzeug_server, waitress_server]
EVERY_SERVER = pytest.mark.parametrize("serve", SERVERS, ids=lambda server: server.__name__)


def get(port: int, *cookies: str) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest("GET", "/")
        for cookie in cookies:
            connection.putheader("Cookie", cookie.encode("latin-1"))
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
    finally:
        connection.close()


@EVERY_SERVER
@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
def test_a_change_is_saved_on_every_server_however_the_application_answers(
    serve: Server, style: WSGIApplication
) -> None:
    with serve(sessions(style)) as port:
        status, headers, body = get(port)
        cookies = [value for name, value in headers if name == "Set-Cookie"]
        assert (status, body, len(cookies)) == (200, b"ok", 1)
        assert sorted(header for header in headers if header in PLAIN) == sorted(PLAIN)  # waitress sorts them
        again = get(port, cookies[0].partition(";")[0])
        assert len([name for name, _ in again[1] if name == "Set-Cookie"]) == 1
    seen: list[int] = []
    with serve(sessions(reader(seen))) as port:
        get(port, cookies[0].partition(";")[0])
    assert seen == [1]


@EVERY_SERVER
def test_no_cookie_header_is_an_error_on_any_server(serve: Server) -> None:
    seen: list[int] = []
    good = f"session={forged({'count': 7})}"
    with serve(sessions(reader(seen))) as port:
        assert get(port, f"\xff=\xfe; {good}; \x80")[0] == 200
        assert get(port, good + "x")[0] == 200
        # Servers join two headers by a comma, which is no separator of cookies: anonymous at worst.
        assert get(port, "a=b", good)[0] == 200
        assert get(port, good, "a=b")[0] == 200
    assert seen[:2] == [7, 0]
    assert set(seen[2:]) <= {0, 7}


@EVERY_SERVER
def test_an_untouched_session_leaves_no_trace_on_any_server(serve: Server) -> None:
    def app(_request: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", list(PLAIN))
        return [b"ok"]

    with serve(sessions(app)) as port:
        status, headers, body = get(port, f"session={forged({'count': 7})}")
    assert (status, body) == (200, b"ok")
    assert not {"Set-Cookie", "Vary", "Cache-Control"} & {name for name, _ in headers}
