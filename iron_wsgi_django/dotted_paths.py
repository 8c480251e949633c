"""The session engine and the middleware that a site's settings name by dotted paths."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.conf import settings
from django.utils.module_loading import import_string

ENGINE: Final = "iron_wsgi_django.backend"
OURS: Final = "iron_wsgi_django.middleware.SessionMiddleware"
STOCK: Final = "django.contrib.sessions.middleware.SessionMiddleware"


class MiddlewareEntry(NamedTuple):
    """An entry of ``MIDDLEWARE``.

    Attributes:
        position: Its index in the list.
        path: Its dotted path.
        target: What the path names; None if it cannot be imported.
    """

    position: int
    path: str
    target: Any


def find_middleware(*paths: str) -> list[MiddlewareEntry]:
    """Return the entries of ``MIDDLEWARE`` that are one of these classes, or a subclass; outermost first."""
    paired = enumerate(settings.MIDDLEWARE)
    entries = [MiddlewareEntry(position, path, _imported(path)) for position, path in paired]
    return [entry for entry in entries if any(is_subclass(entry.target, path) for path in paths)]


def is_subclass(thing: object, path: str) -> bool:
    """Tell whether *thing* is the class with this dotted path, or a subclass of it.

    Names are compared: importing some of Django's classes is an error where their application is not
    installed.
    """
    return isinstance(thing, type) and any(dotted_path(parent) == path for parent in thing.__mro__)


def dotted_path(thing: type) -> str:
    """Return the path by which settings name a class."""
    return f"{thing.__module__}.{thing.__qualname__}"


def uses_our_engine() -> bool:
    """Tell whether the engine in ``SESSION_ENGINE`` is this package's, or made from it."""
    return is_subclass(_imported(f"{settings.SESSION_ENGINE}.SessionStore"), f"{ENGINE}.SessionStore")


def _imported(path: str) -> Any:
    """Import what *path* names; None if that fails, which Django itself reports when it starts."""
    try:
        return import_string(path)
    except Exception:  # noqa: BLE001 - a module may raise anything
        return None
