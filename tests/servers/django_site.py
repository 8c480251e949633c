"""A Django site whose visitors sign in here or in Node: what the tests put behind real servers.

Django is set up once in a process, so each site is a process. Its settings come as a Python literal in the
environment variable DJANGO_SITE, the time from the file that CLOCK names, if it does. Servers find the site
by its names, ``tests.servers.django_site:wsgi()`` and ``tests.servers.django_site:asgi``; as a program, this
module is waitress on the open socket whose number is its argument.
"""

from __future__ import annotations

import ast
import asyncio
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import waitress  # type: ignore[import-untyped]
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

PASSWORD: Final = "q3Vd0k7hXw9LmZt2sB5yRf8cJn4uPgE1aT6iKoQxY-0"
"""What the site seals with where its settings say nothing else."""

COOKIE: Final = "session"
OURS: Final = "iron_wsgi_django.middleware.SessionMiddleware"
STOCK: Final = "django.contrib.sessions.middleware.SessionMiddleware"
CONTRIB: Final = (
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "tests.servers.django_pages.SharedLogin",
)


def set_up() -> None:
    """Make the settings that the environment gives."""
    given = ast.literal_eval(os.environ.get("DJANGO_SITE", "{}"))
    session = {"password": PASSWORD, "serializer": "json", **given.pop("IRON_SESSION", {})}
    if "CLOCK" in os.environ:
        session["clock"] = lambda: float(Path(os.environ["CLOCK"]).read_text())
    own = {
        "SECRET_KEY": "site-Hn3Wq8Zs5Xk-Lr7Vb2Tm9Yc4Fp6Jd1Gu-of-tests",
        "ALLOWED_HOSTS": ["127.0.0.1"],
        "ROOT_URLCONF": "tests.servers.django_pages",
        "INSTALLED_APPS": [
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "iron_wsgi_django",
        ],
        "MIDDLEWARE": [OURS, *CONTRIB],
        "MESSAGE_STORAGE": "django.contrib.messages.storage.session.SessionStorage",
        "SESSION_ENGINE": "iron_wsgi_django.backend",
        "SESSION_COOKIE_NAME": COOKIE,
        "IRON_SESSION": {name: option for name, option in session.items() if option is not None},
        "USE_TZ": True,
    }
    settings.configure(**{**own, **given})


def wsgi() -> Any:
    """Return the site for servers that speak WSGI."""
    set_up()
    return get_wsgi_application()


def asgi() -> Any:
    """Return the site for servers that speak ASGI."""
    set_up()
    site = get_asgi_application()

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        loop: Any = asyncio.get_running_loop()
        if not isinstance(loop.run_in_executor, Hops):
            loop.run_in_executor = Hops(loop.run_in_executor)
        with loop.run_in_executor:
            await site(scope, receive, send)

    return counted


class Hops:
    """Stands before a loop's ``run_in_executor``, by which Django puts work into threads, and counts.

    Attributes:
        count: How often a thread was asked for.
        under_way: Requests that are not over yet.
    """

    def __init__(self, run_in_executor: Callable[..., Any]) -> None:
        self._run_in_executor = run_in_executor
        self.count = self.under_way = 0

    def __call__(self, *arguments: Any) -> Any:
        """Count, and go on as the loop would."""
        self.count += 1
        return self._run_in_executor(*arguments)

    def __enter__(self) -> None:
        """A request begins."""
        self.under_way += 1

    def __exit__(self, *_: object) -> None:
        """And is over."""
        self.under_way -= 1


def main(descriptor: str) -> None:
    """Serve the site on an open socket."""
    waitress.serve(wsgi(), sockets=[socket.socket(fileno=int(descriptor))], threads=2)


if __name__ == "__main__":
    main(*sys.argv[1:])
