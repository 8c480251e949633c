"""The cookies of a Django request, as `iron_wsgi.CookieJar` shows them to the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from django.conf import settings
from django.http import HttpRequest, parse_cookie

from iron_wsgi import CookieJar, HeadersAlreadySent, Outcome
from iron_wsgi.wsgi.jars import WaitingJar


@final
class KeyJar:
    """A jar that holds one cookie: the session key, as Django's own middleware passes it on."""

    __slots__ = ("_key",)

    def __init__(self, key: str | None) -> None:
        """Hold *key*."""
        self._key = key

    def read(self, name: str) -> Sequence[str]:
        """Return the key, if *name* is the session cookie's."""
        return (self._key,) if self._key and name == settings.SESSION_COOKIE_NAME else ()

    def send(self, outcome: Outcome) -> None:
        """Do nothing: Django's own middleware sets the cookie from the session key."""


@final
class RequestJar:
    """The cookies of one Django request. What is sent waits in the session's state for the response.

    It holds the cookies and not the request: the request holds the session, and a circle would leave each
    request to the garbage collector.

    Attributes:
        is_closed: The response has gone out; nothing can be sent any more.
    """

    __slots__ = ("_cookies", "_header", "is_closed")

    def __init__(self, request: HttpRequest) -> None:
        """Read the cookies of *request*."""
        self._header: str = request.META.get("HTTP_COOKIE", "")
        # None until something reads `request.COOKIES`. The session's first use parses the header then.
        self._cookies: dict[str, str] | None = request.__dict__.get("COOKIES")
        self.is_closed = False

    def read(self, name: str) -> Sequence[str]:
        """Return every value sent under *name*; or the one that a middleware put into ``request.COOKIES``."""
        if self._cookies is None:
            self._cookies = parse_cookie(self._header)
        value = self._cookies.get(name)
        if value is None:
            return ()
        if self._header.count(f"{name}=") < 2:
            return (value,)
        # Django keeps only the last of several.
        values = WaitingJar({"HTTP_COOKIE": self._header}).read(name)
        return values if value in values else (value,)

    def send(self, outcome: Outcome) -> None:
        """Check that *outcome* can still be sent; the next commit returns it again.

        Raises:
            HeadersAlreadySent: The response has gone out.
        """
        if outcome.cookies:
            check_open(self)


def check_open(jar: CookieJar | None) -> None:
    """Refuse to write a session whose cookie could not be sent any more.

    Raises:
        HeadersAlreadySent: The response has gone out.
    """
    if getattr(jar, "is_closed", False):
        msg = "the headers have gone out; save or flush the session before the first chunk of the body"
        raise HeadersAlreadySent(msg)
