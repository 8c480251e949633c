"""Sessions in caches, beyond the contract: what is kept, what is no record, and what a cache hides."""

from __future__ import annotations

import io
import json
import pickle
from dataclasses import replace
from typing import Any, Final

import pytest
from cachelib import SimpleCache
from django.core.cache import caches
from django.test.utils import override_settings

from iron_wsgi.errors import ConfigError, Unavailable
from iron_wsgi.servers.ids import key_of, subject_key_of
from iron_wsgi.stores import CacheStore, Record
from iron_wsgi.testing import FakeClock
from iron_wsgi.times import FOREVER

from .django_project import set_up

set_up()

A, B, C = "a" * 64, "b" * 64, "c" * 64
ANNA: Final = subject_key_of("anna")
SEAL: Final = "Fe26.2*1*salt*iv*payload**mac~2"


class Dict:
    """A cache that notes what it is told."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.timeouts: list[Any] = []

    def get(self, key: str) -> Any:
        return self.kept.get(key)

    def set(self, key: str, value: Any, timeout: int | None = None) -> Any:
        self.kept[key] = value
        self.timeouts.append(timeout)

    def delete(self, key: str) -> Any:
        return self.kept.pop(key, None) is not None


class Adding(Dict):
    def add(self, key: str, value: Any, timeout: int | None = None) -> bool:
        if key in self.kept:
            return False
        self.set(key, value, timeout)
        return True


@pytest.fixture
def record(clock: FakeClock) -> Record:
    return Record(
        value=SEAL, version=7, subject=ANNA, created_at=clock(), written_at=clock(), expires_at=clock() + 60
    )


def on(cache: Any, clock: FakeClock, **settings: Any) -> CacheStore:
    return CacheStore(cache, clock=clock, **settings)


# What is kept.


def test_a_record_is_one_text_with_its_seal_as_it_is(clock: FakeClock, record: Record) -> None:
    cache = Dict()
    store = on(cache, clock)
    store.create(A, record)
    store.create(B, replace(record, subject="", expires_at=None))
    # Written down once for all: a new version must read what an older one has kept.
    assert cache.kept[f"iron_wsgi:{A}"] == (
        f"iron_wsgi 1 7 {ANNA} 1800000000000 1800000000000 1800000060000\n{SEAL}"
    )
    assert cache.kept[f"iron_wsgi:{B}"] == f"iron_wsgi 1 7 - 1800000000000 1800000000000 -\n{SEAL}"
    assert cache.kept[f"iron_wsgi:subject:{ANNA}"] == A
    assert len(cache.kept) == 3


def test_a_dump_of_the_cache_shows_neither_ids_nor_subjects(clock: FakeClock, record: Record) -> None:
    cache = Dict()
    on(cache, clock).create(key_of("the-id"), record)
    dump = json.dumps(cache.kept)
    assert "the-id" not in dump
    assert "anna" not in dump


@pytest.mark.parametrize("prefix", ["p", "my-shop/sessions:", "x" * 100])
def test_every_name_begins_with_the_prefix_and_is_one_that_memcached_takes(
    prefix: str, clock: FakeClock, record: Record
) -> None:
    cache = Dict()
    on(cache, clock, prefix=prefix).create(A, record)
    assert len(cache.kept) == 2
    for name in cache.kept:
        assert name.startswith(prefix)
        assert len(name) <= 200
        assert all("!" <= character <= "~" for character in name)


@pytest.mark.parametrize("prefix", ["", "x" * 101, "with space", "tab\t", "line\n", "\u00e4", None, b"bytes"])
def test_another_prefix_is_refused(prefix: Any, clock: FakeClock) -> None:
    with pytest.raises(
        ConfigError, match="prefix must be 1 to 100 printable ASCII characters without spaces"
    ):
        on(Dict(), clock, prefix=prefix)


def test_the_applications_own_data_never_stand_for_a_session(clock: FakeClock, record: Record) -> None:
    cache = Dict()
    store = on(cache, clock)
    store.create(A, record)
    own = {A: "own", f"subject:{ANNA}": "own", f"session:{A}": "own", f"iron_wsgi_{A}": "own"}
    for name, value in own.items():
        cache.set(name, value)
    assert store.load(A) == record
    assert [session.key for session in store.list_subject(ANNA)] == [A]
    store.delete(A)
    assert cache.kept == own


def test_stores_with_two_prefixes_do_not_meet(clock: FakeClock, record: Record) -> None:
    cache = Dict()
    shop, blog = on(cache, clock, prefix="shop:"), on(cache, clock, prefix="blog:")
    shop.create(A, record)
    assert blog.load(A) is None
    assert list(blog.list_subject(ANNA)) == []
    assert blog.create(A, replace(record, value="blog's"))
    assert shop.load(A) == record


# What is no record.


class Trap:
    """Sets a mark when it is unpickled."""

    sprung = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _spring, ()


def _spring() -> str:
    Trap.sprung = True
    return ""


HEADER: Final = f"iron_wsgi 1 7 {ANNA} 1800000000000 1800000000000 1800000060000\n"
FOREIGN: Final = {
    "a pickle": pickle.dumps(Trap()),
    "a pickle as text": pickle.dumps(Trap(), 0).decode("ascii"),
    "a pickle behind a header": HEADER.encode() + pickle.dumps(Trap()),
    "other JSON": '{"user": 7}',
    "a list of JSON": json.dumps([1, 7, ANNA, 0, 0, None]),
    "nested JSON": "[" * 100_000,
    "an object": {"user": 7},
    "a number": 7,
    "True": True,
    "nothing": "",
    "no octets": b"",
    "a seal alone": SEAL,
    "a line alone": HEADER.rstrip("\n"),
    "another version": HEADER.replace("iron_wsgi 1", "iron_wsgi 2") + SEAL,
    "a header in capitals": HEADER.upper() + SEAL,
    "a space before": " " + HEADER + SEAL,
    "a negative version": HEADER.replace(" 7 ", " -7 ") + SEAL,
    "a long version": HEADER.replace(" 7 ", f" {'7' * 5000} ") + SEAL,
    "digits of another script": HEADER.replace(" 7 ", " \u0667 ") + SEAL,
    "a short subject": HEADER.replace(ANNA, ANNA[1:]) + SEAL,
    "no moment": HEADER.replace(" 1800000060000", " ") + SEAL,
    "a fraction": HEADER.replace("1800000060000", "1800000060000.5") + SEAL,
    "a value that is not ASCII": HEADER + "\u00e4",
    "octets that are not ASCII": HEADER.encode() + b"\xff",
    "a return before the line's end": HEADER.replace("\n", "\r\n") + SEAL,
}


@pytest.mark.parametrize("cache_type", [Dict, Adding])
@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_what_was_not_written_by_the_store_is_no_record(
    foreign: Any, cache_type: type[Dict], clock: FakeClock, record: Record
) -> None:
    cache = cache_type()
    store = on(cache, clock)
    cache.kept[f"iron_wsgi:{A}"] = foreign
    cache.kept[f"iron_wsgi:subject:{ANNA}"] = foreign
    assert store.load(A) is None
    assert not store.save(A, record, version=7)
    assert not store.touch(A, expires_at=None)
    assert not store.delete(A)
    assert list(store.list_subject(ANNA)) == []
    assert not Trap.sprung
    assert store.create(A, record)
    assert store.load(A) == record
    assert [session.key for session in store.list_subject(ANNA)] == [A]


def test_the_trap_of_these_tests_springs_where_a_pickle_is_read() -> None:
    try:
        pickle.load(io.BytesIO(pickle.dumps(Trap())))  # noqa: S301 - our own
        assert Trap.sprung
    finally:
        Trap.sprung = False


def test_octets_are_read_as_the_text_that_they_are(clock: FakeClock, record: Record) -> None:
    cache = Dict()
    cache.kept[f"iron_wsgi:{A}"] = (HEADER + SEAL).encode()
    assert on(cache, clock).load(A) == record


def test_a_list_may_name_whom_it_will(clock: FakeClock, record: Record) -> None:
    cache = Dict()
    store = on(cache, clock)
    store.create(A, record)
    store.create(B, replace(record, subject=subject_key_of("bert")))
    cache.kept[f"iron_wsgi:subject:{ANNA}"] = f"{A} {B} {C} {A}"
    assert [session.key for session in store.list_subject(ANNA)] == [A]
    assert cache.kept[f"iron_wsgi:subject:{ANNA}"] == A  # cleaned


# How long.


@pytest.mark.parametrize(
    ("life", "timeout"),
    [(60, 61), (0.25, 2), (59.5, 61), (-5, 1), (10 * FOREVER, FOREVER + 1), (None, FOREVER + 1)],
)
def test_timeouts_are_whole_seconds_and_none_of_the_numbers_that_caches_disagree_on(
    life: float | None, timeout: int, clock: FakeClock, record: Record
) -> None:
    cache = Dict()
    store = on(cache, clock)
    lasting = replace(record, subject="", expires_at=None if life is None else clock() + life)
    store.create(A, lasting)
    store.create(B, replace(record, subject=""))
    store.save(B, lasting, version=7)
    store.create(C, replace(record, subject=""))
    store.touch(C, expires_at=lasting.expires_at)
    assert [cache.timeouts[place] for place in (0, 2, 4)] == [timeout] * 3
    adding = Adding()
    on(adding, clock).create(A, lasting)
    assert adding.timeouts == [timeout]


class WithoutTimeouts:
    """Two arguments, in whatever names."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def get(self, name: str) -> Any:
        return self.kept.get(name)

    def set(self, name: str, content: Any) -> None:
        self.kept[name] = content

    def add(self, name: str) -> None:
        raise AssertionError(name)  # some other method, which takes something else

    def delete(self, name: str) -> None:
        del self.kept[name]


