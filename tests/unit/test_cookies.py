from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from iron_wsgi import ConfigError, Cookie, CookieOptions
from iron_wsgi.cookies.cookie import chunk_name, deletion

from .visitor import NOW, PASSWORD, attributes, sealed


def _refused(**options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        CookieOptions(**options)
    return str(caught.value)


# ---- attributes ----


def test_the_defaults_are_those_of_iron_session() -> None:
    header = Cookie(name="s", value="x", options=CookieOptions(), max_age=60).header
    assert header.startswith("s=x;")
    assert attributes(header) == {
        "max-age": "60",
        "path": "/",
        "secure": "",
        "httponly": "",
        "samesite": "Lax",
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"secure": False}, {"path": "/", "httponly": "", "samesite": "Lax"}),
        ({"httponly": False}, {"path": "/", "secure": "", "samesite": "Lax"}),
        ({"samesite": None}, {"path": "/", "secure": "", "httponly": ""}),
        ({"samesite": "none"}, {"path": "/", "secure": "", "httponly": "", "samesite": "None"}),
        ({"samesite": "STRICT"}, {"path": "/", "secure": "", "httponly": "", "samesite": "Strict"}),
        ({"path": "/app"}, {"path": "/app", "secure": "", "httponly": "", "samesite": "Lax"}),
        (
            {"domain": "example.com", "samesite": None},
            {"domain": "example.com", "path": "/", "secure": "", "httponly": ""},
        ),
        (
            {"partitioned": True, "samesite": None},
            {"path": "/", "secure": "", "httponly": "", "partitioned": ""},
        ),
    ],
)
def test_each_attribute_goes_out_as_it_was_given(options: dict[str, Any], expected: dict[str, str]) -> None:
    assert attributes(Cookie(name="s", value="x", options=CookieOptions(**options)).header) == expected


@pytest.mark.parametrize("flag", ["secure", "httponly", "partitioned"])
@pytest.mark.parametrize("value", [None, 1, "true"])
def test_a_flag_is_true_or_false(flag: str, value: object) -> None:
    assert f"{flag} must be True or False" in _refused(**{flag: value})


INJECTIONS = [
    "\r",
    "\n",
    "\r\nSet-Cookie: a=b",
    "\0",
    ";",
    "; Domain=evil.example",
    " ",
    "\t",
    "\x7f",
    "é",
    "\u2028",
]


@pytest.mark.parametrize(
    "bad", ["", "app", "app/", None, 7, *(f"/a{one}b" for one in INJECTIONS), "/" + "x" * 1024]
)
def test_a_path_that_a_browser_would_drop_or_misread_is_refused(bad: object) -> None:
    assert "path must begin with '/'" in _refused(path=bad)


@pytest.mark.parametrize("good", ["/", "/app", "/a/b/", "/%C3%A9", "/a,b=c", "/" + "x" * 1023])
def test_any_other_path_is_accepted(good: str) -> None:
    assert CookieOptions(path=good).path == good


@pytest.mark.parametrize("path", ["/" + chr(code) for code in range(33, 127) if chr(code) != ";"])
def test_a_path_goes_out_as_it_was_given(path: str) -> None:
    # A quoted one would be another path, or, longer than 1024 octets, none at all.
    try:
        options = CookieOptions(path=path)
    except ConfigError:
        return
    assert attributes(Cookie(name="s", value="x", options=options).header)["path"] == path


@pytest.mark.parametrize(
    "bad",
    [
        *("", ".", "-a.example", "a..example", "bücher.example", "a.example:8000", 7),
        *(".".join(["x" * 60] * 20), "x" * 64 + ".example"),
        *(f"a{one}b" for one in INJECTIONS),
    ],
)
def test_a_domain_that_a_browser_would_drop_or_misread_is_refused(bad: object) -> None:
    assert "domain must be a host name" in _refused(domain=bad)


@pytest.mark.parametrize(
    "good", ["example.com", ".example.com", "xn--bcher-kva.example", "localhost", "127.0.0.1"]
)
def test_any_host_name_is_accepted_as_a_domain(good: str) -> None:
    assert CookieOptions(domain=good).domain == good


@pytest.mark.parametrize("bad", ["", "lax; x", "Lax\n", "default", 1, True])
def test_samesite_is_one_of_three_words(bad: object) -> None:
    assert "samesite must be 'Lax', 'Strict', 'None' or None" in _refused(samesite=bad)


def test_what_needs_secure_is_refused_without_it() -> None:
    assert "samesite needs secure=True" in _refused(secure=False, samesite="None")
    assert "partitioned needs secure=True" in _refused(secure=False, partitioned=True)


@pytest.mark.parametrize("bad", [0, -1, 1.5, "60", True, False, "TTL"])
def test_a_max_age_is_a_positive_number_of_seconds_ttl_or_none(bad: object) -> None:
    assert "max_age must be a positive number of seconds, 'ttl' or None" in _refused(max_age=bad)


def test_expires_is_kept_as_epoch_seconds() -> None:
    moment = datetime(2027, 1, 15, 8, tzinfo=timezone.utc)
    east = moment.astimezone(timezone(timedelta(hours=5)))
    for given in (moment, east, moment.replace(tzinfo=None), moment.timestamp()):
        assert CookieOptions(expires=given).expires == moment.timestamp()
    assert CookieOptions().expires is None


