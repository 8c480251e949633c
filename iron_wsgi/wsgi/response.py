"""The response of a WSGI application, held back until the session is committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, final

from iron_wsgi.cookies.outcome import HeaderList
from iron_wsgi.engine.engine import Engine
from iron_wsgi.engine.exchange import CookieExchange
from iron_wsgi.engine.session import Session
from iron_wsgi.errors import Unavailable, opaque
from iron_wsgi.servers.outages import RETRY_AFTER

from .jars import WaitingJar, explain_loss, explain_secure, sessions_of

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TypeAlias

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

REFUSAL: Final = (
    ("Retry-After", str(RETRY_AFTER)),
    ("Cache-Control", "no-store"),
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Length", "0"),
)
"""The headers of the answer where a store or a list of revocations does not answer."""


@final
class Response:
    """The application's response, held back until its headers must be sent."""

    __slots__ = (
        "_environ",
        "_exchange",
        "_has_dropped_changes",
        "_headers",
        "_jar",
        "_start",
        "_write",
        "session",
        "status",
    )

    def __init__(self, engine: Engine, environ: WSGIEnvironment, start_response: StartResponse) -> None:
        """Put the session into *environ*, and wait for the application."""
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
        self._has_dropped_changes = False

    def start_response(
        self, status: str, headers: HeaderList, exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        """Hold status and headers back; the headers are copied, since an application may reuse its list."""
        if not isinstance(headers, list):
            msg = f"start_response needs a list of headers, got a {type(headers).__name__} (PEP 3333)"
            raise TypeError(msg)
        try:
            if self._jar.is_closed and exc_info is not None:
                return self._start(status, headers, exc_info)  # the server raises the error again
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
            headers = self._commit(headers)
        self._jar.is_closed = True
        self._write = self._start(self.status, headers)

    @property
    def is_flushed(self) -> bool:
        """Whether the headers have gone out."""
        return self._jar.is_closed

    def refuse(self, error: Unavailable) -> None:
        """Answer 503 (RFC 9110 section 15.6.4), with no cookie and no body.

        Raises:
            Unavailable: The headers were sent already; the server ends the response.
        """
        if self._jar.is_closed:
            raise error
        self._jar.is_closed = True
        self._start("503 Service Unavailable", [*REFUSAL])

    @opaque
    def _commit(self, headers: HeaderList) -> HeaderList:
        state = self.session.state
        if state is None or self.status.startswith("101"):  # a WebSocket has no response to put a cookie on
            return headers
        status = int(self.status[:3])
        self._exchange.commit(state, status=status)
        # Only such a commit drops changes, so only then they are looked for.
        may_drop = status >= 500 or not self._exchange.engine.options.auto_commit
        self._has_dropped_changes = may_drop and state.is_changed()
        outcome = self._jar.outcome
        if outcome.cookies:
            explain_secure(self._environ, outcome)
        return outcome.added_to(headers)

    def explain_loss(self) -> None:
        """Log, once, that a change came after the headers and is lost."""
        state = self.session.state
        if state is None or state.destroyed or self._has_dropped_changes or not self._jar.is_closed:
            return
        if state.is_changed():
            explain_loss(self._exchange.engine.options.cookie_name)


@final
class Body:
    """The application's body behind the held-back headers; closed exactly once."""

    __slots__ = ("_chunks", "_close", "_first", "_is_primed", "_response")

    def __init__(self, response: Response, body: Iterable[bytes]) -> None:
        """Wrap *body*."""
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
        except Unavailable as error:
            self.close()
            self._response.refuse(error)
            self._first, self._chunks = None, iter(())
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        """Return itself."""
        return self

    def __next__(self) -> bytes:
        """Return a chunk. The headers are sent before the first."""
        if not self._is_primed:
            self.prime()
        first, self._first = self._first, None
        return next(self._chunks) if first is None else first

    def close(self) -> None:
        """Close the application's body, once."""
        close, self._close = self._close, None
        try:
            if close is not None:
                close()
        finally:
            self._response.explain_loss()


def flush_or_close(response: Response, body: Iterable[bytes]) -> None:
    """Send the headers of a *body* that is returned unchanged; close it if that fails."""
    try:
        if response.is_flushed:  # by write(); later changes of the session are lost
            response.explain_loss()
        response.flush()
    except BaseException:
        close: Any = getattr(body, "close", None)
        if close is not None:
            close()
        raise


def is_file(body: object, environ: WSGIEnvironment) -> bool:
    """Tell whether *body* is the server's wrapper of a file (PEP 3333, ``wsgi.file_wrapper``)."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)
