"""T-REV: once a sign-out has been answered, no copy of the cookie opens anything, on any process."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from iron_wsgi.revocation.redis import RedisRevocations
from tests.effort import repetitions
from tests.servers.gunicorn import WORKERS, Gunicorn, serving
from tests.servers.store_site import COOKIE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.gunicorn import Connection
    from tests.services.redis import RedisServer

pytest_plugins = ("tests.services.redis",)
pytestmark = [pytest.mark.needs("redis"), pytest.mark.servers]

REPLAYS: Final = repetitions(2_000, 10_000)
CLIENTS: Final = 4  # for each worker
ROUNDS: Final = repetitions(50, 200)

SPELLINGS: Final[dict[str, Callable[[str], str]]] = {
    "as it came": str,
    "no mark": lambda value: value.partition("~")[0],
    "another mark": lambda value: value + "x",
    "a mark of version 1": lambda value: value.partition("~")[0] + "~1",
    "two marks": lambda value: value + "~2",
    "percent-encoded": lambda value: value.replace("*", "%2A"),
    "percent-encoded, lower case": lambda value: value.replace("*", "%2a").replace("~", "%7e"),
    "percent-encoded in part": lambda value: value.replace("*", "%2A", 3),
    "a letter percent-encoded": lambda value: "%46" + value[1:],
    "quoted": lambda value: f'"{value}"',
    "twice": lambda value: f"{value}; {COOKIE}={value}",
    "behind junk": lambda value: f"junk; {COOKIE}={value}",
    "a chunk": lambda value: f"; {COOKIE}.0={value}",
    "two chunks": lambda value: f"; {COOKIE}.0={value[:90]}; {COOKIE}.1={value[90:]}",
}
"""Ways to send one cookie that are read alike."""


class Replay(NamedTuple):
    """One request with a copy.

    Attributes:
        began_at: When it was sent.
        worker: Who answered.
        is_accepted: Whether the copy opened the session.
    """

    began_at: float
    worker: int
    is_accepted: bool


def a_list(kind: str, server: RedisServer, folder: Path) -> str:
    """Return where an empty list of revocations is, which the site may use at once."""
    if kind == "sqlite":
        return f"sqlite:///{folder / 'revocations.db'}"
    RedisRevocations.from_url(server.url).initialize()
    return server.url


@contextmanager
def connected(site: Gunicorn, page: str) -> Iterator[list[Connection]]:
    """Connect clients to the site, as many to each worker."""
    clients = [client for _ in range(CLIENTS) for client in site.connect_to_each(page)]
    try:
        yield clients
    finally:
        for client in clients:
            client.close()


def replayed(
    clients: list[Connection],
    copies: list[str],
    leave: Callable[[], object],
    replay: Callable[[Connection, str], Replay],
) -> tuple[list[Replay], float]:
    """Replay copies from all clients, meanwhile *leave*, and replay them `REPLAYS` times more.

    Returns what became of them, and when the sign-out had been answered.
    """
    left = threading.Event()

    def attack(client: Connection) -> list[Replay]:
        replays: list[Replay] = []
        more = REPLAYS // len(clients)
        while more:
            more -= left.is_set()
            replays.append(replay(client, copies[len(replays) % len(copies)]))
        return replays

    with ThreadPoolExecutor(len(clients)) as pool:
        running = [pool.submit(attack, client) for client in clients]
        try:
            time.sleep(0.1)  # so that some are under way
            leave()
        finally:
            left_at = time.monotonic()
            left.set()
        return [one for attacker in running for one in attacker.result()], left_at


def check(replays: list[Replay], left_at: float) -> None:
    """Hold the replays to the promise."""
    before = [one for one in replays if one.began_at < left_at]
    after = [one for one in replays if one.began_at >= left_at]
    assert any(one.is_accepted for one in before), "the copies were good until then"
    assert [one for one in after if one.is_accepted] == []
    assert len(after) >= REPLAYS
    answered = [one.worker for one in after]
    assert len(set(answered)) == WORKERS
    assert all(answered.count(worker) >= REPLAYS // WORKERS - CLIENTS for worker in set(answered))


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_replays_over_two_processes_after_the_sign_out_open_nothing(
    kind: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    options = {"revocations": a_list(kind, redis_server, tmp_path), "overflow": "chunk"}
    with (
        serving("tests.servers.store_site:wsgi()", tmp_path, COOKIE, STORE_SITE=repr(options)) as site,
        connected(site, "GET /worker") as clients,
    ):
        visitor, other, *_ = clients
        seals = [visitor.ask("POST /sign-in", user=7).value]
        seals += [visitor.ask("POST /count", seals[-1]).value for _ in range(3)]
        stays = other.ask("POST /sign-in", user=8).value
        copies = [spell(seal) for seal in seals for spell in SPELLINGS.values()]
        for copy in copies:  # a copy that nobody would have accepted anyway proves nothing
            assert visitor.ask("GET /", copy).said["session"]["user"] == 7

        def replay(client: Connection, copy: str) -> Replay:
            began_at = time.monotonic()
            said = client.ask("GET /", copy).said
            return Replay(began_at, said["worker"], said["session"] != {})

        def leave() -> None:
            with site.connect() as client:
                answer = client.ask("POST /logout", seals[-1])
            assert answer.status == 200
            assert answer.deletes

        check(*replayed(clients, copies, leave, replay))
        # Neither does writing with it bring anything back, nor has anybody else been signed out.
        for client in clients:
            assert client.ask("POST /count", seals[-1]).said["session"] == {"count": 1}
            assert client.ask("GET /", stays).said["session"]["user"] == 8


def check_framework(site: Gunicorn) -> None:
    """Sign in and out through a framework's own functions, and replay."""
    with connected(site, "GET /worker") as clients:
        visitor, other, *_ = clients
        seals = [visitor.ask("POST /sign-in", user=7).value]
        seals += [visitor.ask("POST /visit", seals[-1]).value for _ in range(3)]
        stays = other.ask("POST /sign-in", user=8).value
        copies = [spell(seal) for seal in seals for name, spell in SPELLINGS.items() if "chunk" not in name]
        for copy in copies:
            assert visitor.ask("GET /", copy).said["user"] == "7"

        def replay(client: Connection, copy: str) -> Replay:
            began_at = time.monotonic()
            said = client.ask("GET /", copy).said
            return Replay(began_at, said["worker"], said["user"] is not None or said["session"] != {})

        def leave() -> None:
            with site.connect() as client:
                assert client.ask("POST /logout", seals[-1]).status == 200

        check(*replayed(clients, copies, leave, replay))
        for client in clients:
            assert client.ask("GET /", stays).said["user"] == "8"


