"""Requests of one site that are under way at the same time: opened now, answered later."""

from __future__ import annotations

from typing import Any, Final

from iron_wsgi import Session, SessionOptions
from iron_wsgi.engine.engine import Engine
from iron_wsgi.engine.exchange import CookieExchange
from iron_wsgi.testing import DictJar

from .seals import OLD

COOKIE: Final = "session"


class Site:
    """Answers requests under one set of options."""

    def __init__(self, **options: Any) -> None:
        self.options = SessionOptions(**{"password": OLD, "cookie_name": COOKIE, **options})
        self._engine = Engine(self.options)

    def begin(self, cookie: str = "") -> Request:
        """Begin a request with this cookie; its session is open."""
        return Request(self._engine, cookie)

    def sign_in(self, **data: Any) -> str:
        """Return the cookie of a new session with these data."""
        request = self.begin()
        request.session.update(data)
        return request.answer()

    def sign_out(self, cookie: str) -> None:
        """End the session of this cookie."""
        request = self.begin(cookie)
        request.session.destroy()
        assert request.answer() == ""

    def finds(self, cookie: str) -> dict[str, Any]:
        """Return what a session of this cookie holds."""
        return dict(self.begin(cookie).session)


class Request:
    """One request that is under way.

    Attributes:
        session: Its session.
    """

    def __init__(self, engine: Engine, cookie: str) -> None:
        self._jar = DictJar({COOKIE: cookie} if cookie else {})
        self._exchange = CookieExchange(engine, self._jar)
        self.session = Session(self._exchange)
        len(self.session)

    def answer(self) -> str:
        """Commit, and return the cookie that is set; empty if none is."""
        assert self.session.state is not None
        self._exchange.commit(self.session.state)
        (value,) = [cookie.value for cookie in self._jar.outcome.cookies if not cookie.is_deletion] or [""]
        return value
