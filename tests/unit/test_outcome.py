from __future__ import annotations

import logging

import pytest

from iron_wsgi import Cookie, CookieOptions, Outcome
from iron_wsgi.cookies.cookie import deletion
from iron_wsgi.cookies.outcome import NOTHING

COOKIE = Cookie(name="s", value="x", options=CookieOptions())
PRIVATE = ("Cache-Control", "private, no-store")
Headers = list[tuple[str, str]]


def test_nothing_changes_nothing() -> None:
    headers = [("X-One", "1"), ("Cache-Control", "public")]
    assert NOTHING.added_to(headers) == headers


def test_the_given_headers_stay_as_they_are() -> None:
    headers: Headers = [("Vary", "Accept"), ("Cache-Control", "public, max-age=5")]
    before = list(headers)
    Outcome((COOKIE,), vary=True, private=True).added_to(headers)
    assert headers == before


def test_other_headers_keep_their_order_and_their_octets() -> None:
    headers = [("X-One", "1"), ("Set-Cookie", 'theme="dark"'), ("x-one", "é; 2"), ("Content-Length", "5")]
    added = Outcome((COOKIE,), vary=True, private=True).added_to(headers)
    assert added == [*headers, ("Vary", "Cookie"), PRIVATE, ("Set-Cookie", COOKIE.header)]


def test_cookies_are_added_in_their_order() -> None:
    cookies = (COOKIE, deletion("s.0", CookieOptions()))
    assert Outcome(cookies).added_to([]) == [("Set-Cookie", one.header) for one in cookies]


def test_an_outcome_takes_the_place_of_an_earlier_one() -> None:
    first = Outcome((COOKIE,), vary=True, private=True)
    second = Outcome((deletion("s", CookieOptions()),), vary=True, private=True)
    app = ("Set-Cookie", "s2=x; Path=/")
    headers = second.added_to(first.added_to([app]), replacing=first)
    assert headers == [app, ("Vary", "Cookie"), PRIVATE, ("Set-Cookie", second.cookies[0].header)]


# ---- Vary ----


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ["Cookie"]),
        (["Accept"], ["Accept, Cookie"]),
        (["Cookie"], ["Cookie"]),
        (["cookie"], ["cookie"]),
        (["Accept, COOKIE , X"], ["Accept, COOKIE , X"]),
        (["*"], ["*"]),
        (["Accept, *"], ["Accept, *"]),
        (["Accept", "Accept-Encoding"], ["Accept", "Accept-Encoding, Cookie"]),
        (["Accept", "Cookie", "X"], ["Accept", "Cookie", "X"]),
        ([""], ["Cookie"]),
        (["Set-Cookie, Cookie2"], ["Set-Cookie, Cookie2, Cookie"]),
    ],
)
@pytest.mark.parametrize("name", ["Vary", "vary", "VARY"])
def test_vary_names_cookie_exactly_once_and_loses_nothing(
    name: str, given: list[str], expected: list[str]
) -> None:
    headers = Outcome(vary=True).added_to([(name, value) for value in given])
    assert headers == [(name if given else "Vary", value) for value in expected]


def test_without_an_access_there_is_no_vary() -> None:
    assert Outcome().added_to([("Vary", "Accept")]) == [("Vary", "Accept")]


# ---- Cache-Control ----


def test_a_response_with_a_cookie_and_no_cache_control_is_private_and_not_stored() -> None:
    assert Outcome((COOKIE,), private=True).added_to([])[0] == PRIVATE
    assert Outcome((deletion("s", CookieOptions()),), private=True).added_to([])[0] == PRIVATE


@pytest.mark.parametrize(
    "given",
    ["private", "no-store", "private, max-age=60", "no-store, max-age=0", "Private", "max-age=5, NO-STORE"],
)
def test_what_the_application_keeps_from_shared_caches_stays_as_it_is(given: str) -> None:
    assert Outcome(private=True).added_to([("cache-control", given)]) == [("cache-control", given)]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("max-age=60", {"max-age=60"}),
        ("no-cache", {"no-cache"}),
        ("", set()),
        (
            "max-age=60, stale-while-revalidate=30, immutable",
            {"max-age=60", "stale-while-revalidate=30", "immutable"},
        ),
        ("public, max-age=60", {"max-age=60"}),
        ("s-maxage=10, must-revalidate", {"must-revalidate"}),
        ("s-maxage=abc, max-age=5", {"max-age=5"}),
        ("PUBLIC, S-Maxage=5", set()),
        ("public", set()),
    ],
)
def test_a_response_that_a_shared_cache_might_keep_is_made_private(given: str, kept: set[str]) -> None:
    ((name, value),) = Outcome(private=True).added_to([("Cache-Control", given)])
    directives = [part.strip() for part in value.split(",")]
    assert name == "Cache-Control"
    assert sorted(directives) == sorted({*kept, "private"})


def test_private_for_a_field_alone_does_not_keep_a_response_from_shared_caches() -> None:
    ((_, value),) = Outcome(private=True).added_to([("Cache-Control", 'private="x-field", max-age=5')])
    assert sorted(part.strip() for part in value.split(",")) == ["max-age=5", "private"]


def test_several_cache_control_lines_are_read_as_one() -> None:
    headers = [("Cache-Control", "max-age=60"), ("X", "1"), ("cache-control", "public")]
    assert Outcome(private=True).added_to(headers) == [("Cache-Control", "max-age=60, private"), ("X", "1")]
    headers = [("Cache-Control", "max-age=60"), ("cache-control", "no-store")]
    assert Outcome(private=True).added_to(headers) == headers


@pytest.mark.parametrize(
    ("given", "lines"), [("public, max-age=60", 1), ("s-maxage=10", 1), ("max-age=60", 0), ("no-cache", 0)]
)
def test_the_log_says_that_a_public_response_was_made_private(
    caplog: pytest.LogCaptureFixture, given: str, lines: int
) -> None:
    with caplog.at_level(logging.WARNING, "iron_wsgi"):
        Outcome(private=True).added_to([("Cache-Control", given)])
    assert len(caplog.messages) == lines
    assert all(f"said 'Cache-Control: {given}'; it was made private" in line for line in caplog.messages)


def test_a_response_that_only_varies_keeps_its_cache_control() -> None:
    headers = [("Cache-Control", "public, s-maxage=60")]
    assert Outcome(vary=True).added_to(headers) == [*headers, ("Vary", "Cookie")]
