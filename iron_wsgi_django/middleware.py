"""Django's session middleware on the engine: a short stable key, chunks, and caches that are told."""

from __future__ import annotations

import sys
from functools import partial
from http.cookies import Morsel  # noqa: TID251 - Django's cookies are Morsels, and nothing is read
from typing import Any, final

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware as DjangoMiddleware
from django.core import mail
from django.http import HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.http import http_date

from iron_wsgi import Cookie, Outcome, Unavailable
from iron_wsgi.servers.outages import RETRY_AFTER
from iron_wsgi.sessions.events import notices
from iron_wsgi.wsgi.jars import explain_loss, explain_secure

from . import keys
from .backend import SessionStore
from .jars import RequestJar
from .reporting import hide_chunks


class SessionMiddleware(DjangoMiddleware):
    """Gives each request its session, and each response what the session asks for.

    In place of ``django.contrib.sessions.middleware.SessionMiddleware``. Under ASGI it needs no thread,
    unless a store or a list of revocations is asked. With another ``SESSION_ENGINE``, or where a view put
    another session on the request, it does what Django's does.
    """

    def __init__(self, get_response: Any) -> None:
        """Wrap *get_response*, be it a function or a coroutine function."""
        super().__init__(get_response)
        self._is_ours = issubclass(self.SessionStore, SessionStore)

    def __call__(self, request: Any) -> Any:
        """Answer a request."""
        if self.async_mode:
            return self.__acall__(request)
        with keys.trusted(request.META.get("HTTP_COOKIE", "")):
            try:
                response = self.process_request(request) or self.get_response(request)
            except Unavailable:  # Django's own page for errors may ask for the session too
                return unavailable()
            return self.process_response(request, response)

    async def __acall__(self, request: Any) -> HttpResponse:
        """Answer a request; without a thread, unless a store or a list is asked."""
        with keys.trusted(request.META.get("HTTP_COOKIE", "")):
            try:
                response = self.process_request(request)
                if response is None:
                    response = await self.get_response(request)
                store = getattr(request, "session", None)
                if not isinstance(store, SessionStore):
                    return await sync_to_async(super().process_response)(request, response)
                if not _is_idle(store) and store.waits():
                    return await sync_to_async(self.process_response)(request, response)
            except Unavailable:  # Django's own page for errors may ask for the session too
                return unavailable()
            return self.process_response(request, response)

    def process_request(self, request: Any) -> Any:
        """Put a session on *request*. Nothing is read before it is used. A subclass may return a response."""
        if self._is_ours:
            request.session = self.SessionStore.bound_to(RequestJar(request))
            if f"{settings.SESSION_COOKIE_NAME}." in request.META.get("HTTP_COOKIE", ""):
                hide_chunks(request)
        else:
            super().process_request(request)
        return None

    def process_response(self, request: Any, response: HttpResponse) -> HttpResponse:
        """Put on *response* what the session asks for.

        Raises:
            CookieTooLarge: The session does not fit; the browser keeps the old cookie.
            PayloadError: A value cannot be written.
            SessionInterrupted: The session was ended while this request was under way.
        """
        store = getattr(request, "session", None)
        jar = getattr(store, "jar", None)
        if not isinstance(store, SessionStore) or not isinstance(jar, RequestJar):
            return super().process_response(request, response)
        if _is_idle(store):
            outcome = Outcome()
        elif store.is_down and response.status_code == 500:
            return _in_place_of(response)  # what another middleware met, Django has made an error of
        else:
            try:
                outcome = store.commit(status=response.status_code)
            except UpdateError:
                msg = (
                    "The request's session was deleted before the request completed. "
                    "The user may have logged out in a concurrent request, for example."
                )
                raise SessionInterrupted(msg) from None
            except Unavailable:
                return _in_place_of(response)
            _explain(request, outcome)
            apply(outcome, response)
        jar.is_closed = True
        if response.streaming and response.status_code < 500:
            store.modified = False  # what is changed from here on comes too late
            explain = partial(_explain_late_use, store, varies=outcome.vary)
            response._resource_closers.append(explain)  # noqa: SLF001 - Django has no other hook
        return response

    def process_exception(self, request: Any, exception: Exception) -> HttpResponse | None:  # noqa: ARG002 - Django's signature
        """Answer for a view that could not have its session, because something did not answer."""
        return unavailable() if isinstance(exception, Unavailable) else None


def apply(outcome: Outcome, response: HttpResponse) -> None:
    """Put *outcome* on *response*: cookies, ``Vary`` and ``Cache-Control``."""
    if outcome.vary:
        patch_vary_headers(response, ("Cookie",))
    if outcome.private:
        given = [("Cache-Control", response.headers["Cache-Control"])] if "Cache-Control" in response else []
        [(name, told)] = Outcome(private=True).added_to(given)
        response.headers[name] = told
    for cookie in outcome.cookies:
        _set(cookie, response)


def unavailable() -> HttpResponse:
    """Return the answer where something that must be asked about the session did not answer."""
    return HttpResponse(status=503, headers={"Retry-After": str(RETRY_AFTER), "Cache-Control": "no-store"})


def _in_place_of(response: HttpResponse) -> HttpResponse:
    """Close *response*, which is not sent, and return `unavailable`."""
    for close in response._resource_closers:  # noqa: SLF001 - Django has no other hook
        close()
    return unavailable()


def _set(cookie: Cookie, response: HttpResponse) -> None:
    """Set *cookie* as Django sets its own, so that others find it, and may change it, where they look."""
    options = cookie.options
    # Django leaves HttpOnly out of deletions. It tells no cookies apart, but where the name demands it.
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
    """A cookie that says ``Partitioned``, which Python's know since 3.14."""

    @classmethod
    def of(cls, plain: Morsel[str]) -> PartitionedMorsel:
        """Return *plain* as such a cookie."""
        morsel = cls()
        morsel.set(plain.key, plain.value, plain.coded_value)
        morsel.update(plain)
        return morsel

    def OutputString(self, attrs: Any = None) -> str:  # noqa: N802 - the parent's name
        """Return the text of the cookie."""
        return f"{super().OutputString(attrs)}; Partitioned"


def _is_idle(store: SessionStore) -> bool:
    """Tell whether there is nothing to do: nobody used it, and it is not renewed at every request."""
    return store.is_untouched and not settings.SESSION_SAVE_EVERY_REQUEST


def _explain(request: Any, outcome: Outcome) -> None:
    """Log, once, why browsers may not keep, or may give away, this cookie."""
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
    """Log, once, what a streamed body did to the session after the headers had gone out."""
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
