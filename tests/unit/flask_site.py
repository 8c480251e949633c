"""A Flask site whose page does what the test says, and the browser that visits it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, Response, make_response

from iron_wsgi_flask import FlaskSession, IronSessionInterface, session

from .visitor import PASSWORD

if TYPE_CHECKING:
    from flask.sessions import SessionInterface
    from werkzeug.test import TestResponse

Use = Callable[[FlaskSession], object]

ERRORS: Final[dict[str, Any]] = {"TESTING": False, "PROPAGATE_EXCEPTIONS": False}
"""Configuration under which an exception becomes a 500, as in production, and does not reach the test."""


def look_away(_: FlaskSession) -> None:
    """Do nothing with the session."""


def answer(use: Use) -> Response:
    """Let *use* have the session, and answer what it returned, if that is anything."""
    given = use(session)
    return make_response(given) if isinstance(given, (Response, str)) else make_response("ok")


class Site:
    """One application, and one browser that keeps its cookies.

    Attributes:
        app: The application; in testing mode, so that its errors reach the test.
        client: The browser.
    """

    def __init__(self, interface: SessionInterface | None = None, **config: Any) -> None:
        self.app = Flask("site")
        self.app.config.update({"TESTING": True, **config})
        self.app.session_interface = IronSessionInterface(PASSWORD) if interface is None else interface
        self.app.add_url_rule("/", "page", lambda: answer(self._use))
        self.app.add_url_rule("/<path:path>", "below", lambda path: answer(self._use))  # noqa: ARG005
        self.client = self.app.test_client()
        self._use: Use = look_away

    def visit(self, use: Use = look_away, path: str = "/", **request: Any) -> TestResponse:
        """Ask for a page, on which *use* gets the session."""
        self._use = use
        return self.client.get(path, buffered=True, **request)

    def send(self, cookies: str, use: Use = look_away, **request: Any) -> TestResponse:
        """Ask as another browser does, with this very Cookie header; nothing is kept."""
        self._use = use
        stranger = self.app.test_client(use_cookies=False)
        return stranger.get("/", headers={"Cookie": cookies}, buffered=True, **request)

    def finds(self) -> dict[str, Any]:
        """The data that a request would find now; what it is answered is not kept."""
        found: list[dict[str, Any]] = []
        self.send(f"session={self.value}", lambda current: found.append(dict(current)))
        return found[0]

    def keep(self, value: str, name: str = "session") -> None:
        """Have the browser hold a cookie."""
        self.client.set_cookie(name, value)

    @property
    def value(self) -> str:
        """The session's cookie, as the browser holds it; empty for none."""
        cookie = self.client.get_cookie("session")
        return "" if cookie is None else cookie.value


def put(**data: Any) -> Use:
    """Write *data* into the session."""
    return lambda current: current.update(data)


def lines(response: TestResponse) -> list[str]:
    """The Set-Cookie lines."""
    return response.headers.getlist("Set-Cookie")


def line(response: TestResponse) -> str:
    """The one Set-Cookie line."""
    (only,) = lines(response)
    return only


def shown(response: TestResponse) -> tuple[str, str]:
    """What the line tells the browser: which cookie, and the attributes; the value is left out."""
    name, _, rest = line(response).partition("=")
    return name, rest.partition("; ")[2]
