"""The middleware, as browsers and caches see it; by WSGI and by ASGI."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, Final

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseSession
from django.contrib.sessions.backends.signed_cookies import SessionStore as SignedCookies
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse, parse_cookie
from django.views.debug import get_exception_reporter_filter

from iron_wsgi import CookieTooLarge, HeadersAlreadySent, Outcome, Unavailable
from iron_wsgi.testing import FakeClock
from iron_wsgi_django import backend
from iron_wsgi_django.http.jars import RequestJar
from iron_wsgi_django.middleware import SessionMiddleware

from .django_site import NAME, OURS, STOCK, Site, Use, at_once, line, lines, look_away, names, put
from .visitor import NEWER, NOW, OTHER, PASSWORD, attributes, ends_at, payload, sealed

CACHE: Final = "django.middleware.cache.UpdateCacheMiddleware"
FETCH: Final = "django.middleware.cache.FetchFromCacheMiddleware"
GOOD: Final = sealed({"user": 7, "cart": [1]})
FORGED: Final = GOOD[:-6] + "AAAA~2"


@pytest.fixture(params=[False, True], ids=["wsgi", "asgi"])
def site(request: pytest.FixtureRequest, clock: FakeClock) -> Site:
    return Site(clock, is_async=request.param)


def read(request: HttpRequest) -> None:
    request.session.get("user")


def flush(request: HttpRequest) -> None:
    request.session.flush()


def clear(request: HttpRequest) -> None:
    request.session.clear()


def in_turn(*uses: Use) -> Use:
    return lambda request: [use(request) for use in uses][-1]


def answered(response: HttpResponse, *uses: Use) -> Use:
    """Do all this, and answer with *response*."""
    return in_turn(*uses, lambda _: response)


def status(code: int) -> HttpResponse:
    return HttpResponse(status=code)


# One who does nothing, one who reads, one who writes.


def test_a_request_that_does_nothing_with_its_session_is_answered_unchanged(site: Site) -> None:
    site.settings["IRON_SESSION"]["clock"] = None  # nobody reads it
    site.keep(GOOD)
    response = site.visit()
    assert lines(response) == []
    assert set(response.headers) == {"Content-Type"}


def test_one_who_reads_is_told_apart_and_gets_no_cookie(site: Site) -> None:
    site.keep(GOOD)
    response = site.visit(read)
    assert lines(response) == []
    assert response.headers["Vary"] == "Cookie"
    assert "Cache-Control" not in response.headers


def test_one_who_writes_gets_one_cookie_and_no_shared_cache_keeps_it(site: Site) -> None:
    response = site.visit(put(user=7))
    assert attributes(line(response)) == {
        "expires": datetime.fromtimestamp(NOW + 1_209_600, timezone.utc).strftime(
            "%a, %d %b %Y %H:%M:%S GMT"
        ),
        "httponly": "",
        "max-age": "1209600",
        "path": "/",
        "samesite": "Lax",
    }
    assert response.headers["Vary"] == "Cookie"
    assert response.headers["Cache-Control"] == "private, no-store"
    assert payload(site.value)["user"] == 7
    assert site.finds() == {"user": 7}


def test_the_sessions_key_is_short_and_stays(site: Site) -> None:
    keys: list[str] = []
    note: Use = lambda request: keys.append(request.session.session_key)  # noqa: E731
    site.visit(in_turn(note, put(user=7)))
    site.visit(in_turn(note, put(user=8)))
    site.visit(note)
    assert keys[0] is None
    assert keys[1] == keys[2] == payload(site.value)["_iron"]["sid"]


def test_a_change_inside_a_value_is_noticed(site: Site) -> None:
    site.keep(GOOD)
    site.visit(lambda request: request.session["cart"].append(2))
    assert payload(site.value)["cart"] == [1, 2]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "None"},
        {"SESSION_COOKIE_HTTPONLY": False, "SESSION_COOKIE_SAMESITE": False},
        {"SESSION_COOKIE_PATH": "/shop", "SESSION_COOKIE_DOMAIN": ".example.org"},
        {"SESSION_COOKIE_AGE": 60, "SESSION_COOKIE_NAME": "id"},
        {"SESSION_EXPIRE_AT_BROWSER_CLOSE": True},
        {"SESSION_COOKIE_SAMESITE": "Strict"},
    ],
    ids=lambda changes: ", ".join(name.removeprefix("SESSION_COOKIE_") for name in changes) or "default",
)
@pytest.mark.parametrize("expiry", [None, 0, 300])
def test_the_cookie_is_shaped_as_djangos_own_middleware_shapes_it(
    changes: dict[str, Any], expiry: int | None, clock: FakeClock
) -> None:
    def use(request: HttpRequest) -> None:
        request.session["user"] = 7
        request.session.set_expiry(expiry)

    def shape(middleware: str) -> dict[str, str]:
        response = Site(clock, middleware=middleware, **changes).visit(use, secure=True)
        shape = attributes(line(response))
        assert ("expires" in shape) == ("max-age" in shape)
        shape.pop("expires", None)  # Django's is by another clock
        return {"name": line(response).partition("=")[0], **shape}

    assert shape(OURS) == shape(STOCK)


def test_a_cookie_may_be_partitioned(clock: FakeClock) -> None:
    options = {"cookie_options": {"partitioned": True}}
    site = Site(clock, SESSION_COOKIE_SECURE=True, SESSION_COOKIE_SAMESITE="None", IRON_SESSION=options)
    written = site.visit(put(user=7), secure=True)
    deleted = site.visit(flush, secure=True)
    for response in (written, deleted):
        assert line(response).count("Partitioned") == 1
        assert {"secure", "partitioned"} <= set(attributes(line(response)))


def test_a_large_session_goes_out_in_several_cookies_and_comes_back(clock: FakeClock) -> None:
    site = Site(clock, IRON_SESSION={"overflow": "chunk"})
    large = site.visit(put(notes="x" * 4000))
    assert names(large) == [(NAME, "deleted"), (f"{NAME}.0", "set"), (f"{NAME}.1", "set")]
    assert site.finds() == {"notes": "x" * 4000}
    small = site.visit(lambda request: request.session.pop("notes"))
    assert (NAME, "set") in names(small)
    assert (f"{NAME}.0", "deleted") in names(small)
    assert (f"{NAME}.1", "deleted") in names(small)


def test_a_small_session_begun_after_a_large_one_was_flushed_leaves_no_part_of_it(clock: FakeClock) -> None:
    site = Site(clock, IRON_SESSION={"overflow": "chunk"})
    site.visit(put(notes="x" * 4000))
    response = site.visit(in_turn(flush, put(user=8)))
    assert names(response) == [(NAME, "set"), (f"{NAME}.0", "deleted"), (f"{NAME}.1", "deleted")]


def test_a_flushed_session_is_reported_destroyed_once(site: Site) -> None:
    events: list[str] = []
    site.settings["IRON_SESSION"]["on_event"] = lambda event: events.append(event.kind)
    site.visit(put(user=7))
    site.visit(flush)
    assert events == ["created", "destroyed"]


def test_a_session_that_does_not_fit_is_an_error_and_the_old_cookie_stands(site: Site) -> None:
    site.keep(GOOD)
    site.client.raise_request_exception = False
    response = site.visit(put(notes="x" * 4000))
    assert (response.status_code, lines(response)) == (500, [])
    assert isinstance(response.exc_info[1], CookieTooLarge)


def test_what_was_saved_in_the_view_goes_out_as_it_was_saved(site: Site) -> None:
    sent: list[str] = []

    def use(request: HttpRequest) -> None:
        request.session["user"] = 7
        request.session.save()
        sent.append(request.session._state.saved.cookies[0].value)

    site.visit(use)
    assert sent == [site.value]
    assert payload(site.value)["user"] == 7


def test_a_session_saved_empty_has_a_cookie(site: Site) -> None:
    response = site.visit(lambda request: request.session.save())
    assert names(response) == [(NAME, "set")]


def test_an_emptied_session_keeps_its_key_and_cookie(site: Site) -> None:
    site.visit(put(user=7))
    sid = payload(site.value)["_iron"]["sid"]
    response = site.visit(lambda request: request.session.pop("user"))
    assert names(response) == [(NAME, "set")]
    assert payload(site.value) == {"_iron": {"sid": sid}}


@pytest.mark.parametrize(
    "use",
    [flush, in_turn(put(user=7), flush), clear],
    ids=["flushed", "written and flushed", "cleared"],
)
def test_a_session_that_never_was_needs_no_deletion(use: Use, site: Site) -> None:
    response = site.visit(use)
    assert lines(response) == []
    assert response.headers["Vary"] == "Cookie"


def test_a_flushed_session_loses_its_cookie_as_djangos_own_middleware_deletes_it(clock: FakeClock) -> None:
    def deletion(middleware: str) -> str:
        site = Site(clock, middleware=middleware, SESSION_COOKIE_PATH="/shop")
        site.keep(GOOD)
        response = site.visit(flush)
        assert response.headers["Vary"] == "Cookie"
        return line(response)

    assert deletion(OURS) == deletion(STOCK)


def test_a_deletion_repeats_what_the_name_demands(clock: FakeClock) -> None:
    name = "__Host-Http-id"
    site = Site(clock, SESSION_COOKIE_NAME=name, SESSION_COOKIE_SECURE=True)
    site.keep(GOOD, name)
    response = site.visit(flush, secure=True)
    assert names(response) == [(name, "deleted")]
    assert {"httponly", "secure", "path"} <= set(attributes(line(response)))


def test_a_session_begun_after_a_flush_replaces_the_old_one(site: Site) -> None:
    site.visit(put(user=7))
    before = payload(site.value)["_iron"]["sid"]
    response = site.visit(in_turn(flush, put(user=8)))
    assert names(response) == [(NAME, "set")]
    assert payload(site.value)["user"] == 8
    assert payload(site.value)["_iron"]["sid"] != before


# Expiry.


def test_a_session_that_ended_already_is_deleted_by_the_browser_and_refused_everywhere(site: Site) -> None:
    response = site.visit(in_turn(put(user=7), lambda request: request.session.set_expiry(-10)))
    shown = attributes(line(response))
    assert shown["expires"] == "Fri, 15 Jan 2027 07:59:50 GMT"
    assert ends_at(site.value) is not None
    assert site.finds() == {}


def test_saving_every_request_renews_and_says_so_to_caches(site: Site, clock: FakeClock) -> None:
    site.settings["SESSION_SAVE_EVERY_REQUEST"] = True
    site.visit(put(user=7))
    clock.advance(60)
    response = site.visit(look_away)
    assert ends_at(site.value) == clock.now + 1_209_600
    assert response.headers["Vary"] == "Cookie"
    assert response.headers["Cache-Control"] == "private, no-store"
    untouched = site.value
    clock.advance(60)
    assert lines(site.visit(answered(status(304)))) == []
    assert site.value == untouched


def test_saving_every_request_gives_no_cookie_to_one_without_a_session(site: Site) -> None:
    site.settings["SESSION_SAVE_EVERY_REQUEST"] = True
    response = site.visit()
    assert lines(response) == []
    assert "Vary" not in response.headers


def test_saving_every_request_removes_what_cannot_be_trusted_and_keeps_what_others_can_read(
    site: Site,
) -> None:
    site.settings["SESSION_SAVE_EVERY_REQUEST"] = True
    site.keep(FORGED)
    assert names(site.visit()) == [(NAME, "deleted")]
    site.keep(sealed({"user": 7}, password=OTHER, password_id="9"))
    assert lines(site.visit()) == []


def test_a_session_in_use_is_renewed_as_refresh_after_says(site: Site, clock: FakeClock) -> None:
    site.settings["IRON_SESSION"]["refresh_after"] = 60
    site.visit(put(user=7))
    clock.advance(59)
    assert lines(site.visit(read)) == []
    clock.advance(1)
    assert lines(site.visit()) == []  # nobody used it
    assert lines(site.visit(answered(status(304), read))) == []
    assert names(site.visit(read)) == [(NAME, "set")]
    assert ends_at(site.value) == clock.now + 1_209_600


def test_refresh_after_counts_by_the_sessions_own_expiry(site: Site, clock: FakeClock) -> None:
    month = 30 * 86_400
    site.settings["IRON_SESSION"]["refresh_after"] = 60
    site.visit(in_turn(put(user=7), lambda request: request.session.set_expiry(month)))
    clock.advance(59)
    assert lines(site.visit(read)) == []
    clock.advance(1)
    assert attributes(line(site.visit(read)))["max-age"] == str(month)
    assert ends_at(site.value) == clock.now + month


def test_a_renewed_session_keeps_the_key_that_it_had_without_a_stamp(site: Site, clock: FakeClock) -> None:
    keys: list[str] = []
    note: Use = lambda request: keys.append(request.session.session_key)  # noqa: E731
    site.settings["IRON_SESSION"]["refresh_after"] = 60
    site.keep(GOOD)
    clock.advance(60)
    assert names(site.visit(note)) == [(NAME, "set")]
    site.visit(note)
    assert keys[0] == keys[1]


def test_a_seal_under_an_older_password_is_written_anew_when_it_is_used(site: Site) -> None:
    site.visit(put(user=7))
    site.settings["IRON_SESSION"]["password"] = {2: NEWER, 1: PASSWORD}
    assert lines(site.visit()) == []
    assert names(site.visit(read)) == [(NAME, "set")]
    assert payload(site.value, NEWER)["user"] == 7


# Cookies that cannot be trusted.


@pytest.mark.parametrize(
    "value",
    [FORGED, sealed({"user": 7}, expires_at=NOW - 61), "nonsense"],
    ids=["forged", "expired", "nonsense"],
)
def test_a_cookie_that_cannot_be_trusted_goes_when_it_is_looked_at(value: str, site: Site) -> None:
    site.keep(value)
    assert lines(site.visit()) == []
    response = site.visit(read)
    assert names(response) == [(NAME, "deleted")]
    assert response.headers["Cache-Control"] == "private, no-store"
    assert site.value == ""
    assert lines(site.visit(read)) == []  # once


@pytest.mark.parametrize(
    "value",
    [sealed({"user": 7}, password=OTHER, password_id="9"), sealed({"user": 7}, expires_at=None)],
    ids=["unknown password", "no expiry"],
)
def test_a_server_behind_in_a_rotation_deletes_no_cookie(value: str, site: Site) -> None:
    site.keep(value)
    for use in (look_away, read, lambda request: request.session.is_empty()):
        assert lines(site.visit(use)) == []
    assert names(site.visit(flush)) == [(NAME, "deleted")]  # whoever signs out is signed out


def test_of_two_cookies_the_one_that_can_be_trusted_counts(site: Site) -> None:
    found: list[Any] = []
    note: Use = lambda request: found.append(request.session.get("user"))  # noqa: E731
    for pair in ((GOOD, FORGED), (FORGED, GOOD)):
        site.visit(note, headers={"cookie": "; ".join(f"{NAME}={value}" for value in pair)})
    assert found == [7, 7]


def test_what_another_middleware_made_of_the_cookies_counts(clock: FakeClock) -> None:
    site = Site(clock)
    with site.holds():
        request = site.request(f"{NAME}={GOOD}")
        request.COOKIES[NAME] = sealed({"user": 8})
        assert RequestJar(request).read(NAME) == (request.COOKIES[NAME],)
        twice = site.request(f"{NAME}={GOOD}; {NAME}={FORGED}")
        assert RequestJar(twice).read(NAME) == [GOOD, FORGED]
        twice.COOKIES[NAME] = request.COOKIES[NAME]
        assert RequestJar(twice).read(NAME) == (request.COOKIES[NAME],)
        del request.COOKIES[NAME]
        assert RequestJar(request).read(NAME) == ()


# Octets that Django's parser strips from names, as a browser sends them: ASCII, or UTF-8.
SPACES: Final = ["\x1c", "\x1f", "\x85", "\xa0", "\xc2\x85", "\xc2\xa0", "\xe2\x80\x80", "\xe3\x80\x80"]


@pytest.mark.parametrize("space", SPACES, ids=ascii)
@pytest.mark.parametrize(
    "place", ["{space}{name}={theirs}", "{name}{space}={theirs}", "{name} {space}={theirs}"]
)
@pytest.mark.parametrize("parsed_before", ["not at all", "by WSGI", "by ASGI"])
def test_no_subdomain_takes_the_place_of_a_host_cookie_by_a_name_with_spaces(
    space: str, place: str, parsed_before: str, clock: FakeClock
) -> None:
    name, theirs = "__Host-s", sealed({"user": 666})
    header = f"{name}={GOOD}; " + place.format(space=space, name=name, theirs=theirs)
    request = Site(clock).request()
    request.META["HTTP_COOKIE"] = request.environ["HTTP_COOKIE"] = header
    if parsed_before == "by WSGI":
        assert len(request.COOKIES) >= 1
    elif parsed_before == "by ASGI":
        request.COOKIES = parse_cookie(header)
    assert list(RequestJar(request).read(name)) == [GOOD]


def test_a_session_that_a_renewal_only_looks_for_is_not_said_to_be_read_late(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(clock, SESSION_SAVE_EVERY_REQUEST=True, IRON_SESSION={"refresh_after": 60})
    response = site.visit(lambda _: StreamingHttpResponse([b"x"]))
    assert b"".join(response.streaming_content) == b"x"
    assert caplog.records == []


# Errors.


@pytest.mark.parametrize("code", [500, 503])
def test_an_error_of_the_server_saves_nothing(code: int, site: Site) -> None:
    site.keep(GOOD)
    for use in (put(user=8), lambda request: request.session.save()):
        assert lines(site.visit(answered(status(code), use))) == []
    assert site.value == GOOD


def test_an_error_of_the_server_saves_where_the_site_asks_for_it(site: Site) -> None:
    site.settings["IRON_SESSION"]["save_on_error"] = True
    site.visit(answered(status(500), put(user=8)))
    assert site.finds() == {"user": 8}


@pytest.mark.parametrize("then", [look_away, put(user=8)], ids=["nothing", "written"])
def test_a_session_that_was_ended_ends_though_the_request_fails(then: Use, site: Site) -> None:
    site.keep(GOOD)
    response = site.visit(answered(status(500), flush, then))
    assert names(response) == [(NAME, "deleted")]


def test_an_error_of_the_browser_saves(site: Site) -> None:
    site.visit(answered(status(404), put(user=8)))
    assert site.finds() == {"user": 8}


def test_without_auto_commit_only_what_was_saved_is_sent(site: Site) -> None:
    site.settings["IRON_SESSION"]["auto_commit"] = False
    assert lines(site.visit(put(user=8))) == []
    assert names(site.visit(in_turn(put(user=8), lambda request: request.session.save()))) == [(NAME, "set")]


def test_without_auto_commit_a_flush_ends_the_session_whatever_is_written_after_it(site: Site) -> None:
    site.settings["IRON_SESSION"]["auto_commit"] = False
    site.keep(GOOD)
    assert names(site.visit(in_turn(flush, put(user=8)))) == [(NAME, "deleted")]


class Interrupted(backend.SessionStore):
    """A store that learns at the end that its session is over."""

    def commit(self, *, status: int) -> Outcome:
        raise UpdateError(status)


class Unanswered(backend.SessionStore):
    """A store that asks somebody who does not answer."""

    def load(self) -> dict[str, Any]:
        raise Unavailable

    def commit(self, *, status: int) -> Outcome:
        raise Unavailable(status)


def with_store(store: type, use: Use) -> SessionMiddleware:
    middleware = SessionMiddleware(use)
    middleware.SessionStore = store
    return middleware


def test_a_session_ended_by_another_request_interrupts_this_one(clock: FakeClock) -> None:
    site = Site(clock)
    with site.holds():
        middleware = with_store(Interrupted, answered(HttpResponse(), put(user=7)))
        with pytest.raises(Exception, match="was deleted before the request completed") as interrupted:
            middleware(site.request())
    assert type(interrupted.value).__name__ == "SessionInterrupted"


def test_what_does_not_answer_is_said_with_503_and_no_cookie_goes(clock: FakeClock) -> None:
    site = Site(clock)
    with site.holds():
        middleware = with_store(Unanswered, answered(HttpResponse(), put(user=7)))
        at_the_end = middleware(site.request())
        in_a_view = middleware.process_exception(site.request(), Unavailable())
        assert middleware.process_exception(site.request(), ValueError()) is None
    for response in (at_the_end, in_a_view):
        assert response is not None
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert lines(response) == []


@pytest.mark.django_db
def test_what_does_not_answer_is_said_with_503_before_a_renewal_too(clock: FakeClock) -> None:
    options = {"accept": ("db",)}
    site = Site(clock, is_async=True, SESSION_SAVE_EVERY_REQUEST=True, IRON_SESSION=options)
    site.keep("a" * 32)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE django_session")
    response = site.visit()
    assert response.status_code == 503
    assert lines(response) == []


@pytest.mark.django_db
@pytest.mark.parametrize("is_async", [False, True])
def test_what_does_not_answer_is_said_with_503_where_djangos_page_for_errors_asks_for_it_too(
    clock: FakeClock,
    is_async: bool,  # noqa: FBT001
) -> None:
    csrf = "django.middleware.csrf.CsrfViewMiddleware"
    site = Site(clock, is_async=is_async, CSRF_USE_SESSIONS=True, IRON_SESSION={"accept": ("db",)})
    site.settings["MIDDLEWARE"] = [OURS, csrf]
    site.client.raise_request_exception = False
    site.keep("a" * 32)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE django_session")
    response = site.visit()
    assert response.status_code == 503
    assert lines(response) == []


class Gate(SessionMiddleware):
    def process_request(self, request: Any) -> HttpResponse:
        super().process_request(request)
        return HttpResponse("closed", status=403)


def test_a_response_of_a_subclass_is_the_answer(site: Site) -> None:
    site.settings["MIDDLEWARE"] = [f"{__name__}.Gate"]
    seen: list[Any] = []
    response = site.visit(seen.append)
    assert (response.status_code, seen) == (403, [])


@pytest.mark.parametrize("overflow", ["raise", "chunk"])
def test_error_reports_show_no_chunk_of_the_session_whoever_set_it(site: Site, overflow: str) -> None:
    site.settings["IRON_SESSION"]["overflow"] = overflow
    for name in (NAME, f"{NAME}.0", f"{NAME}.3", f"{NAME}.x", "theme"):
        site.keep("canary", name)
    shown: list[dict[str, str]] = []
    site.visit(lambda request: shown.append(get_exception_reporter_filter(request).get_safe_cookies(request)))
    open_to_all = {name for name, value in shown[0].items() if value == "canary"}
    assert open_to_all == {f"{NAME}.x", "theme"}


def test_an_error_report_filter_of_the_applications_own_is_left_alone(site: Site) -> None:
    own = object()
    request = site.request(f"{NAME}.0=x")
    request.exception_reporter_filter = own  # type: ignore[attr-defined]
    with site.holds():
        SessionMiddleware(look_away).process_request(request)
    assert request.exception_reporter_filter is own  # type: ignore[attr-defined]


# The key.


def test_a_session_whose_key_was_cycled_has_a_cookie_though_it_is_new_and_empty(site: Site) -> None:
    keys: list[str] = []

    def cycle(request: HttpRequest) -> None:
        request.session.cycle_key()
        keys.append(request.session.session_key)

    assert names(site.visit(cycle)) == [(NAME, "set")]
    site.visit(lambda request: keys.append(request.session.session_key))
    assert keys[0] == keys[1]


def test_asking_an_ended_session_for_its_id_does_not_bring_it_back(site: Site) -> None:
    site.visit(put(user=7))

    def leave(request: HttpRequest) -> None:
        request.session.flush()
        assert request.session.sid

    assert names(site.visit(leave)) == [(NAME, "deleted")]


def test_asking_for_an_id_begins_no_session(site: Site) -> None:
    site.settings["SESSION_SAVE_EVERY_REQUEST"] = True
    assert lines(site.visit(lambda request: request.session.sid)) == []
    site.keep(sealed({"user": 7}, password=NEWER, password_id="2"))
    assert lines(site.visit(lambda request: request.session.sid)) == []


@pytest.mark.django_db
def test_a_session_of_djangos_own_has_a_key_from_the_first_request_on(clock: FakeClock) -> None:
    old = DatabaseSession()
    old["user"] = "Ada"
    old.set_expiry(datetime(2028, 1, 1, tzinfo=timezone.utc))
    old.save()
    site = Site(clock, IRON_SESSION={"accept": ("db",)})
    site.keep(old.session_key)
    keys: list[str] = []

    def cart(request: HttpRequest) -> HttpResponse:
        if not request.session.session_key:
            request.session.create()
        keys.append(request.session.session_key)
        return HttpResponse(request.session.get("user"))

    assert [site.visit(cart).content for _ in range(2)] == [b"Ada", b"Ada"]
    assert len(keys[0]) == 32
    assert keys[0] == keys[1]


# Bodies that are still to come.


def streaming(*chunks: Any) -> StreamingHttpResponse:
    return StreamingHttpResponse(chunk() if callable(chunk) else chunk for chunk in chunks)


@pytest.mark.parametrize(
    ("early", "late", "words"),
    [
        (read, put(user=8), ["it was changed after the response's headers had gone out"]),
        (look_away, put(user=8), ["it was changed after the response's headers had gone out"]),
        (read, lambda request: request.session["cart"].append(2), ["it was changed after"]),
        (look_away, read, ["it was first read after the response's headers had gone out, without Vary"]),
        (read, read, []),
        (put(user=8), read, []),
        (put(user=8), look_away, []),
        (look_away, look_away, []),
        (flush, look_away, []),
    ],
    ids=range(9),
)
def test_late_use_of_a_session_is_said_once(
    early: Use, late: Use, words: list[str], clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(clock, SESSION_COOKIE_SECURE=True)
    site.keep(GOOD)

    def use(request: HttpRequest) -> HttpResponse:
        early(request)
        return streaming(lambda: str(late(request)))

    with caplog.at_level(logging.WARNING, "iron_wsgi"), site.holds():
        site.visit(use, secure=True).getvalue()
    found = [record.getMessage() for record in caplog.records]
    assert len(found) == len(words)
    for message, word in zip(found, words, strict=True):
        assert word in message


@pytest.mark.parametrize(
    ("code", "options"), [(500, {}), (200, {"auto_commit": False})], ids=["error", "auto_commit off"]
)
def test_what_was_not_to_be_saved_is_not_said_to_be_late(
    code: int, options: dict[str, Any], clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(clock, SESSION_COOKIE_SECURE=True, IRON_SESSION=options)
    site.keep(GOOD)

    def use(request: HttpRequest) -> HttpResponse:
        request.session["cart"].append(2)
        response = streaming("a")
        response.status_code = code
        return response

    with caplog.at_level(logging.WARNING, "iron_wsgi"), site.holds():
        site.visit(use, secure=True).getvalue()
    assert [record for record in caplog.records if record.name == "iron_wsgi"] == []


@pytest.mark.parametrize("late", ["save", "flush"])
def test_a_late_save_or_flush_is_an_error_where_it_is_called(late: str, clock: FakeClock) -> None:
    site = Site(clock)
    site.keep(GOOD)

    def use(request: HttpRequest) -> HttpResponse:
        return streaming(getattr(request.session, late))

    with site.holds(), pytest.raises(HeadersAlreadySent, match="before the first chunk"):
        site.visit(use).getvalue()


# Caches.


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "private, no-store"),
        ({"Cache-Control": "no-store"}, "no-store"),
        ({"Cache-Control": "max-age=60"}, "max-age=60, private"),
        ({"Cache-Control": "private, max-age=60"}, "private, max-age=60"),
    ],
)
def test_a_response_that_sets_the_cookie_is_kept_from_shared_caches(
    given: dict[str, str], told: str, site: Site
) -> None:
    response = site.visit(answered(HttpResponse(headers=given), put(user=7)))
    assert response.headers["Cache-Control"] == told


def test_a_public_response_that_sets_the_cookie_is_made_private_with_a_warning(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    public = HttpResponse(headers={"Cache-Control": "public, s-maxage=60, max-age=5"})
    with caplog.at_level(logging.WARNING, "iron_wsgi"):
        response = site.visit(answered(public, put(user=7)))
    assert set(response.headers["Cache-Control"].split(", ")) == {"private", "max-age=5"}
    assert any("it was made private" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(("given", "told"), [("Accept", "Accept, Cookie"), ("cookie", "cookie"), ("*", "*")])
def test_vary_is_extended(given: str, told: str, site: Site) -> None:
    assert site.visit(answered(HttpResponse(headers={"Vary": given}), read)).headers["Vary"] == told


@pytest.fixture
def cached(site: Site) -> Iterator[Site]:
    """A site that caches whole pages."""
    caches = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "pages"}}
    site.settings |= {"MIDDLEWARE": [CACHE, OURS, FETCH], "CACHES": caches}
    with site.holds():
        cache.clear()
        yield site
        cache.clear()


def count(uses: list[None], use: Use = look_away) -> Use:
    return lambda request: [uses.append(None), use(request)][-1]


def test_djangos_cache_keeps_a_page_that_leaves_the_session_alone(cached: Site) -> None:
    uses: list[None] = []
    cached.keep(GOOD)
    cached.visit(count(uses))
    cached.visit(count(uses))
    assert len(uses) == 1


@pytest.mark.parametrize("use", [put(user=8), flush], ids=["set", "deleted"])
def test_djangos_cache_keeps_no_page_with_a_session_cookie(use: Use, cached: Site) -> None:
    cached.keep(GOOD)
    assert lines(cached.visit(use)) != []
    uses: list[None] = []
    cached.visit(count(uses))
    cached.client.cookies.clear()
    cached.visit(count(uses))
    assert uses != []


def test_djangos_cache_keeps_no_page_that_renewed_a_session_unread(cached: Site) -> None:
    cached.settings["SESSION_SAVE_EVERY_REQUEST"] = True
    cached.keep(GOOD)
    assert names(cached.visit()) == [(NAME, "set")]
    uses: list[None] = []
    cached.client.cookies.clear()
    response = cached.visit(count(uses))
    assert len(uses) == 1
    assert lines(response) == []


def test_one_visitors_page_is_not_shown_to_another(cached: Site) -> None:
    show: Use = lambda request: HttpResponse(str(request.session.get("user")))  # noqa: E731
    cached.keep(GOOD)
    assert cached.visit(show).content == b"7"
    cached.client.cookies.clear()
    assert cached.visit(show).content == b"None"


# Other sessions.


@pytest.mark.parametrize("engine", ["django.contrib.sessions.backends.signed_cookies"])
def test_with_another_engine_it_does_what_djangos_does(engine: str, site: Site) -> None:
    site.settings["SESSION_ENGINE"] = engine
    site.visit(put(user=7))
    assert not site.value.startswith("Fe26")
    assert site.finds() == {"user": 7}


def test_a_session_that_a_view_puts_in_place_is_saved_as_djangos_would(site: Site) -> None:
    def use(request: HttpRequest) -> None:
        request.session = SignedCookies()
        request.session["user"] = 7

    site.visit(use)
    assert SignedCookies(site.value)["user"] == 7


def test_a_store_of_ours_that_a_view_puts_in_place_is_saved_too(site: Site) -> None:
    def use(request: HttpRequest) -> None:
        request.session = backend.SessionStore()
        request.session["user"] = 7

    site.visit(use)
    assert site.finds() == {"user": 7}


def test_a_request_without_a_session_is_answered(site: Site) -> None:
    def use(request: HttpRequest) -> None:
        del request.session

    assert site.visit(use).status_code == 200


# Under ASGI.


def test_a_session_needs_no_thread_under_asgi(clock: FakeClock) -> None:
    site = Site(clock, SESSION_SAVE_EVERY_REQUEST=True)

    async def view(request: HttpRequest) -> HttpResponse:
        await request.session.aset("user", 7)
        await request.session.acycle_key()
        return HttpResponse()

    with site.holds():
        response = at_once(SessionMiddleware(view)(site.request(f"{NAME}={GOOD}")))
    assert payload(response.cookies[NAME].value)["user"] == 7


def test_parallel_sessions_stay_apart_and_in_the_loops_own_thread(clock: FakeClock) -> None:
    seen: set[int] = set()

    def told() -> float:
        seen.add(threading.get_ident())
        return clock()

    site = Site(clock, IRON_SESSION={"clock": told})

    async def view(request: HttpRequest) -> HttpResponse:
        await asyncio.sleep(0)
        number = request.GET["n"]
        await request.session.aset("n", number)
        await asyncio.sleep(0)
        return HttpResponse(await request.session.aget("n"))

    async def crowd() -> list[Any]:
        middleware = SessionMiddleware(view)
        requests = [site.request(data={"n": str(number)}) for number in range(64)]
        return await asyncio.gather(*map(middleware, requests))

    with site.holds():
        responses = asyncio.run(crowd())
    sealed_in = [payload(response.cookies[NAME].value)["n"] for response in responses]
    assert sealed_in == [str(number) for number in range(64)]
    assert seen == {threading.get_ident()}


# What it leaves behind.


@pytest.mark.parametrize(
    "use", [look_away, read, put(user=8), flush], ids=["nothing", "read", "write", "flush"]
)
def test_a_request_is_not_left_to_the_garbage_collector(use: Use, clock: FakeClock) -> None:
    site = Site(clock, SESSION_COOKIE_SECURE=True)
    with site.holds():
        middleware = SessionMiddleware(answered(HttpResponse(), use))
        middleware(site.request(f"{NAME}={GOOD}", secure=True))
        gc.collect()
        gc.disable()
        try:
            middleware(site.request(f"{NAME}={GOOD}", secure=True))
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            left = [
                one for one in gc.garbage if isinstance(one, (HttpRequest, backend.SessionStore, RequestJar))
            ]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    assert left == []


# Why a cookie is not set.


def test_a_secure_cookie_over_plain_http_is_explained(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(clock, SESSION_COOKIE_SECURE=True, ALLOWED_HOSTS=["*"])
    with caplog.at_level(logging.WARNING, "iron_wsgi"):
        site.visit(put(user=7), headers={"host": "localhost"})
        site.visit(put(user=7), secure=True)
        assert caplog.records == []
        site.visit(put(user=7), headers={"host": "example.org"})
        site.visit(put(user=7), headers={"host": "example.org"})
    [record] = caplog.records
    assert "SECURE_PROXY_SSL_HEADER" in record.getMessage()


def test_a_cookie_without_secure_is_warned_of_outside_of_tests_and_debugging(
    clock: FakeClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caplog.at_level(logging.WARNING, "iron_wsgi"):
        Site(clock).visit(put(user=7))
        assert caplog.records == []  # Django's test environment is set up
        monkeypatch.delattr(mail, "outbox")
        Site(clock, DEBUG=True).visit(put(user=7))
        Site(clock, SESSION_COOKIE_SECURE=True).visit(put(user=7), secure=True)
        assert caplog.records == []
        Site(clock).visit(put(user=7))
        Site(clock).visit(put(user=7))
    [record] = caplog.records
    assert "set SESSION_COOKIE_SECURE = True" in record.getMessage()


def test_the_mark_of_a_change_by_others_is_heard(site: Site) -> None:
    site.keep(GOOD)

    def use(request: HttpRequest) -> None:
        request.session.modified = True

    assert names(site.visit(use)) == [(NAME, "set")]


def test_a_cookie_of_the_same_name_that_the_view_set_leaves_no_trace(site: Site) -> None:
    response = HttpResponse()
    response.set_cookie(NAME, "x", domain="example.org", secure=True)
    shown = attributes(line(site.visit(answered(response, put(user=7)))))
    assert {"domain", "secure"}.isdisjoint(shown)


def test_other_cookies_are_left_alone(site: Site) -> None:
    response = HttpResponse()
    response.set_cookie("theme", "dark")
    answer = site.visit(answered(response, put(user=7)))
    assert names(answer) == [(NAME, "set"), ("theme", "set")]
