"""Django's session engine: ``SESSION_ENGINE = "iron_wsgi_django.backend"``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase, UpdateError

from iron_wsgi import CookieJar, Outcome
from iron_wsgi.engine.engine import Engine
from iron_wsgi.errors import opaque
from iron_wsgi.sessions.events import notices
from iron_wsgi.sessions.state import FormerSession, State

from . import conf
from .http.jars import KeyJar, check_open
from .sessions import keys, termination
from .sessions.async_methods import AsyncMethods
from .sessions.expiry import Lifetime, lifetime_of
from .sessions.nested_changes import NestedChanges

if TYPE_CHECKING:
    from typing_extensions import Self


class SessionStore(AsyncMethods, NestedChanges):
    """One visitor's session: in the browser's cookie, or in the store to which the cookie refers.

    It is made in two ways. Django's own session middleware calls ``SessionStore(session_key)`` and copies the
    session key from the cookie and back, so the key is the seal. Our middleware calls `bound_to`: the session
    reads and writes the cookies itself, and its key is a short id, which stays the same until `cycle_key` or
    `flush`. While our middleware answers a request, ``SessionStore(key)`` also opens a session of the store
    by such an id, for applications that have kept it; see `sessions.keys`.

    Attributes:
        jar: The request's cookies; None where the key is the seal.
        is_unavailable: The session could not be opened, since the store or the list did not answer.
    """

    is_unavailable = False
    _session_cache: dict[str, Any]
    _deletion: Outcome | None = None
    _is_by_id = False
    _has_cycled_key = False
    _ended_sessions: tuple[FormerSession, ...] = ()
    _ended_keys: frozenset[str] = frozenset()

    @classmethod
    def bound_to(cls, jar: CookieJar) -> Self:
        """Return the session in the cookies of *jar*, which the first use reads."""
        store = cls()
        store.jar = jar
        return store

    def _read_key(self) -> str | None:
        if self.jar is None:
            key: str | None = self._get_session_key()
            return key
        self.accessed = True  # the response depends on the cookie
        return self._id()

    session_key = property(_read_key, doc="The seal, or the session's id; None before the session has one.")
    _session_key = property(_read_key, SessionBase._set_session_key)  # noqa: SLF001 - as in the parent

    @property
    def sid(self) -> str:
        """The session's short id, under either middleware. Once asked for, the next write stamps it."""
        self.accessed = True
        return self._engine.sid(self._opened())

    @property
    def issued_at(self) -> float:
        """When the session began, in epoch seconds. `cycle_key` sets it anew."""
        self.accessed = True
        return self._opened().issued_at

    def is_empty(self) -> bool:
        """Tell whether the session has neither a key nor data."""
        if self.jar is None:
            return bool(super().is_empty())
        return self.session_key is None and not self.__dict__.get("_session_cache")

    def exists(self, session_key: str | None) -> bool:
        """Tell whether there is a session with this key; see `sessions.keys.exists`."""
        if not session_key or session_key in self._ended_keys:
            return False
        return keys.exists(session_key, is_bound=self.is_bound)

    def _get_new_session_key(self) -> str:
        return conf.options().generate_id()  # random, so no other session has it

    # Reading.

    def _data(self, *, no_load: bool = False) -> dict[str, Any]:
        """Return the data, which the first call loads. A bound session needs no key for that."""
        self.accessed = True
        if "_session_cache" not in self.__dict__:
            is_keyless = self.jar is None and self.session_key is None
            self._session_cache = {} if no_load or is_keyless else self.load()
        return self._session_cache

    @opaque
    def load(self) -> dict[str, Any]:
        """Return the data in the cookie, or as last saved; empty if the cookie cannot be trusted.

        Raises:
            Unavailable: The store or the list of revocations does not answer.
        """
        if self.jar is None:
            return self._load_key().data
        self.accessed = True
        state = self._opened()
        if "_session_cache" not in self.__dict__ or state.destroyed:
            return state.data
        return state.snapshot.data() if state.snapshot else {}

    def _load_key(self) -> State:
        key: str = self.session_key
        self._is_by_id = keys.opens_by_id(key)
        state = self._engine.open(KeyJar(keys.reference_to(key) if self._is_by_id else key))
        self._state = state
        if state.is_new and (self._is_by_id or not state.keep_cookie):
            self._session_key = None  # so that Django's middleware deletes the cookie
        elif "_session_cache" not in self.__dict__:
            self._session_cache = state.data
            self._renew(state)
        return state

    def _renew(self, state: State) -> None:
        """Seal an outdated or old session again. One that no longer fits keeps its seal, without an error."""
        if not state.is_outdated and self._engine.options.refresh_after is None:
            return
        state.accessed = True
        outcome = self._engine.commit(state, **self._lifetime(state)._asdict())
        if state.destroyed:  # a parallel request ended it
            self._session_cache, self._session_key = state.data, None
        elif outcome.cookies:
            self._send(outcome)
            self.modified = True

    # Writing.

    @opaque
    def save(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        """Seal the session now, with a new lifetime.

        Raises:
            CookieTooLarge: Browsers would drop the cookie; the message names the largest keys.
            PayloadError: A value cannot be written (``serializer="json"``).
            HeadersAlreadySent: The response has gone out.
            SessionConflict: A parallel request changed the same keys (``on_conflict="raise"``).
            Unavailable: The store or the list of revocations does not answer.
            UpdateError: The session was ended elsewhere since it was read.
        """
        check_open(self.jar)
        data = self._get_session(no_load=must_create)
        state = self._opened()
        if state.keep_cookie and not data and not self.modified:
            return  # another server can read it
        if not state.destroyed:
            state.data = data
            state.modified = state.modified or self.modified
            termination.regenerate_emptied(state, self._engine)
            if self.jar is not None:
                self._engine.sid(state)
        outcome = self._engine.commit(state, renew=True, **self._lifetime(state)._asdict())
        if state.destroyed:
            raise UpdateError
        state.is_new = False
        self._send(outcome)
        # Django's middleware only sets the cookie of a modified session.
        self.modified = self.jar is None

    def create(self) -> None:
        """Begin a new session and save it, so that it has a key. Loaded data stay in it."""
        self._begin()
        self.save(must_create=True)
        self.modified = True

    def delete(self, session_key: str | None = None) -> None:
        """End this session, or the one with another key.

        Without a store and a list of revocations the other one lives on in its browser until it expires.

        Raises:
            Unavailable: The store or the list of revocations does not answer.
        """
        if session_key is None or session_key == self.session_key:
            self._end()
            return
        if not termination.end_by_key(session_key) and self.exists(session_key):
            notices.say(
                "delete by key",
                settings.SESSION_COOKIE_NAME,
                "another session was deleted by its key, and lives on: it is in a browser's cookie",
            )
        self._note_ended(session_key)

    def cycle_key(self) -> None:
        """Give the session a new key and a new time of issue, and keep its data."""
        data = self._get_session()
        state = self._opened()
        self._note_ended(self.session_key)
        self._engine.regenerate(state)
        self._has_cycled_key = True
        self._session_cache = data
        self.modified = True
        if self.jar is None:
            self.save()

    @classmethod
    def clear_expired(cls) -> None:
        """Remove expired sessions and revocations from the store and the list. Browsers drop cookies."""
        conf.sweep()

    # For our middleware.

    @property
    def is_bound(self) -> bool:
        """Whether the session reads and writes cookies itself, and its key is an id."""
        return self.jar is not None

    @property
    def is_untouched(self) -> bool:
        """Whether nobody has read or written the session."""
        return self._state is None and not self.accessed and not self.modified

    @opaque
    def commit(self, *, status: int) -> Outcome:
        """Return the cookies and headers that a response with this *status* needs, for a bound session.

        As in Django an error of the server saves nothing, and an empty session is saved if it has a key. The
        cookie of a session that has ended, or cannot be trusted, is deleted.

        Raises:
            CookieTooLarge: The session does not fit; the browser keeps the old cookie.
            PayloadError: A value cannot be written.
            SessionConflict: A parallel request changed the same keys (``on_conflict="raise"``).
            Unavailable: The store or the list of revocations does not answer.
            UpdateError: The session is to be written, and was ended elsewhere since it was read.
        """
        was_accessed = self.accessed
        engine, state = self._engine, self._opened()
        for ended in self._ended_sessions:  # again: the view's transaction may have been rolled back
            conf.vault().end(ended)
        self._ended_sessions = ()
        state.data = self.__dict__.get("_session_cache", state.data)
        if status >= 500 and not engine.options.save_on_error:
            return self._deletion or Outcome(vary=was_accessed)
        state.modified = state.modified or self.modified
        state.exposed = None if self._are_all_exposed else set(self._exposed_keys)
        is_changed = state.settle()
        state.exposed = set()  # one comparison is enough
        saves_all: bool = settings.SESSION_SAVE_EVERY_REQUEST
        # A new session whose key was asked for has an id, and is none to be saved.
        has_key = not state.is_new or self._has_cycled_key
        is_empty = not state.data and (self._id() is None or not has_key)
        renew = (is_changed or saves_all) and engine.options.auto_commit and not is_empty
        if renew:
            termination.regenerate_emptied(state, engine)
        state.accessed = was_accessed or (saves_all and state.refused is not None)
        try:
            deletion = self._deletion if is_empty else None
            outcome = deletion or self._committed(state, status, renew=renew)
        finally:
            state.exposed = None
        if state.destroyed and (is_changed or saves_all):
            raise UpdateError
        state.modified = False
        return outcome

    def _committed(self, state: State, status: int, *, renew: bool) -> Outcome:
        engine = self._engine
        may_renew = engine.options.refresh_after is not None and not state.is_new
        lifetime = self._lifetime(state) if renew or may_renew else None
        expires_at = None if lifetime is None else lifetime.expires_at
        if not renew and engine.is_idle(state, expires_at=expires_at):
            return Outcome(vary=state.accessed)
        if renew or not state.is_new:
            engine.sid(state)
        lifetime = lifetime or self._lifetime(state)
        return engine.commit(state, status=status, renew=renew, **lifetime._asdict())

    def has_changes(self) -> bool:
        """Tell whether the session was changed after the commit, so that the change is lost."""
        is_changed = self.modified or (self._state is not None and self._state.is_changed())
        return is_changed and self._engine.options.auto_commit

    @property
    def _engine(self) -> Engine:
        return conf.stock_engine() if self.jar is None else conf.engine()

    def _id(self) -> str | None:
        """Return the id of a bound session; None if the session is new and was not given one."""
        state = self._opened()
        stamped: str | None = state.meta.get("sid")
        return stamped or (None if state.is_new else self._engine.sid(state))

    def _opened(self) -> State:
        state = self._state
        if state is None:
            if self.jar is not None:
                self.is_unavailable = True  # until the engine has answered
                state = self._engine.open(self.jar)
                self.is_unavailable = False
            elif self.session_key is not None:
                state = self._load_key()
            else:
                state = State(issued_at=self._engine.now())
            self._state = state
        return state

    def _lifetime(self, state: State) -> Lifetime:
        return lifetime_of(self, self._engine, state)

    def _send(self, outcome: Outcome) -> None:
        if self.jar is not None:
            self.jar.send(outcome)
        else:
            self._session_key = self.sid if self._is_by_id else outcome.cookies[0].value

    def _note_ended(self, session_key: str | None) -> None:
        if session_key:
            self._ended_keys |= {session_key}

    def _begin(self) -> None:
        """Go on with a new session, which replaces the one that came."""
        began = State(issued_at=self._engine.now())
        if self.jar is not None:
            old = self._opened()
            began.received_names, began.saved, began.former = old.received_names, old.saved, old.former
        self._state = began
        self._has_cycled_key = False
        self._session_key = None

    def _end(self) -> None:
        self._note_ended(self.session_key)
        engine = self._engine
        if self.jar is not None or engine.options.has_server_state:
            old = self._opened()
            old.accessed = True
            self._ended_sessions += termination.ends_in_transaction(old, engine)
            self._deletion = engine.destroy(old, expires_at=self._lifetime(old).expires_at)
        if self.jar is not None and self._deletion is not None:
            self.jar.send(self._deletion)
        self._begin()
        self._session_cache = {}
        self.modified = True
