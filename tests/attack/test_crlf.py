"""T-CRLF: no option of a cookie can add a line, an attribute or a scope that was not asked for."""

from __future__ import annotations

import random
import re
from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iron_wsgi import ConfigError, Cookie, CookieOptions, SessionOptions
from iron_wsgi.cookies.cookie import deletion

from .seals import OLD, forged
from .site import Browser, environ, page, serve, sessions

POISON = [
    "\r",
    "\n",
    "\x00",
    ";",
    ",",
    "=",
    " ",
    "\t",
    "\x7f",
    "\x85",
    "\x0b",
    "\x1f",
    "\u2028",
    "é",
    '"',
    "\\",
    "\r\nSet-Cookie: a=b",
    "; Secure",
]
HARMLESS = [
    "session",
    "__Host-s",
    "__Secure-s",
    "__Http-s",
    "a/b",
    "app",
    "/",
    "/app",
    "example.org",
    "xn--bcher-kva.example",
    "Lax",
    ".",
    "-",
    "_",
    "%41",
    "~",
    "x" * 1023,
    "1",
]
ATTRIBUTES = {"domain", "expires", "max-age", "path", "samesite", "secure", "httponly", "partitioned"}


def parsed(line: str) -> tuple[str, str, dict[str, str | None]]:
    """Read a Set-Cookie value as RFC 6265bis 5.6 has browsers do; no attribute may come twice."""
    assert re.fullmatch(r"[\x20-\x7e]+", line), ascii(line)
    pair, *rest = line.split(";")
    name, equals, value = pair.partition("=")
    assert equals
    found: dict[str, str | None] = {}
    for part in rest:
        attribute, equals, text = part.strip(" \t").partition("=")
        assert attribute.lower() not in found, f"{attribute} twice in {line}"
        found[attribute.lower()] = text if equals else None
    return name, value, found


def check(name: str, cookie_options: dict[str, Any]) -> bool:
    """Construct, and hold what comes out to what went in; return whether it was accepted."""
    try:
        options = CookieOptions.parse(cookie_options)
        options.check_name(name)
    except ConfigError:
        return False
    for cookie in (
        Cookie(name=name, value="Fe26.2*x~2", options=options, max_age=60, expires=options.expires),
        deletion(name, options),
    ):
        read_name, value, found = parsed(cookie.header)
        assert (read_name, value) == (name, cookie.value)
        assert found.keys() <= ATTRIBUTES
        path = found.get("path")
        assert path is not None
        assert unquote(path) == unquote(options.path)
        assert found.get("domain") == (options.domain.lstrip(".") if options.domain else None)
        assert found.get("samesite") == options.samesite
        for flag in ("secure", "httponly", "partitioned"):
            assert (flag in found) is getattr(options, flag)
        assert all(len(text or "") <= 1024 for text in found.values())
        lower = name.lower()
        assert not lower.startswith(("__secure-", "__host-", "__http-")) or "secure" in found
        assert not lower.startswith(("__http-", "__host-http-")) or "httponly" in found
        assert not lower.startswith("__host-") or (path == "/" and "domain" not in found)
    return True


def test_of_forty_thousand_generated_options_each_is_refused_at_once_or_sent_as_it_was_meant() -> None:
    source = random.Random(26)
    accepted = 0
    for _ in range(40_000):

        def text(alphabet: list[str]) -> str:
            pieces = source.choices(alphabet, k=source.choice([0, 1, 1, 2, 3]))
            return "".join(pieces)

        mixed = HARMLESS if source.random() < 0.6 else HARMLESS + POISON
        accepted += check(
            text(mixed),
            {
                "path": source.choice(["/", "/" + text(mixed), text(mixed)]),
                "domain": source.choice([None, None, text(mixed)]),
                "samesite": source.choice([None, "lax", "Strict", "none", text(mixed)]),
                "secure": source.random() < 0.8,
                "httponly": source.random() < 0.8,
                "partitioned": source.random() < 0.2,
            },
        )
    assert 2000 < accepted < 38_000


@given(name=st.text(max_size=20), path=st.text(max_size=20), domain=st.text(max_size=20))
def test_no_text_for_name_path_or_domain_slips_through(name: str, path: str, domain: str) -> None:
    check(name, {})
    check("session", {"path": "/" + path})
    check("session", {"domain": domain})


@pytest.mark.parametrize("poison", POISON, ids=ascii)
@pytest.mark.parametrize("place", ["before", "within", "behind"])
def test_no_control_or_separator_is_accepted_in_a_name_a_path_or_a_domain(poison: str, place: str) -> None:
    def poisoned(text: str) -> str:
        middle = len(text) // 2
        return {
            "before": poison + text,
            "within": text[:middle] + poison + text[middle:],
            "behind": text + poison,
        }[place]

    with pytest.raises(ConfigError):
        CookieOptions().check_name(poisoned("session"))
    with pytest.raises(ConfigError):
        CookieOptions(domain=poisoned("example.org"))
    with pytest.raises(ConfigError):
        CookieOptions(samesite=poisoned("Lax"))  # type: ignore[arg-type]
    if poison in ('"', "\\", ",", "=") and place != "before":
        return  # in a path these are characters like others, and sent encoded where they must be
    with pytest.raises(ConfigError):
        CookieOptions(path=poisoned("/app"))


