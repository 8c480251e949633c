"""Our sessions in the place of Django's, and how often they serve.

Django's suite names Django's session middleware in the settings of many a test, and imports it by that name.
So ours takes the place of that class in Django's module before any test is imported. The tests' clients begin
and change sessions without a request, of which only our client tells its cookies; so they do it as ours does.
"""

from __future__ import annotations

from inspect import iscoroutine
from typing import TYPE_CHECKING, Any

from django.contrib.sessions import middleware
from django.test import client

from iron_wsgi_django.backend import SessionStore
from iron_wsgi_django.test import SessionClientMixin

from .outcomes import SESSIONS

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from django.http import HttpRequest, HttpResponse


def install(session_middleware: type[Any], *, bound: bool) -> None:
    """Put *session_middleware* in the place of Django's, and the sessions of our test client too.

    Args:
        session_middleware: The class, to which counting is added.
        bound: Whether a session counts where its key is an id, or else where it is the seal.
    """

    def count(request: HttpRequest, response: HttpResponse) -> HttpResponse:
        session = getattr(request, "session", None)
        SESSIONS["opened"] += isinstance(session, SessionStore) and session.is_bound is bound
        SESSIONS["sealed"] += any(cookie.value.startswith("Fe26.2*") for cookie in response.cookies.values())
        return response

    async def count_later(request: HttpRequest, response: Awaitable[HttpResponse]) -> HttpResponse:
        return count(request, await response)

    class CountedMiddleware(session_middleware):
        def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
            response = super().__call__(request)
            return count_later(request, response) if iscoroutine(response) else count(request, response)

    middleware.SessionMiddleware = CountedMiddleware
    for name in ("session", "asession", "_set_login_cookies"):
        setattr(client.ClientMixin, name, getattr(SessionClientMixin, name))
