"""A plugin for pytest: the clients of pytest-django, whose ``session`` writes back to their cookies.

Switch it on with ``pytest_plugins = ["iron_wsgi_django.pytest"]`` in the conftest.py at the root of the
tests, or with ``pytest -p iron_wsgi_django.pytest``. It is never on by itself: a package that is merely
installed must not change anybody's fixtures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import pytest

if TYPE_CHECKING:
    from .test import AsyncClient, Client


def pytest_configure(config: pytest.Config) -> None:
    """Offer the fixtures.

    Of two fixtures of one name, pytest takes that of the later plugin. Only here all others are known, and
    pytest-django among them, in whatever way this one was switched on. A conftest.py still has the last word.
    """
    config.pluginmanager.register(_Clients(), "iron_wsgi_django clients")


@final
class _Clients:
    """The fixtures. The plain ones ask for their namesakes, which skip the test where there is no Django."""

    @pytest.fixture
    def client(self, client: object) -> Client:  # noqa: ARG002 - see above
        """Return a test client."""
        return _new_client()

    @pytest.fixture
    def async_client(self, async_client: object) -> AsyncClient:  # noqa: ARG002 - see above
        """Return an asynchronous test client."""
        return _new_async_client()

    @pytest.fixture
    def admin_client(self, admin_user: Any) -> Client:
        """Return a test client of its own that is signed in as a superuser."""
        client = _new_client()
        client.force_login(admin_user)
        return client

    @pytest.fixture
    def async_admin_client(self, admin_user: Any) -> AsyncClient:
        """Return an asynchronous test client of its own that is signed in as a superuser."""
        client = _new_async_client()
        client.force_login(admin_user)
        return client


# The clients need settings, which are not there yet when plugins are loaded.


def _new_client() -> Client:
    from .test import Client  # noqa: PLC0415 - see above

    return Client()


def _new_async_client() -> AsyncClient:
    from .test import AsyncClient  # noqa: PLC0415 - the same

    return AsyncClient()
