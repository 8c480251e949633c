"""Settings: our engine under Django's own session middleware."""

from __future__ import annotations

from django.contrib.sessions.middleware import SessionMiddleware

from .published import *  # noqa: F403
from .sessions import install

SESSION_ENGINE = "iron_wsgi_django.backend"

install(SessionMiddleware, bound=False)
