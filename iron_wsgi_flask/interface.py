"""Flask's session interface: ``app.session_interface = IronSessionInterface()``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from flask import current_app, has_request_context
from flask import session as current_session
from flask.sessions import SessionInterface, SessionMixin

from iron_wsgi import CookieOptions, Outcome, Passwords, Sealer, SessionOptions, Unavailable
from iron_wsgi.cookies.outcome import NOTHING
from iron_wsgi.errors import opaque
from iron_wsgi.sessions.events import notices
from iron_wsgi.wsgi.jars import explain_loss, explain_secure

from .config import AppConfig
from .exchange import FlaskExchange
from .login import follow_flask_login
from .options import check_arguments, cookie_attributes, serializer_of
from .outages import SessionUnavailable, refuse
from .session import FlaskSession

if TYPE_CHECKING:
    from flask import Flask
    from flask.wrappers import Request, Response
    from typing_extensions import Unpack
    from werkzeug.datastructures import Headers

    from iron_wsgi.engine.engine import Engine
    from iron_wsgi.seals.passwords import Password
    from iron_wsgi.seals.payload import Serializer
    from iron_wsgi.sessions.state import State

    from .options import FlaskOptions, SerializerName

READ_ONLY: Final = Outcome(vary=True)
"""What a response must carry whose session was read and not changed."""


class IronSessionInterface(SessionInterface):
    """Keeps Flask's session in a sealed cookie, under Flask's own configuration keys.

    ::

        app.session_interface = IronSessionInterface()

    An option is taken from the argument, else from the configuration's ``IRON_SESSION_...``, else from
    Flask's own key, else it has its default. Flask's keys keep their meaning: ``PERMANENT_SESSION_LIFETIME``
    is the ``ttl``, ``SESSION_COOKIE_...`` are the cookie's attributes, ``SECRET_KEY`` and
    ``SECRET_KEY_FALLBACKS`` give the passwords where none is given. Flask's small methods (`get_cookie_name`,
    `get_cookie_secure`, `should_set_cookie`, `get_expiration_time` ...) may be overridden as in Flask.

    One interface may serve several applications, and any number of threads.

    Attributes:
        serializer: Turns sessions into bytes and back. May be set here or in a subclass, and learns further
            types by ``serializer.register(Tag)``, both as in Flask.
    """

    serializer: Any = None

    @opaque
    def __init__(
        self,
        password: Password | None = None,
        *,
        serializer: SerializerName | Serializer | None = None,
        cookie_options: Mapping[str, Any] | CookieOptions | None = None,
        **options: Unpack[FlaskOptions],
    ) -> None:
        """Take options that win over the application's configuration.

        Args:
            password: Any form that `iron_wsgi.Passwords.parse` takes. None: ``IRON_SESSION_PASSWORD``, or
                passwords derived from ``SECRET_KEY`` and its fallbacks.
            serializer: ``"tagged"`` (the default) keeps Flask's types: tuples, bytes, Markup, UUIDs,
                datetimes. ``"json"`` is the strict JSON that JavaScript reads back equal. Or an object with
                ``dumps`` and ``loads``.
            cookie_options: Attributes that win over ``SESSION_COOKIE_...``.
            **options: See `iron_wsgi.SessionOptions`. With ``ttl`` cookies outlive the browser by default.
                ``save_on_error`` is on by default, since Flask saves then.

        Raises:
            ConfigError: An option is unusable.
        """
        arguments: dict[str, Any] = dict(options)
        if password is not None:
            arguments["password"] = Passwords.parse(password)
        if cookie_options is not None:
            arguments["cookie_options"] = cookie_attributes(cookie_options)
        check_arguments(arguments)
        if serializer is not None or self.serializer is None:
            self.serializer = serializer_of(serializer)
        self._arguments = arguments

    # What Flask calls.

    def open_session(self, app: Flask, request: Request) -> FlaskSession | None:
        """Return the request's session, unopened; None if there is no key, of which Flask then tells."""
        if not app.config["SECRET_KEY"] and not self.config(app).has_password:
            return None
        return FlaskSession(FlaskExchange(self, app, request.environ, self.get_cookie_name(app)))

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Put the session's cookie and headers on *response*; make it a 503 if the session cannot be saved.

        Raises:
            CookieTooLarge: The session does not fit; the browser keeps the old cookie.
            PayloadError: A value cannot be written.
            SessionConflict: A parallel request changed the same keys (``on_conflict="raise"``).
            ConfigError: Browsers would drop the cookie, as it is configured.
        """
        if not isinstance(session, FlaskSession):
            msg = f"an IronSessionInterface saves its own sessions, and this is a {type(session).__name__}"
            raise TypeError(msg)
        exchange = session.exchange
        # 1. A session that nobody used, of a visitor without a cookie. A streamed body may still use it.
        if session.is_untouched and not exchange.has_cookie and not response.is_streamed:
            exchange.close()
            return
        try:
            if exchange.is_down:
                outcome = _without_session(response)
            else:
                outcome = self._outcome(app, session, response.status_code)
        except Unavailable:
            outcome = _without_save(session, response)
        except Exception:
            # Flask sends the error's page all the same, and that may well show the session.
            _apply(READ_ONLY, response.headers)
            raise
        exchange.close()
        if outcome.cookies:
            _explain_cookies(exchange, outcome)
        if outcome.vary or outcome.cookies:
            _apply(outcome, response.headers)
        if response.is_streamed:
            if session.state is not None:
                session.state.modified = False  # settled above; a change from here on comes too late
            response.call_on_close(partial(_explain_late_use, session, varies=outcome.vary))

    @opaque
    def _outcome(self, app: Flask, session: FlaskSession, status: int) -> Outcome:
        """Return what the response must carry."""
        # 2. What the application did. Uses from here on are ours and do not count.
        was_accessed, was_changed = session.accessed, session.settle()
        # 3. Whether Flask wants the cookie set. A session that is to be set must be opened.
        is_wanted = self.should_set_cookie(app, session)
        if is_wanted and session.state is None:
            len(session)  # opens it
        session.accessed = was_accessed
        state = session.state
        # 4. A session that stays as it is.
        if state is None or not (was_accessed or is_wanted):
            return READ_ONLY if was_accessed else NOTHING
        if state.data and not is_wanted and not state.destroyed:
            return state.saved or (READ_ONLY if was_accessed else NOTHING)
        # 5. A session that is written, renewed or deleted.
        renew = is_wanted and bool(state.data) and not was_changed and not session.is_due
        return session.exchange.outcome(state, status=status, renew=renew)

    # Flask's small methods, which may be overridden.

    def get_cookie_name(self, app: Flask) -> str:
        """Return the cookie's name: the option ``cookie_name``, or ``SESSION_COOKIE_NAME``."""
        given = self._arguments.get("cookie_name") or app.config.get("IRON_SESSION_COOKIE_NAME")
        name: str = given or app.config["SESSION_COOKIE_NAME"]
        return name

    def get_cookie_partitioned(self, app: Flask) -> bool:
        """Return ``SESSION_COOKIE_PARTITIONED``, which Flask knows since 3.1."""
        return bool(app.config.get("SESSION_COOKIE_PARTITIONED", False))

    def get_expiration_time(self, app: Flask, session: SessionMixin) -> datetime | None:
        """Return when the cookie ends; None for the end of the browser's session.

        Its seal expires after ``PERMANENT_SESSION_LIFETIME`` all the same.
        """
        if not isinstance(session, FlaskSession):
            return super().get_expiration_time(app, session)
        return session.cookie_expires

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """Tell whether to set the cookie: for a change, a renewal, or a permanent session.

        The last only with ``SESSION_REFRESH_EACH_REQUEST``, which is Flask's default.
        """
        if not isinstance(session, FlaskSession):
            return super().should_set_cookie(app, session)
        if session.modified or session.is_due:
            return True
        return bool(app.config["SESSION_REFRESH_EACH_REQUEST"]) and session.is_renewed_by_flask()

    # What applications call.

    def sealer(self, purpose: str, *, once: bool = False) -> Sealer:
        """Return a sealer for *purpose* under the current application's session password.

        Args:
            purpose: What the seals are for.
            once: Whether each is good for one use (`Sealer.consume`); the option ``revocations`` is needed.

        Raises:
            RuntimeError: There is no current application.
            ConfigError: The application has no password, or no list of revocations.
        """
        options = self.options(current_app._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001
        return options.sealer(purpose, once=once)

    def regenerate(self, session: SessionMixin) -> None:
        """Give *session* a new id and time of issue; its data stay. Flask-Session's name for it."""
        if not isinstance(session, FlaskSession):
            msg = "only a session of this interface can be regenerated"
            raise TypeError(msg)
        session.regenerate()

    def options(self, app: Flask) -> SessionOptions:
        """Return *app*'s options as they are now. The cookie's name is that of the configuration.

        Raises:
            ConfigError: An option is unusable, or there is no password.
        """
        return self.engine(app, IronSessionInterface.get_cookie_name(self, app)).options

    # What an exchange asks. See `iron_wsgi_flask.exchange.CookiePolicy`.

    def config(self, app: Flask) -> AppConfig:
        """Return *app*'s session configuration."""
        configs: dict[IronSessionInterface, AppConfig] = app.extensions.setdefault("iron_wsgi", {})
        if self not in configs:
            configs[self] = AppConfig(app, self._arguments)
        return configs[self]

    def engine(self, app: Flask, cookie_name: str) -> Engine:
        """Return the engine for *app*'s cookie of this name, as *app* is configured now.

        Raises:
            ConfigError: An option is unusable, or there is no password.
        """
        config = self.config(app)
        if not config.follows_login and hasattr(app, "login_manager"):
            config.follows_login = follow_flask_login(app)
        return config.engine(cookie_name, self.serializer)

    def expiration_time(self, app: Flask, exchange: FlaskExchange, state: State) -> datetime | None:
        """Return what `get_expiration_time` says of a session in this *state*."""
        return self.get_expiration_time(app, FlaskSession.of_state(exchange, state))

    def cookie_options(self, app: Flask, cookie_name: str) -> CookieOptions:
        """Return the cookie's attributes: what Flask's small methods and ``cookie_options`` say.

        Raises:
            ConfigError: Browsers would drop such a cookie.
        """
        is_partitioned = self.get_cookie_partitioned(app)
        attributes = {
            # Werkzeug, by which Flask sets cookies, adds what a partitioned cookie needs.
            "secure": _is_sent(self.get_cookie_secure(app)) or is_partitioned,
            "httponly": _is_sent(self.get_cookie_httponly(app)),
            "samesite": self.get_cookie_samesite(app),
            "path": self.get_cookie_path(app),
            "domain": self.get_cookie_domain(app),
            "partitioned": is_partitioned,
            "max_age": None,
        }
        return self.config(app).cookie_options(cookie_name, attributes)


def _without_session(response: Response) -> Outcome:
    """Return what a response must carry whose session could not be opened."""
    if response.status_code == 500:  # the view did not ask for the session; the error's page was the first
        refuse(response)
    return READ_ONLY


def _without_save(session: FlaskSession, response: Response) -> Outcome:
    """Return what a response must carry whose session could not be written; make it a 503.

    Raises:
        SessionUnavailable: The session is a test's (``session_transaction``), which gets no response.
    """
    was_accessed = session.accessed
    if not has_request_context() or current_session._get_current_object() is not session:  # type: ignore[attr-defined]  # noqa: SLF001
        raise SessionUnavailable
    session.accessed = was_accessed  # the question above does not count
    # Without a mere renewal of a session that nobody used the response is good.
    if was_accessed and session.state is not None and response.status_code != 503:
        refuse(response)
    return READ_ONLY if was_accessed else NOTHING


def _apply(outcome: Outcome, headers: Headers) -> None:
    """Put *outcome* on a response."""
    headers[:] = outcome.added_to(list(headers))


def _is_sent(flag: object) -> bool:
    """Tell whether Werkzeug, by which Flask sets cookies, would send such an attribute: even for 0."""
    return flag is not None and flag is not False


def _explain_cookies(exchange: FlaskExchange, outcome: Outcome) -> None:
    """Log, once per application, that browsers drop a cookie, or that it can be copied on its way."""
    explain_secure(exchange.environ, outcome)
    app = exchange.app
    if not app.debug and not app.testing and not all(cookie.options.secure for cookie in outcome.cookies):
        notices.say(
            f"no Secure in {app.name} {id(app):x}",
            exchange.cookie_name,
            "it is not Secure, so browsers send it over plain http, where it can be copied; "
            "set SESSION_COOKIE_SECURE = True",
        )


def _explain_late_use(session: FlaskSession, *, varies: bool) -> None:
    """Log, once, what a streamed body did to the session after the headers had gone out."""
    state = session.state
    if state is None or state.destroyed:
        return
    name = session.exchange.cookie_name
    if state.is_changed():
        explain_loss(name)
    elif state.accessed and not varies:
        notices.say(
            "read late",
            name,
            "it was first read after the response's headers had gone out, without Vary: Cookie; "
            "read it before the first chunk of the body, or caches may show the response to others",
        )
