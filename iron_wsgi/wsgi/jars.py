"""Cookie jars: a request and its response, of WSGI or Werkzeug, as the engine sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

from iron_wsgi.cookies.header import CookieHeader
from iron_wsgi.cookies.outcome import NOTHING, HeaderList, Outcome
from iron_wsgi.errors import HeadersAlreadySent
from iron_wsgi.sessions.events import notices

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.wrappers import Request, Response

    from iron_wsgi.engine.session import Session

SESSIONS_KEY = "iron_wsgi.sessions"
"""The key of an environ for its sessions by cookie name, so that one cookie has one session."""


def sessions_of(environ: WSGIEnvironment, *, keep: bool) -> dict[str, Session]:
    """Return the sessions of this request by cookie name, as *environ* holds them.

    They are stored with their Cookie header, because a copied environ may have another one. *keep* says
    whether a new, empty mapping is stored.
    """
    cookie = environ.get("HTTP_COOKIE")
    held: tuple[str | None, dict[str, Session]] | None = environ.get(SESSIONS_KEY)
    if held is None or held[0] != cookie:
        held = (cookie, {})
        if keep:
            environ[SESSIONS_KEY] = held
    return held[1]


@final
class WaitingJar:
    """The jar of a request whose response is held back: what is sent waits in `outcome`.

    It holds the Cookie header, but neither the environ nor the response: these hold the session, and a circle
    of references would keep each request alive until the garbage collector runs.
    """

    # Class attributes, because a jar is made for every request and most are never used.
    _cookies: CookieHeader | None = None
    is_closed = False
    outcome = NOTHING

    def __init__(self, environ: WSGIEnvironment) -> None:
        """Read from *environ*."""
        self.header: str = environ.get("HTTP_COOKIE", "")

    def read(self, name: str) -> Sequence[str]:
        """Return every value sent under *name*."""
        if self._cookies is None:
            self._cookies = CookieHeader(self.header)
        return self._cookies.values(name)

    def send(self, outcome: Outcome) -> None:
        """Keep *outcome* for the response."""
        if self.is_closed and outcome.cookies:
            msg = "the headers have gone out; save or destroy the session before the first chunk of the body"
            raise HeadersAlreadySent(msg)
        self.outcome = outcome


class EnvironJar:
    """The jar of a WSGI request: it reads cookies from the environ and writes headers into a list.

    Args:
        environ: The request's environ.
        headers: The list that will be given to ``start_response``; None where nothing can be sent.
    """

    def __init__(self, environ: WSGIEnvironment, headers: HeaderList | None = None) -> None:
        """Read from *environ*; send into *headers*."""
        # A jar that cannot send leaves no session in the environ, where a jar that can send would find it.
        self.iron_sessions = sessions_of(environ, keep=headers is not None)
        self._environ = environ
        self._headers = headers
        self._request = WaitingJar(environ)
        self._sent: dict[str, Outcome] = {}

    def read(self, name: str) -> Sequence[str]:
        """Return every value sent under *name*."""
        return self._request.read(name)

    def send(self, outcome: Outcome) -> None:
        """Change the headers."""
        if self._headers is None:
            if not outcome.cookies:
                return
            msg = "this EnvironJar can only read; to send make it with EnvironJar(environ, headers)"
            raise HeadersAlreadySent(msg)
        self._headers[:] = outcome.added_to(self._headers, replacing=self._sent.get(outcome.name))
        self._sent[outcome.name] = outcome
        explain_secure(self._environ, outcome)


class WerkzeugJar:
    """The jar of a Werkzeug (or Flask) request and response."""

    def __init__(self, request: Request, response: Response | None = None) -> None:
        """Read from *request*; send into *response*, if there is one."""
        self._response = response
        self._headers: HeaderList | None = None if response is None else []
        self._jar = EnvironJar(request.environ, self._headers)
        self.iron_sessions = self._jar.iron_sessions

    def read(self, name: str) -> Sequence[str]:
        """Return every value sent under *name*."""
        return self._jar.read(name)

    def send(self, outcome: Outcome) -> None:
        """Change the response's headers."""
        if self._response is not None and self._headers is not None:
            self._headers[:] = self._response.headers.to_wsgi_list()
        self._jar.send(outcome)
        if self._response is not None and self._headers is not None:
            self._response.headers.clear()
            self._response.headers.extend(self._headers)


def explain_secure(environ: WSGIEnvironment, outcome: Outcome) -> None:
    """Log, once, that browsers drop a Secure cookie that comes over plain http, except on localhost."""
    if environ.get("wsgi.url_scheme") != "http":
        return
    for cookie in outcome.cookies:
        if cookie.options.secure and not cookie.is_deletion and not _is_loopback(environ):
            notices.say(
                "plain http",
                cookie.name,
                "it is Secure and the request came over plain http, so browsers drop it. Behind a TLS proxy "
                "pass the scheme on (werkzeug's ProxyFix, Django's "
                "SECURE_PROXY_SSL_HEADER); without TLS, set cookie_options={'secure': False}, or "
                "SESSION_COOKIE_SECURE = False in Flask and Django",
            )


def explain_loss(cookie_name: str) -> None:
    """Log, once, that a change came after the headers and is lost."""
    notices.say(
        "headers gone",
        cookie_name,
        "it was changed after the response's headers had gone out, and the change is lost; "
        "change it before the first chunk of the body",
    )


def _is_loopback(environ: WSGIEnvironment) -> bool:
    host = environ.get("HTTP_HOST") or environ.get("SERVER_NAME", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name in ("localhost", "[::1]") or name.startswith("127.") or name.endswith(".localhost")