def test_an_object_whose_set_takes_no_timeout_gets_none(clock: FakeClock, record: Record) -> None:
    store = on(WithoutTimeouts(), clock)
    assert store.create(A, record)
    assert store.load(A) == record
    clock.advance(60)
    assert store.load(A) is None


def test_a_set_that_takes_anything_gets_a_timeout(clock: FakeClock, record: Record) -> None:
    given: list[Any] = []

    class Passing(Dict):
        def set(self, *arguments: Any, **options: Any) -> Any:
            given.append((arguments[2:], options))
            return super().set(*arguments, **options)

    on(Passing(), clock).create(A, record)
    assert given[0] == ((61,), {})


def test_a_set_that_does_not_say_what_it_takes_gets_a_timeout(clock: FakeClock, record: Record) -> None:
    class Silent:
        """As a function in C without a signature."""

        @property
        def __signature__(self) -> object:
            raise ValueError

        def __init__(self, cache: Dict) -> None:
            self.cache = cache

        def __call__(self, *arguments: Any) -> Any:
            return Dict.set(self.cache, *arguments)

    cache = Dict()
    cache.set = Silent(cache)  # type: ignore[method-assign]
    on(cache, clock).create(A, record)
    assert cache.timeouts[0] == 61


@override_settings(
    CACHES={
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "unit"},
    }
)
def test_djangos_caches_are_given_as_django_gives_them(clock: FakeClock, record: Record) -> None:
    store = on(caches["default"], clock)
    try:
        assert store.create(A, record)
        assert not store.create(A, record)
        assert store.load(A) == record
    finally:
        caches["default"].clear()


