"""The session store by itself, in both ways of life: its key is the seal, or it is bound to cookies."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import pytest
from django.contrib.sessions.management.commands import clearsessions
from django.core.management import call_command
from django.test.utils import override_settings

from iron_wsgi import CookieTooLarge, PayloadError, Sealer, unseal_data
from iron_wsgi.errors import RefusalReason
from iron_wsgi.testing import DictJar, FakeClock
from iron_wsgi_django import conf
from iron_wsgi_django.backend import SessionStore

from .django_site import ENGINE, NAME, OURS, STOCK, at_once
from .visitor import NEWER, NOW, OTHER, PASSWORD, ends_at, payload, sealed

AGE: Final = 1_209_600
SOON: Final = NOW + AGE


def iron(clock: FakeClock, **options: Any) -> override_settings:
    given = {"password": PASSWORD, "clock": clock, **options}
    return override_settings(SESSION_ENGINE=ENGINE, MIDDLEWARE=[STOCK], IRON_SESSION=given)


@pytest.fixture(autouse=True)
def _settings(clock: FakeClock) -> Iterator[None]:
    with iron(clock):
        yield


def saved(**data: Any) -> SessionStore:
    store = SessionStore()
    store.update(data)
    store.save()
    return store


def bound(cookies: dict[str, Any] | None = None) -> tuple[SessionStore, DictJar]:
    jar = DictJar(cookies)
    return SessionStore.bound_to(jar), jar


def next_of(jar: DictJar) -> tuple[SessionStore, DictJar]:
    """The browser's next request."""
    return bound(dict(jar.cookies))


# The key is the seal.


def test_the_session_key_is_a_seal_that_iron_session_reads() -> None:
    with iron(FakeClock(time.time())):
        assert unseal_data(saved(user=7).session_key, password=PASSWORD) == {"user": 7}


def test_what_was_saved_is_found_under_its_key() -> None:
    assert SessionStore(saved(user=7).session_key)["user"] == 7


@pytest.mark.parametrize(
    "value",
    ["nonsense-nonsense", sealed({"user": 7}, expires_at=NOW - 61), sealed({"user": 7}, password=OTHER)],
    ids=["invalid", "expired", "another password under our id"],
)
def test_a_key_that_cannot_be_trusted_is_dropped_and_nothing_is_written(value: str) -> None:
    store = SessionStore(value)
    assert store.get("user") is None
    assert store.session_key is None
    assert store.is_empty()
    assert not store.modified


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (sealed({"user": 7}, password=OTHER, password_id="9"), "unknown-password"),
        (sealed({"user": 7}, expires_at=None), "no-expiry"),
    ],
)
def test_a_key_that_another_server_may_know_stays(value: str, reason: RefusalReason) -> None:
    store = SessionStore(value)
    assert store.get("user") is None
    assert store._state is not None
    assert store._state.refused == reason
    assert store.session_key == value
    assert not store.modified


def test_a_save_that_writes_nothing_leaves_the_key_of_another_server_alone() -> None:
    value = sealed({"user": 7}, password=OTHER, password_id="9")
    store = SessionStore(value)
    store.save()  # as SESSION_SAVE_EVERY_REQUEST does
    assert store.session_key == value
    store["user"] = 8
    store.save()
    assert payload(store.session_key) == {"user": 8}


def test_a_seal_under_an_older_password_is_sealed_anew(clock: FakeClock) -> None:
    value = saved(user=7).session_key
    with iron(clock, password={2: NEWER, 1: PASSWORD}):
        store = SessionStore(value)
        assert store["user"] == 7
        assert store.modified
        assert payload(store.session_key, NEWER) == {"user": 7}


def test_a_session_that_is_used_is_renewed_as_refresh_after_says(clock: FakeClock) -> None:
    value = saved(user=7).session_key
    with iron(clock, refresh_after=3600):
        clock.advance(3599)
        store = SessionStore(value)
        assert store["user"] == 7
        assert not store.modified
        clock.advance(1)
        store = SessionStore(value)
        assert store["user"] == 7
        assert store.modified
        assert ends_at(store.session_key) == clock.now + AGE


def test_refresh_after_counts_by_the_sessions_own_expiry(clock: FakeClock) -> None:
    with iron(clock, refresh_after=60):
        store = SessionStore()
        store.set_expiry(600)
        store.save()
        value = store.session_key
        again = SessionStore(value)
        assert again.get("_session_expiry") == 600
        assert not again.modified  # by the settings' age it would be due at once
        clock.advance(60)
        again = SessionStore(value)
        assert again.get("_session_expiry") == 600
        assert again.modified
        assert ends_at(again.session_key) == clock.now + 600


