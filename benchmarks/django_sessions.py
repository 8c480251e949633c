"""What a session costs a request of a Django site: ours, under either middleware, and Django's own."""

from __future__ import annotations

import json
import logging
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test.utils import override_settings
from django.urls import path
from werkzeug.test import create_environ

from .payloads import PASSWORD, SIZES, USER_ID, USUAL, data_of
from .report import Group, Line
from .timing import Effort, Timer, compare

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

LIMITS: Final = {"read": 1.3, "write": 1.2, "ignore": 1.0}

LEAST: Final = 1e-9  # seconds; a smaller difference cannot be told from none
COPIES: Final = 3  # of each site, since where its objects lie in memory makes half a microsecond
COOKIE: Final = "sessionid"
OTHERS: Final = "consent=yes; theme=dark; _ga=GA1.1.1234567890.1700000000"

OURS: Final = "iron_wsgi_django.middleware.SessionMiddleware"
STOCK: Final = "django.contrib.sessions.middleware.SessionMiddleware"
SEALED: Final = "iron_wsgi_django.backend"
DJANGOS: Final = "django.contrib.sessions.backends"

# In an order in which none follows its like, whose warm caches it would have.
SITES: Final[dict[str, dict[str, Any]]] = {
    "ours": {"MIDDLEWARE": [OURS], "SESSION_ENGINE": SEALED},
    "signed_cookies": {"MIDDLEWARE": [STOCK], "SESSION_ENGINE": f"{DJANGOS}.signed_cookies"},
    "stock": {"MIDDLEWARE": [STOCK], "SESSION_ENGINE": SEALED},
    "cached_db": {"MIDDLEWARE": [STOCK], "SESSION_ENGINE": f"{DJANGOS}.cached_db"},
    "null": {"MIDDLEWARE": [f"{__name__}.null_middleware"]},
}


def goals(effort: Effort) -> Iterator[Group]:
    """Measure sites with our middleware."""
    with _sites():
        for verb, limit in LIMITS.items():
            named = "untouched" if verb == "ignore" else verb
            yield Group(
                title=f"Django: {named}, of what signed_cookies adds",
                lines=list(_by_size(verb, limit, effort)),
            )


def groups(effort: Effort) -> Iterator[Group]:
    """Measure sites with Django's own middleware, and ours beside ``cached_db``."""
    with _sites():
        yield Group(
            title="Django: what the session adds to a request, with Django's own middleware",
            lines=list(_stock(effort)),
        )
        yield Group(
            title="Django: what the session adds to a request, with our middleware and beside cached_db",
            lines=list(_cached(effort)),
        )


@contextmanager
def _sites() -> Iterator[None]:
    # Nothing that is said of cookies is to stand among the figures.
    logging.getLogger("iron_wsgi").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        set_up(Path(folder))
        yield
        connection.close()


def null_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Give every request the same dict, which nobody reads from a cookie or saves: the zero."""
    session = data_of(USUAL)

    def middleware(request: HttpRequest) -> Any:
        request.session = session
        return get_response(request)

    return middleware


def fill(request: HttpRequest) -> HttpResponse:
    """Fill the session, and tell what it holds."""
    request.session.update(json.loads(request.body))
    return JsonResponse(dict(request.session.items()))


def ignore(_request: HttpRequest) -> HttpResponse:
    """Leave the session alone."""
    return HttpResponse("ok")


def read(request: HttpRequest) -> HttpResponse:
    """Read a nested value."""
    return HttpResponse("ok" if request.session["user"]["id"] == USER_ID else "not read")


def write(request: HttpRequest) -> HttpResponse:
    """Write another value."""
    request.session["visits"] = request.session["visits"] + 1
    return HttpResponse("ok")


urlpatterns = [path("fill", fill), path("ignore", ignore), path("read", read), path("write", write)]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request, and the session that comes with it.

    Attributes:
        path: What is asked for: ``/ignore``, ``/read`` or ``/write``.
        size: Octets of the data that the session holds as JSON; None for a visitor without a session.
        others: Other cookies, as the header has them.
        saves_all: Every request saves its session.
    """

    path: str
    size: int | None = None
    others: str = ""
    saves_all: bool = False

    def timer(self, name: str) -> Timer:
        """Return what times a site of `SITES` that answers such requests."""
        # Settings are one for the process, so each site has its own while its turn lasts.
        own = {**SITES[name], "SESSION_SAVE_EVERY_REQUEST": self.saves_all}
        with override_settings(**own):
            handler = WSGIHandler()
            environ = self._environ(handler, name)
            text, cookies = answer_of(handler, environ)
        is_written = (self.path == "/write" or self.saves_all) and name != "null"
        if text != "ok" or (COOKIE in cookies) is not is_written:
            msg = f"{name} answered {self} with {text!r} and {cookies!r}"
            raise AssertionError(msg)

        def start_response(_status: str, _headers: list[tuple[str, str]], _exc_info: Any = None, /) -> Any:
            return None

        def answer() -> None:
            body: Any = handler(environ.copy(), start_response)
            for _ in body:
                pass
            body.close()

        # Processor time: nothing here waits, and a difference of times suffers more than others where the
        # machine is busy.
        timer = timeit.Timer(answer, timer=time.process_time).timeit

        def turn(calls: int) -> float:
            with override_settings(**own):
                answer()  # what is made once is made here
                return timer(calls)

        return turn

    def _environ(self, handler: WSGIHandler, name: str) -> WSGIEnvironment:
        cookies = self.others
        if self.size is not None:
            data = data_of(self.size)
            made = create_environ("/fill", base_url="https://localhost/", method="POST", json=data)
            text, given = answer_of(handler, made)
            if name != "null" and (json.loads(text) != data or not given.get(COOKIE)):
                msg = f"{name} did not keep the session"
                raise AssertionError(msg)
            cookies = f"{COOKIE}={given.get(COOKIE, '')}"
        headers = {"Cookie": cookies} if cookies else {}
        return create_environ(self.path, base_url="https://localhost/", headers=headers)


