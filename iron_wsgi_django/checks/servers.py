"""The store and the list of revocations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as Advice

from iron_wsgi.revocation import MemoryRevocations
from iron_wsgi.stores import MemoryStore
from iron_wsgi.times import DAY, FOREVER
from iron_wsgi_django.urls import CACHE, parsed

from .given import given

OF_ONE_PROCESS: Final = ("LocMemCache", "DummyCache")
"""Django's caches of which other processes see nothing."""


def server_messages() -> Iterator[CheckMessage]:
    """Say that other processes would not see what one has written, and that sessions end earlier."""
    lonely = [name for name in ("store", "revocations") if _is_of_one_process(name, given().get(name))]
    if lonely and not settings.DEBUG:
        yield Advice(
            f"IRON_SESSION: {' and '.join(lonely)} in the memory of one process: others see nothing of it, "
            "and all is gone when it ends.",
            hint='Put sessions into "django-db:default", "redis://...", or a cache that all processes share.',
            id="iron_wsgi.W010",
        )
    if given().get("revocations") is not None and settings.SESSION_COOKIE_AGE > FOREVER:
        yield Advice(
            f"SESSION_COOKIE_AGE is {settings.SESSION_COOKIE_AGE!r} seconds, and where sessions can be "
            f"revoked each ends {FOREVER // DAY} days after it was last written.",
            hint=f"Set SESSION_COOKIE_AGE to {FOREVER} or less; browsers keep no cookie for longer.",
            id="iron_wsgi.W011",
        )


def outage_messages() -> Iterator[CheckMessage]:
    """Say that an outage opens what is closed."""
    if given().get("on_outage", "refuse") == "accept":
        yield Advice(
            'IRON_SESSION["on_outage"] is "accept": while the list of revocations does not answer, a session '
            "that was signed out is accepted.",
            hint="Drop the option: visitors are then answered 503, and asked to come back.",
            id="iron_wsgi.W012",
        )


def _is_of_one_process(option: str, place: Any) -> bool:
    scheme, alias = parsed(place)
    if scheme == CACHE and option == "store":  # a list cannot be in any
        backend = str(settings.CACHES.get(alias, {}).get("BACKEND", ""))
        return backend.rpartition(".")[2] in OF_ONE_PROCESS
    return isinstance(place, (MemoryStore, MemoryRevocations)) or place == "memory:"
