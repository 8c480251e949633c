"""Settings: our engine and our session middleware."""

from __future__ import annotations

from iron_wsgi_django.middleware import SessionMiddleware

from .published import *  # noqa: F403
from .sessions import install

SESSION_ENGINE = "iron_wsgi_django.backend"

install(SessionMiddleware, bound=True)