def test_without_a_clock_the_store_asks_the_machines(record: Record) -> None:
    store = CacheStore(SimpleCache())
    store.create(A, replace(record, expires_at=1.0))
    store.create(B, replace(record, expires_at=None))
    assert (store.load(A), store.load(B)) == (None, replace(record, expires_at=None))


# What a cache hides.


@pytest.mark.parametrize("method", ["get", "set", "delete"])
def test_an_object_that_is_no_cache_is_refused(method: str, clock: FakeClock) -> None:
    class Lacking(Dict):
        pass

    setattr(Lacking, method, None)
    with pytest.raises(ConfigError, match=f"this one has no {method}$"):
        on(Lacking(), clock)


def test_a_cache_that_says_that_it_kept_nothing_is_an_outage(clock: FakeClock, record: Record) -> None:
    class Full(Adding):
        is_full = False

        def add(self, key: str, value: Any, timeout: int | None = None) -> bool:
            return not self.is_full and super().add(key, value, timeout)

        def set(self, key: str, value: Any, timeout: int | None = None) -> Any:
            return False if self.is_full else super().set(key, value, timeout)

    cache = Full()
    store = on(cache, clock)
    store.create(B, record)
    cache.is_full = True
    for call in (
        lambda: store.create(A, record),
        lambda: store.save(B, record, version=7),
        lambda: store.touch(B, expires_at=None),
    ):
        with pytest.raises(Unavailable, match="did not keep"):
            call()


