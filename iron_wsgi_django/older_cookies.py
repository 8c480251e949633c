"""Sessions of Django's own engines, which move into seals: ``accept=("signed_cookies", "db")``."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from importlib import import_module
from typing import Any, Final, final

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.core import signing
from django.db import DatabaseError, InterfaceError
from django.utils.module_loading import import_string

from iron_wsgi import ConfigError, CookieJar, Refused, Unavailable
from iron_wsgi.seals.seal import PREFIX, SKEW
from iron_wsgi.sessions.state import State

SALT: Final = "django.contrib.sessions.backends.signed_cookies"

# The session keys of Django's engines with a database or a cache.
_DATABASE_KEY: Final = re.compile(r"[a-z0-9]{32}")


@final
class SignedCookies:
    """Reads what ``django.contrib.sessions.backends.signed_cookies`` wrote.

    It uses the keys, the serializer and the lifetime that this engine would use. An expiry of the session's
    own can only shorten its life. Implements `iron_wsgi.vaults.older_cookies.Reader`.
    """

    def __init__(self, age: int) -> None:
        """Accept sessions that are at most *age* seconds old."""
        self._age = age

    def read(self, value: str, /, *, at: float) -> State:
        """Return the session of a signed cookie. See `Reader.read`."""
        try:
            serializer = import_string(settings.SESSION_SERIALIZER)
            data = signing.loads(value, salt=SALT, serializer=serializer)
            # Authentic by now: the time stands before the signature, which covers it.
            issued_at = float(signing.b62_decode(value.rsplit(":", 2)[1]))
        except Exception:  # noqa: BLE001 - a serializer may raise anything
            raise Refused("invalid") from None
        if not isinstance(data, dict) or issued_at > at + SKEW:
            raise Refused("invalid")
        expires_at = min(issued_at + self._age, _own_expiry(data, issued_at))
        if at > expires_at:
            raise Refused("expired")
        return State(data=data, issued_at=issued_at, expires_at=expires_at)


@final
class DatabaseSessions:
    """Reads the rows of ``django.contrib.sessions.backends.db`` and ``cached_db``.

    It leaves the row there: parallel requests bring the old cookie too. Implements
    `iron_wsgi.vaults.older_cookies.Reader`.
    """

    def __init__(self, age: int) -> None:
        """Take each session as issued *age* seconds before it expires."""
        self._age = age

    def read(self, value: str, /, *, at: float) -> State:
        """Return the session of the row with this key. See `Reader.read`.

        Raises:
            ConfigError: The application with the table is not installed.
            Unavailable: The database does not answer.
        """
        if not _DATABASE_KEY.fullmatch(value):
            raise Refused("invalid")
        if not apps.is_installed("django.contrib.sessions"):
            msg = "accept: 'db' needs 'django.contrib.sessions' in INSTALLED_APPS"
            raise ConfigError(msg)
        # Imported here: the module defines a model, which needs all of Django to be set up.
        store: Any = import_module("django.contrib.sessions.backends.db").SessionStore()
        try:
            row = store.model.objects.filter(session_key=value).first()
        except (DatabaseError, InterfaceError):
            msg = "the database with Django's sessions does not answer"
            raise Unavailable(msg) from None
        if row is None:
            raise Refused("invalid")
        expires_at = row.expire_date.timestamp()
        if at > expires_at:
            raise Refused("expired")
        issued_at = min(at, expires_at - self._age)
        return State(data=store.decode(row.session_data), issued_at=issued_at, expires_at=expires_at)


def may_be_row_key(jar: CookieJar) -> bool:
    """Tell whether the session cookie in *jar* may be the key of a row, which no seal is."""
    return any(not value.startswith(PREFIX) for value in jar.read(settings.SESSION_COOKIE_NAME))


def _own_expiry(data: dict[str, Any], issued_at: float) -> float:
    """Return when the session ends by its own ``set_expiry``, in epoch seconds."""
    expiry = data.get("_session_expiry")
    written_at = datetime.fromtimestamp(issued_at, timezone.utc)
    moment: datetime = SessionBase().get_expiry_date(modification=written_at, expiry=expiry)
    return moment.timestamp()
