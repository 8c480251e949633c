"""Django's session engine: the session key, which Django puts into the cookie, is the seal."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

from iron_wsgi import CookieTooLarge, Refused
from iron_wsgi.cookies import MAX_COOKIE
from iron_wsgi.engine import KEPT
from iron_wsgi.state import State

from .conf import vault


class SessionStore(SessionBase):
    """Keeps the session in its cookie, sealed. Nothing is stored on the server."""

    modified: bool
    _session_key: str | None

    def load(self) -> dict[str, Any]:
        """Return the data of the seal that came in; nothing if it cannot be trusted."""
        try:
            self._state = vault().load(self.session_key)
        except Refused as refused:
            if refused.reason not in KEPT:  # without a key Django deletes the cookie
                self._session_key = None
            return {}
        self.modified = self.modified or self._state.is_outdated
        return self._state.data

    def save(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        """Seal the session; the seal becomes the session key.

        Raises:
            CookieTooLarge: Browsers would drop the cookie.
        """
        data = self._get_session(no_load=must_create)
        expires_at = self.get_expiry_date().timestamp()
        loaded = getattr(self, "_state", None) or State(issued_at=time.time())
        self._state = State(data=data, meta=loaded.meta, issued_at=loaded.issued_at)
        value = vault().dump(self._state, expires_at=expires_at)
        size = len(settings.SESSION_COOKIE_NAME) + len(value)
        if size > MAX_COOKIE:
            msg = f"the session cookie would be {size} octets, and {MAX_COOKIE} is the limit. Store less."
            raise CookieTooLarge(msg, size=size, limit=MAX_COOKIE)
        self._session_key = value
        self.modified = True

    def create(self) -> None:
        """Begin a session; it gets its key when it is saved."""
        self.modified = True

    def exists(self, session_key: str) -> bool:
        """Tell whether *session_key* is a seal that opens."""
        try:
            vault().load(session_key)
        except Refused:
            return False
        return True

    def delete(self, session_key: str | None = None) -> None:  # noqa: ARG002 - Django's signature
        """Forget the session: its cookie is deleted with the response."""
        self._session_key = None
        self._session_cache: dict[str, Any] = {}
        self.modified = True

    def cycle_key(self) -> None:
        """Seal anew."""
        self.save()

    @classmethod
    def clear_expired(cls) -> None:
        """Do nothing: expired seals are in the browsers."""