@pytest.mark.parametrize("bad", ["tomorrow", True, 0, -1, float("nan"), float("inf"), timedelta(1)])
def test_expires_is_a_moment(bad: object) -> None:
    assert "expires must be a datetime or epoch seconds" in _refused(expires=bad)


def test_cookie_options_never_change() -> None:
    with pytest.raises(AttributeError):
        CookieOptions().secure = False  # type: ignore[misc]


# ---- attributes given as a mapping ----


def test_a_mapping_of_attributes_is_taken_and_options_are_taken_as_they_are() -> None:
    options = CookieOptions.parse({"secure": False, "path": "/app"})
    assert options == CookieOptions(secure=False, path="/app")
    assert CookieOptions.parse(options) is options


@pytest.mark.parametrize(
    ("attribute", "answer"),
    [
        ("httpOnly", "httpOnly is not an option; write httponly"),
        ("sameSite", "write samesite"),
        ("same_site", "write samesite"),
        ("maxAge", "write max_age"),
        ("Secure", "write secure"),
        ("domian", "write domain"),
        ("colour", "there are secure, httponly, samesite, path, domain, max_age, expires, partitioned"),
        ("encode", "cannot be set: a seal needs no encoding"),
        ("priority", "cannot be set: it is not a standard attribute"),
        (7, "7 is not an option"),
    ],
)
def test_an_unknown_attribute_is_answered_with_the_right_one_or_the_reason(
    attribute: Any, answer: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        CookieOptions.parse({attribute: True})
    assert str(caught.value).startswith("cookie_options: ")
    assert answer in str(caught.value)


@pytest.mark.parametrize("bad", [None, "secure", ["secure"], 7])
def test_attributes_are_a_mapping(bad: Any) -> None:
    with pytest.raises(ConfigError, match="cookie_options must be a mapping, not"):
        CookieOptions.parse(bad)


# ---- names ----


@pytest.mark.parametrize(
    "name", ["", *(f"s{one}" for one in INJECTIONS), "a=b", 'a"b', "a,b", "a\\b", None, 7, "x" * 1025]
)
def test_a_name_that_is_no_cookie_name_is_refused(name: Any) -> None:
    with pytest.raises(ConfigError, match="a cookie name is printable ASCII"):
        CookieOptions().check_name(name)


@pytest.mark.parametrize(
    "name", ["s", "__Host-session", "a/b", "a:b", "a.b", "$a", "next-iron-session/examples/express"]
)
def test_any_other_name_is_accepted(name: str) -> None:
    CookieOptions().check_name(name)


@pytest.mark.parametrize(
    ("name", "options", "demand"),
    [
        ("__Secure-s", {"secure": False}, "secure=True"),
        ("__Host-s", {"secure": False}, "secure=True"),
        ("__Http-s", {"secure": False}, "secure=True"),
        ("__Http-s", {"httponly": False}, "httponly=True"),
        ("__Host-Http-s", {"httponly": False}, "httponly=True"),
        ("__Host-s", {"path": "/app"}, "path='/' and no domain"),
        ("__Host-s", {"domain": "example.com"}, "path='/' and no domain"),
        ("__hOST-s", {"path": "/app"}, "path='/' and no domain"),
        ("__Host-Http-s", {"domain": "example.com"}, "path='/' and no domain"),
    ],
)
def test_a_name_with_a_prefix_must_have_the_attributes_that_browsers_demand(
    name: str, options: dict[str, Any], demand: str
) -> None:
    CookieOptions().check_name(name)
    with pytest.raises(ConfigError, match=f"a cookie named '{name}' needs {demand}"):
        CookieOptions(**options).check_name(name)


def test_secure_and_http_prefixes_leave_path_and_domain_free() -> None:
    options = CookieOptions(path="/app", domain="example.com")
    options.check_name("__Secure-s")
    options.check_name("__Http-s")


# ---- lines ----


def test_a_seal_goes_out_as_it_is() -> None:
    value = sealed({"a": 1})
    assert Cookie(name="s", value=value, options=CookieOptions()).header.split(";")[0] == f"s={value}"


def test_a_deletion_repeats_every_attribute_of_the_cookie() -> None:
    options = CookieOptions(path="/app", domain="example.com", samesite="Strict", partitioned=True)
    cookie = Cookie(name="s", value="x", options=options)
    assert not cookie.is_deletion
    gone = deletion("s", options)
    assert gone.is_deletion
    assert gone.header.startswith("s=;")
    assert attributes(gone.header) == {
        **attributes(cookie.header),
        "max-age": "0",
        "expires": "Thu, 01 Jan 1970 00:00:00 GMT",
    }


def test_expires_and_max_age_go_out_only_where_they_are_given() -> None:
    options = CookieOptions(samesite=None, httponly=False, secure=False)
    both = Cookie(name="s", value="x", options=options, max_age=60, expires=NOW)
    assert attributes(both.header) == {
        "max-age": "60",
        "expires": "Fri, 15 Jan 2027 08:00:00 GMT",
        "path": "/",
    }
    assert attributes(Cookie(name="s", value="x", options=options).header) == {"path": "/"}


def test_chunks_are_counted_as_iron_session_counts_them() -> None:
    assert [chunk_name("s", index) for index in range(2)] == ["s.0", "s.1"]


def test_a_cookie_shows_its_name_and_size_and_not_its_value() -> None:
    cookie = Cookie(name="s", value=sealed({}), options=CookieOptions())
    assert repr(cookie) == f"<Cookie 's', {len(cookie.value)} octets>"
    assert PASSWORD not in repr(cookie)
