"""Checks of the store and the list of revocations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as Advice

from iron_wsgi.revocation import MemoryRevocations
from iron_wsgi.stores import MemoryStore
from iron_wsgi.times import DAY, FOREVER
from iron_wsgi_django.databases.urls import CACHE, split_url

from .raw_options import raw_options

PROCESS_LOCAL: Final = ("LocMemCache", "DummyCache")
"""Django's caches whose content other processes do not see."""


def server_messages() -> Iterator[CheckMessage]:
    """Report a store or a list that other processes do not see, and lifetimes that a list shortens."""
    local = [name for name in ("store", "revocations") if _is_process_local(name, raw_options().get(name))]
    if local and not settings.DEBUG:
        yield Advice(
            f"IRON_SESSION: {' and '.join(local)} in the memory of one process: others see nothing of it, "
            "and all is gone when it ends.",
            hint='Put sessions into "django-db:default", "redis://...", or a cache that all processes share.',
            id="iron_wsgi.W010",
        )
    if raw_options().get("revocations") is not None and settings.SESSION_COOKIE_AGE > FOREVER:
        yield Advice(
            f"SESSION_COOKIE_AGE is {settings.SESSION_COOKIE_AGE!r} seconds, and where sessions can be "
            f"revoked each ends {FOREVER // DAY} days after it was last written.",
            hint=f"Set SESSION_COOKIE_AGE to {FOREVER} or less; browsers keep no cookie for longer.",
            id="iron_wsgi.W011",
        )


def outage_messages() -> Iterator[CheckMessage]:
    """Report that an outage of the list lets revoked sessions in."""
    if raw_options().get("on_outage", "refuse") == "accept":
        yield Advice(
            'IRON_SESSION["on_outage"] is "accept": while the list of revocations does not answer, a session '
            "that was signed out is accepted.",
            hint="Drop the option: visitors are then answered 503, and asked to come back.",
            id="iron_wsgi.W012",
        )


def _is_process_local(option: str, value: Any) -> bool:
    """Tell whether the *value* of the *option* names the memory of one process."""
    scheme, alias = split_url(value)
    if scheme == CACHE and option == "store":  # no cache can hold a list
        backend = str(settings.CACHES.get(alias, {}).get("BACKEND", ""))
        return backend.rpartition(".")[2] in PROCESS_LOCAL
    return isinstance(value, (MemoryStore, MemoryRevocations)) or value == "memory:"
