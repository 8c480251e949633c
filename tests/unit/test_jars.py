from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from werkzeug.sansio.http import parse_cookie
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from iron_wsgi import (
    Cookie,
    CookieJar,
    CookieOptions,
    EnvironJar,
    HeadersAlreadySent,
    Outcome,
    WerkzeugJar,
    get_iron_session,
)
from iron_wsgi.cookies.cookie import deletion
from iron_wsgi.cookies.outcome import HeaderList
from iron_wsgi.testing import FakeClock, JarContract

from .visitor import PASSWORD, sealed

Cookies = Sequence[tuple[str, str]]
Made = tuple[CookieJar, Callable[[], Iterable[tuple[str, str]]]]

COOKIE = Cookie(name="s", value="x", options=CookieOptions(), max_age=60)


def _environ(cookies: Cookies = (), **more: Any) -> dict[str, Any]:
    header = "; ".join(f"{name}={value}" for name, value in cookies)
    return {"wsgi.url_scheme": "https", **({"HTTP_COOKIE": header} if cookies else {}), **more}


class TestEnvironJar(JarContract):
    def exchange(self, cookies: Cookies, headers: HeaderList) -> Made:
        return EnvironJar(_environ(cookies), headers), lambda: headers

    def closed_jar(self) -> CookieJar:
        return EnvironJar(_environ())


class TestWerkzeugJar(JarContract):
    def exchange(self, cookies: Cookies, headers: HeaderList) -> Made:
        response = Response()
        response.headers.clear()
        response.headers.extend(headers)
        request = Request({**EnvironBuilder().get_environ(), **_environ(cookies)})
        return WerkzeugJar(request, response), response.headers.to_wsgi_list

    def closed_jar(self) -> CookieJar:
        return WerkzeugJar(Request(EnvironBuilder().get_environ()))


# ---- reading ----


def _read(header: str, name: str = "s") -> list[str]:
    return list(EnvironJar({"HTTP_COOKIE": header}).read(name))


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("", []),
        ("s=1", ["1"]),
        ("s=1; s=2;s=3", ["1", "2", "3"]),
        ("a=1; b]ad=x; s=2", ["2"]),
        ("=s=1", []),
        ("=s; s=1", ["1"]),
        ("%73=1", []),
        ("S=1", []),
        ("s", [""]),
        ("s=", [""]),
        ("a=1,s=2", []),
        (";;; s=1 ;;", ["1"]),
        ("s=a=b", ["a=b"]),
        ("\xff=\xfe; s=1", ["1"]),
        ("s=\x80\xff", ["\x80\xff"]),
    ],
)
def test_a_cookie_header_is_read_as_browsers_mean_it(header: str, values: list[str]) -> None:
    found = _read(header)
    assert len(found) == len(values)
    if header.isascii():
        assert found == values


@pytest.mark.parametrize("octet", range(0x80, 0x100))
def test_an_octet_that_is_not_utf_8_signs_nobody_out(octet: int) -> None:
    seal = sealed({})
    for header in (f"a={chr(octet)}; s={seal}", f"{chr(octet)}=1; s={seal}", f"s={seal}; {chr(octet)}"):
        assert _read(header) == [seal]


def test_a_forged_prefix_is_another_name() -> None:
    for header in (
        "%5F%5FHost-s=bad",
        "=__Host-s=bad",
        "__HOST-s=bad",
        "a=1,__Host-s=bad",
        "__Host-s%00=bad",
    ):
        assert _read(header, "__Host-s") == []


def test_the_cookie_header_is_parsed_once_and_not_before_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed: list[str] = []

    def watched(header: str) -> Any:
        parsed.append(header)
        return parse_cookie(header)

    monkeypatch.setattr("iron_wsgi.cookies.header.parse_cookie", watched)
    jar = EnvironJar(_environ([("s", "1"), ("s", "2")]))
    assert parsed == []
    for _ in range(3):
        assert list(jar.read("s")) == ["1", "2"]
    assert parsed == ["s=1; s=2"]


# ---- sending ----


def test_the_headers_are_changed_in_place() -> None:
    headers: HeaderList = [("X", "1")]
    EnvironJar(_environ(), headers).send(Outcome((COOKIE,)))
    assert headers == [("X", "1"), ("Set-Cookie", COOKIE.header)]


