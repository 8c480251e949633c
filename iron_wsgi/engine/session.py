"""One visitor's session, as applications see it: a mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from iron_wsgi.errors import ConfigError, SessionDestroyed, opaque
from iron_wsgi.sessions.state import FLASH_KEY, State
from iron_wsgi.times import epoch, seconds

from .exchange import Exchange

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from iron_wsgi.sessions.options import Options


class Session(MutableMapping[str, Any]):
    """One visitor's session: a mapping that is saved when it was changed.

    Nothing is read, and no cryptography done, before the first access. Nested changes
    (``session["cart"].append(1)``) are noticed.

    As a context manager it commits on leaving, unless an exception passes through::

        with get_iron_session(jar, **options) as session:
            session["user"] = 7
    """

    _exchange: Exchange
    _exposed: set[str]
    _state: State | None = None

    def __init__(self, exchange: Exchange) -> None:
        """Wrap the session of *exchange*."""
        object.__setattr__(self, "_exchange", exchange)

    @property
    def state(self) -> State | None:
        """The state that adapters commit; None before the first access. Reading this is no access."""
        return self._state

    def _open(self) -> State:
        state = self._state
        if state is None:
            state = self._read_state()
            # Values are read through __getitem__ alone. One that was never read cannot have changed in place.
            state.exposed = set()
            object.__setattr__(self, "_exposed", state.exposed)
            object.__setattr__(self, "_state", state)
        state.accessed = True
        return state

    @opaque
    def _read_state(self) -> State:
        return self._exchange.open()

    def _open_alive(self) -> State:
        state = self._open()
        # A session that another request ended takes writes, which are lost: the application cannot know.
        if state.destroyed and not state.is_ended:
            msg = (
                "the session was destroyed in this request; writing into it would sign the visitor in again. "
                "To go on with an empty one use regenerate(clear=True)"
            )
            raise SessionDestroyed(msg)
        return state

    def _open_to_write(self) -> State:
        state = self._open_alive()
        state.modified = True
        return state

    # The mapping. All other methods of MutableMapping call these five, so every form of access is noticed.

    def __getitem__(self, key: str) -> Any:
        """Return a value."""
        state = self._open()
        value = state.data[key]
        self._exposed.add(key)
        return value

    @opaque
    def __setitem__(self, key: str, value: Any) -> None:
        """Set a value.

        Raises:
            SessionDestroyed: The session was destroyed in this request.
        """
        state = self._open_to_write()
        state.data[key] = value
        self._exposed.add(key)

    def __delitem__(self, key: str) -> None:
        """Remove a value."""
        if key not in self._open().data:
            raise KeyError(key)
        del self._open_to_write().data[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys."""
        return iter(self._open().data)

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._open().data)

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        """Return a dict of both."""
        return {**self, **other}

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        """Return a dict of both."""
        return {**other, **self}

    def __ior__(self, other: Mapping[str, Any]) -> Self:
        """Update from *other*."""
        self.update(other)
        return self

    def copy(self) -> dict[str, Any]:
        """Return the data as a dict; nested values are shared."""
        return dict(self)

    @opaque
    def set(self, key: str, value: Any) -> None:
        """Set a value, as next-iron-session's ``session.set``."""
        self[key] = value

    def unset(self, key: str) -> None:
        """Remove a value if it is there, as next-iron-session's ``session.unset``."""
        self.pop(key, None)

    @opaque
    def flash(self, key: str, value: Any) -> None:
        """Keep a value for one reading, usually by the next page (iron-store's ``setFlash``)."""
        self[FLASH_KEY] = {**self._flashes(), key: value}

    def pop_flash(self, key: str, default: Any = None) -> Any:
        """Return a value set by `flash` and remove it; *default* if there is none."""
        flashes = self._flashes()
        if key not in flashes:
            return default
        value = flashes.pop(key)
        if flashes:
            self[FLASH_KEY] = flashes
        else:
            del self[FLASH_KEY]
        return value

    def _flashes(self) -> dict[str, Any]:
        flashes = self.get(FLASH_KEY)
        return (
            dict(flashes) if isinstance(flashes, dict) else {}
        )  # another writer may have put any value there

    # Properties.

    @property
    def sid(self) -> str:
        """The session's id. If the session has no stamped id, its next write stamps this one."""
        return self._exchange.sid(self._open())

    @property
    def is_new(self) -> bool:
        """Whether no cookie came in that could be trusted."""
        return self._open().is_new

    @property
    def accessed(self) -> bool:
        """Whether the session was read or written so far. Reading this is no access."""
        return self._state is not None and self._state.accessed

    @property
    def modified(self) -> bool:
        """Whether the session would be written, also for nested changes. Reading this is no access."""
        return self._state is not None and not self._state.destroyed and self._state.is_changed()

    @modified.setter
    def modified(self, value: bool) -> None:
        if value:
            self._open_to_write()
        elif self._state is not None:
            self._state.modified = False
            self._exposed.clear()  # so that nested changes are ignored too

    @property
    def issued_at(self) -> float:
        """Epoch seconds at which the session began, or was last regenerated."""
        return self._open().issued_at

    @property
    def expires_at(self) -> float | None:
        """Epoch seconds at which the seal that came in, or was saved later, expires; None for never."""
        return self._open().expires_at

    @property
    @opaque
    def size(self) -> int:
        """Octets of the ``Set-Cookie`` line if the session were saved now; browsers keep 4096."""
        return self._exchange.size(self._open())

    # Actions.

    @opaque
    def save(self) -> None:
        """Seal the session now, even if nothing changed, and renew its lifetime.

        After `destroy` this does nothing.

        Raises:
            CookieTooLarge: The session does not fit; the browser keeps the old cookie.
            PayloadError: A value is not JSON; the message names its path.
            HeadersAlreadySent: The response's headers were sent.
        """
        self._exchange.save(self._open())

    def touch(self) -> None:
        """Renew the session's lifetime at the end of the request. A new session is not affected."""
        self._open_alive().is_outdated = True

    @opaque
    def destroy(self) -> None:
        """End the session and delete its cookie, for good: later saves in this request do nothing.

        Raises:
            HeadersAlreadySent: The response's headers were sent. The session is ended all the same.
        """
        self._exchange.destroy(self._open())

    def regenerate(self, *, clear: bool = False) -> None:
        """Give the session a new id and a new time of issue; call it when a visitor signs in.

        Args:
            clear: Also remove the data, and the expiry of `set_expiry`.
        """
        state = self._open_to_write()
        self._exchange.regenerate(state)
        if clear:
            state.data.clear()
            state.meta = {name: state.meta[name] for name in ("sid", "iat")}

    @opaque
    def end_others(self) -> None:
        """End all other sessions of the same subject ("sign out everywhere else"; ASVS 5.0 7.4.3).

        This session is regenerated and saved first. Nothing happens without a subject (option ``subject``).

        Raises:
            ConfigError: There is neither a list of revocations nor ``storage="store"``.
            Unavailable: The list or the store does not answer. Other sessions may live on.
            HeadersAlreadySent: The response's headers were sent.
        """
        self._exchange.end_others(self._open_alive())

    def set_expiry(self, expiry: float | timedelta | datetime | None) -> None:
        """Let this session live longer or shorter than others ("remember me"); later saves keep it.

        Args:
            expiry: Seconds or a timedelta, counted from each write; a datetime for a fixed moment (UTC if it
                has no zone); None for the option ``ttl`` again. ``absolute_timeout`` still caps it.

        Raises:
            ConfigError: A duration of 0 or less, or a moment that has passed: use `destroy` to end a session.
        """
        stamps: dict[str, float] = {}
        if isinstance(expiry, datetime):
            stamps["exp"] = epoch(expiry)
        elif expiry is not None:
            stamps["ttl"] = seconds(expiry, "expiry")
        if stamps.get("ttl", 1) == 0 or stamps.get("exp", self._exchange.now() + 1) <= self._exchange.now():
            msg = "an expiry lies in the future; to end a session use destroy()"
            raise ConfigError(msg)
        meta = self._open_to_write().meta
        meta.pop("ttl", None)
        meta.pop("exp", None)
        meta.update(stamps)

    def update_options(self, **changes: Unpack[Options]) -> None:
        """Use other options for this session from now on, as iron-session's ``updateConfig``.

        Raises:
            ConfigError: An option is unusable, or is one that all sessions share, such as ``store``.
        """
        if fixed := changes.keys() & {"storage", "store", "revocations", "vault"}:
            msg = f"{min(fixed)} cannot be changed for one session: other requests would not find it"
            raise ConfigError(msg)
        self._open()
        self._exchange.update(**changes)

    # The context manager, and answers to misuse.

    def __enter__(self) -> Self:
        """Return the session."""
        return self

    @opaque
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Commit, unless an exception passes through."""
        if kind is None and self._state is not None:
            self._exchange.commit(self._state)

    if not TYPE_CHECKING:  # for type checkers both are errors already

        def __getattr__(self, name: str) -> NoReturn:
            """Raise an error that names ``session["user"]``, for JavaScript's ``session.user``."""
            msg = f'a Session has no attribute {name!r}; read session["{name}"]'
            raise AttributeError(msg)

        def __setattr__(self, name: str, value: object) -> None:
            """Set `modified`. For any other name raise an error that says how values are written."""
            if name != "modified":
                del value  # a traceback with local variables would show it
                msg = f'write session["{name}"]'
                raise AttributeError(msg)
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """Show keys and state, no values. This is no access."""
        return f"<Session {self._state!r}>" if self._state is not None else "<Session, not opened>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled."""
        msg = "a Session is not to be pickled; store dict(session)"
        raise TypeError(msg)
