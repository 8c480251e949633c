"""The session middleware and its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Advice

from iron_wsgi_django.conf import MIDDLEWARE_ONLY
from iron_wsgi_django.installed import ENGINE, OURS, STOCK, has_our_engine, is_a, middleware_of

from .given import given

AUTHENTICATION: Final = "django.contrib.auth.middleware.AuthenticationMiddleware"
MESSAGES: Final = "django.contrib.messages.middleware.MessageMiddleware"
CSRF: Final = "django.middleware.csrf.CsrfViewMiddleware"
CACHE: Final = "django.middleware.cache.UpdateCacheMiddleware"

WORKING: Final = ("raise", "store")
"""What ``overflow`` may be under Django's own middleware."""


def middleware_messages() -> Iterator[CheckMessage]:
    """Say that there is none, too much of it, or that it stands in the wrong place."""
    sessions = middleware_of(STOCK)
    if not sessions:
        yield Advice(
            "SESSION_ENGINE seals sessions, but MIDDLEWARE has no session middleware.",
            hint=f"Put {OURS!r} into MIDDLEWARE, before AuthenticationMiddleware.",
            id="iron_wsgi.W002",
        )
        return
    first, *others = sessions
    if others:
        yield Error(
            f"MIDDLEWARE has several session middlewares: {', '.join(one.path for one in sessions)}.",
            hint=f"Keep one, {OURS!r}: the inner hides the session of the outer, and both set cookies.",
            id="iron_wsgi.E008",
        )
    is_ours = is_a(first.made, OURS)
    if is_ours and not has_our_engine():
        yield Error(
            f"Sessions are not sealed: MIDDLEWARE has {first.path}, and SESSION_ENGINE is "
            f"{settings.SESSION_ENGINE!r}.",
            hint=f"Set SESSION_ENGINE = {ENGINE!r}.",
            id="iron_wsgi.E012",
        )
    idle = [] if is_ours else [name for name in MIDDLEWARE_ONLY if given().get(name, "raise") not in WORKING]
    if "overflow" in idle:
        yield Error(
            f'IRON_SESSION["overflow"] is "chunk", and {first.path} sets only one cookie.',
            hint=f"Put {OURS!r} into MIDDLEWARE in its place, or drop the option.",
            id="iron_wsgi.E011",
        )
    elif idle:
        yield Advice(
            f"IRON_SESSION: {', '.join(idle)} has no effect under {first.path}.",
            hint=f"Put {OURS!r} into MIDDLEWARE in its place, or drop the option.",
            id="iron_wsgi.W009",
        )
    needing = (AUTHENTICATION, MESSAGES, CSRF) if settings.CSRF_USE_SESSIONS else (AUTHENTICATION, MESSAGES)
    early = [one.path for one in middleware_of(*needing) if one.place < first.place]
    if early:
        yield Error(
            f"MIDDLEWARE has {first.path} after {', '.join(early)}, which needs a session.",
            hint=f"Move {first.path} up, before {early[0]}.",
            id="iron_wsgi.E009",
        )
    late = [one.path for one in middleware_of(CACHE) if one.place > first.place]
    if late:
        yield Error(
            f"MIDDLEWARE has {first.path} before {late[0]}, which so keeps pages for everybody to see "
            "before they are marked as one visitor's.",
            hint=f"Move {late[0]} up, before {first.path}.",
            id="iron_wsgi.E010",
        )
