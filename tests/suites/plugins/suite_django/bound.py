"""What Django asks of every session engine, asked of the session that our middleware gives to a request.

Other engines find a session by its key. This one finds it among the cookies of a browser, and its key is a
short id; so here a key stands for the browser that holds the cookies of the session that has it.
"""

from __future__ import annotations

from django.conf import settings
from django.test import SimpleTestCase
from sessions_tests.tests import SessionTestsMixin

from iron_wsgi.testing import DictJar
from iron_wsgi_django.backend import SessionStore


class RequestTests(SessionTestsMixin, SimpleTestCase):
    """Django's tests of an engine, unchanged."""

    def setUp(self) -> None:
        """Forget the browsers of other tests."""
        self._jars: dict[SessionStore, DictJar] = {}
        super().setUp()

    def backend(self, session_key: str | None = None) -> SessionStore:
        """Return the session of a next request from the browser that *session_key* stands for."""
        cookies = {settings.SESSION_COOKIE_NAME: session_key} if session_key else {}
        for store, jar in self._jars.items():
            if session_key and store.session_key == session_key:
                cookies = jar.cookies
        jar = DictJar(cookies)
        store = SessionStore.bound_to(jar)
        self._jars[store] = jar
        return store
