"""T-RACE: requests of one session that run at the same time lose nothing unseen, and bring nothing back."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from iron_wsgi import Session, session_from
from iron_wsgi.errors import SessionConflict, Unavailable
from iron_wsgi.revocation import MemoryRevocations
from iron_wsgi.revocation.redis import RedisRevocations
from iron_wsgi.revocation.sql import SqlRevocations
from iron_wsgi.stores import MemoryStore, Record, Store, StoredSession
from iron_wsgi.stores.redis import RedisStore
from iron_wsgi.stores.sql import SqlStore
from iron_wsgi.testing import FakeClock
from iron_wsgi.times import DAY
from tests.effort import repetitions

from .parallel import Site
from .site import Browser, page, sessions

if TYPE_CHECKING:
    from pathlib import Path

    from iron_wsgi import Event
    from iron_wsgi.revocation import Revocations
    from tests.services.redis import RedisServer

pytest_plugins = ("tests.services.redis",)

ROUNDS: Final = repetitions(250, 1000)
THREADS: Final = 8
INCREMENTS: Final = repetitions(250, 1000)

PLACES: Final = [
    "memory",
    "sqlite",
    pytest.param("redis", marks=pytest.mark.needs("redis")),
]


@dataclass
class Servers:
    """Where sessions and lists can be.

    Attributes:
        kind: Which of them is used.
        folder: For files.
        request: Of the test, which starts Redis when it is needed.
    """

    kind: str
    folder: Path
    request: pytest.FixtureRequest

    def store(self) -> Store:
        """Return a new store."""
        if self.kind == "redis":
            return RedisStore.from_url(self._redis.url)
        if self.kind == "sqlite":
            return SqlStore.from_url(f"sqlite:///{self.folder / 'sessions.db'}")
        return MemoryStore()

    def revocations(self) -> Revocations:
        """Return a new list."""
        if self.kind == "redis":
            revocations = RedisRevocations.from_url(self._redis.url)
            revocations.initialize()
            return revocations
        if self.kind == "sqlite":
            return SqlRevocations.from_url(f"sqlite:///{self.folder / 'revocations.db'}")
        return MemoryRevocations()

    @property
    def _redis(self) -> RedisServer:
        server: RedisServer = self.request.getfixturevalue("redis_server")
        return server


@pytest.fixture(params=PLACES)
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Servers:
    return Servers(request.param, tmp_path, request)


MODES: Final[dict[str, Callable[[Servers], dict[str, Any]]]] = {
    "cookie": lambda servers: {"revocations": servers.revocations()},
    "store": lambda servers: {"storage": "store", "store": servers.store()},
    "overflow": lambda servers: {
        "overflow": "store",
        "store": servers.store(),
        "revocations": servers.revocations(),
    },
}

WRITERS: Final[dict[str, Callable[[Session], object]]] = {
    "update": lambda session: session.update(page=2),
    "nested": lambda session: session["cart"].append(2),
    "save": lambda session: session.save(),
    "touch": lambda session: session.touch(),
    "remember": lambda session: session.set_expiry(3600),
    "grow": lambda session: session.update(large="x" * 5000),
    "shrink": lambda session: session.update(large=""),
    "replace": lambda session: replace_all(session),  # noqa: PLW0108 - defined below
    "flash": lambda session: session.flash("note", "hello"),
}
"""What a slow request may do to its session."""

ENDS: Final[dict[str, Callable[[Session], object]]] = {
    "destroy": lambda session: session.destroy(),
    "clear": lambda session: session.clear(),
    "regenerate and clear": lambda session: session.regenerate(clear=True),
}


def replace_all(session: Session) -> None:
    session.clear()
    session["user"] = 7


def raced(*calls: Callable[[], Any]) -> list[Any]:
    """Make the calls at the same time, each in a thread, and return what they return."""
    barrier = threading.Barrier(len(calls))

    def call(function: Callable[[], Any]) -> Any:
        barrier.wait()
        return function()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.slow("many threads, many times")
def test_a_slow_writer_never_brings_an_ended_session_back(mode: str, servers: Servers) -> None:
    site = Site(**MODES[mode](servers))
    writers = {style: write for style, write in WRITERS.items() if mode != "cookie" or style != "grow"}
    styles = itertools.cycle(itertools.product(writers.items(), ENDS.items()))
    outcomes: Counter[str] = Counter()
    rounds = ROUNDS if servers.kind == "memory" else ROUNDS // 5
    for number, ((style, write), (ending, end)) in zip(range(rounds), styles, strict=False):
        is_large = mode != "cookie" and number % 4 < 2
        data: dict[str, Any] = {"user": number, "cart": [1], "large": "x" * (5000 * is_large)}
        first = site.sign_in(**data)
        copies = [first, touched(site, first)]
        writer, leaver = site.begin(copies[0]), site.begin(copies[1])
        assert writer.session["user"] == leaver.session["user"] == number

        def write_slowly() -> str:
            write(writer.session)  # noqa: B023 - done in this round
            return writer.answer()  # noqa: B023

        def leave() -> str:
            end(leaver.session)  # noqa: B023
            return leaver.answer()  # noqa: B023

        if number % 2:
            left, written = leave(), write_slowly()
        else:
            left, written = raced(leave, write_slowly)
        outcomes[f"{'after' if number % 2 else 'beside'}: {'a cookie' if written else 'no cookie'}"] += 1
        for copy in (*copies, written, left):
            found = site.finds(copy) if copy else {}
            assert found == {}, f"round {number}: {style} against {ending}"
    if mode == "store":  # which knows it when it writes
        assert outcomes["after: no cookie"] == rounds // 2
    assert outcomes["beside: a cookie"] > 0, "some writers were faster"


@pytest.mark.parametrize("mode", ["cookie", "store", "store and list", "overflow"])
@pytest.mark.parametrize("way", ["destroyed", "revoked by its subject", "revoked with all"])
def test_a_slow_request_that_regenerates_an_ended_session_brings_nothing_back(mode: str, way: str) -> None:
    clock = FakeClock()
    revocations = MemoryRevocations(clock=clock)
    options: dict[str, Any] = {"clock": clock, "subject": "user", "revocations": revocations}
    if mode.startswith("store"):
        options["storage"] = "store"
    if mode == "store" and way == "destroyed":
        del options["revocations"]
    if mode != "cookie":
        options |= {"store": MemoryStore(clock=clock)} | ({"overflow": "store"} if mode == "overflow" else {})
    site = Site(**options)
    cookie = site.sign_in(user=7)
    slow = site.begin(cookie)
    clock.advance(5)
    if way == "destroyed":
        site.sign_out(cookie)
    elif way == "revoked with all":
        revocations.revoke_all()
    else:
        revocations.revoke_subject("7")
    clock.advance(5)
    slow.session.regenerate()
    assert slow.answer() == ""
    assert site.finds(cookie) == {}


@pytest.mark.parametrize("mode", ["cookie", "store", "overflow"])
def test_a_slow_request_that_remembers_the_visitor_for_long_brings_nothing_back_later(mode: str) -> None:
    clock = FakeClock()
    options: dict[str, Any] = {"clock": clock, "revocations": MemoryRevocations(clock=clock)}
    if mode == "store":
        options["storage"] = "store"
    if mode != "cookie":
        options |= {"store": MemoryStore(clock=clock)} | ({"overflow": "store"} if mode == "overflow" else {})
    site = Site(**options)
    cookie = site.sign_in(user=7)
    slow = site.begin(cookie)
    site.sign_out(cookie)
    slow.session.set_expiry(399 * DAY)
    written = slow.answer()
    for _ in range(60):
        if written:
            assert site.finds(written) == {}
        options["revocations"].sweep()
        clock.advance(7 * DAY)


def test_of_two_requests_that_regenerate_one_session_at_once_one_alone_goes_on(servers: Servers) -> None:
    for mode in MODES.values():
        site = Site(**mode(servers))
        for _ in range(ROUNDS // 20):
            cookie = site.sign_in(user=7)
            slow = [site.begin(cookie), site.begin(cookie)]
            for one in slow:
                one.session.regenerate()
            answers = [answer for answer in raced(*(one.answer for one in slow)) if answer]
            assert len(answers) == 1
            assert site.finds(answers[0]) == {"user": 7}
            assert site.finds(cookie) == {}


def touched(site: Site, cookie: str) -> str:
    """Return another copy of the session."""
    request = site.begin(cookie)
    request.session.touch()
    return request.answer()


# Increments.


class Traced(Store):
    """A store that notes what each thread asks for, and is told."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread = threading.local()

    def begin(self) -> list[Step]:
        """Begin to note for this thread; the list fills."""
        self._thread.steps = steps = list[Step]()
        return steps

    def _note(self, what: str, version: int) -> None:
        self._thread.steps.append((what, version))

    def create(self, key: str, record: Record) -> bool:
        return self._store.create(key, record)

    def load(self, key: str) -> Record | None:
        record = self._store.load(key)
        assert record is not None
        self._note("load", record.version)
        return record

    def save(self, key: str, record: Record, *, version: int) -> bool:
        is_saved = self._store.save(key, record, version=version)
        self._note("saved" if is_saved else "too late", version)
        return is_saved

    def touch(self, key: str, *, expires_at: float | None) -> bool:
        is_there = self._store.touch(key, expires_at=expires_at)
        self._note("touched" if is_there else "gone", -1)
        return is_there

    def delete(self, key: str) -> bool:
        return self._store.delete(key)

    def list_subject(self, subject: str) -> Iterable[StoredSession]:
        return self._store.list_subject(subject)


