"""The URLs of the site's databases and caches: ``django-db:default``, ``django-cache:default``."""

from __future__ import annotations

from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core.cache import caches
from django.utils.connection import ConnectionProxy

from iron_wsgi import ConfigError
from iron_wsgi.stores.cache import CacheStore
from iron_wsgi.times import Clock

from .revocations import DatabaseRevocations
from .store import DatabaseStore

DATABASE: Final = "django-db"
CACHE: Final = "django-cache"


def open_store(option: Any, *, clock: Clock | None) -> Any:
    """Return the store that a URL names; any other value of the option is returned as it is.

    Raises:
        ConfigError: There is no such database or cache.
    """
    scheme, alias = split_url(option)
    if scheme == DATABASE:
        _check_database("store", alias)
        return DatabaseStore(alias, clock=clock)
    if scheme == CACHE:
        if alias not in settings.CACHES:
            msg = f"store: CACHES has no {alias!r}"
            raise ConfigError(msg)
        # Each thread has its own connection to the cache; the proxy finds it.
        cache: Any = ConnectionProxy(caches, alias)
        return CacheStore(cache, clock=clock)
    return option


def open_revocations(option: Any, *, clock: Clock | None) -> Any:
    """Return the list that a URL names; any other value of the option is returned as it is.

    Raises:
        ConfigError: There is no such database, or the URL names a cache.
    """
    scheme, alias = split_url(option)
    if scheme == DATABASE:
        _check_database("revocations", alias)
        return DatabaseRevocations(alias, clock=clock)
    if scheme == CACHE:
        msg = (
            "revocations: a cache forgets what it has no room for, and would let sessions back in; "
            "use 'django-db:default' or 'redis://...'"
        )
        raise ConfigError(msg)
    return option


def split_url(option: Any) -> tuple[str, str]:
    """Return the scheme and the alias of such a URL; two empty strings for anything else."""
    if not isinstance(option, str):
        return "", ""
    scheme, _, alias = option.partition(":")
    return (scheme, alias or "default") if scheme in (DATABASE, CACHE) else ("", "")


def _check_database(option: str, alias: str) -> None:
    if not apps.is_installed("iron_wsgi_django"):
        msg = f"{option}: needs 'iron_wsgi_django' in INSTALLED_APPS, and its tables: manage.py migrate"
        raise ConfigError(msg)
    if alias not in settings.DATABASES:
        msg = f"{option}: DATABASES has no {alias!r}"
        raise ConfigError(msg)