def answer_of(handler: WSGIHandler, environ: WSGIEnvironment) -> tuple[str, dict[str, str]]:
    """Return the text of a response, and its cookies."""
    headers: list[tuple[str, str]] = []

    def start_response(_status: str, given: list[tuple[str, str]], _exc_info: Any = None, /) -> Any:
        headers.extend(given)

    body: Any = handler(environ.copy(), start_response)
    text = b"".join(body).decode()
    body.close()
    pairs = [value.partition(";")[0].partition("=") for name, value in headers if name == "Set-Cookie"]
    return text, {name.strip(): value for name, _, value in pairs}


def set_up(folder: Path) -> None:
    """Make the settings that all sites share, and the table of Django's sessions."""
    if not settings.configured:  # another part may have made some
        settings.configure()
    database = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(folder / "sessions.sqlite3"),
        "CONN_MAX_AGE": None,
    }
    settings.SECRET_KEY = PASSWORD
    settings.ALLOWED_HOSTS = ["localhost"]
    settings.ROOT_URLCONF = __name__
    settings.INSTALLED_APPS = ["django.contrib.sessions"]
    settings.DATABASES = {"default": database}
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    settings.SESSION_COOKIE_SECURE = True
    settings.USE_TZ = True
    django.setup()
    connection.settings_dict["NAME"] = database["NAME"]  # another part may have had another
    from django.contrib.sessions.models import Session  # noqa: PLC0415 - needs the settings

    with connection.schema_editor() as editor:
        editor.create_model(Session)


def _by_size(verb: str, limit: float, effort: Effort) -> Iterator[Line]:
    for size in SIZES:
        visit = Visit(path=f"/{verb}", size=size)
        yield _added(f"{size:,} octets", visit, effort, limit=limit if size == USUAL else None)


def _stock(effort: Effort) -> Iterator[Line]:
    for verb in LIMITS:
        visit = Visit(path=f"/{verb}", size=USUAL)
        yield _added(f"{verb} {USUAL:,} octets", visit, effort, ours="stock")


def _cached(effort: Effort) -> Iterator[Line]:
    for verb in LIMITS:
        visit = Visit(path=f"/{verb}", size=USUAL)
        yield _added(f"{verb} {USUAL:,} octets", visit, effort, theirs="cached_db")
    others = Visit(path="/ignore", others=OTHERS)
    yield _added("other cookies only", others, effort, theirs="cached_db")
    visit = Visit(path="/ignore", size=USUAL, saves_all=True)
    yield _added(f"{USUAL:,} octets, SESSION_SAVE_EVERY_REQUEST=True", visit, effort, theirs="cached_db")


def _added(
    what: str,
    visit: Visit,
    effort: Effort,
    *,
    limit: float | None = None,
    ours: str = "ours",
    theirs: str = "signed_cookies",
) -> Line:
    """Return the line of one request, from times measured together and less the same zero."""
    names, copies = (ours, theirs, "null"), range(COPIES if effort.turn else 1)
    timers = {f"{name} {copy}": visit.timer(name) for copy in copies for name in names}
    # In a turn that is long beside what it takes CPython to specialise its bytecode for the site at hand.
    seconds = compare(timers, replace(effort, turn=2.5 * effort.turn, share=effort.share / 2))
    least = {name: min(seconds[f"{name} {copy}"] for copy in copies) for name in names}
    return Line(
        what=what,
        ours=max(least[ours] - least["null"], LEAST),
        against=theirs,
        theirs=max(least[theirs] - least["null"], LEAST),
        limit=limit,
    )
