"""Sessions of Django in a store: what is in the cookie, which keys open what, and parallel requests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.core.exceptions import SynchronousOnlyOperation
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from iron_wsgi import HeadersAlreadySent
from iron_wsgi.revocation import MemoryRevocations
from iron_wsgi.servers.ids import key_of
from iron_wsgi.stores import MemoryStore, Record, Store, StoredSession
from iron_wsgi.testing import DictJar, FakeClock
from iron_wsgi_django import conf
from iron_wsgi_django.backend import SessionStore
from iron_wsgi_django.middleware import SessionMiddleware
from iron_wsgi_django.sessions.keys import trusted_keys

from .django_site import NAME, OURS, STOCK, Site, names, put
from .visitor import payload

LARGE: Final = "canary " * 1500
"""Octets that fit into no cookie."""


@pytest.fixture
def store(clock: FakeClock) -> MemoryStore:
    return MemoryStore(clock=clock)


@pytest.fixture(params=[OURS, STOCK], ids=["ours", "stock"])
def middleware(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def site_of(clock: FakeClock, middleware: str, **options: Any) -> Site:
    return Site(clock, middleware=middleware, IRON_SESSION=options)


@pytest.fixture
def site(clock: FakeClock, store: MemoryStore, middleware: str) -> Site:
    return site_of(clock, middleware, storage="store", store=store)


@pytest.fixture
def ours(clock: FakeClock, store: MemoryStore) -> Site:
    return site_of(clock, OURS, storage="store", store=store)


def key_at(site: Site) -> str:
    found: list[str] = []
    site.visit(lambda request: found.append(request.session.session_key))
    return found[0]


def another(site: Site) -> Site:
    """Another browser with the same cookie."""
    copy = object.__new__(Site)
    copy.settings, copy.is_async = site.settings, site.is_async
    copy.client = type(site.client)()
    copy.keep(site.value)
    return copy


# What is where.


def test_a_session_is_in_the_store_and_the_cookie_holds_a_reference(site: Site, store: MemoryStore) -> None:
    site.visit(put(user=7, notes=LARGE))
    assert site.finds() == {"user": 7, "notes": LARGE}
    held = payload(site.value)
    assert held.keys() == {"_iron"}
    assert held["_iron"].keys() == {"sid", "iat", "ref"}
    assert len(site.value) < 600
    assert len(store) == 1


def test_saving_twice_in_a_request_makes_one_record_and_a_cookie_that_finds_it(
    site: Site, store: MemoryStore
) -> None:
    def use(request: HttpRequest) -> None:
        request.session["one"] = LARGE
        request.session.save()
        request.session["two"] = 2
        request.session.save()
        request.session["three"] = 3

    site.visit(use)
    assert site.finds() == {"one": LARGE, "two": 2, "three": 3}
    assert len(store) == 1
    site.visit(use)
    assert len(store) == 1


def test_a_large_session_moves_into_the_store_and_comes_back_when_it_fits(
    clock: FakeClock, store: MemoryStore, middleware: str
) -> None:
    site = site_of(clock, middleware, overflow="store", store=store)
    site.visit(put(user=7))
    assert len(store) == 0

    def grow(request: HttpRequest) -> None:
        request.session["notes"] = LARGE
        request.session.save()
        request.session["more"] = 1

    site.visit(grow)
    assert payload(site.value).keys() == {"_iron"}
    assert site.finds() == {"user": 7, "notes": LARGE, "more": 1}
    assert len(store) == 1
    site.visit(lambda request: request.session.pop("notes"))
    assert payload(site.value)["user"] == 7
    assert site.finds() == {"user": 7, "more": 1}


def test_a_stored_session_belongs_to_whom_django_has_signed_in(ours: Site, store: MemoryStore) -> None:
    ours.visit(put(_auth_user_id="7"))
    [session] = store.sessions_of("7", current=key_at(ours))
    assert session.is_current
    ours.visit(lambda request: request.session.pop("_auth_user_id"))
    assert store.sessions_of("7") == []


def test_another_subject_may_be_chosen(clock: FakeClock, store: MemoryStore) -> None:
    site = site_of(clock, OURS, storage="store", store=store, subject="account")
    site.visit(put(_auth_user_id="7", account="ada"))
    assert [len(store.sessions_of(one)) for one in ("7", "ada")] == [0, 1]


def test_a_site_that_begins_to_use_a_store_signs_nobody_out(clock: FakeClock, store: MemoryStore) -> None:
    site = site_of(clock, OURS)
    site.visit(put(user=7))
    site.settings["IRON_SESSION"] |= {"storage": "store", "store": store}
    assert site.finds() == {"user": 7}
    assert len(store) == 1


# Parallel requests.


def test_what_a_parallel_request_wrote_is_kept(site: Site) -> None:
    site.visit(put(first=0))
    other = another(site)

    def use(request: HttpRequest) -> None:
        request.session["one"] = 1
        other.visit(put(two=2))
        request.session.save()
        assert request.session["two"] == 2
        request.session["three"] = 3

    site.visit(use)
    assert site.finds() == {"first": 0, "one": 1, "two": 2, "three": 3}


def test_a_session_that_was_ended_elsewhere_interrupts_the_request_that_would_save_it(
    site: Site, store: MemoryStore
) -> None:
    site.visit(put(user=7))
    other = another(site)

    def use(request: HttpRequest) -> None:
        request.session["late"] = 1
        other.visit(lambda again: again.session.flush())

    response = site.visit(use)
    assert response.status_code == 400
    assert names(response) == []
    assert len(store) == 0
    assert site.finds() == {}


def test_a_request_that_only_reads_is_not_interrupted(
    ours: Site, clock: FakeClock, store: MemoryStore
) -> None:
    # Under Django's own middleware it is where a renewal is due: Django takes that for a change.
    ours.settings["IRON_SESSION"]["refresh_after"] = 60
    ours.visit(put(user=7))
    other = another(ours)
    clock.advance(3600)

    def use(request: HttpRequest) -> None:
        assert request.session["user"] == 7
        other.visit(lambda again: again.session.flush())

    assert ours.visit(use).status_code == 200
    assert len(store) == 0


def test_a_save_after_the_end_raises_every_time(ours: Site, store: MemoryStore) -> None:
    ours.visit(put(user=7))
    seen: list[Any] = []

    def use(request: HttpRequest) -> None:
        request.session["late"] = 1
        store.delete(key_of(request.session.session_key))
        for _ in range(2):
            with pytest.raises(UpdateError):
                request.session.save()
        seen.append(request.session.load())

    assert ours.visit(use).status_code == 400
    assert seen == [{}]
    assert len(store) == 0


# Keys.


def test_under_our_middleware_an_id_opens_its_session_for_an_application_that_kept_it(ours: Site) -> None:
    ours.visit(put(user=7))
    key = key_at(ours)
    seen: list[Any] = []

    def use(_request: HttpRequest) -> None:
        kept = SessionStore(key)
        seen.extend([kept.exists(key), kept["user"], kept.session_key])
        kept["seen"] = True
        kept.save()
        seen.append(kept.session_key)

    other = another(ours)
    other.client = type(ours.client)()
    other.visit(use)
    assert seen == [True, 7, key, key]
    assert ours.finds() == {"user": 7, "seen": True}


def test_an_id_opens_nothing_where_it_came_in_a_cookie(ours: Site) -> None:
    ours.visit(put(user=7))
    key = key_at(ours)
    seen: list[Any] = []

    def use(request: HttpRequest) -> None:
        for name in ("other", "escaped"):
            kept = SessionStore(request.COOKIES[name])
            seen.extend([request.COOKIES[name] == key, kept.get("user")])

    liar = another(ours)
    liar.client = type(ours.client)()
    liar.keep(key)
    assert liar.finds() == {}
    escaped = "".join(f"\\{ord(one):03o}" for one in key)
    liar.visit(use, headers={"cookie": f'other={key}; escaped="{escaped}"'})
    assert seen == [True, None, True, None]


def test_an_id_opens_nothing_outside_of_a_request_unless_it_is_trusted(ours: Site) -> None:
    ours.visit(put(user=7))
    key = key_at(ours)
    with ours.holds():
        assert SessionStore(key).get("user") is None
        with trusted_keys():
            assert SessionStore(key).get("user") == 7
        assert SessionStore(key).get("user") is None


def test_an_id_opens_nothing_under_djangos_own_middleware(clock: FakeClock, store: MemoryStore) -> None:
    site = site_of(clock, STOCK, storage="store", store=store)
    site.visit(put(user=7))
    sid = payload(site.value)["_iron"]["sid"]
    liar = another(site)
    liar.keep(sid)
    assert liar.finds() == {}
    with site.holds(), trusted_keys():
        assert SessionStore(sid).get("user") is None
        assert not SessionStore().exists(sid)


def test_an_id_opens_nothing_of_a_session_that_is_in_its_cookie(clock: FakeClock, store: MemoryStore) -> None:
    site = site_of(clock, OURS, overflow="store", store=store)
    site.visit(put(user=7, notes=LARGE))
    key = key_at(site)
    with site.holds(), trusted_keys():
        assert SessionStore(key).get("user") is None


def test_the_store_knows_which_sessions_exist(ours: Site, clock: FakeClock) -> None:
    ours.visit(put(user=7))
    key = key_at(ours)
    with ours.holds():
        for is_bound in (True, False):
            store = SessionStore.bound_to(DictJar()) if is_bound else SessionStore()
            assert store.exists(key)
            assert store.exists(ours.value)
            for other in ("a" * 32, key[:-1], ours.value[:-6], "x" * 500, "", None):
                assert not store.exists(other)
        clock.advance(2_000_000)
        assert not SessionStore().exists(key)


@pytest.mark.parametrize("kind", ["id", "seal"])
def test_another_session_is_ended_by_its_key(ours: Site, store: MemoryStore, kind: str) -> None:
    ours.visit(put(user=7))
    key = key_at(ours) if kind == "id" else ours.value
    with ours.holds():
        SessionStore().delete(key)
        assert not SessionStore().exists(key)
    assert ours.finds() == {}
    assert len(store) == 0


def test_the_session_of_an_id_can_be_cycled_and_flushed(ours: Site, store: MemoryStore) -> None:
    ours.visit(put(user=7))
    key = key_at(ours)
    with ours.holds(), trusted_keys():
        kept = SessionStore(key)
        kept.cycle_key()
        assert kept.session_key not in (key, None)
        assert SessionStore(kept.session_key)["user"] == 7
        assert SessionStore(key).get("user") is None
        kept.flush()
        assert kept.session_key is None
    assert len(store) == 0


def test_expired_sessions_are_cleared(ours: Site, store: MemoryStore, clock: FakeClock) -> None:
    ours.visit(put(user=7))
    clock.advance(2_000_000)
    with ours.holds():
        SessionStore.clear_expired()
    assert len(store) == 0


# Asynchronously.


class WatchedStore(Store):
    """Notes in which thread it is asked."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.threads: set[int] = set()

    def __getattribute__(self, name: str) -> Any:
        if name in ("create", "load", "save", "touch", "delete", "list_subject", "sweep"):
            self.threads.add(threading.get_ident())
            return getattr(self.store, name)
        return super().__getattribute__(name)

    def create(self, key: str, record: Record) -> bool: ...  # type: ignore[empty-body]
    def load(self, key: str) -> Record | None: ...
    def save(self, key: str, record: Record, *, version: int) -> bool: ...  # type: ignore[empty-body]
    def touch(self, key: str, *, expires_at: float | None) -> bool: ...  # type: ignore[empty-body]
    def delete(self, key: str) -> bool: ...  # type: ignore[empty-body]
    def list_subject(self, subject: str) -> list[StoredSession]: ...  # type: ignore[empty-body]


