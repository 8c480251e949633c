"""The site under gunicorn with two worker processes, which share the password and nothing else."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import pytest

from tests.interop.peers import Peers
from tests.interop.test_live_flask import Member
from tests.parts import program

from .flask_site import COOKIE, PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytestmark = pytest.mark.servers

ROOT: Final = Path(__file__).parents[2]
WORKERS: Final = 2
VISITORS: Final = 200
AT_ONCE: Final = 24  # requests under way; the workers have 8 threads, so some always wait in line
WITHIN: Final = 30.0  # seconds for anything to happen

T = TypeVar("T")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Gunicorn:
    """A running server."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def member(self, **sites: str) -> Member:
        """Return a new visitor."""
        return Member({"flask": self.address, **sites})

    def workers(self, *, without: frozenset[int] = frozenset()) -> frozenset[int]:
        """Wait until all workers answer, and none of *without*; return their process ids."""
        answering: set[int] = set()

        def is_complete() -> bool:
            members = [self.member() for _ in range(AT_ONCE)]
            try:
                answers = at_once(lambda member: member.ask("flask", "/worker"), members)
            except OSError:  # a worker that leaves may drop what it has accepted and not yet read
                return False
            answering.clear()
            answering.update(answer["worker"] for answer in answers)
            return len(answering) == WORKERS and answering.isdisjoint(without)

        until(is_complete)
        return frozenset(answering)

    def send(self, signal_number: signal.Signals) -> None:
        """Tell the server something, and wait until it has heard it."""
        heard = f"Handling signal: {signal_number.name.removeprefix('SIG').lower()}"
        self.process.send_signal(signal_number)
        until(lambda: heard in self.log.read_text())


def until(happened: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    give_up_at = time.monotonic() + WITHIN
    while not happened():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def is_running(process: int) -> bool:
    """Tell whether there is such a process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def at_once(call: Callable[[T], Result], over: Iterable[T]) -> list[Result]:
    """Call it for each, many at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(call, over))


@pytest.fixture
def gunicorn(tmp_path: Path) -> Iterator[Gunicorn]:
    """The site under gunicorn, stopped by its process id."""
    log = tmp_path / "gunicorn.log"
    # The socket is ours: its port is known at once, and who comes before the workers waits in line.
    with socket.create_server(("127.0.0.1", 0), backlog=VISITORS) as listener, log.open("wb") as output:
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "--no-control-socket",
            f"--bind=fd://{listener.fileno()}",
        ]
        process = subprocess.Popen(
            [*command, f"--workers={WORKERS}", "--threads=4", "tests.servers.flask_site:create_app()"],
            cwd=ROOT,
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Gunicorn(f"http://127.0.0.1:{listener.getsockname()[1]}", process, log)
        finally:
            process.terminate()
            try:
                process.wait(WITHIN)
            finally:
                process.kill()
                process.wait()
        assert "Traceback" not in log.read_text()


@contextmanager
def request_under_way(member: Member, pipe: Path) -> Iterator[Callable[[], dict[str, int]]]:
    """Hold a request of *member* in the middle of its view; yield what lets it go and returns the answer."""
    os.mkfifo(pipe)
    gates: list[int] = []

    def is_waiting() -> bool:
        try:  # this end opens as soon as the view holds the other
            gates.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    def let_go() -> dict[str, int]:
        while gates:
            os.close(gates.pop())
        answer: dict[str, int] = answered.result(WITHIN)
        return answer

    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(member.ask, "flask", "/wait", pipe=str(pipe))
        try:
            until(is_waiting)
            yield let_go
        finally:
            let_go()


@pytest.mark.needs("node")
def test_two_hundred_visitors_at_once_whom_node_signed_in_each_have_their_own_session(
    gunicorn: Gunicorn,
) -> None:
    with Peers(program("node")) as peers:
        options = {"cookieName": COOKIE, "password": PASSWORD, "cookieOptions": {"secure": False}}
        port = peers.value("listen", peer="iron-session-9", options=options)
        members = [gunicorn.member(node=f"http://127.0.0.1:{port}") for _ in range(VISITORS)]
        at_once(lambda pair: pair[1].sign_in("node", pair[0]), enumerate(members))
        gunicorn.workers()

        answered_by = set()
        for visit in range(1, 6):
            answers = at_once(lambda member: member.ask("flask", "/count", again=True), members)
            assert [answer["user"] for answer in answers] == list(range(VISITORS))
            assert {answer["count"] for answer in answers} == {visit}
            answered_by |= {answer["worker"] for answer in answers}
        assert len(answered_by) == WORKERS

        seen = at_once(lambda member: member.read("node"), members)
        assert seen == [{"user": {"id": number}, "visits": {"count": 5}} for number in range(VISITORS)]
        assert len({member.seal for member in members}) == VISITORS


def test_workers_that_are_replaced_leave_every_session_as_it_is(gunicorn: Gunicorn) -> None:
    members = [gunicorn.member() for _ in range(AT_ONCE)]
    at_once(lambda pair: pair[1].sign_in("flask", pair[0]), enumerate(members))
    at_once(lambda member: member.ask("flask", "/count", again=True), members)
    first = gunicorn.workers()
    gunicorn.send(signal.SIGHUP)
    second = gunicorn.workers(without=first)
    for worker in second:
        os.kill(worker, signal.SIGKILL)  # a crash
    until(lambda: not any(map(is_running, second)))
    third = gunicorn.workers(without=first | second)

    answers = at_once(lambda member: member.ask("flask", "/count", again=True), members)
    assert [answer["user"] for answer in answers] == list(range(AT_ONCE))
    assert {answer["count"] for answer in answers} == {2}
    assert {answer["worker"] for answer in answers} <= third


def test_a_request_under_way_when_the_workers_are_replaced_still_saves_its_session(
    gunicorn: Gunicorn, tmp_path: Path
) -> None:
    member = gunicorn.member()
    member.sign_in("flask", 7)
    first = gunicorn.workers()
    with request_under_way(member, tmp_path / "gate") as let_go:
        gunicorn.send(signal.SIGHUP)
        second = gunicorn.workers(without=first)
        answer = let_go()
    assert (answer["user"], answer["count"]) == (7, 1)
    assert answer["worker"] in first
    again = member.ask("flask", "/count", again=True)
    assert (again["user"], again["count"]) == (7, 2)
    assert again["worker"] in second


def test_a_request_under_way_when_the_server_is_stopped_still_saves_its_session(
    gunicorn: Gunicorn, tmp_path: Path
) -> None:
    member = gunicorn.member()
    member.sign_in("flask", 7)
    before = member.seal
    with request_under_way(member, tmp_path / "gate") as let_go:
        gunicorn.send(signal.SIGTERM)
        answer = let_go()
    assert (answer["user"], answer["count"]) == (7, 1)
    assert member.seal != before
    assert gunicorn.process.wait(WITHIN) == 0
