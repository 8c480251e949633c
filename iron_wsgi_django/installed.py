"""What of this package a site has switched on in its settings. For the system checks and the test client."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.conf import settings
from django.utils.module_loading import import_string

ENGINE: Final = "iron_wsgi_django.backend"
OURS: Final = "iron_wsgi_django.middleware.SessionMiddleware"
STOCK: Final = "django.contrib.sessions.middleware.SessionMiddleware"


class Middleware(NamedTuple):
    """An entry of ``MIDDLEWARE``.

    Attributes:
        place: Its index there.
        path: How it is written there.
        made: What the path names.
    """

    place: int
    path: str
    made: Any


def middleware_of(*paths: str) -> list[Middleware]:
    """Return the middleware that is of one of these classes, or derived from one; outermost first."""
    entries = (Middleware(place, path, _named(path)) for place, path in enumerate(settings.MIDDLEWARE))
    return [one for one in entries if any(is_a(one.made, path) for path in paths)]


def is_a(thing: object, path: str) -> bool:
    """Tell whether *thing* is the class that *path* names, or derived from it.

    By name: importing some of Django's classes is an error where their application is not installed.
    """
    return isinstance(thing, type) and any(path_of(one) == path for one in thing.__mro__)


def path_of(thing: type) -> str:
    """Return the path by which settings name a class."""
    return f"{thing.__module__}.{thing.__qualname__}"


def has_our_engine() -> bool:
    """Tell whether ``SESSION_ENGINE`` is this package's, or derived from it."""
    return is_a(_named(f"{settings.SESSION_ENGINE}.SessionStore"), f"{ENGINE}.SessionStore")


def _named(path: str) -> Any:
    """Import what *path* names; None if it cannot be imported, which Django says itself when it starts."""
    try:
        return import_string(path)
    except Exception:  # noqa: BLE001 - a module may raise anything
        return None