@pytest.mark.parametrize("is_bound", [True, False])
def test_no_asynchronous_method_holds_the_event_loop_up(
    clock: FakeClock,
    store: MemoryStore,
    is_bound: bool,  # noqa: FBT001 - a parameter
) -> None:
    watched = WatchedStore(store)

    async def use() -> int:
        session = SessionStore.bound_to(DictJar()) if is_bound else SessionStore()
        await session.aset("cat", "dog")
        await session.asave()
        assert await session.aexists(session.session_key)
        assert await session.aload() == {"cat": "dog"}
        await session.acycle_key()
        await session.acreate()
        await session.adelete("a" * 32)
        await session.adelete()
        await session.aflush()
        await SessionStore.aclear_expired()
        return threading.get_ident()

    with site_of(clock, OURS, storage="store", store=watched).holds():
        assert watched.threads == set()
        loop = asyncio.run(use())
    assert len(watched.threads) == 1
    assert loop not in watched.threads


def test_our_middleware_under_asgi_does_not_hold_the_event_loop_up(
    clock: FakeClock, store: MemoryStore
) -> None:
    watched = WatchedStore(store)
    site = site_of(clock, OURS, storage="store", store=watched)

    async def view(request: HttpRequest) -> HttpResponse:
        await request.session.aset("count", await request.session.aget("count", 0) + 1)
        return HttpResponse()

    async def visit() -> int:
        cookie = f"{NAME}={site.value}" if site.value else ""
        response = await SessionMiddleware(view)(site.request(cookie))
        site.keep(response.cookies[NAME].value)
        return threading.get_ident()

    with site.holds():
        loops = {asyncio.run(visit()) for _ in range(3)}
        assert watched.threads
        assert not watched.threads & loops
        assert conf.vault().load(site.value).data == {"count": 3}


