"""The cookies of Flask's own session interface, which ``accept=("flask",)`` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadData

from iron_wsgi import Refused
from iron_wsgi.seals.seal import SKEW
from iron_wsgi.sessions.state import State

from .serializer import TaggedJSON

if TYPE_CHECKING:
    from flask import Flask


@final
class FlaskCookie:
    """Reads cookies of Flask's own session interface, under the keys and the lifetime that it would use.

    Implements `iron_wsgi.vaults.older_cookies.Reader`.
    """

    def __init__(self, app: Flask, serializer: TaggedJSON) -> None:
        """Read under *app*'s keys, as they are when a cookie comes; *serializer* knows the types in it."""
        self._app = app
        self._interface = SecureCookieSessionInterface()
        self._interface.serializer = serializer

    def read(self, value: str, /, *, at: float) -> State:
        """Return the session of a cookie that Flask signed. See `Reader.read`."""
        signer = self._interface.get_signing_serializer(self._app)
        if signer is None:
            raise Refused("invalid")
        try:
            data, signed = signer.loads(value, return_timestamp=True)
        except BadData:
            raise Refused("invalid") from None
        issued_at = signed.timestamp()
        expires_at = issued_at + self._app.permanent_session_lifetime.total_seconds()
        if not isinstance(data, dict) or issued_at > at + SKEW:
            raise Refused("invalid")
        if at > expires_at:
            raise Refused("expired")
        return State(data=data, issued_at=issued_at, expires_at=expires_at)