def test_a_session_that_the_cache_did_not_delete_is_an_outage(clock: FakeClock, record: Record) -> None:
    class Sticky(Dict):
        def delete(self, key: str) -> Any:
            del key
            return False

    store = on(Sticky(), clock)
    store.create(A, record)
    with pytest.raises(Unavailable, match="did not delete"):
        store.delete(A)


def test_what_the_cache_raises_is_let_through(clock: FakeClock, record: Record) -> None:
    class Down(Dict):
        def get(self, key: str) -> Any:
            raise ConnectionError(key)

    store = on(Down(), clock)
    for call in (lambda: store.load(A), lambda: store.delete(A), lambda: store.create(A, record)):
        with pytest.raises(ConnectionError):
            call()


# The list of somebody's sessions.


def test_the_list_is_bounded_and_the_latest_stay(clock: FakeClock, record: Record) -> None:
    store = on(Dict(), clock)
    for number in range(1002):
        store.create(f"{number:064}", record)
    listed = {session.key for session in store.list_subject(ANNA)}
    assert listed == {f"{number:064}" for number in range(2, 1002)}


def test_unknown_keys_and_ended_sessions_leave_nothing(clock: FakeClock, record: Record) -> None:
    cache = Dict()
    store = on(cache, clock)
    for number in range(1000):
        key = f"{number:064}"
        store.load(key)
        store.delete(key)
        store.touch(key, expires_at=None)
        store.save(key, record, version=7)
        store.create(key, record)
        store.save(key, replace(record, subject=subject_key_of("bert")), version=7)
        store.delete(key)
    assert cache.kept == {}


def test_a_list_that_the_cache_has_forgotten_does_no_harm(clock: FakeClock, record: Record) -> None:
    cache = Dict()
    store = on(cache, clock)
    for key in (A, B):
        store.create(key, record)
    del cache.kept[f"iron_wsgi:subject:{ANNA}"]
    assert list(store.list_subject(ANNA)) == []
    assert store.save(A, replace(record, subject=""), version=7)
    assert store.delete(B)


def test_saving_for_the_same_subject_asks_for_no_list(clock: FakeClock, record: Record) -> None:
    asked = []

    class Asking(Dict):
        def get(self, key: str) -> Any:
            asked.append(key)
            return super().get(key)

    store = on(Asking(), clock)
    store.create(A, record)
    asked.clear()
    store.save(A, replace(record, version=8), version=7)
    assert asked == [f"iron_wsgi:{A}"]


def test_a_cache_is_not_atomic_and_says_so(clock: FakeClock) -> None:
    assert on(Adding(), clock).atomic is False
    assert on(Adding(), clock).sweep() == 0
