"""When a session and its cookie expire, by Django's rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from functools import lru_cache
from typing import NamedTuple

from django.contrib.sessions.backends.base import SessionBase

from iron_wsgi import CookieOptions
from iron_wsgi.engine.engine import Engine
from iron_wsgi.sessions.state import State


class Lifetime(NamedTuple):
    """When a seal and its cookie expire: the arguments of `Engine.commit`.

    Attributes:
        cookie: The cookie's attributes, with a max_age unless it ends with the browser.
        expires_at: When the seal expires, in epoch seconds.
        cookie_expires: When the cookie expires, in epoch seconds; None if it ends with the browser.
    """

    cookie: CookieOptions
    expires_at: float
    cookie_expires: float | None = None


def lifetime_of(session: SessionBase, engine: Engine, state: State) -> Lifetime:
    """Return the lifetime of *session* if it is sealed now. A moment in the past stays in the past."""
    at = engine.now()
    modification = datetime.fromtimestamp(at, timezone.utc)
    moment: float = session.get_expiry_date(modification=modification).timestamp()
    end = engine.expiry(state, moment) or moment
    cookie = engine.options.cookie_options
    if session.get_expire_at_browser_close():
        return Lifetime(cookie, end)
    seconds = round(end - at)
    return Lifetime(_lasting(cookie, seconds) if seconds > 0 else cookie, end, end)


@lru_cache(maxsize=64)
def _lasting(cookie: CookieOptions, seconds: int) -> CookieOptions:
    """Return the attributes with a ``Max-Age``; most sessions of a site have the same."""
    return replace(cookie, max_age=seconds)
