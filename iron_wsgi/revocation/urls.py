"""Lists of revocations by their URLs."""

from __future__ import annotations

from typing import Final

from iron_wsgi.errors import opaque
from iron_wsgi.stores.urls import Places, check_memory

from .memory import MemoryRevocations
from .revocations import Revocations


@opaque
def open_revocations(url: str) -> Revocations:
    """Return the list of revocations at *url*; the same one for the same URL, in one process.

    The schemes are those of `iron_wsgi.stores.urls.open_store`.

    Raises:
        ConfigError: The URL cannot be understood, or what it needs is not installed. The message does not
            quote the URL, which may hold a password.
    """
    return _PLACES.open(url)


def _memory(url: str) -> Revocations:
    check_memory(url)
    return MemoryRevocations()


def _sql(url: str) -> Revocations:
    from .sql import SqlRevocations  # noqa: PLC0415 - needs the extra

    return SqlRevocations.from_url(url)


def _redis(url: str) -> Revocations:
    from .redis import RedisRevocations  # noqa: PLC0415 - needs the extra

    return RedisRevocations.from_url(url)


_PLACES: Final = Places[Revocations](
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
