"""T-JSON: what an authentic payload can do, since applications seal what visitors type."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from iron_wsgi import PayloadError, seal_data, unseal_data

from .seals import NOW, OLD, forged, vault, verdict
from .site import Browser, environ, page, serve, sessions

NESTINGS: dict[str, Callable[[int], str]] = {
    "arrays": lambda depth: "[" * depth + "]" * depth,
    "objects": lambda depth: '{"a":' * depth + "1" + "}" * depth,
    "both": lambda depth: '[{"a":' * (depth // 2) + "1" + "}]" * (depth // 2),
}
DEPTHS = [*range(10, 100, 30), *range(100, 1000, 150), *range(900, 1000, 10), 1439, 2000, 3000, 5000, 5900]


def deep_in_the_stack(frames: int, function: Callable[[], Any]) -> Any:
    return function() if not frames else deep_in_the_stack(frames - 1, function)


def visited(payload: bytes, handle: Callable[[Any], object] = bool) -> tuple[str, list[Any]]:
    """Let a handler see the session of that payload; return the status and what it returned."""
    seen: list[Any] = []
    app = sessions(page(lambda session: seen.append(handle(session))))
    return serve(app, environ(f"session={forged(payload)}")).status, seen


@pytest.mark.parametrize("nesting", NESTINGS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_no_depth_of_nesting_breaks_a_request(nesting: str, depth: int) -> None:
    payload = f'{{"a":{NESTINGS[nesting](depth)}}}'.encode()
    for frames in (0, 200, 500):
        status, seen = deep_in_the_stack(frames, lambda: visited(payload, len))
        assert status == "200 OK"
        assert seen in ([0], [1])


@pytest.mark.parametrize("nesting", NESTINGS)
def test_a_session_that_was_read_can_be_compared_wherever_the_stack_stands(nesting: str) -> None:
    # How deep Python reads depends on the stack, and the comparison at commit stands elsewhere in it.
    def read_then_compared(session: Any) -> int:
        count = len(session)
        assert not deep_in_the_stack(100, lambda: session.modified)
        return count

    for depth in (*range(860, 1000, 2), *range(1480, 1540, 3), *range(2000, 2060, 10)):
        payload = f'{{"a":{NESTINGS[nesting](depth)}}}'.encode()
        assert visited(payload, len)[0] == "200 OK"
        assert visited(payload, read_then_compared)[0] == "200 OK"


@pytest.mark.parametrize("nesting", NESTINGS)
@pytest.mark.parametrize("depth", [900, 5900])
def test_a_link_nested_too_deeply_is_unreadable_and_no_more(nesting: str, depth: int) -> None:
    link = forged(f'{{"a":{NESTINGS[nesting](depth)}}}'.encode())
    data = deep_in_the_stack(300, lambda: unseal_data(link, password=OLD, clock=lambda: NOW))
    assert data.keys() in (set(), {"a"})


def test_data_nested_deeper_than_every_reader_reads_are_not_written() -> None:
    def nested(depth: int) -> Any:
        value: Any = 1
        for _ in range(depth):
            value = [value]
        return value

    seal_data({"a": nested(31)}, password=OLD)
    for depth in (32, 100, 900, 100_000):
        with pytest.raises(PayloadError, match="nested deeper than 32"):
            seal_data({"a": nested(depth)}, password=OLD)


def test_data_that_contain_themselves_are_refused_not_followed_for_ever() -> None:
    cart: list[Any] = []
    cart.append(cart)
    with pytest.raises(PayloadError, match="nested deeper"):
        seal_data({"cart": cart}, password=OLD)


UNREADABLE = [
    b"",
    b" ",
    b"{",
    b'{"a":1',
    b'{"a":1}x',
    b'{"a":1}{"a":2}',
    b'{"a":1},',
    b"{a:1}",
    b"{'a':1}",
    b'{"a":01}',
    b'{"a":+1}',
    b'{"a":.5}',
    b'{"a":1.}',
    b'{"a":0x10}',
    b'{"a":1_000}',
    b'{"a":NaN}',
    b'{"a":Infinity}',
    b'{"a":-Infinity}',
    b'{"a":1e999}',
    b'{"a":-1e999}',
    b'{"a":' + b"9" * 400 + b"}",
    b'{"a":' + b"9" * 4300 + b"}",
    b'{"a":' + b"9" * 5000 + b"}",
    b'{"a":-' + b"9" * 5000 + b"}",
    b'{"a":"\n"}',
    b'{"a":"\x00"}',
    b'{"a":"\\x41"}',
    b'{"a":"\\u12"}',
    b'{"a":"\\ud8"}',
    b'{"a":tru}',
    b'{"a":True}',
    b'{"a":None}',
    b'{"a":undefined}',
    b'{"a":1,}',
    b"[1,]",
    b"// no comment\n{}",
    b"\xef\xbb\xbf\xef\xbb\xbf{}",
    b"\x80\x04}.",
    b"{}\x00",
]
OTHER_SHAPES = [
    b"[]",
    b"[1]",
    b'"text"',
    b"7",
    b"1.5",
    b"true",
    b"false",
    b'[["a",1]]',
    b'["persistent","flash"]',
]


@pytest.mark.parametrize(
    "payload", [*UNREADABLE, *OTHER_SHAPES], ids=lambda payload: f"{payload[:14]!r}{len(payload)}"
)
def test_what_is_no_json_object_is_no_session(payload: bytes) -> None:
    assert verdict(forged(payload), vault()) == "invalid"
    assert visited(payload, dict) == ("200 OK", [{}])
    assert unseal_data(forged(payload), password=OLD, clock=lambda: NOW) == {}


@pytest.mark.parametrize(
    ("payload", "data"),
    [
        pytest.param(b"null", {}, id="null is empty"),
        pytest.param(b"{}", {}, id="an empty object"),
        pytest.param(b'\t\r\n {"a" : 1 } ', {"a": 1}, id="blanks"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', {"a": 1}, id="one byte order mark"),
        pytest.param(b'{"a":1,"a":2}', {"a": 2}, id="of two equal keys the last"),
        pytest.param(b'{"a":"\xff"}', {"a": "\ufffd"}, id="octets that are not UTF-8"),
        pytest.param(b'{"a":"\\ud800"}', {"a": "\ud800"}, id="half a surrogate pair"),
        pytest.param(b'{"a":"\\ud83d\\ude00"}', {"a": "\U0001f600"}, id="an escaped pair"),
        pytest.param(b'{"a":9007199254740991}', {"a": 2**53 - 1}, id="the largest safe integer"),
        pytest.param(b'{"a":9007199254740993}', {"a": float(2**53)}, id="a larger integer, as a float"),
        pytest.param(b'{"a":1e308}', {"a": 1e308}, id="a large float"),
        pytest.param(b'{"a":1e-999}', {"a": 0.0}, id="underflow"),
        pytest.param(b'{"a":1E2}', {"a": 100.0}, id="a capital exponent"),
        pytest.param(
            b'{"__proto__":{"admin":true}}', {"__proto__": {"admin": True}}, id="__proto__ is a name"
        ),
        pytest.param(
            b'{"constructor":1,"__class__":2}', {"constructor": 1, "__class__": 2}, id="so are others"
        ),
        pytest.param(
            b'{"save":1,"destroy":2,"":3}', {"save": 1, "destroy": 2, "": 3}, id="and methods' names"
        ),
    ],
)
def test_json_is_read_as_javascript_reads_it(payload: bytes, data: dict[str, Any]) -> None:
    given = verdict(forged(payload), vault())
    assert given == data
    assert isinstance(given, dict)
    assert {key: type(value) for key, value in given.items()} == {
        key: type(value) for key, value in data.items()
    }


@pytest.mark.parametrize(
    ("value", "path"),
    [
        pytest.param(math.nan, "session.a", id="NaN"),
        pytest.param(math.inf, "session.a", id="infinity"),
        pytest.param([1, {"b": -math.inf}], "session.a[1].b", id="minus infinity within"),
        pytest.param(2**53, "session.a", id="beyond the safe integers"),
        pytest.param(-(2**53), "session.a", id="below them"),
        pytest.param(10**5000, "session.a", id="thousands of digits"),
        pytest.param({1: "a", "1": "b"}, "session.a", id="two keys that JSON makes one"),
        pytest.param({None: 1}, "session.a", id="None for a key"),
        pytest.param({("x",): 1}, "session.a", id="a tuple for a key"),
        pytest.param({"__proto__": 1}, "session.a", id="__proto__"),
        pytest.param(
            {"items": [{}, {}, {"when": dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)}]},
            "session.a.items[2].when",
            id="a datetime",
        ),
        pytest.param(decimal.Decimal(1), "session.a", id="a decimal"),
        pytest.param({1, 2}, "session.a", id="a set"),
        pytest.param(b"octets", "session.a", id="octets"),
        pytest.param([(1, 2j)], "session.a[0][1]", id="a complex number in a tuple in a list"),
        pytest.param(object(), "session.a", id="an object"),
    ],
)
def test_what_javascript_would_not_read_back_is_refused_with_its_path(value: Any, path: str) -> None:
    with pytest.raises(PayloadError) as failure:
        sessions_write(value)
    assert failure.value.path == path
    assert str(failure.value).startswith(path + " ")


def sessions_write(value: Any) -> None:
    serve(sessions(page(lambda session: session.set("a", value))), environ())


def test_half_a_surrogate_pair_goes_round() -> None:
    browser = Browser()
    browser.visit(sessions(page(lambda session: session.set("\udfff", ["x\ud800y"]))))
    seen: list[Any] = []
    browser.visit(sessions(page(lambda session: seen.append(dict(session)))))
    assert seen == [{"\udfff": ["x\ud800y"]}]


STAMPS: list[Any] = [
    *("x", 1, [], None, True, 0.5),
    *({"iat": value} for value in (True, False, None, "1800000000", [], {}, -1, -0.001)),
    *({"iat": NOW + 61}, {"iat": 1e300}, {"iat": 2**53}),
    *({"ttl": value} for value in (True, None, "60", -1, [60])),
    *({"exp": value} for value in (True, None, "1900000000", -1, {})),
    *({"sid": value} for value in (None, "", 7, True, [], {}, "x" * 129)),
]


@pytest.mark.parametrize("stamps", STAMPS, ids=json.dumps)
def test_stamps_that_are_not_what_they_should_be_make_the_session_invalid(stamps: Any) -> None:
    # A comparison with NaN, or with nothing, never ends a session.
    assert verdict(forged({"user": 1, "_iron": stamps}), vault()) == "invalid"
    assert verdict(forged({"user": 1, "_iron": stamps}), vault(absolute_timeout=60)) == "invalid"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "9" * 400])
def test_a_stamp_that_is_no_finite_number_makes_the_session_invalid(number: str) -> None:
    payload = f'{{"user":1,"_iron":{{"iat":{number}}}}}'.encode()
    assert verdict(forged(payload), vault(absolute_timeout=60)) == "invalid"


@pytest.mark.parametrize(
    "stamps",
    [
        {"ttl": 1e300},
        {"exp": 1e300},
        {"ttl": 0},
        {"exp": 0},
        {"ttl": 1e-9},
        {"iat": 0},
        {"sid": "\ud800"},
        {"sid": "\x00\n"},
    ],
    ids=ascii,
)
def test_no_stamp_breaks_the_request_that_writes_the_session_again(stamps: Any) -> None:
    # Only who holds the password makes such seals, and Node applications hold it too.
    header = f"session={forged({'user': 1, '_iron': stamps})}"
    for use in (
        lambda session: session.set("user", 2),
        lambda session: session.destroy(),
        lambda session: session.sid,
    ):
        answer = serve(sessions(page(use), on_event=lambda _: None), environ(header))
        assert answer.status == "200 OK"


def test_a_session_without_end_is_not_written_where_sessions_end() -> None:
    # A stamp of 0 seconds must not come to mean "for ever".
    header = f"session={forged({'user': 1, '_iron': {'ttl': 0}})}"
    answer = serve(sessions(page(lambda session: session.set("user", 2))), environ(header))
    for line in answer.cookies:
        value = line.split(";")[0].partition("=")[2]
        assert value == "" or value.split("*")[5] != ""


def test_the_applications_data_cannot_become_stamps() -> None:
    with pytest.raises(PayloadError, match="_iron is reserved"):
        serve(sessions(page(lambda session: session.set("_iron", {"iat": 1}))), environ())


def test_stamps_are_not_among_the_data() -> None:
    seal = forged({"user": 1, "_iron": {"sid": "abc", "iat": NOW, "later": "kept"}})
    state = vault().load(seal)
    assert state.data == {"user": 1}
    assert (state.sid, state.issued_at, state.meta["later"]) == ("abc", NOW, "kept")


def test_names_of_methods_are_plain_data() -> None:
    names = ["save", "destroy", "persistent", "__class__", "get", "state", "modified"]
    browser = Browser()
    browser.visit(sessions(page(lambda session: session.update(dict.fromkeys(names, "x")))))
    seen: list[Any] = []
    browser.visit(sessions(page(lambda session: (session.save(), seen.append(dict(session))))))
    assert seen == [dict.fromkeys(names, "x")]
