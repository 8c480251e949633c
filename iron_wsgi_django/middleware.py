"""Django's session middleware on the engine: short stable session keys, chunks, and ``Cache-Control``."""

from __future__ import annotations

from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware as DjangoMiddleware
from django.core import mail
from django.http import HttpResponse

from iron_wsgi import Outcome, Unavailable
from iron_wsgi.servers.outages import RETRY_AFTER
from iron_wsgi.sessions.events import notices
from iron_wsgi.wsgi.jars import explain_loss, explain_secure

from .backend import SessionStore
from .http.cookies import add_to_response
from .http.error_reports import hide_chunks
from .http.jars import RequestJar
from .sessions.keys import REQUEST_COOKIES


class SessionMiddleware(DjangoMiddleware):
    """Gives each request its session, and puts the session's cookie on the response.

    In place of ``django.contrib.sessions.middleware.SessionMiddleware``. Under ASGI it needs no thread,
    unless a store or a list of revocations is asked. With another ``SESSION_ENGINE``, or where a view put
    another session on the request, it does what Django's does.
    """

    def __init__(self, get_response: Any) -> None:
        """Wrap *get_response*, a function or a coroutine function."""
        super().__init__(get_response)
        self._has_our_engine = issubclass(self.SessionStore, SessionStore)

    def __call__(self, request: Any) -> Any:
        """Answer a request."""
        if self.async_mode:
            return self.__acall__(request)
        token = REQUEST_COOKIES.set(request.META.get("HTTP_COOKIE", ""))
        try:
            try:
                response = self.process_request(request) or self.get_response(request)
            except Unavailable:  # a page for errors may use the session too
                return unavailable()
            return self.process_response(request, response)
        finally:
            REQUEST_COOKIES.reset(token)

    async def __acall__(self, request: Any) -> HttpResponse:
        """Answer a request; in a thread only where a store or a list is asked."""
        token = REQUEST_COOKIES.set(request.META.get("HTTP_COOKIE", ""))
        try:
            try:
                response = self.process_request(request)
                if response is None:
                    response = await self.get_response(request)
                store = getattr(request, "session", None)
                if not isinstance(store, SessionStore):
                    return await sync_to_async(super().process_response)(request, response)
                if not _is_left_alone(store) and store.needs_server():
                    return await sync_to_async(self.process_response)(request, response)
            except Unavailable:  # a page for errors may use the session too
                return unavailable()
            return self.process_response(request, response)
        finally:
            REQUEST_COOKIES.reset(token)

    def process_request(self, request: Any) -> Any:
        """Put a session on *request*. Its first use reads the cookie. A subclass may return a response."""
        if self._has_our_engine:
            request.session = self.SessionStore.bound_to(RequestJar(request))
            if f"{settings.SESSION_COOKIE_NAME}." in request.META.get("HTTP_COOKIE", ""):
                hide_chunks(request)
        else:
            super().process_request(request)
        return None

    def process_response(self, request: Any, response: HttpResponse) -> HttpResponse:
        """Put the session's cookie on *response*, with ``Vary`` and ``Cache-Control``.

        Raises:
            CookieTooLarge: The session does not fit; the browser keeps the old cookie.
            PayloadError: A value cannot be written.
            SessionInterrupted: The session was ended elsewhere while this request ran.
        """
        store = getattr(request, "session", None)
        jar = getattr(store, "jar", None)
        if not isinstance(store, SessionStore) or not isinstance(jar, RequestJar):
            return super().process_response(request, response)
        varies = False
        if not _is_left_alone(store):
            if store.is_unavailable and response.status_code == 500:
                return _replace(response)  # another middleware met the outage, and Django made it an error
            try:
                outcome = store.commit(status=response.status_code)
            except UpdateError:
                msg = (
                    "The request's session was deleted before the request completed. "
                    "The user may have logged out in a concurrent request, for example."
                )
                raise SessionInterrupted(msg) from None
            except Unavailable:
                return _replace(response)
            _explain(request, outcome)
            add_to_response(outcome, response)
            varies = outcome.vary
        jar.is_closed = True
        if response.streaming and response.status_code < 500:
            store.modified = False  # from here on a change comes too late
            explain = partial(_explain_late_use, store, varies=varies)
            response._resource_closers.append(explain)  # noqa: SLF001 - Django has no other hook
        return response

    def process_exception(self, request: Any, exception: Exception) -> HttpResponse | None:  # noqa: ARG002 - Django's signature
        """Answer 503 where a view met an outage of the store or the list."""
        return unavailable() if isinstance(exception, Unavailable) else None


def unavailable() -> HttpResponse:
    """Return the response where the store or the list of revocations did not answer."""
    return HttpResponse(status=503, headers={"Retry-After": str(RETRY_AFTER), "Cache-Control": "no-store"})


def _replace(response: HttpResponse) -> HttpResponse:
    """Close *response* and return `unavailable` in its place."""
    for close in response._resource_closers:  # noqa: SLF001 - Django has no other hook
        close()
    return unavailable()


def _is_left_alone(store: SessionStore) -> bool:
    """Tell whether nobody used the session, and no setting renews it at each request."""
    return store.is_untouched and not settings.SESSION_SAVE_EVERY_REQUEST


def _explain(request: Any, outcome: Outcome) -> None:
    """Log, once, why browsers may drop this cookie, or send it over plain http."""
    if not outcome.cookies:
        return
    if not request.is_secure():
        environ = {
            "wsgi.url_scheme": "http",
            "HTTP_HOST": request.META.get("HTTP_HOST", ""),
            "SERVER_NAME": request.META.get("SERVER_NAME", ""),
        }
        explain_secure(environ, outcome)
    is_test = hasattr(mail, "outbox")  # Django's test environment puts it there
    if not settings.SESSION_COOKIE_SECURE and not settings.DEBUG and not is_test:
        notices.say(
            "no Secure",
            settings.SESSION_COOKIE_NAME,
            "it is not Secure, so browsers send it over plain http, where it can be copied; "
            "set SESSION_COOKIE_SECURE = True",
        )


def _explain_late_use(store: SessionStore, *, varies: bool) -> None:
    """Log, once, that a streamed body used the session after the headers had gone out."""
    name = settings.SESSION_COOKIE_NAME
    if store.has_changes():
        explain_loss(name)
    elif store.accessed and not varies:
        notices.say(
            "read late",
            name,
            "it was first read after the response's headers had gone out, without Vary: Cookie; "
            "read it before the first chunk of the body, or caches may show the response to others",
        )
