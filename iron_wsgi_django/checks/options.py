"""Checks of the serializer, the lifetime, older cookies, and of the options as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from iron_wsgi_django.conf import options
from iron_wsgi_django.dotted_paths import dotted_path

from .cookies import SESSIONS
from .raw_options import raw_options


def option_messages() -> Iterator[CheckMessage]:
    """Report single options with an effect that nobody wants."""
    yield from _serializer()
    yield from _lifetime()
    yield from _older_cookies()


def unusable_messages() -> Iterator[CheckMessage]:
    """Report why the options cannot be used, if they cannot."""
    try:
        options()
    except Exception as error:  # noqa: BLE001 - what a setting names may raise anything
        yield Error(
            f"The session settings cannot be used: {error}",
            hint="Correct IRON_SESSION or the setting that is named; until then every request fails.",
            id="iron_wsgi.E001",
        )


def _serializer() -> Iterator[CheckMessage]:
    serializer: Any = raw_options().get("serializer")
    try:
        if serializer is None:
            serializer = import_string(settings.SESSION_SERIALIZER)()
        written = b"" if isinstance(serializer, str) else serializer.dumps({"a": 1})
    except Exception:  # noqa: BLE001 - a serializer may raise anything; `unusable_messages` reports it
        written = b""
    names = {dotted_path(one).lower() for one in type(serializer).__mro__}
    # Protocol 2 and later begin with its number; they end with a full stop (pickletools: PROTO, STOP).
    if any("pickle" in name for name in names) or (written[:1] == b"\x80" and written[-1:] == b"."):
        yield Error(
            "The session serializer writes pickles: whoever learns the password can run programs here.",
            hint='Drop SESSION_SERIALIZER (its default is JSON), or set IRON_SESSION["serializer"] = "json".',
            id="iron_wsgi.E005",
        )


def _lifetime() -> Iterator[CheckMessage]:
    options = raw_options()
    if "ttl" in options:
        yield Error(
            f'IRON_SESSION["ttl"] is {options["ttl"]!r}, and a session lives for SESSION_COOKIE_AGE, which '
            f"is {settings.SESSION_COOKIE_AGE!r} seconds.",
            hint='Set SESSION_COOKIE_AGE, and drop IRON_SESSION["ttl"].',
            id="iron_wsgi.E013",
        )


def _older_cookies() -> Iterator[CheckMessage]:
    accept = raw_options().get("accept")
    if isinstance(accept, (tuple, list)) and "db" in accept and not apps.is_installed(SESSIONS):
        yield Error(
            f'IRON_SESSION["accept"] names "db", and INSTALLED_APPS has no {SESSIONS!r}.',
            hint=f"Put {SESSIONS!r} into INSTALLED_APPS, whose table is read, or drop the name.",
            id="iron_wsgi.E014",
        )