@pytest.mark.django_db
def test_a_database_is_not_asked_in_the_event_loop(clock: FakeClock) -> None:
    site = site_of(clock, OURS, storage="store", store="django-db:default")
    site.visit(put(user=7))

    async def use() -> None:
        with pytest.raises(SynchronousOnlyOperation, match="await its asynchronous methods"):
            SessionStore(site.value).get("user")

    with site.holds():
        asyncio.run(use())


def test_a_session_saved_after_the_headers_is_not_written(ours: Site) -> None:
    def stream(request: HttpRequest) -> Iterator[bytes]:
        yield b"a"
        request.session["late"] = 1
        with pytest.raises(HeadersAlreadySent):
            request.session.save()
        yield b"b"

    ours.visit(put(user=7))
    with ours.holds():
        response = ours.visit(lambda request: StreamingHttpResponse(stream(request)))
        assert b"".join(response.streaming_content) == b"ab"
    assert ours.finds() == {"user": 7}


def test_a_lost_record_leaves_the_cookie_where_it_is(site: Site, store: MemoryStore) -> None:
    site.visit(put(user=7))
    value = site.value
    store.delete(key_of(payload(value)["_iron"]["ref"]))
    response = site.visit(lambda request: request.session.get("user"))
    assert names(response) == []
    assert site.value == value
    site.visit(put(user=8))
    assert site.finds() == {"user": 8}


def test_revocations_and_a_store_work_together(clock: FakeClock, store: MemoryStore, middleware: str) -> None:
    revocations = MemoryRevocations(clock=clock)
    site = site_of(clock, middleware, storage="store", store=store, revocations=revocations)
    site.visit(put(user=7))
    value = site.value
    site.visit(lambda request: request.session.flush())
    assert len(store) == 0
    assert len(revocations) == 1
    site.keep(value)
    assert site.finds() == {}
    assert NAME not in site.client.cookies or site.value == value
