"""Test clients whose ``session`` writes back to their cookies, since there the session is.

Django's own ``client.session`` is right where a cookie holds a key to the data: what is saved under the key
is found again. Here a save makes another cookie, of which Django's client never learns.
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
from .installed import has_our_engine
from .middleware import apply

# As Django made them: a test suite may put this module's in their place.
_django_session: Any = django_client.ClientMixin.session
_django_asession: Any = django_client.ClientMixin.asession
_django_set_login_cookies: Any = django_client.ClientMixin._set_login_cookies  # noqa: SLF001 - part of login()


class SessionClientMixin:
    """Goes before Django's test client, or one that is derived from it, among the bases of a class.

    As with Django's own client, ``client.session["cart"] = [7]`` alone changes nothing: take the session,
    change it, save it. `login`, `force_login`, `logout` and their asynchronous forms build on it. Where
    ``SESSION_ENGINE`` is not this package's, all is as Django has it.
    """

    cookies: Any

    @property
    def session(self) -> Any:
        """The session that the cookies hold; if they hold none, a new one, saved."""
        if not has_our_engine():
            return _django_session.fget(self)
        store = _store_of(self)
        if not _has_cookie(self):
            store.save()
        return store

    async def asession(self) -> Any:
        """Return the session that the cookies hold; if they hold none, a new one, saved."""
        if not has_our_engine():
            return await _django_asession(self)
        store = _store_of(self)
        if not _has_cookie(self):
            await store.asave()
        return store

    def _set_login_cookies(self, request: Any) -> None:
        # Under our middleware the session key is no cookie, and the save has set those that are needed.
        if not getattr(request.session, "is_bound", False):
            _django_set_login_cookies(self, request)


class Client(SessionClientMixin, django_client.Client):
    """Django's test client, whose sessions write back to its cookies."""


class AsyncClient(SessionClientMixin, django_client.AsyncClient):
    """Django's asynchronous test client, whose sessions write back to its cookies."""


@final
class ClientJar:
    """The cookies of a test client as a session sees them. Implements `iron_wsgi.CookieJar`."""

    def __init__(self, client: Any) -> None:
        """Hold *client*, not its cookies: a logout gives it others."""
        self._client = client

    def read(self, name: str, /) -> Sequence[str]:
        """Return the value sent under *name*, if there is one."""
        morsel = self._client.cookies.get(name)
        return () if morsel is None else (morsel.value,)

    def send(self, outcome: Outcome, /) -> None:
        """Set and drop cookies, as a browser would."""
        response = HttpResponse()
        apply(outcome, response)
        self._client.cookies.update(response.cookies)
        for cookie in outcome.cookies:
            if cookie.is_deletion:
                self._client.cookies.pop(cookie.name, None)


class _WritesBack:
    """Goes before a session store whose key is the cookie: keeps the client's cookie the same.

    All that writes or ends a session comes by `save` and `delete`, the asynchronous methods too.
    """

    session_key: str | None
    client: Any

    def save(self, *arguments: Any, **options: Any) -> None:
        super().save(*arguments, **options)  # type: ignore[misc]  # of the store
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
    """Return the session of *client*'s cookies, bound to them in the way that the middleware has."""
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
    """Tell whether there is any cookie of the session, the whole or a first part."""
    name = settings.SESSION_COOKIE_NAME
    return any(any(ClientJar(client).read(one)) for one in (name, chunk_name(name, 0)))
