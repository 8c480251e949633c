"""Sessions of Django's own engines: read once, and written back as seals."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import pytest
from django.contrib.sessions.backends.db import SessionStore as Rows
from django.contrib.sessions.backends.signed_cookies import SessionStore as SignedCookies
from django.core import signing
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test.utils import CaptureQueriesContext, override_settings

from iron_wsgi import ConfigError, Refused
from iron_wsgi.testing import FakeClock
from iron_wsgi_django import conf
from iron_wsgi_django.backend import SessionStore
from iron_wsgi_django.middleware import SessionMiddleware
from iron_wsgi_django.older_cookies import SALT, DatabaseSessions

from .django_site import NAME, OURS, STOCK, Site, look_away, names
from .visitor import PASSWORD, payload

KEY: Final = "migration-secret-key-of-these-tests"
AGE: Final = 1_209_600


@pytest.fixture
def present() -> FakeClock:
    """A clock at the time by which Django signs."""
    return FakeClock(time.time())


@pytest.fixture(params=[OURS, STOCK], ids=["ours", "stock"])
def site(request: pytest.FixtureRequest, present: FakeClock) -> Site:
    """A site that was on signed cookies until now."""
    return Site(
        present, middleware=request.param, SECRET_KEY=KEY, IRON_SESSION={"accept": ("signed_cookies",)}
    )


def signed(key: str = KEY, **data: Any) -> str:
    """The cookie of Django's own engine."""
    with override_settings(SECRET_KEY=key, SECRET_KEY_FALLBACKS=[]):
        store = SignedCookies()
        store.update(data)
        store.save()
        return str(store.session_key)


def read(request: HttpRequest) -> None:
    request.session.get("user")


# Signed cookies.


def test_a_signed_cookie_is_read_and_written_back_as_a_seal(site: Site) -> None:
    site.keep(signed(user=7, cart=[1]))
    response = site.visit(read)
    assert names(response) == [(NAME, "set")]
    found = payload(site.value)
    assert (found["user"], found["cart"]) == (7, [1])
    assert site.finds() == {"user": 7, "cart": [1]}
    assert names(site.visit(read)) == []


def test_a_signed_cookie_that_nobody_looks_at_stays(site: Site) -> None:
    value = signed(user=7)
    site.keep(value)
    assert names(site.visit(look_away)) == []
    assert site.value == value


def test_a_compressed_signed_cookie_is_read(site: Site) -> None:
    value = signed(notes="x" * 500)
    assert value.startswith(".")
    site.keep(value)
    assert site.finds() == {"notes": "x" * 500}


def test_a_signed_cookie_under_a_fallback_key_is_read(site: Site) -> None:
    site.settings["SECRET_KEY_FALLBACKS"] = ["older"]
    site.keep(signed("older", user=7))
    assert site.finds() == {"user": 7}


def test_without_being_accepted_a_signed_cookie_is_nothing(site: Site) -> None:
    site.settings["IRON_SESSION"]["accept"] = ()
    site.keep(signed(user=7))
    assert site.finds() == {}


@pytest.mark.parametrize(
    "forge",
    [
        lambda: signed("stolen-key", user=7),
        lambda: signed(user=7)[:-4] + "AAAA",
        lambda: "a" + signed(user=7),
        lambda: signing.dumps({"user": 7}, key=KEY, salt="django.core.signing"),
        lambda: signing.dumps([7], key=KEY, salt=SALT),
        lambda: "nonsense",
        lambda: "::",
    ],
    ids=[
        "another key",
        "another signature",
        "another payload",
        "another purpose",
        "no dict",
        "one word",
        "colons",
    ],
)
def test_a_forged_signed_cookie_is_refused(forge: Any, site: Site) -> None:
    site.keep(forge())
    assert site.finds() == {}
    assert site.value == ""


def test_a_signed_cookie_ends_when_it_would_have_ended(site: Site, present: FakeClock) -> None:
    site.keep(signed(user=7))
    present.advance(AGE - 5)
    assert site.finds() == {"user": 7}
    site.keep(signed(user=7))
    present.advance(10)
    assert site.finds() == {}


@pytest.mark.parametrize("kind", ["seconds", "moment"])
def test_a_signed_cookie_ends_with_the_sessions_own_expiry(kind: str, site: Site, present: FakeClock) -> None:
    moment = datetime.now(timezone.utc) + timedelta(seconds=600)
    value = signed(user=7, _session_expiry=600 if kind == "seconds" else moment.isoformat())
    site.keep(value)
    assert site.finds()["user"] == 7
    present.advance(3600)
    site.keep(value)
    assert site.finds() == {}


