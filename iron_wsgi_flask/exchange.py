"""A session's cookie in one of Flask's requests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, final

from iron_wsgi import ConfigError, CookieOptions, CookieTooLarge, Outcome, Unavailable
from iron_wsgi.engine.exchange import CookieExchange
from iron_wsgi.sessions.state import State
from iron_wsgi.times import FOREVER, epoch
from iron_wsgi.wsgi.jars import WaitingJar

from .outages import SessionUnavailable
from .session import FlaskSession

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from flask import Flask
    from typing_extensions import Unpack

    from iron_wsgi.engine.engine import Engine
    from iron_wsgi.sessions.options import Options

    from .config import Built
    from .interface import IronSessionInterface

APPLICATION_WIDE = ("cookie_name", "cookie_options", "on_event")
"""What Flask's configuration, the interface's methods and the signals decide for all sessions alike."""


class Terms(NamedTuple):
    """How one session is put into its cookie: under which attributes, and until when (epoch seconds)."""

    cookie: CookieOptions
    cookie_expires: float | None
    expires_at: float | None


@final
class FlaskExchange(CookieExchange):
    """A session's cookie in one of Flask's requests. Nothing is parsed or built before it is needed."""

    # One is made for every request, and most end as they began.
    _jar: WaitingJar | None = None
    _is_closed = False
    _built: Built | None = None
    _engine: Engine | None = None
    is_down = False  # a store or a list of revocations was asked for the session, and did not answer

    def __init__(
        self, interface: IronSessionInterface, app: Flask, environ: WSGIEnvironment, cookie_name: str
    ) -> None:
        """Read from *environ*. The request is not kept, because it leads back to the session."""
        self.interface = interface
        self.app = app
        self.environ = environ
        self.cookie_name = cookie_name

    @property
    def jar(self) -> WaitingJar:
        """The request's cookies, and what is to be sent."""
        if self._jar is None:
            self._jar = WaitingJar(self.environ)
            self._jar.is_closed = self._is_closed
        return self._jar

    def close(self) -> None:
        """Let the headers go: nothing can be sent any more."""
        self._is_closed = True
        if self._jar is not None:
            self._jar.is_closed = True

    @property
    def built(self) -> Built:
        """What the configuration made, as it was when the session was first used."""
        if self._built is None:
            interface = self.interface
            self._built = interface.config(self.app).built(self.cookie_name, interface.serializer)
        return self._built

    @property
    def engine(self) -> Engine:
        """The engine, which `update` may replace."""
        if self._engine is None:
            self._engine = self.built.engine
        return self._engine

    @engine.setter
    def engine(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def has_cookie(self) -> bool:
        """Whether the request may have brought a cookie of the session's. Cheap, and never wrongly False."""
        return self.cookie_name in self.environ.get("HTTP_COOKIE", "")

    def open(self) -> State:
        """See `Engine.open`.

        Raises:
            SessionUnavailable: A store or a list of revocations does not answer. This is said once: the
                error's page, and what runs after every response, find an empty session that nothing is
                written into.
        """
        if self.is_down:
            return State(issued_at=self.now(), destroyed=True)
        try:
            return super().open()
        except Unavailable:
            self.is_down = True
            raise SessionUnavailable from None

    def save(self, state: State) -> None:
        """See `CookieExchange.save`.

        Raises:
            SessionUnavailable: A store or a list of revocations does not answer.
        """
        if self.is_down:
            raise SessionUnavailable
        super().save(state)

    def is_known_to_be_left(self) -> bool:
        """Tell whether these very cookies were opened before, and their session is not permanent.

        What a cookie holds never changes. So a session that nobody uses is opened once, and not at every
        request, to learn that it is not one of those that Flask renews.
        """
        return self.interface.config(self.app).is_known_to_be_left(self.cookie_name, self.jar.header)

    def note_that_flask_leaves_it(self) -> None:
        """Remember what `is_known_to_be_left` tells. Not where a record may change behind the same cookie."""
        options = self.engine.options
        if options.store is None and options.vault is None:
            self.interface.config(self.app).note_that_flask_leaves(self.cookie_name, self.jar.header)

    def outcome(self, state: State, *, status: int = 200, renew: bool = False) -> Outcome:
        """See `Engine.commit`; under the attributes that Flask's configuration gives the cookie.

        Raises:
            CookieTooLarge: Messages of ``flash()`` that no page shows are named where they are the cause.
            SessionUnavailable: A store or a list of revocations does not answer.
        """
        if not renew and self.engine.is_idle(state):
            return Outcome(vary=state.accessed, name=self.cookie_name)
        cookie, cookie_expires, expires_at = self._terms(state)
        try:
            return self.engine.commit(
                state,
                status=status,
                cookie=cookie,
                cookie_expires=cookie_expires,
                expires_at=expires_at,
                renew=renew,
            )
        except CookieTooLarge as error:
            if error.largest and error.largest[0][0] == "_flashes":
                advice = "Messages of flash() stay in it until a page calls get_flashed_messages()."
                error.args = (f"{error} {advice}",)
            raise
        except Unavailable:
            raise SessionUnavailable from None

    def destroy(self, state: State) -> None:
        """Delete the cookie now, and end the session's copies for as long as they would live.

        Raises:
            SessionUnavailable: A store or a list of revocations does not answer; nothing was done.
        """
        if self.is_down:
            raise SessionUnavailable
        cookie, _, expires_at = self._terms(state)
        try:
            outcome = self.engine.destroy(state, cookie=cookie, expires_at=expires_at)
        except Unavailable:
            raise SessionUnavailable from None
        self.refuse_if_closed()
        self.jar.send(outcome)

    def end_others(self, state: State) -> None:
        """See `CookieExchange.end_others`.

        Raises:
            SessionUnavailable: A store or a list of revocations does not answer.
        """
        try:
            super().end_others(state)
        except Unavailable:
            raise SessionUnavailable from None

    def size(self, state: State) -> int:
        """See `Engine.size`."""
        cookie, cookie_expires, expires_at = self._terms(state)
        return self.engine.size(state, cookie=cookie, expires_at=expires_at, cookie_expires=cookie_expires)

    def update(self, **changes: Unpack[Options]) -> None:
        """Go on with an engine that has other options.

        Raises:
            ConfigError: An option is not one session's to change, or is unusable.
        """
        for name in APPLICATION_WIDE:
            if name in changes:
                msg = f"{name} cannot be changed for one session; Flask's configuration decides it"
                raise ConfigError(msg)
        super().update(**changes)

    def _terms(self, state: State) -> Terms:
        cookie = self.interface.cookie_options(self.app, self.cookie_name)
        if cookie.expires is not None or cookie.max_age is not None:
            return Terms(cookie, None, None)
        if not state.data and state.snapshot is not None:
            # It is about to end, and what it was says how long its copies live.
            state = replace(state, data=state.snapshot.data())
        was_accessed = state.accessed
        moment = self.interface.get_expiration_time(self.app, FlaskSession.opened(self, state))
        state.accessed = was_accessed  # this was ours, and no access
        if moment is None:
            return Terms(cookie, None, None)
        end = epoch(moment)
        # A cookie has an end even where its session has none.
        is_endless = self.engine.expiry(state) is None and end >= self.now() + FOREVER - 1
        return Terms(cookie, end, None if is_endless else end)