def test_headers_that_the_application_adds_to_a_response_between_two_saves_stay() -> None:
    response = Response()
    jar = WerkzeugJar(Request(_environ()), response)
    jar.send(Outcome((COOKIE,), name="s"))
    response.headers["X-Later"] = "1"
    response.set_cookie("theme", "dark")
    jar.send(Outcome((deletion("s", CookieOptions()),), name="s"))
    assert response.headers["X-Later"] == "1"
    assert [line.split("=")[0] for line in response.headers.getlist("Set-Cookie")] == ["theme", "s"]


def test_a_jar_that_can_only_read_says_how_to_make_one_that_can_send() -> None:
    with pytest.raises(HeadersAlreadySent, match=r"make it with EnvironJar\(environ, headers\)"):
        EnvironJar({}).send(Outcome((COOKIE,)))


def test_two_jars_of_one_request_share_their_sessions() -> None:
    environ = _environ([("s", sealed({"a": 1}))])
    settings: dict[str, Any] = {"password": PASSWORD, "cookie_name": "s", "clock": FakeClock()}
    first = get_iron_session(EnvironJar(environ, []), **settings)
    assert get_iron_session(EnvironJar(environ, []), **settings) is first
    assert get_iron_session(WerkzeugJar(Request(environ), Response()), **settings) is first
    assert get_iron_session(EnvironJar(_environ(), []), **settings) is not first


# ---- Secure over plain http ----


def _said(caplog: pytest.LogCaptureFixture, environ: dict[str, Any], cookie: Cookie = COOKIE) -> int:
    before = len(caplog.messages)
    with caplog.at_level(logging.WARNING, "iron_wsgi"):
        for _ in range(3):
            EnvironJar(environ, []).send(Outcome((cookie,)))
    return len(caplog.messages) - before


@pytest.mark.parametrize(
    "host", ["example.com", "example.com:8000", "192.168.1.5", "[2001:db8::1]:80", "notlocalhost"]
)
def test_a_secure_cookie_over_plain_http_is_explained_once(
    caplog: pytest.LogCaptureFixture, host: str
) -> None:
    assert _said(caplog, {"wsgi.url_scheme": "http", "HTTP_HOST": host}) == 1
    (line,) = caplog.messages
    assert line.startswith("session cookie 's': it is Secure and the request came over plain http")
    assert "cookie_options={'secure': False}" in line


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "app.localhost:8000", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:8000"],
)
def test_on_the_loopback_there_is_nothing_to_explain(caplog: pytest.LogCaptureFixture, host: str) -> None:
    assert _said(caplog, {"wsgi.url_scheme": "http", "HTTP_HOST": host}) == 0


def test_without_a_host_header_the_servers_name_is_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    assert _said(caplog, {"wsgi.url_scheme": "http", "SERVER_NAME": "localhost"}) == 0
    assert _said(caplog, {"wsgi.url_scheme": "http", "SERVER_NAME": "example.com"}) == 1


def test_over_https_without_secure_and_for_a_deletion_there_is_nothing_to_explain(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plain = {"wsgi.url_scheme": "http", "HTTP_HOST": "example.com"}
    assert _said(caplog, {**plain, "wsgi.url_scheme": "https"}) == 0
    assert _said(caplog, {"HTTP_HOST": "example.com"}) == 0
    assert _said(caplog, plain, Cookie(name="s", value="x", options=CookieOptions(secure=False))) == 0
    assert _said(caplog, plain, deletion("s", CookieOptions())) == 0


def test_a_copied_environ_with_another_cookie_has_another_session() -> None:
    settings: dict[str, Any] = {"password": PASSWORD, "cookie_name": "s", "clock": FakeClock()}
    environ = _environ([("s", sealed({"who": "ada"}))])
    assert get_iron_session(EnvironJar(environ, []), **settings)["who"] == "ada"
    copied = {**environ, "HTTP_COOKIE": f"s={sealed({'who': 'bob'})}"}
    assert get_iron_session(EnvironJar(copied, []), **settings)["who"] == "bob"
