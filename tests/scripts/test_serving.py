"""What `scripts/demo` starts: `example_projects/serve.py`."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from .machine import ENDS_WITHIN, ROOT, Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow("each starts a server")

HOST = "127.0.0.1"


@contextmanager
def _serving(machine: Machine, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """A demo that runs: its process, the leader of a group, its port, and what it said at its start."""
    process = subprocess.Popen(
        machine.command("demo", *arguments),
        env=machine.environment | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, f"it ended after saying: {said}"
            said += line
        address = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
        assert address, said
        yield process, int(address[1]), said
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=ENDS_WITHIN)


def _status(port: int) -> int:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    finally:
        connection.close()


@contextmanager
def _held_port() -> Iterator[int]:
    """A port that is taken."""
    with socket.socket() as held:
        held.bind((HOST, 0))
        held.listen()
        yield held.getsockname()[1]


@contextmanager
def _first_port_taken() -> Iterator[None]:
    """Port 8000 is taken, by us where nobody else has it."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind((HOST, 8000))
            held.listen()
        except OSError:
            pass
        yield


def test_it_says_where_it_listens_and_which_account_there_is(machine: Machine) -> None:
    with _serving(machine, "--port", "0") as (_, port, said):
        assert _status(port) == 200
        assert "Sign in as ada with the password lovelace." in said


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stopping_it_leaves_no_process_and_no_port(machine: Machine, stop: signal.Signals) -> None:
    with _serving(machine, "--port", "0") as (process, port, _):
        waiting = socket.create_connection((HOST, port))  # as a browser keeps one open
        os.killpg(process.pid, stop)
        assert process.wait(timeout=ENDS_WITHIN) == 0
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
        waiting.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port))


def test_a_signal_to_the_command_alone_stops_the_server(machine: Machine) -> None:
    with _serving(machine, "--port", "0") as (process, port, _):
        process.terminate()
        assert process.wait(timeout=ENDS_WITHIN) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port))


def test_it_listens_on_this_machine_only(machine: Machine) -> None:
    with _serving(machine, "--port", "0") as (_, port, _), socket.socket() as other:
        # Every address of 127.0.0.0/8 is this machine; a server on all of them would hold this one too.
        other.bind(("127.0.0.2", port))


def test_it_takes_the_next_port_where_the_first_is_taken(machine: Machine) -> None:
    with _first_port_taken(), _serving(machine) as (_, port, _):
        assert 8000 < port < 8100
        assert _status(port) == 200


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(machine: Machine) -> None:
    with _held_port() as port:
        run = machine.run("demo", "--check", "--port", str(port))
    assert run.returncode == 1
    assert f"Port {port} on {HOST}: Address already in use." in run.stderr


def test_a_check_fetches_the_page_says_what_came_and_ends(machine: Machine) -> None:
    run = machine.run("demo", "wsgi", "--check", "--port", "0")
    assert run.returncode == 0
    assert "GET / answered 200 OK: text/html" in run.stdout
    assert "Its title: Playground" in run.stdout


def test_a_check_fails_where_the_demo_does(machine: Machine) -> None:
    app = machine.checkout / "example_projects" / "wsgi_playground" / "app.py"
    app.write_text(app.read_text().replace("return [", "return 1 / 0, ["))
    run = machine.run("demo", "--check", "--port", "0")
    assert run.returncode == 1
    assert "GET / answered 500" in run.stdout


@pytest.mark.parametrize(
    ("demo", "project", "title"),
    [("flask", "flask_login", "iron_wsgi with Flask"), ("django", "django_site", "iron_wsgi with Django")],
)
def test_a_frameworks_demo_is_found_and_so_is_the_package_that_has_its_name(
    machine: Machine, demo: str, project: str, title: str
) -> None:
    for name in ("iron_wsgi", f"iron_wsgi_{demo}", f"example_projects/{project}"):
        shutil.copytree(ROOT / name, machine.checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    run = machine.run("demo", demo, "--check", "--port", "0")
    assert run.returncode == 0, run.stderr
    assert "GET / answered 200 OK: text/html" in run.stdout
    assert f"Its title: Start · {title}" in run.stdout


@pytest.mark.parametrize("words", [["rails"], ["--port", "many"], ["--port", "65536"], ["--port"]])
def test_a_command_line_that_makes_no_sense_is_answered_with_the_usage(
    machine: Machine, words: list[str]
) -> None:
    run = machine.run("demo", *words)
    assert run.returncode == 2
    assert "usage: scripts/demo" in run.stderr
