"""The session of one request to a Flask application."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from flask.sessions import SessionMixin

from iron_wsgi import Session, SessionDestroyed
from iron_wsgi.errors import opaque
from iron_wsgi.times import FOREVER

from .config import PERMANENT_KEY
from .exchange import FlaskExchange
from .outages import SessionUnavailable

if TYPE_CHECKING:
    from iron_wsgi.sessions.state import State

REMEMBER: Final = "_remember"
"""The key under which Flask-Login notes, until the end of the request, what its remember cookie needs."""

FLASK_LOGIN_KEYS: Final = frozenset({REMEMBER, "_remember_seconds", "_user_id", "_fresh", "_id"})
"""The keys that Flask-Login may write while it signs out: it loads the user first, by the remember cookie."""


class FlaskSession(Session, SessionMixin):
    """The session behind ``flask.session``: an `iron_wsgi.Session` with what Flask expects of one."""

    _exchange: FlaskExchange  # pyright: ignore[reportIncompatibleVariableOverride]
    _is_asked_for = False
    _was_modified = False

    @classmethod
    def of_state(cls, exchange: FlaskExchange, state: State) -> FlaskSession:
        """Return the session of *exchange* whose state is *state*."""
        session = cls(exchange)
        object.__setattr__(session, "_state", state)
        object.__setattr__(session, "_exposed", set() if state.exposed is None else state.exposed)
        return session

    @property
    def exchange(self) -> FlaskExchange:
        """The session's cookie in this request."""
        return self._exchange

    # What Flask expects.

    @property
    def permanent(self) -> bool:
        """Whether the cookie outlives the browser and Flask renews it with each response; False by default.

        Kept in the data under ``_permanent``, as Flask keeps it. With the option ``ttl`` the cookie outlives
        the browser unless this was set to False.
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
        """Whether the session was read or written, or, by Flask 3.1.3 and later, as much as named."""
        return self._is_asked_for or (self._state is not None and self._state.accessed)

    @accessed.setter
    def accessed(self, value: bool) -> None:
        self.__dict__["_is_asked_for"] = value  # Flask sets it at each use of its proxy, so this must be fast
        if self._state is not None:
            self._state.accessed = value

    @property
    def modified(self) -> bool:
        """Whether the session was changed, nested changes included; still known after the request."""
        state = self._state
        return self._was_modified or (state is not None and not state.destroyed and state.is_changed())

    @modified.setter
    def modified(self, value: bool) -> None:
        object.__setattr__(self, "_was_modified", False)
        Session.modified.__set__(self, value)  # type: ignore[attr-defined]  # a property has it

    # What the interface asks.

    @property
    def is_untouched(self) -> bool:
        """Whether nobody has used or named the session."""
        return self._state is None and not self._is_asked_for

    @property
    def cookie_expires(self) -> datetime | None:
        """When the cookie ends: with its seal, or, for None, with the browser's session."""
        state = self._open()
        outlives_browser = bool(state.data.get(PERMANENT_KEY, self._exchange.config.has_ttl))
        if not outlives_browser and "ttl" not in state.meta and "exp" not in state.meta:
            return None
        end = self._exchange.engine.expiry(state)
        if end is None:
            end = self._exchange.now() + FOREVER
        return datetime.fromtimestamp(end, timezone.utc)

    def is_renewed_by_flask(self) -> bool:
        """Tell whether the session is permanent, so that Flask renews it with each response.

        For an untouched session the cookie must say so: its store is not asked.
        """
        if self.is_untouched and not self._exchange.has_permanent_cookie():
            return False
        return self.permanent

    def settle(self) -> bool:
        """Return whether the session was changed. Later changes count no more: the request has ended."""
        state = self._state
        if state is None or state.destroyed:
            return False
        changed = state.settle()
        if changed:
            object.__setattr__(self, "_was_modified", True)
        return changed

    @property
    def is_due(self) -> bool:
        """Whether the session must be renewed though nothing changed, by ``refresh_after`` for instance."""
        return self._state is not None and self._exchange.engine.is_due(self._state)

    # Outages: see `FlaskExchange.open`.

    def _open_alive(self) -> State:
        try:
            return super()._open_alive()
        except SessionDestroyed:
            if self._exchange.is_down:
                raise SessionUnavailable from None
            raise

    def __contains__(self, key: object) -> bool:
        """Tell whether there is a value."""
        try:
            return super().__contains__(key)
        except SessionUnavailable:
            # Flask-Login looks for its note after each response, even one that was sent without a session.
            if key == REMEMBER:
                return False
            raise

    # Signing out. Flask-Login's note to end its remember cookie survives any clearing until Flask-Login reads
    # it; else the visitor is back at the next request. Nothing of a destroyed session is ever written.

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
            """Set what Flask sets. For any other name say how values are written."""
            if name in ("accessed", "permanent"):
                object.__setattr__(self, name, value)
            else:
                super().__setattr__(name, value)
