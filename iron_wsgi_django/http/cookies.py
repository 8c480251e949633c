"""What the engine asks of a response, put on a Django response."""

from __future__ import annotations

import sys
from functools import lru_cache
from http.cookies import Morsel  # noqa: TID251 - Django's cookies are Morsels, and nothing is read
from typing import Any, Final, final

from django.http import HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.http import http_date

from iron_wsgi import Cookie, CookieOptions, Outcome


def add_to_response(outcome: Outcome, response: HttpResponse) -> None:
    """Put cookies, ``Vary`` and ``Cache-Control`` of *outcome* on *response*."""
    if outcome.vary:
        patch_vary_headers(response, ("Cookie",))
    if outcome.private:
        present = [(name, value) for name, value in response.items() if name.lower() == "cache-control"]
        [(name, value)] = Outcome(private=True).added_to(present)
        response.headers[name] = value
    for cookie in outcome.cookies:
        _set(cookie, response)


def _set(cookie: Cookie, response: HttpResponse) -> None:
    """Set *cookie* where Django sets cookies: others look for it there, and may change it."""
    morsel: Any = _morsel(cookie.name, cookie.options, is_deletion=cookie.is_deletion).copy()
    morsel.set(cookie.name, *response.cookies.value_encode(cookie.value))
    if cookie.max_age is not None:
        morsel["max-age"] = cookie.max_age
    if cookie.expires is not None:
        morsel["expires"] = _http_date(int(cookie.expires))
    response.cookies[cookie.name] = morsel


@lru_cache(maxsize=64)
def _morsel(name: str, options: CookieOptions, *, is_deletion: bool) -> Morsel[str]:
    """Return the attributes that are the same in every response: what Django's ``set_cookie`` sets."""
    morsel: Morsel[str] = Morsel()
    if options.partitioned and sys.version_info < (3, 14):
        morsel = PartitionedMorsel()
    elif options.partitioned:
        morsel["partitioned"] = True
    morsel["path"] = options.path
    morsel["domain"] = options.domain or ""
    morsel["samesite"] = options.samesite or ""
    if options.secure:
        morsel["secure"] = True
    # Django leaves HttpOnly out of deletions. Browsers ignore that, except where the name demands it.
    if options.httponly and (not is_deletion or "http-" in name.lower()):
        morsel["httponly"] = True
    return morsel


_http_date: Final = lru_cache(maxsize=64)(http_date)
"""All cookies that are set in one second expire in one second."""


@final
class PartitionedMorsel(Morsel):  # type: ignore[type-arg]  # Django's are of str
    """A cookie with the attribute ``Partitioned``, which Python's own cookies have from 3.14 on."""

    def copy(self) -> PartitionedMorsel:
        """Return a copy with the attribute."""
        morsel = PartitionedMorsel()
        morsel.update(self)
        return morsel

    def OutputString(self, attrs: Any = None) -> str:  # noqa: N802 - the parent's name
        """Return the value of the ``Set-Cookie`` header."""
        return f"{super().OutputString(attrs)}; Partitioned"
