"""Requests per second of a Flask application under gunicorn: with our session, Flask's own, and none."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from . import flask_sessions
from .flask_sessions import INTERFACES
from .payloads import USUAL, data_of
from .report import Group, Line
from .timing import Effort, Timer, compare

if TYPE_CHECKING:
    from flask import Flask

ROOT: Final = Path(__file__).parent.parent
WORKERS: Final = 2
GRACE: Final = 10  # seconds for a server to end
NAMES: Final = ("ours", "theirs", "null")
VIEWS: Final = {
    "a session of 1000 octets, not touched": "/ignore",
    "read": "/read",
    "written": "/write",
}


def groups(effort: Effort) -> Iterator[Group]:
    """Measure the servers in turns; lines without figures where there is no gunicorn."""
    title = (
        f"gunicorn with {WORKERS} sync workers: time per request of a Flask application (ratio: of speeds)"
    )
    if importlib.util.find_spec("gunicorn") is None:
        lines = [Line(what=what, ours=None, against="Flask's own", theirs=None) for what in VIEWS]
        yield Group(title=title, lines=lines, note="To measure these: `pip install gunicorn`.")
        return
    # Rounds of requests, not of calls: what passes between three processes varies more.
    effort = replace(effort, turn=100 * effort.turn, share=8 * effort.share)
    with _generator() as generator, ExitStack() as servers:
        ports = {name: servers.enter_context(_server(name)) for name in NAMES}
        lines = [
            line for what, path in VIEWS.items() for line in _lines(what, path, ports, generator, effort)
        ]
    yield Group(title=title, lines=lines, note=generator.note)


def site(name: str) -> Flask:
    """Return the application that gunicorn serves."""
    logging.getLogger("iron_wsgi").setLevel(logging.ERROR)
    return flask_sessions.site_with(INTERFACES[name]())


@final
class Generator:
    """The process that asks; see `benchmarks.load`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Speak to *process*."""
        self._process = process
        self._seconds = self._busy = 0.0

    @property
    def note(self) -> str:
        """What limits the figures."""
        return (
            f"Servers and load generator share {os.cpu_count()} processors; "
            f"the generator was at work for {self._busy / max(self._seconds, 1e-9):.0%} of the time of one."
        )

    def timer(self, port: int, request: str) -> Timer:
        """Return what times a number of requests."""

        def time(calls: int) -> float:
            stdin, stdout = self._process.stdin, self._process.stdout
            if stdin is None or stdout is None:
                raise AssertionError
            stdin.write(json.dumps({"port": port, "request": request, "calls": calls}) + "\n")
            stdin.flush()
            answer = stdout.readline()
            if not answer:
                msg = "the load generator ended"
                raise RuntimeError(msg)
            took = json.loads(answer)
            self._seconds += took["seconds"]
            self._busy += took["busy"]
            return float(took["seconds"])

        return time


def _lines(
    what: str, path: str, ports: dict[str, int], generator: Generator, effort: Effort
) -> Iterator[Line]:
    timers = {}
    for name, port in ports.items():
        cookie = flask_sessions.cookie_of(site(name), data_of(USUAL))
        head = [f"GET {path} HTTP/1.1", "Host: localhost", f"Cookie: {cookie}", "Connection: close"]
        timers[name] = generator.timer(port, "\r\n".join([*head, "", ""]))
    seconds = compare(timers, effort)
    for name, against in (("theirs", "Flask's own"), ("null", "no session")):
        yield Line(
            what=what,
            ours=seconds["ours"],
            against=against,
            theirs=seconds[name],
            kind="speed",
        )


@contextmanager
def _generator() -> Iterator[Generator]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            yield Generator(process)
        finally:
            process.kill()


@contextmanager
def _server(name: str) -> Iterator[int]:
    """Serve the application of *name* and yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        command = [sys.executable, "-m", "gunicorn", f"benchmarks.gunicorn:site({name!r})"]
        options = [f"--bind=fd://{number}", f"--workers={WORKERS}", "--worker-class=sync"]
        # Else it leaves a socket, by which it can be commanded, in the home directory.
        options += ["--no-control-socket", "--log-level=error"]
        process = subprocess.Popen(
            [*command, *options],
            cwd=ROOT,
            pass_fds=[number],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield listener.getsockname()[1]
        finally:
            # The group: its workers end with it, even if it has to be killed.
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(GRACE)
