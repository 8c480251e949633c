"""A site behind the middleware, and the browser that visits it: the ends between which WSGI is attacked."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

from werkzeug.middleware.lint import LintMiddleware

from iron_wsgi import IronSessionMiddleware, Session, session_from

from .seals import settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment


@dataclass
class Answer:
    """What the server was given."""

    status: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    starts: int = 0
    """How often the server's start_response was called."""

    def all(self, name: str) -> list[str]:
        """Return the values of every header of that name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def cookies(self) -> list[str]:
        """The Set-Cookie lines."""
        return self.all("Set-Cookie")


def environ(cookie: str | None = None, **changes: Any) -> WSGIEnvironment:
    """Return the environ of a GET request over https."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "example.org",
        "SERVER_PORT": "443",
        "HTTP_HOST": "example.org",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        **({} if cookie is None else {"HTTP_COOKIE": cookie}),
        **changes,
    }


def serve(app: WSGIApplication, request: WSGIEnvironment) -> Answer:
    """Serve one request as a careful server does: headers at the first octet, close() always."""
    answer = Answer()
    sent = False

    def write(data: bytes) -> None:
        nonlocal sent
        sent = True
        answer.body += data

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        if exc_info is not None and sent:
            raise exc_info[1]
        assert exc_info is not None or not answer.status, "start_response was called twice without exc_info"
        answer.status, answer.headers = status, list(headers)
        answer.starts += 1
        return write

    body = app(request, start_response)
    try:
        for chunk in body:
            assert answer.status, "a chunk came before start_response"
            write(chunk)
        assert answer.status, "start_response was never called"
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()
    return answer


Validator = Callable[[Any], "WSGIApplication"]

VALIDATORS: tuple[Validator, ...] = (validator, LintMiddleware)
"""Cannot be stacked: the input that werkzeug's gives on has no readlines(), which wsgiref's asks for."""


def checked(app: WSGIApplication, validate: Validator, **options: Any) -> WSGIApplication:
    """Return *app* behind the middleware with a validator on both sides of it.

    Validators turn lists into iterators, so what holds for lists needs an application without them.
    """
    return validate(sessions(validate(app), **options))


def sessions(app: WSGIApplication, **options: Any) -> IronSessionMiddleware:
    """Return *app* behind the middleware, with the options of `settings` but for *options*."""
    prime = options.pop("prime", True)
    return IronSessionMiddleware(app, options=settings(**options), prime=prime)


Handler = Callable[[Session], object]


def page(
    handle: Handler,
    *,
    status: str = "200 OK",
    headers: Iterable[tuple[str, str]] = (("Content-Type", "text/plain"), ("Content-Length", "2")),
    body: Iterable[bytes] = (b"ok",),
) -> WSGIApplication:
    """Return an application that calls *handle* with the session and answers the same each time."""

    def app(request: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        handle(session_from(request))
        start_response(status, list(headers))
        return list(body)

    return app


class Browser:
    """Keeps cookies as a browser does, for one site: by name alone, and forgets what Max-Age=0 deletes."""

    def __init__(self, cookies: Mapping[str, str] | None = None) -> None:
        self.cookies = dict(cookies or {})

    @property
    def header(self) -> str | None:
        """The Cookie header; None for none."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items()) or None

    def take(self, answer: Answer) -> None:
        """Keep and forget what an answer says."""
        for line in answer.cookies:
            pair, *attributes = line.split("; ")
            name, _, value = pair.partition("=")
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value

    def visit(self, app: WSGIApplication, **changes: Any) -> Answer:
        """Send the cookies, take the answer's."""
        answer = serve(app, environ(self.header, **changes))
        self.take(answer)
        return answer
