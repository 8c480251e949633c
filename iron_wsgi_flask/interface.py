"""Flask's session interface: ``app.session_interface = IronSessionInterface()``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import current_app, has_request_context
from flask import session as current_session
from flask.sessions import SessionInterface, SessionMixin

from iron_wsgi import CookieOptions, Outcome, Passwords, Sealer, SessionOptions, Unavailable
from iron_wsgi.errors import opaque
from iron_wsgi.sessions.events import notices
from iron_wsgi.wsgi.jars import explain_loss, explain_secure

from .config import AppConfig, attributes_of, check_arguments, serializer_of
from .exchange import FlaskExchange
from .outages import SessionUnavailable, refuse
from .session import FlaskSession

if TYPE_CHECKING:
    from flask import Flask
    from flask.wrappers import Request, Response
    from typing_extensions import Unpack
    from werkzeug.datastructures import Headers

    from iron_wsgi.seals.passwords import Password
    from iron_wsgi.seals.payload import Serializer

    from .config import FlaskOptions, SerializerName


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
        serializer: What turns sessions into bytes; further types are taught as in Flask,
            ``serializer.register(Tag)``. As in Flask it may be set here, or in a subclass.
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
        """Take what wins over the application's configuration.

        Args:
            password: Any form that `iron_wsgi.Passwords.parse` takes. None: ``IRON_SESSION_PASSWORD``, or
                passwords derived from ``SECRET_KEY`` and its fallbacks.
            serializer: ``"tagged"`` (the default) keeps Flask's types: tuples, bytes, Markup, UUIDs,
                datetimes. ``"json"`` is the strict JSON that JavaScript reads back equal. Or an object with
                ``dumps`` and ``loads``.
            cookie_options: Attributes that win over ``SESSION_COOKIE_...``.
            **options: The options, see `iron_wsgi.SessionOptions`. With ``ttl`` cookies outlive the browser
                by default; ``save_on_error`` is on, as Flask saves.

        Raises:
            ConfigError: An option is unusable.
        """
        arguments: dict[str, Any] = dict(options)
        if password is not None:
            arguments["password"] = Passwords.parse(password)
        if cookie_options is not None:
            arguments["cookie_options"] = attributes_of(cookie_options)
        check_arguments(arguments)
        if serializer is not None or self.serializer is None:
            self.serializer = serializer_of(serializer)
        self._arguments = arguments

    # Flask's two.

    def open_session(self, app: Flask, request: Request) -> FlaskSession | None:
        """Return the request's session, unopened; None if there is no key, as Flask then says."""
        if not app.config["SECRET_KEY"] and not self.config(app).has_password:
            return None
        return FlaskSession(FlaskExchange(self, app, request.environ, self.get_cookie_name(app)))

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Put what the session asks for on *response*; a 503 in its place where that cannot be written.

        Raises:
            CookieTooLarge: It does not fit; the browser keeps the old cookie.
            PayloadError: A value cannot be written.
            SessionConflict: A parallel request changed the same keys (``on_conflict="raise"``).
            ConfigError: The configuration asks for a cookie that browsers would drop.
        """
        if not isinstance(session, FlaskSession):
            msg = f"an IronSessionInterface saves its own sessions, and this is a {type(session).__name__}"
            raise TypeError(msg)
        exchange = session.exchange
        # 1. Nothing was done, and nothing came that could be due. A body that is still to come may yet do it.
        if session.is_untouched and not exchange.has_cookie and not response.is_streamed:
            exchange.close()
            return
        try:
            if exchange.is_down:
                outcome = _without(response)
            else:
                outcome = self._outcome(app, session, response.status_code)
        except Unavailable:
            outcome = _unsaved(session, response)
        except Exception:
            # Flask sends the error's page all the same, and that may well show the session.
            _apply(Outcome(vary=True), response.headers)
            raise
        exchange.close()
        if outcome.cookies:
            self._explain(exchange, outcome)
        if outcome.vary or outcome.cookies:
            _apply(outcome, response.headers)
        if response.is_streamed:
            if session.state is not None:
                session.state.modified = False  # it was settled; what is changed from here on comes too late
            response.call_on_close(partial(_explain_late_use, session, varies=outcome.vary))

    @opaque
    def _outcome(self, app: Flask, session: FlaskSession, status: int) -> Outcome:
        """Say what the response must carry."""
        # 2. What the application did. All that follows is ours, and no access.
        was_accessed, was_changed = session.accessed, session.settle()
        # 3. What Flask's contract asks for; to know whether a session is permanent it must be opened.
        is_wanted = self.should_set_cookie(app, session)
        if is_wanted and session.state is None:
            len(session)  # opens it
        session.accessed = was_accessed
        state = session.state
        if state is None or not (was_accessed or is_wanted):
            return Outcome(vary=was_accessed)
        if state.data and not is_wanted and not state.destroyed:
            return state.saved or Outcome(vary=was_accessed)
        renew = is_wanted and bool(state.data) and not was_changed and not session.is_due
        return session.exchange.outcome(state, status=status, renew=renew)

    # Flask's small methods: the places to override.

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

        The seal of a session that ends with the browser expires after ``PERMANENT_SESSION_LIFETIME`` all the
        same.
        """
        if not isinstance(session, FlaskSession):
            return super().get_expiration_time(app, session)
        return session.cookie_expires

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """Tell whether the session is to be written: changed, due, or permanent where Flask renews those."""
        if not isinstance(session, FlaskSession):
            return super().should_set_cookie(app, session)
        if session.modified or session.is_due:
            return True
        return bool(app.config["SESSION_REFRESH_EACH_REQUEST"]) and session.is_flasks_to_renew()

    # What is offered beside.

    def sealer(self, purpose: str, *, once: bool = False) -> Sealer:
        """Return a sealer for *purpose* under the current application's session password.

        Args:
            purpose: What the seals are for.
            once: Whether they are good for one use (`Sealer.consume`), noted in the option ``revocations``.

        Raises:
            RuntimeError: There is no current application.
            ConfigError: The application has no password; or no list to note in.
        """
        options = self.options(current_app._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001
        return options.sealer(purpose, once=once)

    def regenerate(self, session: SessionMixin) -> None:
        """Give *session* a new id and time of issue; its data stay. Flask-Session's name for it."""
        if not isinstance(session, FlaskSession):
            msg = "only a session of this interface can be regenerated"
            raise TypeError(msg)
        session.regenerate()

    # What is asked by what belongs to it.

    def options(self, app: Flask) -> SessionOptions:
        """Return *app*'s options as they are now; under the cookie's name that stands in the configuration.

        Raises:
            ConfigError: An option is unusable, or there is no password.
        """
        cookie_name = IronSessionInterface.get_cookie_name(self, app)
        return self.config(app).built(cookie_name, self.serializer).engine.options

    def config(self, app: Flask) -> AppConfig:
        """Return *app*'s configuration of sessions, made when it is first asked for."""
        configs: dict[IronSessionInterface, AppConfig] = app.extensions.setdefault("iron_wsgi", {})
        if self not in configs:
            configs[self] = AppConfig(app, self._arguments)
        return configs[self]

    def cookie_options(self, app: Flask, cookie_name: str) -> CookieOptions:
        """Return the cookie's attributes: ``cookie_options``, and what Flask's small methods say.

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

    def _explain(self, exchange: FlaskExchange, outcome: Outcome) -> None:
        """Log, once per application, why browsers may not keep, or may give away, this cookie."""
        explain_secure(exchange.environ, outcome)
        app = exchange.app
        is_open = any(not cookie.options.secure for cookie in outcome.cookies)
        if is_open and not app.debug and not app.testing:
            notices.say(
                f"no Secure in {app.name} {id(app):x}",
                exchange.cookie_name,
                "it is not Secure, so browsers send it over plain http, where it can be copied; "
                "set SESSION_COOKIE_SECURE = True",
            )


def _without(response: Response) -> Outcome:
    """Return what a response must carry whose application knows that the session cannot be had."""
    if response.status_code == 500:  # an error's page, or what runs after it, was the first to ask
        refuse(response)
    return Outcome(vary=True)


def _unsaved(session: FlaskSession, response: Response) -> Outcome:
    """Return what a response must carry whose session could not be written; make it a 503.

    Raises:
        SessionUnavailable: No visitor is told: the session is not the request's, but a test's.
    """
    was_accessed = session.accessed
    if not has_request_context() or current_session._get_current_object() is not session:  # type: ignore[attr-defined]  # noqa: SLF001
        raise SessionUnavailable
    session.accessed = was_accessed  # what was asked just now was no access
    # Where it was only to be renewed, and nobody used it, the response is good without.
    if was_accessed and session.state is not None and response.status_code != 503:
        refuse(response)
    return Outcome(vary=was_accessed)


def _apply(outcome: Outcome, headers: Headers) -> None:
    """Put *outcome* on a response. Mostly something is only added, which is cheaper than setting all anew."""
    before = list(headers)
    after = outcome.added_to(before)
    kept = len(before) if after[: len(before)] == before else 0
    if not kept:
        headers.clear()
    for name, value in after[kept:]:
        headers.add(name, value)


def _is_sent(flag: object) -> bool:
    """Tell whether Werkzeug, by which Flask sets cookies, would send such an attribute: even for 0."""
    return flag is not None and flag is not False


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