@pytest.mark.parametrize(
    "options",
    [
        {"path": "/" + "p" * 1024},
        {"path": ""},
        {"path": "app"},
        {"path": None},
        {"path": b"/"},
        {"path": "/\u00fc"},
        {"domain": ("d" * 60 + ".") * 18 + "org"},
        {"domain": "d" * 64 + ".org"},
        {"domain": ""},
        {"domain": "b\u00fccher.example"},
        {"domain": "example.org:8080"},
        {"domain": "example..org"},
        {"domain": "example.org."},
        {"domain": "*.example.org"},
        {"domain": "-example.org"},
        {"domain": "example.org/path"},
        {"domain": "user@example.org"},
        {"domain": b"example.org"},
        {"domain": 7},
        {"samesite": ""},
        {"samesite": "lax; Secure"},
        {"samesite": True},
        {"samesite": "None", "secure": False},
        {"samesite": "Default"},
        {"partitioned": True, "secure": False},
        {"secure": "yes"},
        {"secure": None},
        {"secure": 1},
        {"httponly": 0},
        {"max_age": 0},
        {"max_age": -1},
        {"max_age": True},
        {"max_age": 1.5},
        {"max_age": "60"},
        {"max_age": "60; Secure"},
        {"expires": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"expires": float("nan")},
        {"expires": float("inf")},
        {"expires": -1},
        {"expires": True},
        {"encode": str},
        {"priority": "High"},
        {"httpOnly": True},
        {"sameSite": "lax"},
        {"maxAge": 60},
        {"max-age": 60},
        {"Secure": True},
        {"": True},
        {7: True},
    ],
    ids=lambda options: ascii(options)[:40] + str(len(ascii(options))),
)
def test_an_impossible_attribute_is_refused_before_any_request(options: dict[Any, Any]) -> None:
    with pytest.raises(ConfigError):
        SessionOptions(password=OLD, cookie_name="session", cookie_options=options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("__Secure-s", {"secure": False}),
        ("__Host-s", {"secure": False}),
        ("__Host-s", {"path": "/app"}),
        ("__Host-s", {"domain": "example.org"}),
        ("__HOST-s", {"path": "/app"}),
        ("__host-s", {"domain": "example.org"}),
        ("__sEcUrE-s", {"secure": False}),
        ("__Http-s", {"httponly": False}),
        ("__Http-s", {"secure": False}),
        ("__Host-Http-s", {"httponly": False}),
        ("__Host-Http-s", {"path": "/app"}),
        ("__HOST-HTTP-s", {"httponly": False}),
    ],
)
def test_a_prefix_demands_its_attributes_in_any_case(name: str, options: dict[str, Any]) -> None:
    SessionOptions(password=OLD, cookie_name=name)
    with pytest.raises(ConfigError, match="browsers drop it"):
        SessionOptions(password=OLD, cookie_name=name, cookie_options=options)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        "a=b",
        "a;b",
        "a,b",
        '"a"',
        "a\\b",
        "a\r\nb",
        "a\x00",
        "\x7f",
        "é",
        "x" * 1025,
        None,
        7,
        b"s",
    ],
)
def test_an_impossible_name_is_refused_before_any_request(name: Any) -> None:
    with pytest.raises(ConfigError):
        SessionOptions(password=OLD, cookie_name=name)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12))
def test_every_name_that_is_accepted_comes_back_as_it_was_sent(name: str) -> None:
    try:
        app = sessions(
            page(lambda session: session.set("count", session.get("count", 0) + 1)), cookie_name=name
        )
    except ConfigError:
        assert set(name) & set('",;=\\')
        return
    browser = Browser()
    for _ in range(3):
        browser.visit(app)
    seen: list[Any] = []
    browser.visit(sessions(page(lambda session: seen.append(dict(session))), cookie_name=name))
    assert seen == [{"count": 3}]
    assert list(browser.cookies) == [name]


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=50), min_size=1, max_size=5))
def test_no_data_put_anything_but_letters_of_seals_into_the_header(data: dict[str, str]) -> None:
    data.pop("_iron", None)
    data.pop("__proto__", None)
    answer = serve(sessions(page(lambda session: (session.update(data), session.save()))), environ())
    (line,) = answer.cookies
    name, value, found = parsed(line)
    assert name == "session"
    assert re.fullmatch(
        r"Fe26\.2\*1\*[0-9a-f]{64}\*[\w-]{22}\*[\w-]+\*[0-9]{13}\*[0-9a-f]{64}\*[\w-]{43}~2", value, re.ASCII
    )
    assert found == {"max-age": "3540", "path": "/", "secure": None, "httponly": None, "samesite": "Lax"}


def test_nothing_that_came_in_goes_out_again() -> None:
    tossed = "session=x\r\nSet-Cookie:a=b; session.0=y\r\n; session.1=<script>"
    answer = serve(sessions(page(bool)), environ(tossed))
    assert sorted(parsed(line)[0] for line in answer.cookies) == ["session", "session.0", "session.1"]
    assert all(parsed(line)[1] == "" for line in answer.cookies)
    assert not any(poison in value for _, value in answer.headers for poison in ("script", "\r", "a=b"))


def test_an_expiry_of_the_cookie_is_written_as_the_moment_it_is() -> None:
    moment = datetime(2031, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
    for given_as in (moment, moment.timestamp(), moment.replace(tzinfo=None)):
        options = CookieOptions(expires=given_as)  # type: ignore[arg-type]
        header = Cookie(name="s", value="x", options=options, expires=options.expires).header
        assert parsed(header)[2]["expires"] == "Mon, 03 Feb 2031 04:05:06 GMT"


def test_a_good_seal_needs_no_quotes() -> None:
    cookie = Cookie(name="s", value=forged({"a": 1}) + "~2", options=CookieOptions())
    assert '"' not in cookie.header
