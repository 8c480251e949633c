"""Ending Django's sessions: whoever has copied a cookie has nothing once its session is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from django.contrib import auth
from django.contrib.sessions.backends.base import UpdateError
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test.utils import CaptureQueriesContext

from iron_wsgi import Refused, Unavailable
from iron_wsgi.revocation import MemoryRevocations, Revocations
from iron_wsgi.stores import MemoryStore
from iron_wsgi.testing import FakeClock
from iron_wsgi_django import end_other_sessions
from iron_wsgi_django import revocations as sites_revocations
from iron_wsgi_django import store as sites_store
from iron_wsgi_django.backend import SessionStore
from iron_wsgi_django.databases.revocations import DatabaseRevocations
from iron_wsgi_django.databases.store import DatabaseStore

from .django_site import NAME, OURS, STOCK, Site, lines, names, put
from .visitor import NOW, payload, sealed

pytestmark = pytest.mark.django_db

AUTH: Final = "django.contrib.auth.middleware.AuthenticationMiddleware"
SECRET: Final = "correct horse battery staple"

MODES: Final[dict[str, Callable[[FakeClock], dict[str, Any]]]] = {
    "a list": lambda clock: {"revocations": MemoryRevocations(clock=clock)},
    "a store": lambda clock: {"storage": "store", "store": MemoryStore(clock=clock)},
    "a list in the database": lambda _: {"revocations": "django-db:default"},
    "a store in the database": lambda _: {"storage": "store", "store": "django-db:default"},
    "a store in a cache": lambda _: {"storage": "store", "store": "django-cache:default"},
}


@pytest.fixture(params=[OURS, STOCK], ids=["ours", "stock"])
def middleware(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(params=MODES)
def site(request: pytest.FixtureRequest, clock: FakeClock, middleware: str) -> Site:
    return Site(clock, MIDDLEWARE=[middleware, AUTH], IRON_SESSION=MODES[request.param](clock))


@pytest.fixture
def ada() -> Any:
    return auth.get_user_model().objects.create_user("ada", password=SECRET)


def sign_in(user: Any) -> Callable[[HttpRequest], Any]:
    return lambda request: auth.login(request, user, "django.contrib.auth.backends.ModelBackend")


def who(site: Site, cookie: str) -> str:
    """Whom the site takes the holder of *cookie* for."""
    site.keep(cookie)
    return str(site.visit(lambda request: HttpResponse(request.user.get_username())).content.decode())


def change_password(request: HttpRequest) -> None:
    user = request.user
    user.set_password("another horse")
    user.save()
    auth.update_session_auth_hash(request, user)


ENDS: Final[dict[str, Callable[[HttpRequest], Any]]] = {
    "logout": auth.logout,
    "flush": lambda request: request.session.flush(),
    "cycle_key": lambda request: request.session.cycle_key(),
    "delete": lambda request: request.session.delete(),
    "delete by key": lambda request: request.session.delete(request.session.session_key),
    "password change": change_password,
    "emptied": lambda request: request.session.clear(),
    "emptied and saved": lambda request: (request.session.clear(), request.session.save()),
}
"""All that ends a session, or gives it another id."""


@pytest.mark.parametrize("end", ENDS)
def test_a_copy_of_the_cookie_is_worth_nothing_after(end: str, site: Site, ada: Any) -> None:
    site.visit(sign_in(ada))
    copy = site.value
    assert who(site, copy) == "ada"
    site.visit(ENDS[end])
    assert who(site, copy) == ""


def test_whoever_goes_on_with_another_id_stays_signed_in(site: Site, ada: Any) -> None:
    site.visit(sign_in(ada))
    for end in ("cycle_key", "password change"):
        site.visit(ENDS[end])
        assert who(site, site.value) == "ada"


def test_every_copy_that_was_ever_made_dies_with_the_session(site: Site, ada: Any, clock: FakeClock) -> None:
    site.visit(sign_in(ada))
    copies = [site.value]
    for number in range(3):
        clock.advance(10)
        site.visit(put(number=number))
        copies.append(site.value)
    site.visit(auth.logout)
    assert [who(site, copy) for copy in copies] == [""] * 4


def test_a_slow_request_does_not_sign_in_again_whoever_has_signed_out(
    site: Site, ada: Any, clock: FakeClock
) -> None:
    site.visit(sign_in(ada))
    copy = site.value

    def slow(request: HttpRequest) -> None:
        request.session["late"] = 1
        fast = Site(clock)
        fast.settings = site.settings
        fast.keep(copy)
        fast.visit(auth.logout)

    response = site.visit(slow)
    assert response.status_code == 400
    assert lines(response) == []
    assert who(site, copy) == ""


def test_a_session_that_began_in_this_request_and_was_ended_elsewhere_is_not_saved_again(site: Site) -> None:
    def use(request: HttpRequest) -> None:
        request.session["user"] = 7
        request.session.save()
        SessionStore().delete(request.session.session_key)
        request.session["user"] = 8
        with pytest.raises(UpdateError):
            request.session.save()

    assert site.visit(use).status_code == 400
    assert site.finds() == {}


def test_all_other_sessions_of_a_user_end_at_once(site: Site, ada: Any, clock: FakeClock) -> None:
    cookies = []
    for _ in range(3):
        site.client.cookies.clear()
        site.visit(sign_in(ada))
        cookies.append(site.value)
    clock.advance(1)

    site.visit(end_other_sessions)
    kept = site.value
    assert [who(site, cookie) for cookie in [*cookies, kept]] == ["", "", "", "ada"]
    site.visit(sign_in(ada))
    assert who(site, site.value) == "ada"


def test_who_ends_other_sessions_stays_signed_in_though_clocks_differ(clock: FakeClock, ada: Any) -> None:
    ahead = MemoryRevocations(clock=lambda: clock() + 1)
    site = Site(clock, MIDDLEWARE=[OURS, AUTH], IRON_SESSION={"revocations": ahead})
    site.visit(sign_in(ada))
    site.visit(end_other_sessions)
    assert who(site, site.value) == "ada"


def test_sessions_of_nobody_end_no_others(site: Site) -> None:
    site.visit(put(cart=1))
    copy = site.value
    site.visit(end_other_sessions)
    assert site.finds() == {"cart": 1}
    site.keep(copy)
    assert site.finds() == {}


def test_where_no_server_remembers_other_sessions_cannot_be_ended(clock: FakeClock) -> None:
    site = Site(clock)
    with pytest.raises(ImproperlyConfigured, match="must name a list of revocations, or a store"):
        site.visit(end_other_sessions)


def test_a_session_that_node_made_ends_with_its_subject(clock: FakeClock, ada: Any) -> None:
    site = Site(clock, MIDDLEWARE=[OURS, AUTH], IRON_SESSION={"revocations": "django-db:default"})
    hash_ = ada.get_session_auth_hash()
    data = {
        "_auth_user_id": str(ada.pk),
        "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
        "_auth_user_hash": hash_,
    }
    cookie = sealed(data, expires_at=NOW + 1_209_600)
    assert who(site, cookie) == "ada"
    clock.advance(1)
    with site.holds():
        listed = sites_revocations()
        assert listed is not None
        listed.revoke_subject(str(ada.pk))
    assert who(site, cookie) == ""


def test_another_session_is_ended_by_its_key(site: Site, ada: Any, middleware: str) -> None:
    site.visit(sign_in(ada))
    copy = site.value
    keys: list[str] = []
    site.visit(lambda request: keys.append(request.session.session_key))
    assert (keys[0] == copy) is (middleware == STOCK)
    with site.holds():
        store = SessionStore()
        assert store.exists(keys[0])
        store.delete(keys[0])
        assert not SessionStore().exists(keys[0])
    assert who(site, copy) == ""


def test_a_revoked_cookie_stays_so_that_a_late_request_deletes_no_newer_one(clock: FakeClock) -> None:
    site = Site(clock, IRON_SESSION={"revocations": MemoryRevocations(clock=clock)})
    site.visit(put(user=7))
    copy = site.value
    site.visit(lambda request: request.session.flush())
    site.keep(copy)
    assert names(site.visit(lambda request: request.session.get("user"))) == []


def test_a_list_asks_one_question_of_the_database_for_each_request_that_reads(
    clock: FakeClock, middleware: str
) -> None:
    site = Site(clock, middleware=middleware, IRON_SESSION={"revocations": "django-db:default"})
    site.visit(put(user=7))
    with CaptureQueriesContext(connection) as queries:
        site.visit(lambda request: request.session.get("user"))
    assert len(queries) == 1
    with CaptureQueriesContext(connection) as queries:
        site.visit()
    assert len(queries) == 0


def test_what_there_is_can_be_asked_for_by_the_application(clock: FakeClock) -> None:
    with Site(clock).holds():
        assert sites_store() is None
        assert sites_revocations() is None
    options = {"store": "django-db:default", "revocations": "django-db:default"}
    with Site(clock, IRON_SESSION=options).holds():
        assert isinstance(sites_store(), DatabaseStore)
        assert isinstance(sites_revocations(), DatabaseRevocations)


# Transactions that are rolled back.


@pytest.mark.parametrize(
    "options",
    [{"revocations": "django-db:default"}, {"storage": "store", "store": "django-db:default"}],
    ids=["list", "store"],
)
@pytest.mark.parametrize("status", [200, 500])
def test_who_signed_out_stays_so_though_the_views_transaction_is_rolled_back(
    options: dict[str, Any], status: int, clock: FakeClock, ada: Any
) -> None:
    site = Site(clock, MIDDLEWARE=[OURS, AUTH], IRON_SESSION=options)
    site.visit(sign_in(ada))
    copy = site.value

    def view(request: HttpRequest) -> HttpResponse:
        with transaction.atomic():
            auth.logout(request)
            transaction.set_rollback(True)
        return HttpResponse(status=status)

    site.client.raise_request_exception = False
    site.visit(view)
    assert NAME not in site.client.cookies or not site.value
    assert who(site, copy) == ""


# Outages.


class Down(Exception):
    """What a driver might raise."""


class DownRevocations(Revocations):
    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        raise Down(sid, subject, issued_at)

    def revoke(self, sid: str, *, expires_at: float | None = None) -> bool:
        raise Down(sid, expires_at)


class HalfDown(DownRevocations):
    """One that answers, and takes nothing down."""

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        del sid, subject, issued_at
        return False


@pytest.mark.parametrize(
    "use",
    [lambda request: request.session.get("user"), put(user=8), lambda request: request.session.flush()],
    ids=["read", "write", "flush"],
)
def test_where_the_list_does_not_answer_the_visitor_is_asked_to_come_back(
    use: Callable[[HttpRequest], Any], clock: FakeClock
) -> None:
    site = Site(clock)
    site.visit(put(user=7))
    value = site.value
    site.settings["IRON_SESSION"]["revocations"] = DownRevocations()
    response = site.visit(use)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert lines(response) == []
    assert site.value == value
    del site.settings["IRON_SESSION"]["revocations"]
    assert site.finds() == {"user": 7}


def reads_itself(get_response: Any) -> Any:
    """A middleware that reads the session, and of whose errors Django makes a page."""

    def middleware(request: HttpRequest) -> Any:
        request.session.get("user")
        return get_response(request)

    return middleware


class Briefly(DownRevocations):
    """A list that does not answer the first time."""

    def __init__(self) -> None:
        self.asked = 0

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        self.asked += 1
        if self.asked == 1:
            raise Down(sid, subject, issued_at)
        return False


@pytest.mark.parametrize("listed", [DownRevocations(), Briefly()], ids=["for long", "briefly"])
def test_an_outage_that_another_middleware_meets_is_no_error_of_the_site(
    listed: Revocations, clock: FakeClock
) -> None:
    site = Site(clock, MIDDLEWARE=[OURS, f"{__name__}.reads_itself"])
    site.visit(put(user=7))
    site.settings["IRON_SESSION"]["revocations"] = listed
    site.client.raise_request_exception = False
    response = site.visit()
    assert response.status_code == 503
    assert lines(response) == []


def test_who_cannot_be_signed_out_is_told_so_and_stays_signed_in(clock: FakeClock) -> None:
    site = Site(clock, IRON_SESSION={"revocations": HalfDown()})
    site.visit(put(user=7))
    for end in ("flush", "clear", "cycle_key"):
        response = site.visit(lambda request, end=end: getattr(request.session, end)())
        assert (end, response.status_code, lines(response)) == (end, 503, [])
        assert site.finds() == {"user": 7}


def test_under_djangos_own_middleware_an_outage_is_an_error(clock: FakeClock) -> None:
    site = Site(clock, middleware=STOCK)
    site.visit(put(user=7))
    site.settings["IRON_SESSION"]["revocations"] = DownRevocations()
    with pytest.raises(Unavailable):
        site.visit(lambda request: request.session.get("user"))
    site.client.raise_request_exception = False
    response = site.visit(lambda request: request.session.get("user"))
    assert response.status_code == 500
    assert lines(response) == []


def test_who_fails_open_says_so(clock: FakeClock) -> None:
    site = Site(clock)
    site.visit(put(user=7))
    site.settings["IRON_SESSION"] |= {"revocations": DownRevocations(), "on_outage": "accept"}
    assert site.finds() == {"user": 7}


def test_a_list_that_lost_what_it_knew_signs_everybody_out_once_and_deletes_no_cookie(
    clock: FakeClock, ada: Any
) -> None:
    from iron_wsgi_django.models import Revocation  # noqa: PLC0415 - a model needs the settings

    site = Site(clock, MIDDLEWARE=[OURS, AUTH], IRON_SESSION={"revocations": "django-db:default"})
    site.visit(sign_in(ada))
    copy = site.value
    Revocation.objects.all().delete()
    clock.advance(60)
    response = site.visit(lambda request: request.session.get("x"))
    assert lines(response) == []
    assert who(site, copy) == ""
    site.visit(sign_in(ada))
    assert who(site, site.value) == "ada"
    with site.holds(), pytest.raises(Refused):
        DatabaseRevocations(clock=clock).is_revoked(payload(copy)["_iron"]["sid"], None, NOW)