def test_a_renewal_that_no_longer_fits_keeps_the_old_seal_and_meets_nobody_with_an_error(
    clock: FakeClock,
) -> None:
    value = sealed({"user": 7, "big": "x" * 4000})
    with iron(clock, password={2: NEWER, 1: PASSWORD}):
        store = SessionStore(value)
        assert store["user"] == 7
        assert store.session_key == value
        assert not store.modified


# When sessions end.


@pytest.mark.parametrize("expiry", [0, None])
def test_a_session_without_an_expiry_of_its_own_is_sealed_for_the_settings_age(expiry: int | None) -> None:
    store = SessionStore()
    store["user"] = 7
    store.set_expiry(expiry)
    store.save()
    assert ends_at(store.session_key) == SOON


@pytest.mark.parametrize(
    "make_expiry",
    [
        lambda: 300,
        lambda: datetime.fromtimestamp(NOW + 300, timezone.utc),
        # Made by the test: Django sets the process's time zone when its settings are first read.
        lambda: datetime.fromtimestamp(NOW + 300),  # noqa: DTZ006
    ],
    ids=["seconds", "moment", "local moment"],
)
def test_a_session_ends_when_it_says(make_expiry: Callable[[], Any], clock: FakeClock) -> None:
    store = SessionStore()
    store["user"] = 7
    store.set_expiry(make_expiry())
    store.save()
    assert ends_at(store.session_key) == NOW + 300
    clock.advance(300 + 59)
    assert SessionStore(store.session_key).get("user") == 7
    clock.advance(2)
    assert SessionStore(store.session_key).get("user") is None


@pytest.mark.parametrize("expiry", [-1, -(10**10), timedelta(days=-1)])
def test_an_expiry_that_has_passed_ends_the_session_at_once(expiry: Any) -> None:
    with iron(FakeClock(time.time())):
        store = SessionStore()
        store["user"] = 7
        store.set_expiry(expiry)
        store.save()
        assert ends_at(store.session_key) is not None
        assert SessionStore(store.session_key).get("user") is None


@pytest.mark.parametrize("age", [0, -5])
def test_an_age_of_nothing_in_the_settings_is_no_eternal_session(age: int) -> None:
    with override_settings(SESSION_COOKIE_AGE=age):
        assert ends_at(saved(user=7).session_key) is not None
        assert SessionStore(saved(user=7).session_key).get("user") is None


def test_an_absolute_timeout_caps_every_expiry(clock: FakeClock) -> None:
    with iron(clock, absolute_timeout=3600):
        store = SessionStore()
        store.set_expiry(7200)
        store.save()
        assert ends_at(store.session_key) == NOW + 3600
        clock.advance(1800)
        again = SessionStore(store.session_key)
        again["more"] = 1
        again.save()
        assert ends_at(again.session_key) == NOW + 3600
        again.cycle_key()  # whoever signs in begins anew
        assert ends_at(again.session_key) == NOW + 1800 + 3600


class Kiosk(SessionStore):
    """A site's own store."""

    def get_session_cookie_age(self) -> int:
        return 60


def test_a_store_of_the_sites_own_may_decide_the_age() -> None:
    store = Kiosk()
    store["user"] = 7
    store.save()
    assert ends_at(store.session_key) == NOW + 60
    jar = DictJar()
    other = Kiosk.bound_to(jar)
    other["user"] = 7
    other.save()
    assert jar.outcome.cookies[0].max_age == 60


# What there is, and what is no more.


def test_only_seals_that_open_exist(clock: FakeClock) -> None:
    value = saved(user=7).session_key
    store = SessionStore()
    assert store.exists(value)
    for other in (None, "", "nonsense", value[:-6], sealed({}, password=OTHER), "a" * 32):
        assert not store.exists(other)
    clock.advance(AGE + 61)
    assert not store.exists(value)


@pytest.mark.parametrize("end", [SessionStore.delete, SessionStore.flush, SessionStore.cycle_key])
def test_what_a_store_ended_exists_no_more_for_it(end: Callable[[SessionStore], object]) -> None:
    store = saved(user=7)
    value = store.session_key
    end(store)
    assert store.session_key != value
    assert not store.exists(value)


def test_with_our_middleware_ids_exist_and_seals_do_as_well() -> None:
    value = saved(user=7).session_key
    with override_settings(MIDDLEWARE=[OURS]):
        store = SessionStore()
        assert store.exists("a" * 32)
        assert store.exists(value)
        assert not store.exists(value[:-6])
        assert not store.exists("a" * 500)
        assert not store.exists("")


def test_a_new_key_is_found_without_asking_for_it() -> None:
    with override_settings(MIDDLEWARE=[OURS]):
        store = SessionStore()
        assert len(store._get_new_session_key()) == 32
        assert store._get_new_session_key() != at_once(store._aget_new_session_key())


def test_create_gives_a_key_at_once() -> None:
    store = SessionStore()
    store.create()
    assert store.modified
    assert payload(store.session_key) == {}
    first = store.session_key
    store["user"] = 7
    store.create()
    assert store.session_key != first
    assert payload(store.session_key) == {"user": 7}


