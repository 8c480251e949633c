"""The session's cookie on a Django response is what Django's own ``set_cookie`` would make of it."""

from __future__ import annotations

import sys
from typing import Any

from django.http import HttpResponse
from django.utils.http import http_date
from hypothesis import given
from hypothesis import strategies as st

from iron_wsgi import Cookie, CookieOptions, Outcome
from iron_wsgi_django.http.cookies import add_to_response

from . import django_project

django_project.set_up()

SEALS = st.text("abcXYZ019*-_~.", min_size=1)
MOMENTS = st.integers(0, 2 * 10**12).map(lambda milliseconds: milliseconds / 1000)
ANY = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E))


@st.composite
def cookies(draw: st.DrawFn) -> Cookie:
    secure = draw(st.booleans())
    options = CookieOptions(
        secure=secure,
        httponly=draw(st.booleans()),
        samesite=draw(
            st.sampled_from(["Lax", "Strict", "None", None] if secure else ["Lax", "Strict", None])
        ),
        path=draw(st.sampled_from(["/", "/shop"])),
        domain=draw(st.sampled_from([None, "example.com"])),
        max_age=None,
    )
    name = draw(st.sampled_from(["sessionid", "session.0", "__Http-session"]))
    max_age = draw(st.none() | st.integers(0, 10**8))
    expires = draw(MOMENTS if max_age is not None else st.none() | MOMENTS)
    return Cookie(name=name, value=draw(SEALS | ANY), options=options, max_age=max_age, expires=expires)


def line(response: HttpResponse) -> str:
    [morsel] = response.cookies.values()
    return str(morsel.OutputString())


def set_by_django(cookie: Cookie) -> HttpResponse:
    options = cookie.options
    response = HttpResponse()
    is_kept = not cookie.is_deletion or "http-" in cookie.name.lower()
    response.set_cookie(
        cookie.name,
        cookie.value,
        max_age=cookie.max_age,
        expires=None if cookie.expires is None else http_date(cookie.expires),
        path=options.path,
        domain=options.domain,
        secure=options.secure,
        httponly=options.httponly and is_kept,
        samesite=options.samesite,
    )
    return response


@given(cookies())
def test_a_cookie_is_set_as_django_sets_it(cookie: Cookie) -> None:
    response = HttpResponse()
    add_to_response(Outcome((cookie,)), response)
    expected = set_by_django(cookie)
    assert line(response) == line(expected)
    assert dict(response.cookies[cookie.name]) == dict(expected.cookies[cookie.name])


def test_what_others_change_of_a_cookie_goes_out_and_stays_in_this_response() -> None:
    cookie: Any = Cookie(name="sessionid", value="a", options=CookieOptions(partitioned=True), max_age=60)
    changed, unchanged = HttpResponse(), HttpResponse()
    add_to_response(Outcome((cookie,)), changed)
    changed.cookies["sessionid"]["samesite"] = "None"
    add_to_response(Outcome((cookie,)), unchanged)
    assert "SameSite=None" in line(changed)
    assert "SameSite=Lax" in line(unchanged)
    assert line(changed).count("Partitioned") == line(unchanged).count("Partitioned") == 1


def test_python_knows_partitioned_only_where_it_is_left_to_python() -> None:
    cookie = Cookie(name="sessionid", value="a", options=CookieOptions(partitioned=True))
    response = HttpResponse()
    add_to_response(Outcome((cookie,)), response)
    assert ("partitioned" in response.cookies["sessionid"]) is (sys.version_info >= (3, 14))