Step = tuple[str, int]


@dataclass
class Increment:
    """What one request that added 1 to the counter did.

    Attributes:
        steps: What it asked of the store, and the versions that this was about.
        conflicts: Events about the counter.
        value: What it took for written.
    """

    steps: list[Step]
    conflicts: int
    value: int

    @property
    def base(self) -> int:
        """The version that it read first."""
        return self.steps[0][1]

    @property
    def over(self) -> int | None:
        """The version that it replaced; None if in the end it wrote nothing."""
        what, version = self.steps[-1]
        return version if what == "saved" else None

    def expected(self, values: dict[int, int]) -> tuple[int, int]:
        """Return what had to be written, and how many values were to be overwritten, by these versions."""
        before, mine, conflicts = values[self.base], values[self.base] + 1, 0
        for _, version in [step for step in self.steps[1:] if step[0] == "load"]:
            theirs = values[version]
            if mine == before:  # what is left of ours is no change
                mine = theirs
            elif theirs != before:
                conflicts += 1
            before = theirs
        return mine, conflicts


def increased(site: Site, cookie: str, key: str) -> Session | None:
    """Add 1 to a value of the session; return the session, or None if that was refused with a 503."""
    request = site.begin(cookie)
    request.session[key] += 1
    try:
        assert request.answer()
    except Unavailable:
        return None
    return request.session


