"""The serializer, the lifetime, older cookies, and whatever else the options can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from iron_wsgi_django.conf import options
from iron_wsgi_django.installed import path_of

from .cookies import SESSIONS
from .given import given


def option_messages() -> Iterator[CheckMessage]:
    """Say what single options would do."""
    yield from _serializer()
    yield from _lifetime()
    yield from _older()


def unusable_messages() -> Iterator[CheckMessage]:
    """Say that the options cannot be used, and why."""
    try:
        options()
    except Exception as error:  # noqa: BLE001 - whatever a setting names may raise anything
        yield Error(
            f"The session settings cannot be used: {error}",
            hint="Correct IRON_SESSION or the setting that is named; until then every request fails.",
            id="iron_wsgi.E001",
        )


def _serializer() -> Iterator[CheckMessage]:
    chosen: Any = given().get("serializer")
    try:
        if chosen is None:
            chosen = import_string(settings.SESSION_SERIALIZER)()
        written = b"" if isinstance(chosen, str) else chosen.dumps({"a": 1})
    except Exception:  # noqa: BLE001 - a serializer may raise anything; what is unusable is said elsewhere
        written = b""
    names = {path_of(one).lower() for one in type(chosen).__mro__}
    # Protocol 2 and later begin with its number; they end with a full stop (pickletools: PROTO, STOP).
    if any("pickle" in name for name in names) or (written[:1] == b"\x80" and written[-1:] == b"."):
        yield Error(
            "The session serializer writes pickles: whoever learns the password can run programs here.",
            hint='Drop SESSION_SERIALIZER (its default is JSON), or set IRON_SESSION["serializer"] = "json".',
            id="iron_wsgi.E005",
        )


def _lifetime() -> Iterator[CheckMessage]:
    if "ttl" in given():
        yield Error(
            f'IRON_SESSION["ttl"] is {given()["ttl"]!r}, and a session lives for SESSION_COOKIE_AGE, which '
            f"is {settings.SESSION_COOKIE_AGE!r} seconds.",
            hint='Set SESSION_COOKIE_AGE, and drop IRON_SESSION["ttl"].',
            id="iron_wsgi.E013",
        )


def _older() -> Iterator[CheckMessage]:
    accept = given().get("accept")
    if isinstance(accept, (tuple, list)) and "db" in accept and not apps.is_installed(SESSIONS):
        yield Error(
            f'IRON_SESSION["accept"] names "db", and INSTALLED_APPS has no {SESSIONS!r}.',
            hint=f"Put {SESSIONS!r} into INSTALLED_APPS, whose table is read, or drop the name.",
            id="iron_wsgi.E014",
        )
