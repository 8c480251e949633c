"""A visitor with a browser: what most tests of sessions look through."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from iron_wsgi import Outcome, Session, SessionOptions
from iron_wsgi.engine.engine import Engine
from iron_wsgi.engine.exchange import CookieExchange
from iron_wsgi.seals import seal
from iron_wsgi.testing import DictJar, FakeClock

# Made by `iron-wsgi keygen`, for these tests alone.
PASSWORD: Final = "LpLzX3YlhVJ4B9uXmKJmRz0Vb2Bq6bC1y0wQ8nTfSgE"
NEWER: Final = "qT1m5ZbWc7JxP0uRk2hYeVn8sDfGa4LiOo6XwNvCzBM"
OTHER: Final = "Hs9eKd3UjQyA7tFbVx1oLnCz5WgRmP8iTkE0vXaJYcZ"

NOW: Final = FakeClock().now
"""When the tests begin, in epoch seconds."""

Use = Callable[[Session], object]


class Visitor:
    """A browser that keeps one session's cookies as the responses tell it."""

    def __init__(self, clock: FakeClock, **options: Any) -> None:
        self.clock = clock
        self.options: dict[str, Any] = {"password": PASSWORD, "cookie_name": "s", "clock": clock, **options}
        self.cookies: dict[str, str | Sequence[str]] = {}

    def ask(
        self,
        use: Use = bool,
        *,
        status: int = 200,
        cookies: Mapping[str, str | Sequence[str]] | None = None,
        **changes: Any,
    ) -> Outcome:
        """What one request is answered with; `keep` is what makes the browser see it."""
        jar = DictJar(self.cookies if cookies is None else cookies)
        exchange = CookieExchange(Engine(SessionOptions(**{**self.options, **changes})), jar)
        session = Session(exchange)
        use(session)
        if session.state is None:
            return Outcome()
        exchange.commit(session.state, status=status)
        return jar.outcome

    def keep(self, outcome: Outcome) -> None:
        for cookie in outcome.cookies:
            if cookie.is_deletion:
                self.cookies.pop(cookie.name, None)
            else:
                self.cookies[cookie.name] = cookie.value

    def visit(self, use: Use = bool, *, status: int = 200, **changes: Any) -> Outcome:
        outcome = self.ask(use, status=status, **changes)
        self.keep(outcome)
        return outcome

    def finds(self, **changes: Any) -> dict[str, Any]:
        """The data that a request would find now."""
        found: dict[str, Any] = {}
        self.ask(found.update, **changes)
        return found

    @property
    def value(self) -> str:
        value = self.cookies["s"]
        assert isinstance(value, str)
        return value


def sign_in(session: Session) -> None:
    session["user"] = 7


def write(**data: Any) -> Use:
    return lambda session: session.update(data)


def names(outcome: Outcome) -> list[str]:
    return [cookie.name for cookie in outcome.cookies]


def lines(outcome: Outcome) -> list[tuple[str, str]]:
    """The cookies of an outcome: their names, and whether each is set or deleted."""
    return [(cookie.name, "deleted" if cookie.is_deletion else "set") for cookie in outcome.cookies]


def sealed(
    data: object,
    *,
    expires_at: float | None = NOW + 1_209_600,
    password: str = PASSWORD,
    password_id: str = "1",
) -> str:
    """A seal as another program would make it, of whatever data."""
    plaintext = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    return seal.seal_at(plaintext, password, expires_at=expires_at, password_id=password_id) + "~2"


def payload(value: str, password: str = PASSWORD) -> Any:
    """What a seal holds, whenever it ends."""
    return json.loads(seal.unseal_at(seal.parse(value), password, now=0).plaintext)


def ends_at(value: str) -> float | None:
    """When the seal ends, as every reader of the format sees it."""
    expiration = seal.parse(value).expiration
    return int(expiration) / 1000 if expiration else None


def attributes(header: str) -> dict[str, str]:
    """The attributes of a Set-Cookie line, names in lower case; flags are empty."""
    parts = (part.strip().partition("=") for part in header.split(";")[1:])
    return {name.lower(): value for name, _, value in parts}
