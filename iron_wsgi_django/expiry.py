"""When a session and its cookie end, as Django reckons it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import NamedTuple

from django.contrib.sessions.backends.base import SessionBase

from iron_wsgi import CookieOptions
from iron_wsgi.engine.engine import Engine
from iron_wsgi.sessions.state import State


class Terms(NamedTuple):
    """How a session is put into its cookie; the arguments of `Engine.commit`.

    Attributes:
        cookie: The attributes.
        expires_at: When the seal ends, in epoch seconds.
        cookie_expires: When the cookie ends, if that has passed.
    """

    cookie: CookieOptions
    expires_at: float
    cookie_expires: float | None = None


def terms_of(session: SessionBase, engine: Engine, state: State) -> Terms:
    """Return the terms of *session* now. A moment that has passed is one, and never an eternal seal."""
    at = engine.now()
    modification = datetime.fromtimestamp(at, timezone.utc)
    moment: float = session.get_expiry_date(modification=modification).timestamp()
    end = engine.expiry(state, moment) or moment
    cookie = engine.options.cookie_options
    if session.get_expire_at_browser_close():
        return Terms(cookie, end)
    lifetime = round(end - at)
    if lifetime <= 0:
        return Terms(cookie, end, cookie_expires=end)
    return Terms(replace(cookie, max_age=lifetime, expires=end), end)
