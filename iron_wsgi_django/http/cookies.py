"""What the engine asks of a response, put on a Django response."""

from __future__ import annotations

import sys
from http.cookies import Morsel  # noqa: TID251 - Django's cookies are Morsels, and nothing is read
from typing import Any, final

from django.http import HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.http import http_date

from iron_wsgi import Cookie, Outcome


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
    options = cookie.options
    # Django leaves HttpOnly out of deletions. Browsers ignore that, except where the name demands it.
    httponly = options.httponly and (not cookie.is_deletion or "http-" in cookie.name.lower())
    response.cookies.pop(cookie.name, None)
    response.set_cookie(
        cookie.name,
        cookie.value,
        max_age=cookie.max_age,
        expires=None if cookie.expires is None else http_date(cookie.expires),
        path=options.path,
        domain=options.domain,
        secure=options.secure,
        httponly=httponly,
        samesite=options.samesite,
    )
    if options.partitioned:
        if sys.version_info < (3, 14):
            plain = response.cookies[cookie.name]
            dict.__setitem__(response.cookies, cookie.name, PartitionedMorsel.of(plain))
        else:
            response.cookies[cookie.name]["partitioned"] = True


@final
class PartitionedMorsel(Morsel):  # type: ignore[type-arg]  # Django's are of str
    """A cookie with the attribute ``Partitioned``, which Python's own cookies have from 3.14 on."""

    @classmethod
    def of(cls, plain: Morsel[str]) -> PartitionedMorsel:
        """Return *plain* with the attribute."""
        morsel = cls()
        morsel.set(plain.key, plain.value, plain.coded_value)
        morsel.update(plain)
        return morsel

    def OutputString(self, attrs: Any = None) -> str:  # noqa: N802 - the parent's name
        """Return the value of the ``Set-Cookie`` header."""
        return f"{super().OutputString(attrs)}; Partitioned"
