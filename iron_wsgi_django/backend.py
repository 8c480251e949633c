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

from . import conf, endings, keys
from .asynchronous import AsynchronousHalf
from .expiry import Terms, terms_of
from .jars import KeyJar, check_open
from .migration import may_name_a_row

if TYPE_CHECKING:
    from typing_extensions import Self


class SessionStore(AsynchronousHalf):
    """One visitor's session: in the browser's cookie, or in the store to which the cookie refers.

    There are two ways of life. ``SessionStore(session_key)`` is what Django's own session middleware makes:
    it copies the session key into the cookie and back, so the key is the seal. `bound_to` is what our
    middleware makes: the session works on the cookies of one exchange, and its key is a short id, which stays
    the same until `cycle_key` or `flush`. While our middleware answers a request, ``SessionStore(key)`` also
    opens a session of the store by such an id, for applications that have kept it; see `keys`.

    Attributes:
        jar: The cookies of the exchange that the session is bound to; None where the key is the seal.
        is_down: What had to be asked to open a bound session did not answer.
    """

    accessed: bool
    modified: bool
    jar: CookieJar | None = None
    is_down = False
    _session_cache: dict[str, Any]
    _state: State | None = None
    _ended: Outcome | None = None
    _is_by_id = False
    _is_cycled = False
    _over: tuple[FormerSession, ...] = ()
    _retired: frozenset[str] = frozenset()

    @classmethod
    def bound_to(cls, jar: CookieJar) -> Self:
        """Return the session of one exchange. Nothing is read from *jar* before the session is used."""
        store = cls()
        store.jar = jar
        return store

    def _read_key(self) -> str | None:
        if self.jar is None:
            key: str | None = self._get_session_key()
            return key
        self.accessed = True  # what is answered depends on the cookie
        return self._id()

    session_key = property(_read_key, doc="The seal, or the session's id; None before the session has one.")
    _session_key = property(_read_key, SessionBase._set_session_key)  # noqa: SLF001 - as the parent has it

    @property
    def sid(self) -> str:
        """A short id of the session, in both ways of life. Asking makes the next write stamp it."""
        self.accessed = True
        return self._engine.sid(self._opened())

    @property
    def issued_at(self) -> float:
        """When the session began, in epoch seconds; `cycle_key` begins it anew."""
        self.accessed = True
        return self._opened().issued_at

    def is_empty(self) -> bool:
        """Tell whether there is neither a session nor anything in it."""
        if self.jar is None:
            return bool(super().is_empty())
        return self.session_key is None and not self.__dict__.get("_session_cache")

    def exists(self, session_key: str | None) -> bool:
        """Tell whether there is a session of this key, as far as that can be known; see `keys.exists`."""
        if not session_key or session_key in self._retired:
            return False
        return keys.exists(session_key, is_bound=self.is_bound)

    def _get_new_session_key(self) -> str:
        return conf.options().generate_id()  # nobody has it: ids are random

    # Reading.

    @opaque
    def load(self) -> dict[str, Any]:
        """Return what the cookie holds, or what was saved since; nothing if it cannot be trusted.

        Raises:
            Unavailable: What must be asked does not answer.
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
        state = self._engine.open(KeyJar(keys.reference(key) if self._is_by_id else key))
        self._state = state
        if state.is_new and (self._is_by_id or not state.keep_cookie):
            self._session_key = None  # so that Django's middleware deletes the cookie
        elif "_session_cache" not in self.__dict__:
            self._session_cache = state.data
            self._renew(state)
        return state

    def _renew(self, state: State) -> None:
        """Seal anew what is due. What no longer fits keeps its old seal, and nobody meets an error."""
        if not state.is_outdated and self._engine.options.refresh_after is None:
            return
        state.accessed = True
        outcome = self._engine.commit(state, **self._terms(state)._asdict())
        if state.destroyed:  # elsewhere, at this moment
            self._session_cache, self._session_key = state.data, None
        elif outcome.cookies:
            self._send(outcome)
            self.modified = True

    # Writing.

    @opaque
    def save(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        """Seal the session now, and renew its lifetime.

        Raises:
            CookieTooLarge: Browsers would drop the cookie; the message names the largest keys.
            PayloadError: A value cannot be written (``serializer="json"``).
            HeadersAlreadySent: The response is under way.
            SessionConflict: A parallel request changed the same keys (``on_conflict="raise"``).
            Unavailable: What must be asked or told does not answer.
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
            endings.retire_emptied(state, self._engine)
            if self.jar is not None:
                self._engine.sid(state)
        outcome = self._engine.commit(state, renew=True, **self._terms(state)._asdict())
        if state.destroyed:
            raise UpdateError
        state.is_new = False
        self._send(outcome)
        # Django's middleware sets the cookie of a modified session alone.
        self.modified = self.jar is None

    def create(self) -> None:
        """Begin a session, and save it, so that it has a key. What was loaded stays in it."""
        self._begin()
        self.save(must_create=True)
        self.modified = True

    def delete(self, session_key: str | None = None) -> None:
        """End this session, or the one of another key.

        Without a store and a list of revocations, another one lives on in its browser until it expires.

        Raises:
            Unavailable: What must be told does not answer.
        """
        if session_key is None or session_key == self.session_key:
            self._end()
            return
        if not endings.end(session_key) and self.exists(session_key):
            notices.say(
                "delete by key",
                settings.SESSION_COOKIE_NAME,
                "another session was deleted by its key, and lives on: it is in a browser's cookie",
            )
        self._retire(session_key)

    def cycle_key(self) -> None:
        """Give the session a new key and a new time of issue; its data stay."""
        data = self._get_session()
        state = self._opened()
        self._retire(self.session_key)
        self._engine.regenerate(state)
        self._is_cycled = True
        self._session_cache = data
        self.modified = True
        if self.jar is None:
            self.save()

    @classmethod
    def clear_expired(cls) -> None:
        """Remove what has expired from the store and the list. Those in cookies browsers forget."""
        conf.sweep()

    # What our middleware asks.

    @property
    def is_bound(self) -> bool:
        """Whether the session is bound to an exchange, and its key is an id."""
        return self.jar is not None

    @property
    def is_untouched(self) -> bool:
        """Whether nobody has read or written anything."""
        return self._state is None and not self.accessed and not self.modified

    @opaque
    def commit(self, *, status: int) -> Outcome:
        """Return what a response with this *status* must carry for a bound session.

        As Django: an error of the server saves nothing, a session with a key is saved though it is empty,
        and one that was ended, or cannot be trusted, loses its cookie.

        Raises:
            CookieTooLarge: The session does not fit; the browser keeps the old cookie.
            PayloadError: A value cannot be written.
            SessionConflict: A parallel request changed the same keys (``on_conflict="raise"``).
            Unavailable: What must be asked or told does not answer.
            UpdateError: The session was ended elsewhere since it was read, and would be written.
        """
        was_accessed = self.accessed
        engine, state = self._engine, self._opened()
        for over in self._over:  # the view's transaction may have been rolled back
            conf.vault().end(over)
        self._over = ()
        state.data = self.__dict__.get("_session_cache", state.data)
        if status >= 500 and not engine.options.save_on_error:
            return self._ended or Outcome(vary=was_accessed)
        state.modified = state.modified or self.modified
        is_changed = state.settle()
        state.exposed = set()  # compared once is enough
        saves_all: bool = settings.SESSION_SAVE_EVERY_REQUEST
        # Asking a new session for its id makes one, and no session.
        is_begun = not state.is_new or self._is_cycled
        is_empty = not state.data and (self._id() is None or not is_begun)
        renew = (is_changed or saves_all) and engine.options.auto_commit and not is_empty
        if renew:
            endings.retire_emptied(state, self._engine)
        state.accessed = was_accessed or (saves_all and state.refused is not None)
        try:
            outcome = self._ended if is_empty and self._ended else self._committed(state, status, renew=renew)
        finally:
            state.exposed = None
        if state.destroyed and (is_changed or saves_all):
            raise UpdateError
        state.modified = False
        return outcome

    def _committed(self, state: State, status: int, *, renew: bool) -> Outcome:
        engine = self._engine
        expires_at = None
        if engine.options.refresh_after is not None and not state.is_new:
            expires_at = self._terms(state).expires_at
        if not renew and engine.is_idle(state, expires_at=expires_at):
            return Outcome(vary=state.accessed)
        if renew or not state.is_new:
            engine.sid(state)
        return engine.commit(state, status=status, renew=renew, **self._terms(state)._asdict())

    def has_changes(self) -> bool:
        """Tell whether something was changed since the last commit, and will not be saved."""
        is_changed = self.modified or (self._state is not None and self._state.is_changed())
        return is_changed and self._engine.options.auto_commit

    def waits(self) -> bool:
        """Tell whether to open or to write the session means to ask a server, be it for a row of Django's."""
        options = conf.options()
        if options.has_server_state or "db" not in options.accept:
            return options.has_server_state
        return may_name_a_row(self.jar or KeyJar(self.session_key))

    @property
    def _engine(self) -> Engine:
        return conf.stock_engine() if self.jar is None else conf.engine()

    def _id(self) -> str | None:
        """Return the id of a bound session; None of one that neither came nor was given one."""
        state = self._opened()
        stamped: str | None = state.meta.get("sid")
        return stamped or (None if state.is_new else self._engine.sid(state))

    def _opened(self) -> State:
        state = self._state
        if state is None:
            if self.jar is not None:
                self.is_down = True  # until it has been answered
                state = self._engine.open(self.jar)
                self.is_down = False
            elif self.session_key is not None:
                state = self._load_key()
            else:
                state = State(issued_at=self._engine.now())
            self._state = state
        return state

    def _terms(self, state: State) -> Terms:
        return terms_of(self, self._engine, state)

    def _send(self, outcome: Outcome) -> None:
        if self.jar is not None:
            self.jar.send(outcome)
        else:
            self._session_key = self.sid if self._is_by_id else outcome.cookies[0].value

    def _retire(self, session_key: str | None) -> None:
        if session_key:
            self._retired |= {session_key}

    def _begin(self) -> None:
        """Go on with a new session, which takes the place of what came."""
        began = State(issued_at=self._engine.now())
        if self.jar is not None:
            old = self._opened()
            began.received_names, began.saved, began.former = old.received_names, old.saved, old.former
        self._state = began
        self._is_cycled = False
        self._session_key = None

    def _end(self) -> None:
        self._retire(self.session_key)
        engine = self._engine
        if self.jar is not None or engine.options.has_server_state:
            old = self._opened()
            old.accessed = True
            self._over += endings.undoable(old, engine)
            self._ended = engine.destroy(old, expires_at=self._terms(old).expires_at)
        if self.jar is not None and self._ended is not None:
            self.jar.send(self._ended)
        self._begin()
        self._session_cache = {}
        self.modified = True
