"""Test clients whose ``session`` writes back to their cookies, which hold the session.

Django's own client expects a cookie that holds only the key, and stays the same when the session is saved.
Here each save makes a new cookie, which Django's client would not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, final

from django.conf import settings
from django.http import HttpResponse
from django.test import client as django_client

from iron_wsgi import Outcome
from iron_wsgi.cookies.cookie import chunk_name

from .conf import has_own_middleware
from .dotted_paths import uses_our_engine
from .http.cookies import add_to_response

# Django's own methods. A test suite may replace them with those of this module.
_django_session: Any = django_client.ClientMixin.session
_django_asession: Any = django_client.ClientMixin.asession
_django_set_login_cookies: Any = django_client.ClientMixin._set_login_cookies  # noqa: SLF001 - part of login()


class SessionClientMixin:
    """A mixin for Django's test client and its subclasses; the first base of the class.

    As with Django's own client, ``client.session["cart"] = [7]`` alone changes nothing: take the session,
    change it, save it. `login`, `force_login`, `logout` and their asynchronous forms use it too. With another
    ``SESSION_ENGINE`` it does what Django's client does.
    """

    cookies: Any

    @property
    def session(self) -> Any:
        """The session in the client's cookies; if there is none, a new one, which is saved."""
        if not uses_our_engine():
            return _django_session.fget(self)
        store = _store_of(self)
        if not _has_cookie(self):
            store.save()
        return store

    async def asession(self) -> Any:
        """Return the session in the client's cookies; if there is none, a new one, which is saved."""
        if not uses_our_engine():
            return await _django_asession(self)
        store = _store_of(self)
        if not _has_cookie(self):
            await store.asave()
        return store

    def _set_login_cookies(self, request: Any) -> None:
        # Under our middleware the session key is no cookie, and saving has set the cookies.
        if not getattr(request.session, "is_bound", False):
            _django_set_login_cookies(self, request)


class Client(SessionClientMixin, django_client.Client):
    """Django's test client, whose sessions write back to its cookies."""


class AsyncClient(SessionClientMixin, django_client.AsyncClient):
    """Django's asynchronous test client, whose sessions write back to its cookies."""


@final
class ClientJar:
    """The cookies of a test client. Implements `iron_wsgi.CookieJar`."""

    def __init__(self, client: Any) -> None:
        """Hold *client* and not its cookies, which a logout replaces."""
        self._client = client

    def read(self, name: str, /) -> Sequence[str]:
        """Return the value of the cookie *name*, if there is one."""
        morsel = self._client.cookies.get(name)
        return () if morsel is None else (morsel.value,)

    def send(self, outcome: Outcome, /) -> None:
        """Set and delete cookies, as a browser does."""
        response = HttpResponse()
        add_to_response(outcome, response)
        self._client.cookies.update(response.cookies)
        for cookie in outcome.cookies:
            if cookie.is_deletion:
                self._client.cookies.pop(cookie.name, None)


class _WritesBack:
    """A mixin for a session store whose key is the cookie: copies the key into the client's cookies.

    All methods that write or end a session call `save` or `delete`, the asynchronous ones too.
    """

    session_key: str | None
    client: Any

    def save(self, *arguments: Any, **options: Any) -> None:
        super().save(*arguments, **options)  # type: ignore[misc]  # the store's
        self._write_back()

    def delete(self, *arguments: Any, **options: Any) -> None:
        super().delete(*arguments, **options)  # type: ignore[misc]  # the same
        self._write_back()

    def _write_back(self) -> None:
        if self.session_key:
            self.client.cookies[settings.SESSION_COOKIE_NAME] = self.session_key
        else:
            self.client.cookies.pop(settings.SESSION_COOKIE_NAME, None)


def _store_of(client: Any) -> Any:
    """Return the session in *client*'s cookies, made as the site's middleware makes it."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    jar = ClientJar(client)
    if has_own_middleware():
        return store.bound_to(jar)
    values = jar.read(settings.SESSION_COOKIE_NAME)
    session = _writing_back(store)(*values)
    session.client = client
    return session


@cache
def _writing_back(store: type) -> Any:
    return type(store.__name__, (_WritesBack, store), {})


def _has_cookie(client: Any) -> bool:
    """Tell whether the client has a session cookie, or a first chunk of one."""
    name = settings.SESSION_COOKIE_NAME
    return any(any(ClientJar(client).read(one)) for one in (name, chunk_name(name, 0)))