def test_flush_leaves_no_key_and_no_data() -> None:
    store = saved(user=7)
    store.flush()
    assert store.session_key is None
    assert store.is_empty()
    assert store.modified


def test_deleting_another_session_is_said_to_be_in_vain(caplog: pytest.LogCaptureFixture) -> None:
    other = saved(user=8).session_key
    store = saved(user=7)
    with caplog.at_level(logging.WARNING, "iron_wsgi"):
        store.delete(other)
        store.delete("nonsense")
    [record] = caplog.records
    assert "another session was deleted by its key, and lives on" in record.getMessage()
    assert store["user"] == 7
    assert not store.exists(other)


def test_the_id_stays_while_the_key_changes_and_changes_where_the_session_does() -> None:
    store = saved(user=7)
    sid = store.sid
    store.save()
    assert payload(store.session_key)["_iron"] == {"sid": sid}
    again = SessionStore(store.session_key)
    again["more"] = 1
    again.save()
    assert again.sid == SessionStore(again.session_key).sid == sid
    again.cycle_key()
    assert again.sid not in (sid, "")
    cycled = again.sid
    again.flush()
    assert again.sid not in (sid, cycled)


def test_a_session_without_stamps_has_an_id_of_32_characters() -> None:
    store = SessionStore(sealed({"user": 7}))
    sid = store.sid
    assert len(sid) == 32
    store.save()
    assert SessionStore(store.session_key).sid == sid


def test_clearing_expired_sessions_finds_nothing_to_do() -> None:
    call_command(clearsessions.Command())
    assert at_once(SessionStore.aclear_expired()) is None


# Size, and what cannot be written.


@pytest.mark.parametrize("overflow", ["raise", "chunk"])
def test_a_session_that_does_not_fit_is_refused_at_save(overflow: str, clock: FakeClock) -> None:
    with iron(clock, overflow=overflow):
        store = saved(user=7)
        value = store.session_key
        store["notes"] = "x" * 3200
        with pytest.raises(CookieTooLarge, match="'notes'") as refused:
            store.save()
        assert store.session_key == value
        traceback = refused.value.__traceback__
        while traceback is not None:
            assert traceback.tb_frame.f_code.co_name in (
                "test_a_session_that_does_not_fit_is_refused_at_save",
                "guarded",
            )
            traceback = traceback.tb_next


def test_the_whole_line_counts_for_the_size() -> None:
    def largest() -> int:
        low, high = 0, 4096
        while low < high:
            middle = (low + high + 1) // 2
            try:
                saved(notes="x" * middle)
                low = middle
            except CookieTooLarge:
                high = middle - 1
        return low

    short = largest()
    with override_settings(
        SESSION_COOKIE_DOMAIN="a" * 60 + ".example.org", SESSION_COOKIE_PATH="/" + "p" * 40
    ):
        assert largest() < short


# Bound to cookies.


class Unreadable:
    """Cookies that nobody may look at."""

    def read(self, name: str) -> Any:
        raise AssertionError(name)

    send = read


def test_a_bound_session_has_no_key_before_it_is_saved() -> None:
    store, jar = bound()
    assert store.session_key is None
    assert store.is_empty()
    store["user"] = 7
    assert store.session_key is None
    store.save()
    assert len(store.session_key) == 32
    assert payload(jar.cookies[NAME])["_iron"]["sid"] == store.session_key


def test_a_bound_sessions_key_stays_until_it_is_cycled_or_flushed() -> None:
    store, jar = bound()
    store["user"] = 7
    store.save()
    key = store.session_key
    store, jar = next_of(jar)
    assert store.session_key == key
    store["more"] = 1
    store.save()
    assert store.session_key == key
    store.cycle_key()
    cycled = store.session_key
    assert cycled != key
    assert not store.exists(key)
    assert store["user"] == 7
    store.flush()
    assert store.session_key is None
    assert not store.exists(cycled)


def test_a_session_made_in_node_keeps_the_key_that_it_is_first_given() -> None:
    store, jar = bound({NAME: sealed({"user": 7})})
    key = store.session_key
    assert len(key) == 32
    store["more"] = 1
    store.save()
    store, jar = next_of(jar)
    assert store.session_key == key


def test_nothing_is_read_before_a_bound_session_is_used() -> None:
    store = SessionStore.bound_to(Unreadable())
    assert store.is_bound
    assert store.is_untouched
    assert not store.accessed
    with pytest.raises(AssertionError):
        store.get("user")


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.session_key,
        lambda store: store.sid,
        lambda store: store.is_empty(),
        lambda store: "user" in store,
        lambda store: store.get("user"),
        lambda store: list(store.keys()),
        lambda store: at_once(store.aget("user")),
        lambda store: store.set_expiry(None),
    ],
    ids=["session_key", "sid", "is_empty", "in", "get", "keys", "aget", "set_expiry"],
)
def test_every_use_of_a_bound_session_counts_as_access(use: Callable[[SessionStore], object]) -> None:
    store, _ = bound({NAME: sealed({"user": 7})})
    use(store)
    assert store.accessed


