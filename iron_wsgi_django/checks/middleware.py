"""Checks of the session middleware and its place in ``MIDDLEWARE``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Advice

from iron_wsgi_django.conf import MIDDLEWARE_ONLY
from iron_wsgi_django.dotted_paths import ENGINE, OURS, STOCK, find_middleware, is_subclass, uses_our_engine

from .raw_options import raw_options

AUTHENTICATION: Final = "django.contrib.auth.middleware.AuthenticationMiddleware"
MESSAGES: Final = "django.contrib.messages.middleware.MessageMiddleware"
CSRF: Final = "django.middleware.csrf.CsrfViewMiddleware"
CACHE: Final = "django.middleware.cache.UpdateCacheMiddleware"

STOCK_OVERFLOW: Final = ("raise", "store")
"""The values of ``overflow`` that work under Django's own middleware."""


def middleware_messages() -> Iterator[CheckMessage]:
    """Report a session middleware that is missing, doubled, misplaced, or not of the engine's package."""
    sessions = find_middleware(STOCK)
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
    is_ours = is_subclass(first.target, OURS)
    if is_ours and not uses_our_engine():
        yield Error(
            f"Sessions are not sealed: MIDDLEWARE has {first.path}, and SESSION_ENGINE is "
            f"{settings.SESSION_ENGINE!r}.",
            hint=f"Set SESSION_ENGINE = {ENGINE!r}.",
            id="iron_wsgi.E012",
        )
    unused = [] if is_ours else _unused_options()
    if "overflow" in unused:
        yield Error(
            f'IRON_SESSION["overflow"] is "chunk", and {first.path} sets only one cookie.',
            hint=f"Put {OURS!r} into MIDDLEWARE in its place, or drop the option.",
            id="iron_wsgi.E011",
        )
    elif unused:
        yield Advice(
            f"IRON_SESSION: {', '.join(unused)} has no effect under {first.path}.",
            hint=f"Put {OURS!r} into MIDDLEWARE in its place, or drop the option.",
            id="iron_wsgi.W009",
        )
    needing = (AUTHENTICATION, MESSAGES, CSRF) if settings.CSRF_USE_SESSIONS else (AUTHENTICATION, MESSAGES)
    early = [one.path for one in find_middleware(*needing) if one.position < first.position]
    if early:
        yield Error(
            f"MIDDLEWARE has {first.path} after {', '.join(early)}, which needs a session.",
            hint=f"Move {first.path} up, before {early[0]}.",
            id="iron_wsgi.E009",
        )
    late = [one.path for one in find_middleware(CACHE) if one.position > first.position]
    if late:
        yield Error(
            f"MIDDLEWARE has {first.path} before {late[0]}, which so keeps pages for everybody to see "
            "before they are marked as one visitor's.",
            hint=f"Move {late[0]} up, before {first.path}.",
            id="iron_wsgi.E010",
        )


def _unused_options() -> list[str]:
    """Return the names of the options that have no effect under Django's own middleware."""
    options = raw_options()
    unused = [name for name in MIDDLEWARE_ONLY if name in options]
    if options.get("overflow") in STOCK_OVERFLOW:
        unused.remove("overflow")
    return unused
