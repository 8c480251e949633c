"""The middleware that gives a WSGI application sessions (PEP 3333), and other ways to a session."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from iron_wsgi.cookies.jar import CookieJar
from iron_wsgi.cookies.outcome import HeaderList
from iron_wsgi.engine.engine import Engine
from iron_wsgi.engine.exchange import CookieExchange
from iron_wsgi.engine.session import Session
from iron_wsgi.errors import ConfigError, Unavailable, opaque
from iron_wsgi.seals.sealer import Sealer
from iron_wsgi.sessions.options import SessionOptions

from .response import Body, Response, flush_or_close, is_file

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TypeAlias

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from typing_extensions import Unpack

    from iron_wsgi.sessions.options import Options

    ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

DEFAULT_ENVIRON_KEY = "iron_wsgi.session"


class IronSessionMiddleware:
    """Gives a WSGI application sessions in ``environ["iron_wsgi.session"]``.

    A request that never touches its session costs no parsing and no cryptography, and its response is not
    changed.
    """

    @opaque
    def __init__(
        self,
        app: WSGIApplication,
        *,
        options: SessionOptions | Callable[[WSGIEnvironment], SessionOptions] | None = None,
        prime: bool = True,
        **settings: Unpack[Options],
    ) -> None:
        """Wrap *app*.

        Args:
            app: The application.
            options: Ready-made options, or a function of the environ that returns them for each request.
            prime: Whether the first chunk of a streamed body is produced before the server gets the body.
                Some servers (Granian) lose headers otherwise. Set False for an application that must send
                its headers before it produces a chunk.
            **settings: The options, see `SessionOptions`, where *options* is not given.

        Raises:
            ConfigError: An option is unusable.
        """
        if options is not None and settings:
            msg = "give either options or single settings, not both"
            raise ConfigError(msg)
        self.app = app
        self._prime = prime
        self._engine: Engine | None = None
        if callable(options):
            self._options_of = options
        else:
            self._engine = Engine(options or SessionOptions(**settings))

    @property
    def options(self) -> SessionOptions:
        """The options, with the objects that the URLs in ``store`` and ``revocations`` name.

        Raises:
            ConfigError: The options are a function of the environ.
        """
        if self._engine is None:
            msg = "the options depend on the request: ask the function that was given"
            raise ConfigError(msg)
        return self._engine.options

    def sealer(self, purpose: str, *, once: bool = False) -> Sealer:
        """Return a sealer for *purpose*, under the session's password.

        Args:
            purpose: What the seals are for.
            once: Whether they are good for one use (`Sealer.consume`), noted in the option ``revocations``.

        Raises:
            ConfigError: The options are a function of the environ, or *once* has no list of revocations.
        """
        if self._engine is None:
            msg = "the options depend on the request; make a Sealer(password, purpose=...) instead"
            raise ConfigError(msg)
        return self.options.sealer(purpose, once=once)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, with 503 if a store or a list does not answer (see the option ``on_outage``)."""
        engine = self._engine
        if engine is None:
            engine = Engine(self._options_of(environ))
        response = Response(engine, environ, start_response)
        try:
            body = self.app(environ, response.start_response)
            is_whole = (response.status and isinstance(body, (list, tuple))) or is_file(body, environ)
            del environ  # it holds cookies, which a traceback with local variables would show
            if is_whole:
                # The same object: servers join lists, keep Content-Length, and send files by the kernel.
                flush_or_close(response, body)
                return body
        except Unavailable as error:
            response.refuse(error)
            return []
        chunks = Body(response, body)
        if self._prime:
            chunks.prime()
        return chunks


def with_iron_session(**settings: Unpack[Options]) -> Callable[[WSGIApplication], IronSessionMiddleware]:
    """Return a decorator that gives a WSGI application sessions (next-iron-session's ``withIronSession``)."""

    def decorate(app: WSGIApplication) -> IronSessionMiddleware:
        middleware = IronSessionMiddleware(app, **settings)
        functools.update_wrapper(middleware, app, updated=())
        return middleware

    return decorate


@opaque
def apply_session(
    environ: WSGIEnvironment, start_response: StartResponse, **settings: Unpack[Options]
) -> tuple[Session, StartResponse]:
    """Return a session and the ``start_response`` to use instead (next-iron-session's ``applySession``).

    The session is committed when the returned function is called. A later change is lost; a later
    `Session.save` raises `HeadersAlreadySent`.
    """
    response = Response(Engine(SessionOptions(**settings)), environ, start_response)

    def start_and_flush(
        status: str, headers: HeaderList, exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        write = response.start_response(status, headers, exc_info)
        response.flush()
        return write

    return response.session, start_and_flush


@opaque
def get_iron_session(
    jar: CookieJar, options: SessionOptions | None = None, **settings: Unpack[Options]
) -> Session:
    """Return the session of a jar, without a middleware (iron-session's ``getIronSession``).

    ``with`` or ``save()`` commits it; nothing else does. A second call for one cookie of one request returns
    the same session.

    Args:
        jar: `EnvironJar`, `WerkzeugJar`, or any object with a jar's two methods. An object without a
            ``__dict__`` gets a new session at each call.
        options: Ready-made options; cheaper than single settings.
        **settings: The options, see `SessionOptions`, where *options* is not given.

    Raises:
        ConfigError: An option is unusable.
    """
    if options is None:
        options = SessionOptions(**settings)
    elif settings:
        options = options.replace(**settings)
    sessions: dict[str, Session] = getattr(jar, "__dict__", {}).setdefault("iron_sessions", {})
    name = options.cookie_name
    if name not in sessions:
        sessions[name] = Session(CookieExchange(Engine(options), jar))
    return sessions[name]


@opaque
def session_from(environ: WSGIEnvironment, key: str = DEFAULT_ENVIRON_KEY) -> Session:
    """Return the session that the middleware put into *environ*.

    Raises:
        ConfigError: There is none, because the middleware does not wrap this application.
    """
    session = environ.get(key)
    if not isinstance(session, Session):
        msg = f"environ has no session under {key!r}: wrap the application in IronSessionMiddleware(app, ...)"
        raise ConfigError(msg)
    return session
