"""Django's session engine: ``SESSION_ENGINE = "iron_wsgi_django.backend"``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

from iron_wsgi import CookieJar, Outcome, Refused
from iron_wsgi.engine import Engine
from iron_wsgi.errors import opaque
from iron_wsgi.events import notices
from iron_wsgi.seal import PREFIX
from iron_wsgi.state import MAX_ID, State

from . import conf
from .asynchronous import AsynchronousHalf
from .expiry import Terms, terms_of
from .jars import KeyJar

if TYPE_CHECKING:
    from typing_extensions import Self


class SessionStore(AsynchronousHalf):
    """One visitor's session, which lives in the browser's cookie. Nothing is kept on the server.

    There are two ways of life. ``SessionStore(session_key)`` is what Django's own session middleware makes:
    it copies the session key into the cookie and back, so the key is the seal. `bound_to` is what our
    middleware makes: the session works on the cookies of one exchange, and its key is a short id, which stays
    the same until `cycle_key` or `flush`.

    Attributes:
        jar: The cookies of the exchange that the session is bound to; None where the key is the seal.
    """

    accessed: bool
    modified: bool
    jar: CookieJar | None = None
    _session_cache: dict[str, Any]
    _state: State | None = None
    _ended: Outcome | None = None
    _is_cycled = False
    _retired: frozenset[str] = frozenset()

    @classmethod
    def bound_to(cls, jar: CookieJar) -> Self:
        """Return the session of one exchange. Nothing is read from *jar* before the session is used."""
        store = cls()
        store.jar = jar
        return store

    # The key.

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

    def is_empty(self) -> bool:
        """Tell whether there is neither a session nor anything in it."""
        if self.jar is None:
            return bool(super().is_empty())
        return self.session_key is None and not self.__dict__.get("_session_cache")

    def exists(self, session_key: str | None) -> bool:
        """Tell whether there is a session of this key: a seal that opens, or an id that may be in use.

        Ids are not recorded anywhere, so with our middleware every id but those ended here may be in use.
        """
        if not session_key or session_key in self._retired:
            return False
        if not session_key.startswith(PREFIX):
            are_ids = self.jar is not None or conf.has_own_middleware()
            return are_ids and session_key.isascii() and len(session_key) <= MAX_ID
        try:
            conf.vault().load(session_key)
        except Refused:
            return False
        return True

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
        if "_session_cache" not in self.__dict__:
            return state.data
        return state.decode() if state.decode else {}

    def _load_key(self) -> State:
        state = self._state = self._engine.open(KeyJar(self.session_key))
        if state.is_new and not state.is_kept:
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
        if outcome.cookies:
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
        """
        data = self._get_session(no_load=must_create)
        state = self._opened()
        if state.is_kept and not data and not self.modified:
            return  # another server can read it
        state.data = data
        state.modified = state.modified or self.modified
        if self.jar is not None:
            self._engine.sid(state)
        self._send(self._engine.commit(state, renew=True, **self._terms(state)._asdict()))
        # Django's middleware sets the cookie of a modified session alone.
        self.modified = self.jar is None

    def create(self) -> None:
        """Begin a session, and save it, so that it has a key. What was loaded stays in it."""
        self._begin()
        self.save(must_create=True)
        self.modified = True

    def delete(self, session_key: str | None = None) -> None:
        """End this session: its cookie goes. Another one lives on in its browser until it expires."""
        own = self.session_key
        if session_key in (None, own):
            self._end()
            return
        if self.exists(session_key):
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
        """Do nothing: expired sessions are in browsers, which forget them."""

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
            Unavailable: What must be asked does not answer.
        """
        was_accessed = self.accessed
        engine, state = self._engine, self._opened()
        state.data = self.__dict__.get("_session_cache", state.data)
        if status >= 500 and not engine.options.save_on_error:
            return self._ended or Outcome(vary=was_accessed)
        state.modified = state.modified or self.modified
        is_changed = state.settle()
        state.lent = set()  # compared once is enough
        saves_all: bool = settings.SESSION_SAVE_EVERY_REQUEST
        # Asking a new session for its id makes one, and no session.
        is_begun = not state.is_new or _is_set(state.saved) or self._is_cycled
        is_empty = not state.data and (self._id() is None or not is_begun)
        renew = (is_changed or saves_all) and engine.options.auto_commit and not is_empty
        state.accessed = was_accessed or (saves_all and state.refused is not None)
        try:
            outcome = self._ended if is_empty and self._ended else self._committed(state, status, renew=renew)
        finally:
            state.lent = None
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
        if not self._engine.options.auto_commit:
            return False
        return self.modified or (self._state is not None and self._state.is_changed())

    def asks_the_database(self) -> bool:
        """Tell whether opening the session means to look for a row of Django's own."""
        if "db" not in conf.options().accept:
            return False
        values = (self.jar or KeyJar(self.session_key)).read(settings.SESSION_COOKIE_NAME)
        return any(not value.startswith(PREFIX) for value in values)

    # Inside.

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
                state = self._engine.open(self.jar)
            elif self.session_key is not None:
                state = self._load_key()
            else:
                state = State(issued_at=self._engine.now())
            self._state = state
        return state

    def _terms(self, state: State) -> Terms:
        return terms_of(self, self._engine, state)

    def _send(self, outcome: Outcome) -> None:
        if self.jar is None:
            self._session_key = outcome.cookies[0].value
        else:
            self.jar.send(outcome)

    def _retire(self, session_key: str | None) -> None:
        if session_key:
            self._retired |= {session_key}

    def _begin(self) -> None:
        """Go on with a new session, which takes the place of what came."""
        began = State(issued_at=self._engine.now())
        if self.jar is not None:
            old = self._opened()
            began.came, began.saved = old.came, old.saved
        self._state = began
        self._is_cycled = False
        self._session_key = None

    def _end(self) -> None:
        self._retire(self.session_key)
        if self.jar is not None:
            old = self._opened()
            old.accessed = True
            self._ended = self._engine.destroy(old)
            self.jar.send(self._ended)
        self._begin()
        self._session_cache = {}
        self.modified = True


def _is_set(outcome: Outcome | None) -> bool:
    """Tell whether a session was saved, and not only ended."""
    return outcome is not None and any(not cookie.is_deletion for cookie in outcome.cookies)
