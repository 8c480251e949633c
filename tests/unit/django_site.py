"""A Django site whose page does what the test says, and the browsers that visit it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import AsyncClient, Client, RequestFactory
from django.test.utils import override_settings
from django.urls import path

from iron_wsgi.testing import FakeClock

from . import django_project
from .visitor import PASSWORD

django_project.set_up()

OURS: Final = django_project.OURS
STOCK: Final = django_project.STOCK
ENGINE: Final = "iron_wsgi_django.backend"
NAME: Final = "sessionid"

Use = Callable[[HttpRequest], Any]
T = TypeVar("T")


def look_away(_: HttpRequest) -> None:
    """Do nothing with the session."""


def put(**data: Any) -> Use:
    """Write *data* into the session."""
    return lambda request: request.session.update(data)


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that waits for nothing: no thread, no loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    msg = "it waited for something"
    raise AssertionError(msg)


class Site:
    """One site, and one browser that keeps its cookies.

    Attributes:
        settings: What holds while a request is answered.
        client: The browser.
        is_async: Whether requests come by ASGI.
    """

    current: Use = staticmethod(look_away)

    def __init__(
        self, clock: FakeClock, *, middleware: str = OURS, is_async: bool = False, **settings: Any
    ) -> None:
        options = {"password": PASSWORD, "clock": clock, **settings.pop("IRON_SESSION", {})}
        self.settings = {
            "ROOT_URLCONF": __name__,
            "MIDDLEWARE": [middleware],
            "SESSION_ENGINE": ENGINE,
            "IRON_SESSION": options,
            **settings,
        }
        self.is_async = is_async
        self.client: Any = AsyncClient() if is_async else Client()

    def visit(self, use: Use = look_away, **request: Any) -> Any:
        """Ask for the page, on which *use* gets the request; answered is what it returns, if anything."""
        Site.current = staticmethod(use)
        with self.holds():
            get = async_to_sync(self.client.get) if self.is_async else self.client.get
            return get("/", **request)

    def holds(self) -> override_settings:
        """The settings, to be entered."""
        return override_settings(**self.settings)

    def request(self, cookie: str = "", **given: Any) -> HttpRequest:
        """A request that no middleware has seen."""
        headers = {"cookie": cookie} if cookie else {}
        return RequestFactory().get("/", headers=headers, **given)

    def finds(self) -> dict[str, Any]:
        """The data that a request would find now."""
        found: list[dict[str, Any]] = []
        self.visit(lambda request: found.append(dict(request.session.items())))
        return found[0]

    def keep(self, value: str, name: str = NAME) -> None:
        """Have the browser hold a cookie."""
        self.client.cookies[name] = value

    @property
    def value(self) -> str:
        """The session's cookie, as the browser holds it; empty for none."""
        morsel = self.client.cookies.get(NAME)
        return "" if morsel is None else str(morsel.value)


def lines(response: HttpResponseBase) -> list[str]:
    """The Set-Cookie lines."""
    return [morsel.OutputString() for morsel in response.cookies.values()]


def line(response: HttpResponseBase) -> str:
    """The one Set-Cookie line."""
    (only,) = lines(response)
    return only


def names(response: HttpResponseBase) -> list[tuple[str, str]]:
    """The cookies of a response, and whether each is set or deleted."""
    cookies = response.cookies.values()
    return sorted((one.key, "deleted" if one["max-age"] == 0 else "set") for one in cookies)


def page(request: HttpRequest) -> HttpResponseBase:
    """The page."""
    given = Site.current(request)
    return given if isinstance(given, HttpResponseBase) else HttpResponse("ok")


urlpatterns = [path("", page)]