def test_a_signed_cookie_of_the_future_is_refused(site: Site, present: FakeClock) -> None:
    site.keep(signed(user=7))
    present.advance(-3600)
    assert site.finds() == {}


def test_a_seal_that_was_altered_is_never_taken_for_an_older_cookie(site: Site) -> None:
    site.keep(signed(user=7))
    site.visit(read)
    site.keep(site.value[:-10] + "AAAAAAAA~2")
    assert site.finds() == {}


# Rows of the database.


def row(**data: Any) -> str:
    """The cookie of a session that is a row."""
    session = Rows()
    session.update(data)
    session.save()
    return str(session.session_key)


def database_site(clock: FakeClock, middleware: str = OURS, **settings: Any) -> Site:
    return Site(clock, middleware=middleware, IRON_SESSION={"accept": ("db",)}, **settings)


@pytest.mark.django_db
@pytest.mark.parametrize("middleware", [OURS, STOCK], ids=["ours", "stock"])
def test_a_session_in_the_database_is_read_and_written_back_as_a_seal(
    middleware: str, present: FakeClock
) -> None:
    site = database_site(present, middleware)
    site.keep(row(user=7))
    assert names(site.visit(read)) == [(NAME, "set")]
    assert payload(site.value)["user"] == 7
    assert site.finds() == {"user": 7}


@pytest.mark.django_db
def test_a_row_that_is_over_or_was_never_there_is_refused(present: FakeClock) -> None:
    site = database_site(present)
    value = row(user=7)
    for unknown in ("a" * 32, value[:-1], value.upper(), "' OR 1=1 --".ljust(32)):
        site.keep(unknown)
        assert site.finds() == {}
    site.keep(value)
    present.advance(AGE + 10)
    assert site.finds() == {}


@pytest.mark.django_db
def test_a_database_that_does_not_answer_signs_nobody_out(present: FakeClock) -> None:
    site = database_site(present)
    site.keep("a" * 32)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE django_session")
    response = site.visit(read)
    assert response.status_code == 503
    assert names(response) == []
    assert site.value == "a" * 32


@pytest.mark.django_db
def test_no_query_is_made_for_what_cannot_be_a_key(present: FakeClock) -> None:
    reader = DatabaseSessions(AGE)
    with CaptureQueriesContext(connection) as queries:
        for value in ("", "nonsense", "a" * 33, "\u0101" * 32, "a" * 31 + "\n"):
            with pytest.raises(Refused):
                reader.read(value, at=present.now)
        assert len(queries) == 0
        with pytest.raises(Refused):
            reader.read("a" * 32, at=present.now)
        assert len(queries) == 1


def test_without_djangos_application_the_setting_is_named(present: FakeClock) -> None:
    apps = ["django.contrib.contenttypes"]
    wanted = r"'django\.contrib\.sessions' in INSTALLED_APPS"
    with override_settings(INSTALLED_APPS=apps), pytest.raises(ConfigError, match=wanted):
        DatabaseSessions(AGE).read("a" * 32, at=present.now)


def test_rows_are_looked_for_in_a_thread_and_seals_are_not(present: FakeClock) -> None:
    looked_in: list[int] = []

    class Store(SessionStore):
        def _opened(self) -> Any:
            if self._state is None:
                looked_in.append(threading.get_ident())
            return super()._opened()

    async def view(request: HttpRequest) -> HttpResponse:
        await request.session.aget("user")
        return HttpResponse()

    site = database_site(present)
    with site.holds():
        sealed_store = SessionStore()
        sealed_store["user"] = 7
        sealed_store.save()
        middleware = SessionMiddleware(view)
        middleware.SessionStore = Store
        asyncio.run(middleware(site.request(f"{NAME}={sealed_store.session_key}")))
        assert looked_in == [threading.get_ident()]
        asyncio.run(middleware(site.request(f"{NAME}=not-a-key-but-it-may-be-one")))
    assert looked_in[1] != threading.get_ident()


# Passwords from the secret key.


def test_a_site_that_gets_a_password_of_its_own_signs_nobody_out(present: FakeClock) -> None:
    before = Site(present, SECRET_KEY=KEY)
    del before.settings["IRON_SESSION"]["password"]
    before.visit(lambda request: request.session.update({"user": 7}))
    after = Site(present, SECRET_KEY=KEY, IRON_SESSION={"accept": ("secret-key",)})
    after.keep(before.value)
    assert names(after.visit(read)) == [(NAME, "set")]
    assert payload(after.value)["user"] == 7
    with after.holds():
        assert conf.options().password.sealing == PASSWORD
