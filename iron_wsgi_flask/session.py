"""The session of one request, as Flask expects it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from flask.sessions import SessionMixin

from iron_wsgi import Session, SessionDestroyed
from iron_wsgi.errors import opaque
from iron_wsgi.times import FOREVER

from .outages import SessionUnavailable

if TYPE_CHECKING:
    from iron_wsgi.sessions.state import State

    from .exchange import FlaskExchange

PERMANENT_KEY: Final = "_permanent"
"""The member of the data that holds `FlaskSession.permanent`, as in Flask's own session."""

REMEMBER: Final = "_remember"
"""Flask-Login's note to itself, until the end of the request: what is to become of its remember cookie."""

FLASK_LOGIN_KEYS: Final = frozenset({REMEMBER, "_remember_seconds", "_user_id", "_fresh", "_id"})
"""All that Flask-Login may write while it signs out: it loads the user first, from the remember cookie."""


class FlaskSession(Session, SessionMixin):
    """What ``flask.session`` is: all of `iron_wsgi.Session`, and what Flask expects beside."""

    _is_asked_for = False
    _was_modified = False

    @classmethod
    def opened(cls, exchange: FlaskExchange, state: State) -> FlaskSession:
        """Return the session of *exchange* that was opened before, in the *state* it is in."""
        session = cls(exchange)
        object.__setattr__(session, "_state", state)
        object.__setattr__(session, "_exposed", set() if state.exposed is None else state.exposed)
        return session

    @property
    def exchange(self) -> FlaskExchange:
        """What the interface commits through."""
        return self._exchange  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    # What Flask expects.

    @property
    def permanent(self) -> bool:
        """What was set, else False. The cookie of such a session outlives the browser, and Flask renews it.

        Kept in the session under ``_permanent``, as Flask keeps it. Where a ``ttl`` was chosen the cookie
        outlives the browser unless this was set to False.
        """
        return bool(self._open().data.get(PERMANENT_KEY))

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
    def is_untouched(self) -> bool:
        """Whether nobody used the session, or as much as asked for it."""
        return self._state is None and not self._is_asked_for

    @property
    def cookie_expires(self) -> datetime | None:
        """When the cookie ends, as things are: with the seal; None for the end of the browser's session."""
        state = self._open()
        is_lasting = bool(state.data.get(PERMANENT_KEY, self.exchange.built.is_lasting))
        if not is_lasting and "ttl" not in state.meta and "exp" not in state.meta:
            return None
        end = self.exchange.engine.expiry(state)
        if end is None:
            end = self.exchange.now() + FOREVER
        return datetime.fromtimestamp(end, timezone.utc)

    def is_flasks_to_renew(self) -> bool:
        """Tell what `permanent` tells, without opening a session whose very cookies were opened before."""
        if self._state is not None:
            return self.permanent
        exchange = self.exchange
        if exchange.is_known_to_be_left():
            return False
        is_permanent = self.permanent
        if not is_permanent and not self.is_new:
            exchange.note_that_flask_leaves_it()
        return is_permanent

    def settle(self) -> bool:
        """Say for the last time whether the session was changed, at the end of the request."""
        if self._state is None or self._state.destroyed:
            return False
        changed = self._state.settle()
        if changed:
            object.__setattr__(self, "_was_modified", True)
        return changed

    @property
    def is_due(self) -> bool:
        """Whether the session is to be renewed though nothing changed, as for ``refresh_after``."""
        return self._state is not None and self.exchange.engine.is_due(self._state)

    # Outages. See `FlaskExchange.open`.

    def _open_alive(self) -> State:
        try:
            return super()._open_alive()
        except SessionDestroyed:
            if self.exchange.is_down:
                raise SessionUnavailable from None
            raise

    def __contains__(self, key: object) -> bool:
        """Tell whether there is a value."""
        try:
            return super().__contains__(key)
        except SessionUnavailable:
            # Flask-Login looks for its note after every response, also one that does without the session.
            if key == REMEMBER:
                return False
            raise

    # Signing out. Whatever is cleared, Flask-Login's note to end its remember cookie must stay until it is
    # read, or the visitor is back at the next request. Nothing of a destroyed session is ever written.

    @opaque
    def destroy(self) -> None:
        """End the session and delete its cookie. See `iron_wsgi.Session.destroy`."""
        notes = self._notes()
        super().destroy()
        self._open().data.update(notes)

    def regenerate(self, *, clear: bool = False) -> None:
        """Give the session a new id and a new time of issue. See `iron_wsgi.Session.regenerate`."""
        notes = self._notes()
        super().regenerate(clear=clear)
        self._open().data.update(notes)

    def clear(self) -> None:
        """Remove everything."""
        notes = self._notes()
        super().clear()
        self._open().data.update(notes)

    def _notes(self) -> dict[str, Any]:
        is_ending = self._open().data.get(REMEMBER) == "clear"
        return {REMEMBER: "clear"} if is_ending else {}

    @opaque
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
