"""Sessions around any WSGI application (PEP 3333)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, final

from .cookies import CookieJar
from .engine import Engine
from .errors import ConfigError, opaque
from .exchange import CookieExchange
from .jars import WaitingJar, explain_loss, explain_secure, sessions_of
from .options import SessionOptions
from .outcome import HeaderList
from .sealer import Sealer
from .session import Session

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TypeAlias

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from typing_extensions import Unpack

    from .options import Options

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
                Some servers (Granian) lose headers otherwise. False for an application that must answer
                before it produces anything.
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

    def sealer(self, purpose: str) -> Sealer:
        """Return a sealer for *purpose*, under the session's password.

        Raises:
            ConfigError: The options are a function, so that there is no one password.
        """
        if self._engine is None:
            msg = "the options depend on the request; make a Sealer(password, purpose=...) instead"
            raise ConfigError(msg)
        options = self._engine.options
        return Sealer(options.password, purpose=purpose, iterations=options.iterations, clock=options.clock)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        engine = self._engine
        if engine is None:
            engine = Engine(self._options_of(environ))
        response = _Response(engine, environ, start_response)
        body = self.app(environ, response.start_response)
        is_whole = (response.status and isinstance(body, (list, tuple))) or _is_file(body, environ)
        del environ  # it holds the cookies; a traceback with local variables would show them
        if is_whole:
            # The very object: servers join lists, keep Content-Length, and send files by the kernel.
            _flush_or_close(response, body)
            return body
        chunks = _Body(response, body)
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
    response = _Response(Engine(SessionOptions(**settings)), environ, start_response)

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

    It is committed by ``with`` or by ``save()``, never by itself. Asked twice for one cookie of one exchange,
    the same session is returned.

    Args:
        jar: `EnvironJar`, `WerkzeugJar`, or any object with a jar's two methods. One without a ``__dict__``
            cannot remember its session.
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


@final
class _Response:
    """What the application answers, held back until its headers must go."""

    __slots__ = (
        "_environ",
        "_exchange",
        "_headers",
        "_jar",
        "_start",
        "_was_changed",
        "_write",
        "session",
        "status",
    )

    def __init__(self, engine: Engine, environ: WSGIEnvironment, start_response: StartResponse) -> None:
        self._jar = WaitingJar(environ)
        self._exchange = CookieExchange(engine, self._jar)
        self.session = Session(self._exchange)
        options = engine.options
        sessions_of(environ, keep=True)[options.cookie_name] = environ[options.environ_key] = self.session
        self.status = ""
        self._environ = environ
        self._start = start_response
        self._headers: HeaderList = []
        self._write: Callable[[bytes], object] | None = None
        self._was_changed = False

    def start_response(
        self, status: str, headers: HeaderList, exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        """Hold status and headers back; the headers are copied, since an application may reuse its list."""
        if not isinstance(headers, list):
            msg = f"start_response needs a list of headers, got a {type(headers).__name__} (PEP 3333)"
            raise TypeError(msg)
        try:
            if self._jar.is_closed and exc_info is not None:
                return self._start(status, headers, exc_info)  # the server raises it again
            if self.status and exc_info is None:
                msg = "start_response was called twice without exc_info (PEP 3333)"
                raise AssertionError(msg)
        finally:
            exc_info = None  # a reference to the traceback would keep its frames alive
        self.status = status
        self._headers = list(headers)
        return self.write

    def write(self, data: bytes) -> object:
        """Send *data* at once, after the headers: PEP 3333's imperative writing."""
        self.flush()
        if self._write is None:
            msg = (
                "this server's start_response returned no write function (PEP 3333); return the body instead"
            )
            raise AssertionError(msg)
        return self._write(data)

    def flush(self) -> None:
        """Commit the session and call the server's start_response; once."""
        if self._jar.is_closed:
            return
        if not self.status:
            msg = "the application returned without calling start_response (PEP 3333)"
            raise AssertionError(msg)
        headers = self._headers
        if self.session.state is not None:
            headers = self._committed(headers)
        self._jar.is_closed = True
        self._write = self._start(self.status, headers)

    @opaque
    def _committed(self, headers: HeaderList) -> HeaderList:
        state = self.session.state
        if state is None or self.status.startswith("101"):  # a WebSocket has no response to put a cookie on
            return headers
        status = int(self.status[:3])
        self._exchange.commit(state, status=status)
        # Only these drop a change; for the rest there is nothing to compare.
        may_drop = status >= 500 or not self._exchange.engine.options.auto_commit
        self._was_changed = may_drop and state.is_changed()
        explain_secure(self._environ, self._jar.outcome)
        return self._jar.outcome.added_to(headers)

    def explain_loss(self) -> None:
        """Log, once, a change that came after the headers."""
        state = self.session.state
        if state is None or state.destroyed or self._was_changed or not self._jar.is_closed:
            return
        if state.is_changed():
            explain_loss(self._exchange.engine.options.cookie_name)


@final
class _Body:
    """The application's body behind the held-back headers; closed exactly once."""

    __slots__ = ("_chunks", "_close", "_first", "_is_primed", "_response")

    def __init__(self, response: _Response, body: Iterable[bytes]) -> None:
        self._response = response
        self._close: Callable[[], object] | None = getattr(body, "close", None)
        self._first: bytes | None = None
        self._is_primed = False
        try:
            self._chunks: Iterator[bytes] = iter(body)
        except BaseException:
            self.close()
            raise

    def prime(self) -> None:
        """Produce the first chunk that is not empty, then send the headers."""
        self._is_primed = True
        try:
            for chunk in self._chunks:
                if chunk:
                    self._first = chunk
                    break
            self._response.flush()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._is_primed:
            self.prime()
        first, self._first = self._first, None
        return next(self._chunks) if first is None else first

    def close(self) -> None:
        close, self._close = self._close, None
        try:
            if close is not None:
                close()
        finally:
            self._response.explain_loss()


def _flush_or_close(response: _Response, body: Iterable[bytes]) -> None:
    try:
        response.flush()
        response.explain_loss()
    except BaseException:
        close: Any = getattr(body, "close", None)
        if close is not None:
            close()
        raise


def _is_file(body: object, environ: WSGIEnvironment) -> bool:
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)
