"""A plugin for pytest: pytest-django's clients, whose ``session`` writes back to their cookies.

Switch it on with ``pytest_plugins = ["iron_wsgi_django.pytest"]`` in the conftest.py at the root of the
tests, or with ``pytest -p iron_wsgi_django.pytest``. It never switches itself on: an installed package must
not change other people's fixtures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import pytest

if TYPE_CHECKING:
    from .test import AsyncClient, Client


def pytest_configure(config: pytest.Config) -> None:
    """Register the fixtures after those of pytest-django.

    Of two fixtures with one name pytest takes the one of the later plugin. At this point all plugins are
    registered, pytest-django among them. A fixture in a conftest.py still replaces ours.
    """
    config.pluginmanager.register(_Clients(), "iron_wsgi_django clients")


@final
class _Clients:
    """The fixtures. They request pytest-django's fixtures, which skip the test where there is no Django."""

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
        """Return a new test client that is signed in as a superuser."""
        client = _new_client()
        client.force_login(admin_user)
        return client

    @pytest.fixture
    def async_admin_client(self, admin_user: Any) -> AsyncClient:
        """Return a new asynchronous test client that is signed in as a superuser."""
        client = _new_async_client()
        client.force_login(admin_user)
        return client


# The clients need settings, which do not exist yet when plugins are loaded.


def _new_client() -> Client:
    from .test import Client  # noqa: PLC0415 - see above

    return Client()


def _new_async_client() -> AsyncClient:
    from .test import AsyncClient  # noqa: PLC0415 - the same

    return AsyncClient()
