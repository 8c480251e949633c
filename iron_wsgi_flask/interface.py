"""Flask's session interface: ``app.session_interface = IronSessionInterface()``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flask.sessions import SessionInterface, SessionMixin

from iron_wsgi import Cookie, CookieOptions, Passwords, Session, SessionOptions
from iron_wsgi.cookies import deletion
from iron_wsgi.engine import Engine
from iron_wsgi.exchange import CookieExchange
from iron_wsgi.jars import WaitingJar
from iron_wsgi.state import State

from .serializer import TaggedJSON

if TYPE_CHECKING:
    from flask import Flask
    from flask.wrappers import Request, Response

    from iron_wsgi.passwords import Password


class FlaskSession(Session, SessionMixin):
    """A session with what Flask expects of one beside: ``permanent`` and ``new``."""

    jar: WaitingJar
    exchange: CookieExchange

    def __init__(self, engine: Engine, request: Request) -> None:
        """Wrap the session of *request*."""
        jar = WaitingJar(request.environ)
        exchange = CookieExchange(engine, jar)
        super().__init__(exchange)
        object.__setattr__(self, "jar", jar)
        object.__setattr__(self, "exchange", exchange)

    @property
    def new(self) -> bool:  # type: ignore[override]  # a plain attribute in Flask
        """Whether no trustworthy cookie came in."""
        return self.is_new

    @property
    def accessed(self) -> bool:
        """Whether anything was read or written so far."""
        return super().accessed

    @accessed.setter
    def accessed(self, value: bool) -> None:
        # Flask marks the session when a view asks for it; what counts here is what is read from it.
        """Take no notice."""

    def __setattr__(self, name: str, value: object) -> None:
        """Set what Flask sets; for all else say how values are written."""
        if name in ("accessed", "permanent"):
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)


class IronSessionInterface(SessionInterface):
    """Keeps Flask's session in a sealed cookie, under Flask's own configuration keys.

    Args:
        password: Any form that `iron_wsgi.Passwords.parse` takes. Without one the configuration's
            ``IRON_SESSION_PASSWORD``, else passwords derived from ``SECRET_KEY`` and its fallbacks.
        cookie_options: Attributes that win over ``SESSION_COOKIE_*``.
    """

    def __init__(
        self, password: Password | None = None, *, cookie_options: Mapping[str, Any] | None = None
    ) -> None:
        """Take what wins over the application's configuration."""
        self.serializer = TaggedJSON()
        self._password = None if password is None else Passwords.parse(password)
        self._cookie_options = dict(cookie_options or {})
        self._engine: tuple[tuple[object, ...], Engine] | None = None

    def open_session(self, app: Flask, request: Request) -> FlaskSession | None:
        """Return the request's session, unopened; None if no key is configured."""
        engine = self._engine_of(app)
        return None if engine is None else FlaskSession(engine, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Put what the session asks for on *response*."""
        if not isinstance(session, FlaskSession):
            return
        if session.state is not None:
            self._commit(app, session, session.state, response)
        session.jar.is_closed = True

    def _commit(self, app: Flask, session: FlaskSession, state: State, response: Response) -> None:
        attributes = CookieOptions.parse(
            {
                "secure": self.get_cookie_secure(app),
                "httponly": self.get_cookie_httponly(app),
                "samesite": self.get_cookie_samesite(app),
                "path": self.get_cookie_path(app),
                "domain": self.get_cookie_domain(app),
                "max_age": None,
                "expires": self.get_expiration_time(app, session),
                **self._cookie_options,
            }
        )
        outcome = session.exchange.engine.commit(state, status=response.status_code, cookie=attributes)
        # A save or destroy in the view did not know Flask's attributes; without them nothing is deleted.
        cookies = tuple(_under(attributes, cookie) for cookie in outcome.cookies)
        headers = outcome._replace(cookies=cookies).added_to(response.headers.to_wsgi_list())
        response.headers.clear()
        response.headers.extend(headers)

    def _engine_of(self, app: Flask) -> Engine | None:
        """Return the engine for the configuration as it is now; Flask's may change in mid-life."""
        config = app.config
        password = self._password or config.get("IRON_SESSION_PASSWORD")
        secrets = (app.secret_key, *(config.get("SECRET_KEY_FALLBACKS") or ()))
        if password is None and not app.secret_key:
            return None
        # A lifetime of 0 ends sessions at once; as an option it would make them eternal.
        name, ttl = self.get_cookie_name(app), max(app.permanent_session_lifetime, timedelta(seconds=1))
        key = (repr(password) if isinstance(password, (dict, list)) else password, secrets, name, ttl)
        cached = self._engine
        if cached is None or cached[0] != key:
            options = SessionOptions(
                password=password or Passwords.from_secret_keys([one for one in secrets if one]),
                cookie_name=name,
                ttl=ttl,
                save_on_error=True,
                serializer=self.serializer,
            )
            cached = self._engine = key, Engine(options)
        return cached[1]


def _under(attributes: CookieOptions, cookie: Cookie) -> Cookie:
    if cookie.is_deletion:
        return deletion(cookie.name, attributes)
    age = attributes.max_age if isinstance(attributes.max_age, int) else None
    return replace(cookie, options=attributes, max_age=age, expires=attributes.expires)
