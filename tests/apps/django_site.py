"""The example with Django in a process of its own: Django's settings can be made only once in a process.

`Site` is a WSGI application here. It hands each request over to that process, where Django answers, by WSGI
or by ASGI, and the clock stands where the test wants it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from werkzeug.serving import make_server
from werkzeug.test import EnvironBuilder, run_wsgi_app
from werkzeug.wrappers import Request

from iron_wsgi.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from typing_extensions import Self

ROOT: Final = Path(__file__).resolve().parents[2]
PROJECT: Final = ROOT / "example_projects" / "django_site"
SEALED_UNDER: Final = "uX7-mQ2vLr9_Tn4KcYp8WzHs3BdEaJf6GiVo1Rk0"
SIGNED_UNDER: Final = "signs-the-links-of-these-tests-Zq7Xw3Lr9-cVfM4nKs8WbJ1yEd5Uh3Pg"
HOSTS: Final = "example.org 127.0.0.1"
USERS: Final = {"ada": "lovelace", "eve": "an apple a day", "grace": "nanoseconds"}
"""Who may sign in, with which password; all but Eve may use the admin."""
SAID: Final = "the site is ready"


def environment(folder: Path) -> dict[str, str]:
    """The environment of the site in production, whose users are in *folder*."""
    own = ("PYTHON", "DJANGO_", "DATABASE", "IRON_", "STATIC_ROOT")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return inherited | {
        "SECRET_KEY": SIGNED_UNDER,
        "IRON_SESSION_PASSWORD": SEALED_UNDER,
        "ALLOWED_HOSTS": HOSTS,
        "DATABASE": str(folder / "users.sqlite3"),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


class Process:
    """A process that runs this module. As a context manager it ends when the block is left."""

    def __init__(self, kind: str, folder: Path) -> None:
        """Start it as `main` says; *folder* is empty."""
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "tests.apps.django_site", kind],
                cwd=ROOT,
                env=environment(folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.said = self.read()

    def read(self) -> str:
        """Return the next line that it says."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"the site ended: {self._log.read_text()}"
        return line.strip()

    def write(self, line: str) -> None:
        """Say a line to it."""
        assert self._process.stdin
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    @property
    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text(encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)  # the end of its input is its own end


class Site(Process):
    """The site, as a WSGI application of this process.

    Attributes:
        clock: What the sessions of the next request go by.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        super().__init__(kind, folder)
        assert self.said == SAID
        self.clock = FakeClock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        asked = {
            "method": request.method,
            "address": environ["REQUEST_URI"],
            "base": f"{request.scheme}://{request.host}",
            "headers": list(request.headers),
            "body": base64.b64encode(request.get_data()).decode(),
            "at": self.clock(),
        }
        self.write(json.dumps(asked))
        answer = json.loads(self.read())
        start_response(f"{answer['status']} -", [(name, value) for name, value in answer["headers"]])
        return [base64.b64decode(answer["body"])]


# What runs in the process.


def by_wsgi(application: Any, asked: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """Ask a WSGI application."""
    environ = EnvironBuilder(
        asked["address"],
        asked["base"],
        method=asked["method"],
        headers=[tuple(header) for header in asked["headers"]],
        input_stream=BytesIO(body),
    ).get_environ()
    written, status, headers = run_wsgi_app(application, environ, buffered=True)
    return {"status": int(status.split()[0]), "headers": list(headers), "written": b"".join(written)}


async def by_asgi(application: Any, asked: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """Ask an ASGI application, as its specification of HTTP has it."""
    path, _, query = asked["address"].encode().partition(b"?")
    scheme, _, host = asked["base"].partition("://")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": asked["method"],
        "scheme": scheme,
        "path": unquote_to_bytes(path).decode(),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in asked["headers"]],
        "client": ("127.0.0.1", 1),
        "server": (host, 443),
    }
    waiting = [{"type": "http.request", "body": body}]
    answer: dict[str, Any] = {"written": b""}

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()  # the visitor stays
        return waiting.pop()

    async def send(event: dict[str, Any]) -> None:
        if event["type"] == "http.response.start":
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event["headers"]]
            answer.update(status=event["status"], headers=headers)
        answer["written"] += event.get("body", b"")

    await application(scope, receive, send)
    return answer


def set_up(clock: FakeClock | None) -> None:
    """Set the site up for production, with users, and sessions that go by *clock*."""
    sys.path.insert(0, str(PROJECT))
    os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
    from mysite import settings  # noqa: PLC0415 - it is found from here on

    if clock is not None:
        settings.IRON_SESSION["clock"] = clock
    # The real ones take half a second for each sign-in, on purpose.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

    import django  # noqa: PLC0415 - as late as the settings
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    django.setup()
    from django.contrib.auth.models import User  # noqa: PLC0415 - models come after the set-up

    call_command("migrate", verbosity=0)
    for name, password in USERS.items():
        make = User.objects.create_user if name == "eve" else User.objects.create_superuser
        make(name, password=password)
    connection.close()


def say(line: str) -> None:
    """Say a line to the process of the tests."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def serve_over_https() -> None:
    """Serve the site with a certificate of its own making, until the end of the input."""
    set_up(None)
    from django.contrib.staticfiles.handlers import StaticFilesHandler  # noqa: PLC0415 - after the set-up
    from mysite.wsgi import application  # noqa: PLC0415

    served = StaticFilesHandler(application)
    server = make_server("127.0.0.1", 0, served, threaded=True, ssl_context="adhoc")
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    say(f"https://127.0.0.1:{server.port}")
    sys.stdin.read()
    server.shutdown()
    serving.join()
    server.server_close()


def answer_lines(kind: str) -> None:
    """Answer requests that come in as lines of JSON, until the end of the input."""
    clock = FakeClock()
    if kind == "demo":
        from example_projects.django_site.demo import application  # noqa: PLC0415 - it sets Django up
    else:
        set_up(clock)
        if kind == "asgi":
            from mysite.asgi import application  # noqa: PLC0415
        else:
            from mysite.wsgi import application  # noqa: PLC0415
    say(SAID)
    loop = asyncio.new_event_loop()
    for line in sys.stdin:
        asked = json.loads(line)
        clock.now, body = asked["at"], base64.b64decode(asked["body"])
        if kind == "asgi":
            answer = loop.run_until_complete(by_asgi(application, asked, body))
        else:
            answer = by_wsgi(application, asked, body)
        answer["body"] = base64.b64encode(answer.pop("written")).decode()
        say(json.dumps(answer))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def main(kind: str) -> None:
    """Be the site: ``"wsgi"``, ``"asgi"`` or ``"demo"`` by lines, ``"https"`` on a port of this machine."""
    if kind == "https":
        serve_over_https()
    else:
        answer_lines(kind)


if __name__ == "__main__":
    main(sys.argv[1])