def test_after_flask_logins_logout_user_replays_open_nothing(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    options = {"revocations": a_list("sqlite", redis_server, tmp_path)}
    with serving("tests.servers.store_site:flask()", tmp_path, COOKIE, STORE_SITE=repr(options)) as site:
        check_framework(site)


def test_after_djangos_logout_replays_open_nothing(redis_server: RedisServer, tmp_path: Path) -> None:
    options = {"revocations": a_list("redis", redis_server, tmp_path)}
    given = repr({"IRON_SESSION": options, "ROOT_URLCONF": "tests.servers.store_pages"})
    with serving("tests.servers.django_site:wsgi()", tmp_path, COOKIE, DJANGO_SITE=given) as site:
        check_framework(site)


@pytest.mark.parametrize("mode", ["cookie", "store"])
def test_what_is_written_on_one_process_while_another_signs_out_is_no_session(
    mode: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    place = f"sqlite:///{tmp_path / 'sessions.db'}" if mode == "store" else redis_server.url
    options = {"revocations": place} if mode == "cookie" else {"storage": "store", "store": place}
    if mode == "cookie":
        a_list("redis", redis_server, tmp_path)
    written = 0
    with (
        serving("tests.servers.store_site:wsgi()", tmp_path, COOKIE, STORE_SITE=repr(options)) as site,
        connected(site, "GET /worker") as clients,
        ThreadPoolExecutor(2) as pool,
    ):
        writer, leaver, *_ = clients
        for number in range(ROUNDS):
            cookie = writer.ask("POST /sign-in", user=number).value
            assert leaver.ask("GET /", cookie).said["session"] == {"user": number}
            writing = pool.submit(writer.ask, "POST /visit", cookie)
            leaving = pool.submit(leaver.ask, "POST /logout", cookie)
            answers = writing.result(), leaving.result()
            assert [answer.status for answer in answers] == [200, 200]
            written += answers[0].value != ""
            for copy in (cookie, answers[0].value or cookie):
                for client in (writer, leaver):
                    assert client.ask("GET /", copy).said["session"] == {}
    assert written > 0, "some were faster than the sign-out"