def test_loading_once_more_tells_what_the_cookie_holds_or_what_was_saved_since() -> None:
    store, _ = bound({NAME: sealed({"user": 7})})
    store["user"] = 8
    assert store.load() == {"user": 7}
    store.save()
    assert store.load() == {"user": 8}
    assert bound()[0].load() == {}


def test_a_large_bound_session_is_cut_into_cookies_and_put_together_again(clock: FakeClock) -> None:
    with iron(clock, overflow="chunk"):
        store, jar = bound()
        store["notes"] = "x" * 4000
        store.save()
        assert sorted(jar.cookies) == [f"{NAME}.0", f"{NAME}.1"]
        store, jar = next_of(jar)
        assert store["notes"] == "x" * 4000
        store.flush()
        assert jar.cookies == {}


def test_flush_deletes_the_cookies_now_and_a_session_begun_after_it_is_another() -> None:
    store, jar = bound({NAME: sealed({"user": 7})})
    key = store.session_key
    store.flush()
    assert jar.cookies == {}
    store["user"] = 8
    store.save()
    assert store.session_key != key
    assert payload(jar.cookies[NAME])["user"] == 8


@pytest.mark.parametrize("is_bound", [True, False])
def test_a_session_is_ended_by_its_own_key_too(is_bound: bool) -> None:  # noqa: FBT001
    store, jar = bound({NAME: sealed({"user": 7})})
    if not is_bound:
        store = saved(user=7)
    store.delete(store.session_key)
    assert store.session_key is None
    assert store.is_empty()
    assert is_bound is (jar.cookies == {})


def test_a_bound_session_can_be_created_empty_and_has_a_key_then() -> None:
    store, jar = bound({NAME: sealed({"user": 7})})
    old = store.session_key
    store.create()
    assert store.session_key not in (old, None)
    assert payload(jar.cookies[NAME]) == {"_iron": {"sid": store.session_key}}


def test_a_value_that_json_cannot_hold_is_refused_at_save_by_its_place(clock: FakeClock) -> None:
    with iron(clock, serializer="json"):
        store, jar = bound()
        store["cart"] = [{"when": timedelta(1)}]
        with pytest.raises(PayloadError, match=r"session\.cart\[0\]\.when"):
            store.save()
        assert jar.cookies == {}


def test_a_token_for_a_link_is_no_session() -> None:
    token = Sealer(PASSWORD, purpose="link").seal({"user": 7}, ttl=2e8)
    assert SessionStore(token).get("user") is None


# Asynchronously, without a thread.


async def _use_everything(store: SessionStore) -> dict[str, Any]:
    await store.aset("cat", "dog")
    await store.aupdate({"user": 7, "n": [1]})
    await store.aset_expiry(300)
    await store.aset_test_cookie()
    assert await store.atest_cookie_worked()
    await store.adelete_test_cookie()
    assert await store.apop("cat") == "dog"
    assert await store.asetdefault("n", 2) == [1]
    assert await store.ahas_key("user")
    assert await store.aget_expiry_age() == 300
    assert not await store.aget_expire_at_browser_close()
    assert await store.aget_expiry_date() is not None
    await store.asave()
    assert await store.aexists(store.session_key)
    first = store.session_key
    await store.acycle_key()
    assert not await store.aexists(first)
    assert await store.aload() is not None
    kept = dict(await store.aitems())
    assert sorted(await store.akeys()) == ["_session_expiry", "n", "user"]
    await store.adelete()
    await store.acreate()
    await store.aflush()
    assert store.session_key is None
    return kept


@pytest.mark.parametrize("is_bound", [True, False])
def test_every_asynchronous_method_answers_at_once(is_bound: bool) -> None:  # noqa: FBT001
    store = bound()[0] if is_bound else SessionStore()
    kept = at_once(_use_everything(store))
    assert kept == {"user": 7, "n": [1], "_session_expiry": 300}


def test_removing_the_test_cookie_asynchronously_is_a_change() -> None:
    store = SessionStore(saved(testcookie="worked").session_key)
    assert at_once(store.atest_cookie_worked())
    assert not store.modified
    at_once(store.adelete_test_cookie())
    assert store.modified


def test_what_djangos_own_code_asks_for_is_there() -> None:
    store = SessionStore()
    data = {"user": 7}
    assert store.decode(store.encode(data)) == data
    assert store.key_salt == "django.contrib.sessions.SessionStore"
    assert conf.vault().load(saved(user=7).session_key).data == data
