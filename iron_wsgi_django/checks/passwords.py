"""Checks of the password that seals sessions."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Advice
from django.core.exceptions import ImproperlyConfigured

from iron_wsgi import ConfigError, Passwords, WeakPasswordWarning

from .raw_options import raw_options


def password_messages() -> Iterator[CheckMessage]:
    """Report a missing password, one that cannot be used, and one that is also a ``SECRET_KEY``."""
    if raw_options().get("password") is None:
        if "password" in raw_options() or not _secret_keys():
            yield Error(
                "There is no password to seal sessions with.",
                hint='Set IRON_SESSION = {"password": ...}, from `manage.py iron_keygen`, or SECRET_KEY.',
                id="iron_wsgi.E002",
            )
        return
    with warnings.catch_warnings():
        # `check --deploy` reports weak passwords, and the engine warns of them.
        warnings.simplefilter("ignore", WeakPasswordWarning)
        try:
            passwords = Passwords.parse(raw_options()["password"], seal_with=raw_options().get("seal_with"))
        except ConfigError as error:
            yield Error(
                f"IRON_SESSION: the password cannot be used: {error}.",
                hint="Make one with `manage.py iron_keygen`.",
                id="iron_wsgi.E003",
            )
            return
    if {passwords.get(one) for one in passwords.ids} & {_text(key) for key in _secret_keys()}:
        yield Advice(
            "A session password is also a SECRET_KEY: whoever shares the sessions can sign for this site.",
            hint="Make one with `manage.py iron_keygen`, or give none: it is derived from SECRET_KEY.",
            id="iron_wsgi.W001",
        )


def strength_messages() -> Iterator[CheckMessage]:
    """Report passwords that can be guessed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _explicit_passwords()
    if any(issubclass(one.category, WeakPasswordWarning) for one in caught):
        yield Error(
            "A session password was published, or has fewer than 12 different characters.",
            hint="Make one with `manage.py iron_keygen`; whoever guesses it can read and make sessions.",
            id="iron_wsgi.E004",
        )


def _explicit_passwords() -> Passwords | None:
    """Return the passwords of ``IRON_SESSION``; None if it has none, or they cannot be used."""
    try:
        return Passwords.parse(raw_options()["password"], seal_with=raw_options().get("seal_with"))
    except (KeyError, ConfigError):
        return None


def _secret_keys() -> list[str | bytes]:
    try:
        return [key for key in (settings.SECRET_KEY, *(settings.SECRET_KEY_FALLBACKS or ())) if key]
    except ImproperlyConfigured:  # Django raises it where SECRET_KEY is empty
        return []


def _text(key: str | bytes) -> str:
    return str(key, "utf-8", "replace") if isinstance(key, bytes) else str(key)