@pytest.mark.slow("many threads, many times")
def test_increments_of_different_keys_in_parallel_are_all_kept(servers: Servers) -> None:
    events: list[Event] = []
    site = Site(storage="store", store=servers.store(), on_event=events.append)
    cookie = site.sign_in(**{f"key {number}": 0 for number in range(THREADS)})
    each = INCREMENTS if servers.kind != "redis" else INCREMENTS // 5  # it has three round trips for each

    def count(key: str) -> int:
        refused = 0
        for _ in range(each):
            while increased(site, cookie, key) is None:
                refused += 1
        return refused

    refused = raced(*(partial(count, f"key {number}") for number in range(THREADS)))
    assert site.finds(cookie) == {f"key {number}": each for number in range(THREADS)}
    assert [event for event in events if event.kind == "conflict"] == []
    assert sum(refused) < THREADS * each // 100, "hardly anybody was told to come back"


@pytest.mark.slow("many threads, many times")
def test_of_increments_of_one_key_in_parallel_every_loss_is_a_counted_event(servers: Servers) -> None:
    heard = threading.local()

    def hear(event: Event) -> None:
        if event.kind == "conflict":
            assert event.key == "n"
            heard.conflicts += 1

    store = Traced(servers.store())
    site = Site(storage="store", store=store, on_event=hear)
    cookie = site.sign_in(n=0)
    steps = store.begin()
    site.finds(cookie)
    first = steps[0][1]
    each = INCREMENTS // 5

    def count() -> list[Increment]:
        increments: list[Increment] = []
        while len(increments) < each:
            heard.conflicts = 0
            steps = store.begin()
            session = increased(site, cookie, "n")
            if session is not None:
                increments.append(Increment(steps, heard.conflicts, session["n"]))
            else:
                assert heard.conflicts == 0, "it has overwritten nothing"
        return increments

    increments = list(itertools.chain(*raced(*[count] * THREADS)))
    total = THREADS * each
    assert len(increments) == total
    store.begin()
    final = site.finds(cookie)["n"]

    # 1. The versions are one chain: nothing was overwritten unseen.
    saves = sorted((one for one in increments if one.over is not None), key=lambda one: one.over or 0)
    assert [one.over for one in saves] == list(range(first, first + len(saves)))
    values = {first: 0} | {one.over + 1: one.value for one in saves if one.over is not None}
    assert values[max(values)] == final

    # 2. Each request wrote, and reported, what follows from the versions that it saw.
    for one in increments:
        assert (one.value, one.conflicts) == one.expected(values)

    # 3. What is missing in the end is what those took away who reported it.
    losses = [1 if one.over is None else values[one.over] + 1 - one.value for one in increments]
    assert sum(losses) == total - final > 0
    assert [one for one, lost in zip(increments, losses, strict=True) if lost > 0 and not one.conflicts] == []


