"""Every fast path says what the general one behind it says, whatever comes."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import dump_cookie
from werkzeug.sansio.http import parse_cookie

from iron_wsgi import Cookie, CookieOptions, InvalidSeal, PayloadError
from iron_wsgi.cookies.header import CookieHeader
from iron_wsgi.seals import base64url, payload
from iron_wsgi.seals.payload import StrictJSON

NAME: Final = "s"
NAMES: Final = (NAME, "s.0", "s.1", "ss", "xs", "a")

# Made of what parsers stumble over: names that hold the name, quotes, white space, octets beyond ASCII.
pieces = st.sampled_from(
    [
        *NAMES,
        "=",
        ";",
        "; ",
        " ",
        "\t",
        '"',
        "\\",
        "\\073",
        ",",
        "é",
        "\x00",
        "\x85",
        "\xa0",
        "\n",
        "x",
        "Fe26.2*1*a~2",
    ]
)
pairs = st.tuples(
    st.sampled_from(NAMES), st.sampled_from(["", "x", '"x"', "Fe26.2*1*ab-_*~2", "a b", "a\tb", "é"])
)
headers = st.lists(pieces, max_size=14).map("".join) | st.lists(pairs, max_size=5).map(
    lambda found: "; ".join(f"{name}={value}" for name, value in found)
)


@given(headers, st.permutations(NAMES))
def test_the_one_name_reader_finds_what_werkzeug_finds_in_whatever_order_it_is_asked(
    text: str, names: list[str]
) -> None:
    expected, reader = parse_cookie(text), CookieHeader(text)
    for name in (*names, *names):
        assert list(reader.values(name)) == expected.getlist(name)


def test_a_lone_plain_cookie_is_found_without_a_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(_: str) -> None:
        raise AssertionError

    monkeypatch.setattr("iron_wsgi.cookies.header.parse_cookie", unexpected)
    for text in ("s=a*b~2", "x=1; s=a*b~2", "x=1;s=a*b~2; y=2"):
        reader = CookieHeader(text)
        assert reader.values("s") == ("a*b~2",)
        assert reader.values("s.0") == reader.values("s.1") == reader.values("z") == ()
    with pytest.raises(AssertionError):
        CookieHeader('s="a"').values("s")


options = st.builds(
    CookieOptions,
    secure=st.just(value=True),
    httponly=st.booleans(),
    samesite=st.sampled_from(["Lax", "Strict", "None", None]),
    path=st.sampled_from(["/", "/a%20b", "/x=1,2", "/;".replace(";", "!")]),
    domain=st.sampled_from([None, "example.com", ".example.com", "localhost"]),
    partitioned=st.booleans(),
)


@given(
    st.sampled_from(["s", "__Host-s", "a/b:c", "Max-Age"]),
    st.text(st.characters(max_codepoint=0x2FF, exclude_categories=["Cs"]), max_size=12)
    | st.text(st.sampled_from("Fe26.2*-_~!'()%"), max_size=12),
    options,
    st.none() | st.integers(0, 2**40),
    st.none() | st.floats(0, 4e9) | st.integers(0, 4_000_000_000),
)
def test_the_spliced_line_is_the_one_that_werkzeug_writes(
    name: str, value: str, attributes: CookieOptions, max_age: int | None, expires: float | None
) -> None:
    cookie = Cookie(name=name, value=value, options=attributes, max_age=max_age, expires=expires)
    assert cookie.header == dump_cookie(
        name,
        value,
        max_age=max_age,
        expires=expires,
        path=attributes.path,
        domain=attributes.domain,
        secure=attributes.secure,
        httponly=attributes.httponly,
        samesite=attributes.samesite,
        partitioned=attributes.partitioned,
        sync_expires=False,
        max_size=0,
    )


class Text(str):
    __slots__ = ()


odd = st.sampled_from(
    [float("nan"), float("inf"), -float("inf"), 2**53, -(2**53), 1e300, Text("x"), b"x", {1}, 1j]
)
keys = st.text(max_size=3) | st.sampled_from(["__proto__", 1, None, Text("k")])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | odd
anything: Any = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=10,
)
objects: Any = st.dictionaries(keys, anything, max_size=4)


@given(objects, st.sampled_from([0, 30, 31, 32, 33, 40]))
def test_what_is_plain_at_a_glance_passes_the_strict_walk(data: dict[Any, Any], depth: int) -> None:
    deep: Any = data
    for _ in range(depth):
        deep = [deep]
    whole = {"a": deep} if depth else data
    if payload._is_plain(whole):
        payload._check(whole, "session", 1)


@given(st.dictionaries(st.text(max_size=3), st.integers(-9, 9) | st.lists(st.floats(-9, 9), max_size=2)))
def test_common_data_are_plain_at_a_glance(data: dict[str, Any]) -> None:
    data.pop("__proto__", None)
    assert payload._is_plain(data)


numbers = st.sampled_from(
    [
        "1",
        "-0",
        "0.5",
        "1e5",
        "1E400",
        "-1e400",
        "9007199254740991",
        "9007199254740993",
        "1" * 400,
        "1.5e-3",
        "NaN",
    ]
)
texts = st.lists(numbers | st.sampled_from(['"0e1"', '"12345678901234567"', "{}", "[]"]), max_size=5).map(
    lambda items: "[" + ",".join(items) + "]"
)


@given(texts)
def test_numbers_are_read_alike_whichever_decoder_is_chosen(text: str) -> None:
    def read(function: Any, given: Any) -> Any:
        try:
            return repr(function(given))
        except ValueError:
            return "refused"

    assert read(StrictJSON().loads, text.encode()) == read(payload._DECODER.decode, text)


nested: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(-9, 9)
    | st.sampled_from(["", "a", '"a":', '\\"a":1', "é"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", '"a', 'x"a', "é"]), inner)
    ),
    max_leaves=8,
)
sessions: Any = st.dictionaries(st.sampled_from(["a", "b", 'x"a', "é"]), nested, min_size=1, max_size=3)


def _written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


@given(sessions, st.data())
def test_unchanged_by_the_text_that_came_is_unchanged_by_comparing_values(
    data: dict[str, Any], draw: Any
) -> None:
    strict = StrictJSON()
    text = strict.dumps(data)
    now = copy.deepcopy(data)
    key = draw.draw(st.sampled_from(sorted(now)))
    if draw.draw(st.booleans()):
        now[key] = draw.draw(nested)
    if isinstance(now[key], (dict, list)) and strict.has_member(text, key, now[key]):
        assert _written(now[key]) == _written(data[key])
    if (
        isinstance(data[key], (dict, list))
        and text.count(f"{json.dumps(key, ensure_ascii=False)}:".encode()) == 1
    ):
        assert strict.has_member(text, key, data[key])


alphabet = st.sampled_from(b"AQgw8-_+/= \n.\xff09z")


@given(
    st.binary(max_size=9).map(lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"="))
    | st.lists(alphabet, max_size=9).map(bytes)
)
def test_base64url_is_read_in_the_one_spelling_that_is_written(text: bytes) -> None:
    try:
        expected: bytes | None = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        expected = None
    if expected is not None and base64.urlsafe_b64encode(expected).rstrip(b"=") != text:
        expected = None
    try:
        assert base64url.decode(text) == expected
    except InvalidSeal:
        assert expected is None


def test_the_strict_walk_still_names_what_is_wrong() -> None:
    with pytest.raises(PayloadError, match=r"session\.a\[0\]"):
        StrictJSON().dumps({"a": [{1}]})
