"""Stores by their URLs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar, final

from iron_wsgi.errors import ConfigError, opaque
from iron_wsgi.servers.locks import Lock

from .memory import MemoryStore
from .store import Store

T = TypeVar("T")

PACKAGES: Final = {
    "redis": "iron-wsgi[redis]",
    "sqlalchemy": "iron-wsgi[sql]",
    "psycopg": "iron-wsgi[postgresql]",
}
"""What to install where a module is missing."""

OF_DJANGO: Final = {"django-cache", "django-db"}
"""Schemes that stand for what Django's settings name."""


@opaque
def open_store(url: str) -> Store:
    """Return the store at *url*; the same one for the same URL, in one process.

    ``memory:``, ``sqlite:///file.db``, ``postgresql://``, ``postgresql+psycopg://``, ``redis://``,
    ``rediss://`` and ``valkey://`` are known.

    Raises:
        ConfigError: The URL cannot be understood, or what it needs is not installed. The message does not
            quote the URL, which may hold a password.
    """
    return _PLACES.open(url)


@final
class Places(Generic[T]):
    """What has been opened at URLs: one object for each, so that options may be made again and again."""

    def __init__(self, openers: Mapping[str, Callable[[str], T]]) -> None:
        """Open URLs by their schemes."""
        self._openers = openers
        self._opened: dict[str, T] = {}
        self._lock = Lock()

    def open(self, url: str) -> T:
        """Return what is at *url*.

        Raises:
            ConfigError: See `open_store`.
        """
        scheme, colon, rest = url.partition(":")
        scheme = scheme.lower() if colon else ""  # RFC 3986 3.1
        url = f"{scheme}:{rest}"
        with self._lock:
            if url not in self._opened:
                self._opened[url] = self._open(scheme, url)
            return self._opened[url]

    def _open(self, scheme: str, url: str) -> T:
        if scheme in OF_DJANGO:
            msg = f"{scheme}: URLs are for Django's settings; elsewhere give CacheStore(cache) or another URL"
            raise ConfigError(msg)
        if scheme not in self._openers:
            # What stands before the first colon is not quoted: of a URL without a scheme it may be a secret.
            msg = f"the URL's scheme is unknown; known are {', '.join(f'{name}:' for name in self._openers)}"
            raise ConfigError(msg)
        try:
            return self._openers[scheme](url)
        except ConfigError:
            raise
        except ModuleNotFoundError as error:
            package = PACKAGES.get((error.name or "").partition(".")[0])
            if package is None:
                raise
            msg = f'a {scheme}: URL needs {error.name}, which is not installed: pip install "{package}"'
        except Exception as error:  # noqa: BLE001 - whatever it is, its text may quote the password
            msg = (
                f"the {scheme}: URL cannot be opened ({type(error).__name__}); in its user and password "
                "characters such as @ / : # % must be percent-encoded"
            )
        raise ConfigError(msg)


def _memory(url: str) -> Store:
    check_memory(url)
    return MemoryStore()


def check_memory(url: str) -> None:
    """Raise ConfigError unless *url* is ``memory:``; there is one such place in a process."""
    if url != "memory:":
        msg = "memory: takes nothing behind the colon"
        raise ConfigError(msg)


def _sql(url: str) -> Store:
    from .sql import SqlStore  # noqa: PLC0415 - needs the extra

    return SqlStore.from_url(url)


def _redis(url: str) -> Store:
    from .redis import RedisStore  # noqa: PLC0415 - needs the extra

    return RedisStore.from_url(url)


_PLACES: Final = Places[Store](
    {
        "memory": _memory,
        "sqlite": _sql,
        "postgresql": _sql,
        "postgresql+psycopg": _sql,
        "redis": _redis,
        "rediss": _redis,
        "valkey": _redis,
    }
)
