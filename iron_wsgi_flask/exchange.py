"""The session cookie of one request to a Flask application."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, final

from iron_wsgi import ConfigError, CookieOptions, CookieTooLarge, Outcome, Unavailable
from iron_wsgi.engine.exchange import CookieExchange
from iron_wsgi.sessions.state import State
from iron_wsgi.times import FOREVER, epoch
from iron_wsgi.wsgi.jars import WaitingJar

from .config import PERMANENT_KEY, AppConfig
from .outages import SessionUnavailable

if TYPE_CHECKING:
    from datetime import datetime

    from _typeshed.wsgi import WSGIEnvironment
    from flask import Flask
    from typing_extensions import Unpack

    from iron_wsgi.engine.engine import Engine
    from iron_wsgi.sessions.options import Options

FIXED_OPTIONS: Final = ("cookie_name", "cookie_options", "on_event")
"""Options that are the application's alone: one session cannot change them."""


class CookiePolicy(Protocol):
    """What decides how an application's session cookies are sealed and sent: its session interface."""

    def config(self, app: Flask) -> AppConfig:
        """Return *app*'s session configuration."""
        ...

    def engine(self, app: Flask, cookie_name: str) -> Engine:
        """Return the engine for *app*'s cookie of this name, as *app* is configured now."""
        ...

    def cookie_options(self, app: Flask, cookie_name: str) -> CookieOptions:
        """Return the attributes of *app*'s cookie of this name."""
        ...

    def expiration_time(self, app: Flask, exchange: FlaskExchange, state: State) -> datetime | None:
        """Return when the browser drops the cookie; None for the end of the browser's session."""
        ...


class CookieLifetime(NamedTuple):
    """A cookie's attributes and the ends of the cookie and of its seal.

    Attributes:
        options: The attributes.
        cookie_expires: Epoch seconds at which the browser drops the cookie, if *options* do not say it.
        seal_expires: Epoch seconds at which the seal expires; None for what the session's options say.
    """

    options: CookieOptions
    cookie_expires: float | None = None
    seal_expires: float | None = None


@final
class FlaskExchange(CookieExchange):
    """The session cookie of one request to a Flask application.

    Parses nothing and builds nothing before the session is used.

    Attributes:
        app: The application.
        cookie_name: The cookie's name.
        environ: The request's environ.
        is_down: A store or a list of revocations did not answer when the session was opened.
    """

    is_down = False
    _engine: Engine | None = None
    _is_closed = False
    _jar: WaitingJar | None = None
    _opened: State | None = None

    def __init__(self, policy: CookiePolicy, app: Flask, environ: WSGIEnvironment, cookie_name: str) -> None:
        """Read from *environ*. The request would lead back to the session, so it is not kept."""
        self.policy = policy
        self.app = app
        self.environ = environ
        self.cookie_name = cookie_name

    @property
    def jar(self) -> WaitingJar:
        """The request's cookies, and what the response must carry."""
        if self._jar is None:
            self._jar = WaitingJar(self.environ)
            self._jar.is_closed = self._is_closed
        return self._jar

    def close(self) -> None:
        """Note that the headers are out: no cookie can be sent any more."""
        self._is_closed = True
        if self._jar is not None:
            self._jar.is_closed = True

    @property
    def config(self) -> AppConfig:
        """The application's session configuration."""
        return self.policy.config(self.app)

    @property
    def engine(self) -> Engine:
        """The engine, as the application was configured when the session was first used."""
        if self._engine is None:
            self._engine = self.policy.engine(self.app, self.cookie_name)
        return self._engine

    @engine.setter
    def engine(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def has_cookie(self) -> bool:
        """Whether the session's cookie may have come. Cheap, and never wrongly False."""
        return self.cookie_name in self.environ.get("HTTP_COOKIE", "")

    def has_permanent_cookie(self) -> bool:
        """Tell whether the cookie that came says that its session is permanent. Asks no server.

        The answer is remembered for as long as it is no: the same cookie never says anything else.
        """
        known, header = self.config.not_permanent, self.environ.get("HTTP_COOKIE", "")
        if (self.cookie_name, header) in known:
            return False
        if self.engine.options.has_server_state:
            state = self.engine.peek(self.jar)
        else:
            state = self._opened = self.open()
        is_permanent = bool(state.data.get(PERMANENT_KEY))
        if not is_permanent and not state.is_new:
            known.add((self.cookie_name, header))
        return is_permanent

    def open(self) -> State:
        """See `Engine.open`.

        Raises:
            SessionUnavailable: A store or a list of revocations does not answer. Raised once: afterwards, on
                the error's page for instance, the session is empty and takes no values.
        """
        if self._opened is not None:
            return self._opened
        if self.is_down:
            return State(issued_at=self.now(), destroyed=True)
        try:
            return self.engine.open(self.jar)
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

    def outcome(self, state: State, *, status: int = 200, renew: bool = False) -> Outcome:
        """See `Engine.commit`. The application's configuration decides on the cookie's attributes.

        Raises:
            CookieTooLarge: The session does not fit. Flash messages that no page has shown are named, where
                they are the largest part.
            SessionUnavailable: A store or a list of revocations does not answer.
        """
        if not renew and self.engine.is_idle(state):
            return Outcome(vary=state.accessed, name=self.cookie_name)
        lifetime = self._lifetime(state)
        try:
            return self.engine.commit(
                state,
                status=status,
                cookie=lifetime.options,
                cookie_expires=lifetime.cookie_expires,
                expires_at=lifetime.seal_expires,
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
        """End every copy of the session, and delete its cookie.

        Raises:
            SessionUnavailable: A store or a list of revocations does not answer; nothing was done.
            HeadersAlreadySent: The cookie cannot be deleted any more; the session is over all the same.
        """
        if self.is_down:
            raise SessionUnavailable
        lifetime = self._lifetime(state)
        try:
            outcome = self.engine.destroy(state, cookie=lifetime.options, expires_at=lifetime.seal_expires)
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
        options, cookie_expires, seal_expires = self._lifetime(state)
        return self.engine.size(state, cookie=options, cookie_expires=cookie_expires, expires_at=seal_expires)

    def update(self, **changes: Unpack[Options]) -> None:
        """Use an engine with other options from now on.

        Raises:
            ConfigError: An option is unusable, or is the application's alone.
        """
        for name in FIXED_OPTIONS:
            if name in changes:
                msg = f"{name} cannot be changed for one session; Flask's configuration decides it"
                raise ConfigError(msg)
        super().update(**changes)

    def _lifetime(self, state: State) -> CookieLifetime:
        options = self.policy.cookie_options(self.app, self.cookie_name)
        if options.expires is not None or options.max_age is not None:
            return CookieLifetime(options)
        if not state.data and state.snapshot is not None:
            # The session is about to end. Its former data say how long its copies live.
            state = replace(state, data=state.snapshot.data())
        was_accessed = state.accessed
        moment = self.policy.expiration_time(self.app, self, state)
        state.accessed = was_accessed  # the question is ours, not the application's
        if moment is None:
            return CookieLifetime(options)
        end = epoch(moment)
        # A cookie has an end even where its session has none.
        is_endless = self.engine.expiry(state) is None and end >= self.now() + FOREVER - 1
        return CookieLifetime(options, end, None if is_endless else end)
