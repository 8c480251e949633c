"""Cookie jars: how Django's requests look to the core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from django.conf import settings
from django.http import HttpRequest, parse_cookie

from iron_wsgi import CookieJar, HeadersAlreadySent, Outcome
from iron_wsgi.wsgi.jars import WaitingJar


@final
class KeyJar:
    """The cookies as Django's own middleware shows them: one value under one name, the session key."""

    __slots__ = ("_key",)

    def __init__(self, key: str | None) -> None:
        """Hold *key*."""
        self._key = key

    def read(self, name: str) -> Sequence[str]:
        """Return the key, if *name* is the session cookie's."""
        return (self._key,) if self._key and name == settings.SESSION_COOKIE_NAME else ()

    def send(self, outcome: Outcome) -> None:
        """Do nothing: the session's key is what goes out."""


@final
class RequestJar:
    """The cookies of one Django request; what is sent waits in the session's state for the response.

    It knows the cookies, not the request, which knows the session: such a circle would leave every request to
    the garbage collector.

    Attributes:
        is_closed: The response has been answered; nothing can be sent any more.
    """

    __slots__ = ("_cookies", "_header", "is_closed")

    def __init__(self, request: HttpRequest) -> None:
        """Read the cookies of *request*."""
        self._header: str = request.META.get("HTTP_COOKIE", "")
        # Where nobody has looked at them, they wait for the session's first use.
        self._cookies: dict[str, str] | None = request.__dict__.get("COOKIES")
        self.is_closed = False

    def read(self, name: str) -> Sequence[str]:
        """Return every value sent under *name*; or the one that was put into ``request.COOKIES`` instead."""
        if self._cookies is None:
            self._cookies = parse_cookie(self._header)
        value = self._cookies.get(name)
        if value is None:
            return ()
        if self._header.count(f"{name}=") < 2:
            return (value,)
        # Django keeps the last of several, whichever that is.
        values = WaitingJar({"HTTP_COOKIE": self._header}).read(name)
        return values if value in values else (value,)

    def send(self, outcome: Outcome) -> None:
        """Refuse what would be lost; what is sent is part of the next commit.

        Raises:
            HeadersAlreadySent: The response is under way.
        """
        if outcome.cookies:
            check_open(self)


def check_open(jar: CookieJar | None) -> None:
    """Refuse what would be lost, before anything of it is written elsewhere.

    Raises:
        HeadersAlreadySent: The response is under way.
    """
    if getattr(jar, "is_closed", False):
        msg = "the headers have gone out; save or flush the session before the first chunk of the body"
        raise HeadersAlreadySent(msg)