def test_whoever_is_told_of_a_conflict_and_tries_again_loses_nothing(servers: Servers) -> None:
    site = Site(storage="store", store=servers.store(), on_conflict="raise")
    cookie = site.sign_in(n=0)
    each = 100

    def count() -> int:
        conflicts = 0
        for _ in range(each):
            while True:
                try:
                    if increased(site, cookie, "n") is not None:
                        break
                except SessionConflict:
                    conflicts += 1
        return conflicts

    conflicts = raced(*[count] * THREADS)
    assert site.finds(cookie) == {"n": THREADS * each}
    assert sum(conflicts) > 0


# Two threads of one request.


@pytest.mark.slow("many threads, many times")
@pytest.mark.parametrize("mode", ["cookie", "store"])
def test_a_session_that_another_thread_of_its_response_writes_is_saved_whole_or_as_it_was(mode: str) -> None:
    options: dict[str, Any] = {"storage": "store", "store": MemoryStore()} if mode == "store" else {}
    filled = {f"first {number}": [number] for number in range(60)}

    def streaming(request: Any, start_response: Any) -> Iterator[bytes]:
        session = session_from(request)
        session.update(filled)
        start_response("200 OK", [("Content-Type", "text/plain")])
        is_over = threading.Event()

        def write() -> None:
            for number in itertools.cycle(range(97)):
                if is_over.is_set():
                    return
                session[f"then {number}"] = [number] * 3
                session.pop(f"then {(number + 31) % 97}", None)

        with ThreadPoolExecutor(1) as pool:
            written = pool.submit(write)
            try:
                for number in range(20):
                    time.sleep(0.0001)  # so that the other thread runs
                    session["chunk"] = number
                    yield b"x"
            finally:
                is_over.set()
                written.result()

    found: list[dict[str, Any]] = []
    site = sessions(streaming, **options)
    reader = sessions(page(lambda session: found.append(dict(session))), **options)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for _ in range(ROUNDS // 5):
            browser = Browser()
            answer = browser.visit(site)
            assert (answer.status, answer.body, len(answer.cookies)) == ("200 OK", b"x" * 20, 1)
            browser.visit(reader)
    finally:
        sys.setswitchinterval(interval)
    assert len(found) == ROUNDS // 5
    for data in found:
        assert data.pop("chunk") == 0, "what came after the headers is not in it"
        assert {key: data.pop(key) for key in filled} == filled
        for key, value in data.items():
            assert value == [int(key.removeprefix("then "))] * 3
    assert any(len(data) > 0 for data in found)
