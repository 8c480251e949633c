"""The exchange: one session's cookie in one HTTP request and its response."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from iron_wsgi.cookies.cookie import deletion
from iron_wsgi.cookies.jar import CookieJar
from iron_wsgi.cookies.outcome import Outcome
from iron_wsgi.errors import ConfigError
from iron_wsgi.servers.outages import ask
from iron_wsgi.sessions.events import notices
from iron_wsgi.sessions.state import State
from iron_wsgi.vaults.revocation_check import REVOCATION_LIST

from .engine import Engine

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from iron_wsgi.sessions.options import Options


class Exchange(Protocol):
    """One session in one HTTP request and its response, as `Session` uses it."""

    def open(self) -> State:
        """Return the state of the session that came in."""
        ...

    def save(self, state: State) -> None:
        """Seal *state* now and put it on the response; nothing if it was destroyed."""
        ...

    def destroy(self, state: State) -> None:
        """End the session now and delete its cookie on the response."""
        ...

    def commit(self, state: State) -> None:
        """Put the cookies that *state* needs on the response."""
        ...

    def sid(self, state: State) -> str:
        """Return the session's id, making one if it has none."""
        ...

    def regenerate(self, state: State) -> None:
        """Give the session a new id and a new time of issue."""
        ...

    def end_others(self, state: State) -> None:
        """Save the session under a new id, and end all others of the same subject."""
        ...

    def now(self) -> float:
        """Return epoch seconds."""
        ...

    def size(self, state: State) -> int:
        """Return the octets that the session's ``Set-Cookie`` line would have now."""
        ...

    def update(self, **changes: Unpack[Options]) -> None:
        """Use other options from now on."""
        ...


class CookieExchange:
    """One session's cookie in one HTTP request and its response. Implements `Exchange`."""

    __slots__ = ("_given_jar", "engine")

    def __init__(self, engine: Engine, jar: CookieJar) -> None:
        """Read from and send to *jar*."""
        self.engine = engine
        self._given_jar = jar

    @property
    def jar(self) -> CookieJar:
        """The cookie jar of this exchange."""
        return self._given_jar

    def open(self) -> State:
        """See `Engine.open`."""
        return self.engine.open(self.jar)

    def outcome(self, state: State, *, status: int = 200, renew: bool = False) -> Outcome:
        """See `Engine.commit`. A framework overrides this to choose the cookie's attributes."""
        return self.engine.commit(state, status=status, renew=renew)

    def save(self, state: State) -> None:
        """Seal now and send the cookie. See `Session.save` for errors."""
        if state.destroyed:
            notices.say(
                "destroyed",
                self.engine.options.cookie_name,
                "it was not saved, because the session was destroyed in this request",
            )
            return
        self.refuse_if_closed()  # before the vault writes into a store
        self.jar.send(self.outcome(state, renew=True))

    def destroy(self, state: State) -> None:
        """Delete the cookie now."""
        outcome = self.engine.destroy(state)
        self.refuse_if_closed()  # the session is ended, but the browser keeps its cookie
        self.jar.send(outcome)

    def refuse_if_closed(self) -> None:
        """Raise an error if the jar is closed, because no cookie can be sent any more.

        Raises:
            HeadersAlreadySent: The jar is closed.
        """
        if getattr(self.jar, "is_closed", False):
            options = self.engine.options
            self.jar.send(Outcome((deletion(options.cookie_name, options.cookie_options),)))

    def commit(self, state: State, *, status: int = 200) -> None:
        """Send what `Engine.commit` returns, at the end of the request."""
        self.jar.send(self.outcome(state, status=status))

    def sid(self, state: State) -> str:
        """See `Engine.sid`."""
        return self.engine.sid(state)

    def regenerate(self, state: State) -> None:
        """See `Engine.regenerate`."""
        self.engine.regenerate(state)

    def end_others(self, state: State) -> None:
        """Save the session under a new id, and end all others of the same subject.

        The session is saved first, since everything that began before it is revoked.
        """
        options = self.engine.options
        store = options.store if options.storage == "store" else None
        revocations = options.revocations
        if revocations is None and store is None:
            msg = "other sessions can be ended where there are revocations, or storage='store'"
            raise ConfigError(msg)
        subject = options.subject_of(state.data)
        if subject is None:
            return
        self.regenerate(state)
        # A millisecond later, so that sessions that began in this millisecond end too, but not this one.
        state.issued_at = state.meta["iat"] = round(state.issued_at + 0.001, 3)
        self.save(state)
        if state.is_ended:
            return
        if revocations is not None:
            ask(REVOCATION_LIST, partial(revocations.revoke_subject, subject, before=state.issued_at))
        if store is not None:
            ask("store", partial(store.end_sessions_of, subject, keep=state.sid))

    def now(self) -> float:
        """See `Engine.now`."""
        return self.engine.now()

    def size(self, state: State) -> int:
        """See `Engine.size`."""
        return self.engine.size(state)

    def update(self, **changes: Unpack[Options]) -> None:
        """Go on with an engine that has other options."""
        self.engine = self.engine.replace(**changes)
