"""The site of Django under gunicorn with two worker processes, and under uvicorn, which speaks ASGI."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.interop.peers import Peers
from tests.interop.test_live_flask import Member
from tests.parts import program

from .django_site import CONTRIB, COOKIE, OURS, PASSWORD, STOCK
from .test_flask_gunicorn import ROOT, VISITORS, WITHIN, WORKERS, at_once, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers

PARALLEL: Final = 64
SERVERS: Final[dict[str, list[str]]] = {
    "gunicorn": [
        "gunicorn",
        "--no-control-socket",
        "--bind=fd://{fd}",
        f"--workers={WORKERS}",
        "--threads=4",
        "tests.servers.django_site:wsgi()",
    ],
    "uvicorn": [
        "uvicorn",
        "--fd={fd}",
        "--factory",
        "--lifespan=off",
        "--log-level=warning",
        "tests.servers.django_site:asgi",
    ],
}
PROCESSES: Final = {"gunicorn": WORKERS, "uvicorn": 1}


@contextmanager
def serving(server: str, folder: Path, **settings: Any) -> Iterator[str]:
    """Run the site with these settings under a server; yield its address, and stop it by its process id."""
    log = folder / f"{server}.log"
    # The socket is ours: its port is known at once, and who comes before the workers waits in line.
    with socket.create_server(("127.0.0.1", 0), backlog=VISITORS) as listener, log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *(part.format(fd=listener.fileno()) for part in SERVERS[server])],
            cwd=ROOT,
            env={**os.environ, "DJANGO_SITE": repr(settings)},
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            process.terminate()
            try:
                process.wait(WITHIN)
            finally:
                process.kill()
                process.wait()
    assert "Traceback" not in log.read_text()


def workers(address: str) -> frozenset[int]:
    """Return the process ids of those who answer now."""
    members = [Member({"django": address}) for _ in range(24)]
    return frozenset(
        answer["worker"] for answer in at_once(lambda one: one.ask("django", "/aplain"), members)
    )


@pytest.fixture(scope="module")
def peers() -> Iterator[Peers]:
    """Node."""
    with Peers(program("node")) as running:
        yield running


@pytest.mark.needs("node")
@pytest.mark.parametrize("middleware", [OURS, STOCK], ids=["ours", "stock"])
@pytest.mark.parametrize("server", SERVERS)
def test_two_hundred_visitors_at_once_whom_node_signed_in_each_have_their_own_session(
    server: str, middleware: str, peers: Peers, tmp_path: Path
) -> None:
    options = {"cookieName": COOKIE, "password": PASSWORD, "cookieOptions": {"secure": False}}
    node = f"http://127.0.0.1:{peers.value('listen', peer='iron-session-9', options=options)}"
    with serving(server, tmp_path, MIDDLEWARE=[middleware, *CONTRIB]) as django:
        members = [Member({"django": django, "node": node}) for _ in range(VISITORS)]
        at_once(lambda pair: pair[1].sign_in("node", pair[0]), enumerate(members))
        until(lambda: len(workers(django)) == PROCESSES[server])

        answered_by = set()
        pages = ["/count", "/acount", "/count", "/acount"]
        for visit, page in enumerate(pages, start=1):
            answers = at_once(lambda member, page=page: member.ask("django", page), members)
            assert [answer["user"] for answer in answers] == list(range(VISITORS))
            assert {answer["count"] for answer in answers} == {visit}
            answered_by |= {answer["worker"] for answer in answers}
        assert len(answered_by) == PROCESSES[server]

        for number, shown in enumerate(at_once(lambda member: member.read("node"), members)):
            shown.pop("_iron", None)
            assert shown == {"user": {"id": number}, "visits": {"count": len(pages)}}
        assert len({member.seal for member in members}) == VISITORS


def test_what_django_signed_in_by_one_worker_every_worker_knows(tmp_path: Path) -> None:
    with serving("gunicorn", tmp_path) as django:
        until(lambda: len(workers(django)) == WORKERS)
        members = [Member({"django": django}) for _ in range(PARALLEL)]
        at_once(lambda pair: pair[1].sign_in("django", pair[0]), enumerate(members))
        keys = at_once(lambda member: member.ask("django", "/key")["session_key"], members)
        assert len(set(keys)) == PARALLEL
        for _ in range(3):
            assert at_once(lambda member: member.who("django"), members) == list(range(PARALLEL))
            assert at_once(lambda member: member.ask("django", "/key")["session_key"], members) == keys


def hops(folder: Path, page: str, *middleware: str) -> int:
    """Return how often a thread was asked for while many visitors were answered at once by ASGI."""
    with serving("uvicorn", folder, MIDDLEWARE=list(middleware)) as django:
        members = [Member({"django": django}) for _ in range(PARALLEL)]
        before = members[0].ask("django", "/hops")["hops"]
        with ThreadPoolExecutor(PARALLEL) as pool:
            for visit in (1, 2):
                values = range(PARALLEL) if visit == 1 else [None] * PARALLEL
                answers = list(pool.map(lambda one, value: visited(one, page, value), members, values))
                assert len({answer["worker"] for answer in answers}) == 1
                if page == "/acount":
                    assert [answer["user"] for answer in answers] == list(range(PARALLEL))
                    assert {answer["count"] for answer in answers} == {visit}
        after: int = members[0].ask("django", "/hops")["hops"]
        return after - before


def visited(member: Member, page: str, number: int | None) -> Any:
    """Have *member* ask for a page, as the user with a number, if one is given."""
    return member.ask("django", page, **({} if number is None else {"user": {"id": number}}))


def test_sixty_four_parallel_requests_cost_the_session_no_thread(tmp_path: Path) -> None:
    without = hops(tmp_path, "/aplain")
    assert hops(tmp_path, "/acount", OURS) == without
    # Django asks for some of its own, and its own middleware for two more at each request.
    assert hops(tmp_path, "/acount", STOCK) >= without + 2 * 2 * PARALLEL
