"""The session of one request, as Flask expects it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, cast

from flask.sessions import SessionMixin

from iron_wsgi import Session
from iron_wsgi.engine import FOREVER

if TYPE_CHECKING:
    from iron_wsgi.state import State

    from .exchange import FlaskExchange

PERMANENT_KEY: Final = "_permanent"
"""The member of the data that holds `FlaskSession.permanent`, as in Flask's own session."""

FLASK_LOGIN_KEYS: Final = frozenset({"_remember", "_remember_seconds"})
"""Flask-Login's notes to itself on its remember cookie, which it takes out before the response goes."""


class FlaskSession(Session, SessionMixin):
    """What ``flask.session`` is: all of `iron_wsgi.Session`, and what Flask expects beside."""

    _is_asked_for = False
    _was_modified = False

    @classmethod
    def opened(cls, exchange: FlaskExchange, state: State) -> FlaskSession:
        """Return the session of *exchange* that was opened before, in the *state* it is in."""
        session = cls(exchange)
        object.__setattr__(session, "_state", state)
        object.__setattr__(session, "_lent", set() if state.lent is None else state.lent)
        return session

    @property
    def exchange(self) -> FlaskExchange:
        """What the interface commits through."""
        return cast("FlaskExchange", self._exchange)

    # What Flask expects.

    @property
    def permanent(self) -> bool:
        """Whether the cookie outlives the browser's session. False unless a ``ttl`` was chosen for us.

        Kept in the session under ``_permanent``, as Flask keeps it.
        """
        permanent = self._open().data.get(PERMANENT_KEY)
        return self.exchange.built.is_permanent if permanent is None else bool(permanent)

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self[PERMANENT_KEY] = bool(value)

    @property
    def new(self) -> bool:  # type: ignore[override]  # a plain attribute in Flask
        """Whether no trustworthy cookie came in."""
        return self.is_new

    @property
    def accessed(self) -> bool:
        """Whether anything was read or written so far, or Flask says that a view asked for the session.

        Flask 3.1.3 and later set it when the proxy ``session`` is used, though nothing may have been read.
        """
        return self._is_asked_for or (self._state is not None and self._state.accessed)

    @accessed.setter
    def accessed(self, value: bool) -> None:
        object.__setattr__(self, "_is_asked_for", value)
        if self._state is not None:
            self._state.accessed = value

    @property
    def modified(self) -> bool:
        """Whether the session would be written, nested changes included, or was when the request ended."""
        return self._was_modified or super().modified

    @modified.setter
    def modified(self, value: bool) -> None:
        object.__setattr__(self, "_was_modified", False)
        Session.modified.__set__(self, value)  # type: ignore[attr-defined]  # a property has it

    # What the interface asks.

    @property
    def cookie_expires(self) -> datetime | None:
        """When the cookie ends, as things are: with the seal; None for the end of the browser's session."""
        state = self._open()
        if not self.permanent and not {"ttl", "exp"} & state.meta.keys():
            return None
        end = self.exchange.engine.expiry(state)
        if end is None:
            end = self.exchange.now() + FOREVER
        return datetime.fromtimestamp(end, timezone.utc)

    def outlives_the_browser(self) -> bool:
        """Tell what `permanent` tells, without opening a session whose very cookies were opened before."""
        if self._state is not None:
            return self.permanent
        exchange = self.exchange
        if exchange.is_known_to_end():
            return False
        is_permanent = self.permanent
        if not is_permanent and not self.is_new:
            exchange.note_that_it_ends()
        return is_permanent

    def settle(self) -> bool:
        """Say for the last time whether the session was changed, at the end of the request."""
        changed = self._state is not None and not self._state.destroyed and self._state.settle()
        if changed:
            object.__setattr__(self, "_was_modified", True)
        return changed

    # A destroyed session. Flask-Login must still be able to end its own cookie, or the visitor is back.

    def destroy(self) -> None:
        """End the session and delete its cookie. See `iron_wsgi.Session.destroy`."""
        data = self._open().data
        notes = {key: data[key] for key in FLASK_LOGIN_KEYS & data.keys()}
        super().destroy()
        data.update(notes)

    def __setitem__(self, key: str, value: Any) -> None:
        """Set a value."""
        if key in FLASK_LOGIN_KEYS and self._open().destroyed:
            self._open().data[key] = value
        else:
            super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        """Remove a value."""
        if key in FLASK_LOGIN_KEYS and self._open().destroyed:
            del self._open().data[key]
        else:
            super().__delitem__(key)

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: object) -> None:
            """Set what Flask sets; for all else say how values are written."""
            if name in ("accessed", "permanent"):
                object.__setattr__(self, name, value)
            else:
                super().__setattr__(name, value)
