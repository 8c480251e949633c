"""The cookies of a Django request, as `iron_wsgi.CookieJar` shows them to the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from django.conf import settings
from django.http import HttpRequest, parse_cookie

from iron_wsgi import CookieJar, HeadersAlreadySent, Outcome
from iron_wsgi.cookies.header import CookieHeader


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
        self._header = CookieHeader(request.META.get("HTTP_COOKIE", ""))
        # None until something reads `request.COOKIES`.
        self._cookies: dict[str, str] | None = request.__dict__.get("COOKIES")
        self.is_closed = False

    def read(self, name: str) -> Sequence[str]:
        """Return every value sent under *name*; or the one that a middleware put into ``request.COOKIES``.

        Names are compared octet by octet. Django strips spaces from them, so a subdomain could send another
        cookie in the place of one whose name begins with ``__Host-``.
        """
        values = self._header.values(name)
        if self._cookies is None:
            return values
        shown = self._cookies.get(name)
        if shown in values or (shown is None and not values) or shown in self._as_django_reads(name):
            return values
        return () if shown is None else (shown,)

    def _as_django_reads(self, name: str) -> tuple[str | None, str | None]:
        """Return what Django finds under *name* in the header, under ASGI and under WSGI."""
        text = self._header.text
        decoded = text.encode("latin-1", "replace").decode(errors="replace")
        return parse_cookie(text).get(name), parse_cookie(decoded).get(name)

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
