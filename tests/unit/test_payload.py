from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import uuid
from typing import Any

import pytest

from iron_wsgi import PayloadError
from iron_wsgi.seals.payload import StrictJSON

JSON = StrictJSON()


def _nested(levels: int, innermost: Any = 1) -> Any:
    data = innermost
    for _ in range(levels - isinstance(innermost, list)):
        data = [data]
    return data


# ---- writing ----


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({}, "{}"),
        ({"user": {"id": 7}, "ok": [True, False, None]}, '{"user":{"id":7},"ok":[true,false,null]}'),
        ({"s": 'é😀\u2028"\\/\b\t\n\x07\x7f'}, '{"s":"é😀\u2028\\"\\\\/\\b\\t\\n\\u0007\x7f"}'),
        ({"n": [2**53 - 1, -(2**53 - 1), 0.1, -1.5]}, '{"n":[9007199254740991,-9007199254740991,0.1,-1.5]}'),
        ({"half": "\ud83d x \ude00"}, '{"half":"\\ud83d x \\ude00"}'),
        ({"\ud83d": 1}, '{"\\ud83d":1}'),
        ({"": {"": ""}}, '{"":{"":""}}'),
    ],
)
def test_data_are_written_as_json_stringify_writes_them(data: dict[str, Any], text: str) -> None:
    assert JSON.dumps(data) == text.encode()
    assert JSON.loads(JSON.dumps(data)) == data


def test_tuples_are_written_as_arrays() -> None:
    assert JSON.dumps({"t": (1, (2, "x"))}) == b'{"t":[1,[2,"x"]]}'


class _Text(str):
    __slots__ = ()


class _Number(enum.IntEnum):
    SEVEN = 7


class _Ratio(float):
    pass


def test_values_and_keys_of_a_class_of_ones_own_are_written_as_what_they_are() -> None:
    data = {
        _Text("a"): _Text("x"),
        "n": _Number.SEVEN,
        "f": _Ratio(0.5),
        "o": collections.OrderedDict(b=[_Text("y")]),
    }
    assert JSON.dumps(data) == b'{"a":"x","n":7,"f":0.5,"o":{"b":["y"]}}'
    for bad in (_Ratio("nan"), type("Big", (int,), {})(2**60), {_Text("__proto__"): 1}):
        with pytest.raises(PayloadError):
            JSON.dumps({"a": bad})


class _Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (float("nan"), "is not a finite number"),
        (float("inf"), "is not a finite number"),
        (float("-inf"), "is not a finite number"),
        (2**53, "is an integer beyond 2^53-1"),
        (-(2**53), "is an integer beyond 2^53-1"),
        (10**4000, "is an integer beyond 2^53-1"),
        ({1: "a"}, "has a key of type int"),
        ({None: "a"}, "has a key of type NoneType"),
        ({True: "a"}, "has a key of type bool"),
        ({"__proto__": 1}, "has the key '__proto__'"),
        (dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc), "is a datetime"),
        (decimal.Decimal(1), "is a Decimal"),
        (uuid.UUID(int=1), "is an UUID"),
        (b"x", "is a bytes"),
        ({1, 2}, "is a set"),
        (object(), "is an object"),
        (_Colour.RED, "is a _Colour"),
        (range(2), "is a range"),
    ],
)
def test_what_javascript_would_not_read_back_equal_is_refused_with_its_path(value: Any, problem: str) -> None:
    for data, path in (
        ({"a": value}, "session.a"),
        ({"cart": [0, 1, {"when": value}]}, "session.cart[2].when"),
        ({"t": (1, (value,))}, "session.t[1][0]"),
    ):
        with pytest.raises(PayloadError) as caught:
            JSON.dumps(data)
        assert caught.value.path == path
        assert str(caught.value).startswith(f"{path} {problem}")


def test_the_value_itself_is_never_part_of_the_message() -> None:
    with pytest.raises(PayloadError) as caught:
        JSON.dumps({"token": b"canary"})
    assert "canary" not in str(caught.value)


def test_keys_of_the_data_itself_are_checked_too() -> None:
    with pytest.raises(PayloadError, match=r"^session has a key of type int"):
        JSON.dumps({1: "a"})  # type: ignore[dict-item]
    with pytest.raises(PayloadError, match=r"^data has the key '__proto__'"):
        JSON.dumps({"__proto__": 1}, root="data")


def test_32_levels_can_be_written_and_one_more_cannot() -> None:
    data = {"deep": _nested(31)}
    assert JSON.loads(JSON.dumps(data)) == data
    with pytest.raises(PayloadError, match="is nested deeper than 32 levels") as caught:
        JSON.dumps({"deep": _nested(32)})
    assert caught.value.path == "session.deep" + "[0]" * 31


def test_data_that_hold_themselves_are_refused() -> None:
    data: dict[str, Any] = {}
    data["self"] = data
    with pytest.raises(PayloadError, match="nested deeper"):
        JSON.dumps(data)


# ---- reading ----


@pytest.mark.parametrize(
    ("payload", "data"),
    [
        (b" {\n} ", {}),
        (b"null", None),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'{"a":"\xff"}', {"a": "\ufffd"}),
        (rb'{"a":"\ud83d\ude00"}', {"a": "😀"}),
        (rb'{"a":"\ud83d"}', {"a": "\ud83d"}),
        (b'{"__proto__":{"a":1}}', {"__proto__": {"a": 1}}),
        (b"[1e3,1E3,1.5e-7]", [1000.0, 1000.0, 1.5e-7]),
    ],
)
def test_a_payload_is_read_as_javascript_reads_it(payload: bytes, data: Any) -> None:
    assert JSON.loads(payload) == data


@pytest.mark.parametrize(
    ("digits", "number"),
    [
        ("9007199254740991", 9007199254740991),
        ("-9007199254740991", -9007199254740991),
        ("123456789012345", 123456789012345),
        ("9007199254740992", 9007199254740992.0),
        ("12345678901234567890", 12345678901234567000.0),
        ("1" + "0" * 300, 1e300),
        ("0.12345678901234567890", 0.12345678901234568),
    ],
)
def test_integers_are_exact_up_to_2_53_and_floats_beyond_as_in_javascript(digits: str, number: float) -> None:
    read = JSON.loads(f'{{"n":{digits}}}'.encode())["n"]
    assert (read, type(read)) == (number, type(number))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{asdasd",
        b"{'a':1}",
        b"{}x",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1e400}',
        b'{"a":-1e400}',
        b'{"a":' + b"9" * 400 + b"}",
        b'{"a":01}',
        b'{"a":"\x07"}',
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
    ],
)
def test_what_json_parse_refuses_and_numbers_out_of_range_are_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        JSON.loads(payload)


def test_200_levels_are_read_and_more_are_not_on_any_python() -> None:
    deep = b"[" * 200 + b"]" * 200
    assert JSON.loads(deep) == _nested(200, innermost=[])
    for levels in (201, 300):
        with pytest.raises(ValueError, match="nested deeper than 200 levels"):
            JSON.loads(b'{"a":' * levels + b"1" + b"}" * levels)
        with pytest.raises(ValueError, match="nested deeper than 200 levels"):
            JSON.loads(b"[" * levels + b"]" * levels)


def test_many_containers_side_by_side_are_not_deep() -> None:
    assert JSON.loads(b"[" + b"[[]]," * 500 + b"{}]") == [[[]]] * 500 + [{}]


def test_a_number_of_many_digits_costs_no_more_than_its_length() -> None:
    # int() would take quadratic time, and refuses beyond 4300 digits with another error.
    with pytest.raises(ValueError, match="a number is out of range"):
        JSON.loads(b"[" + b"7" * 100_000 + b"]")


class Names(dict[Any, Any]):
    """A dict of another type."""


@pytest.mark.parametrize("data", [Names(__proto__=1), Names({1: 2}), Names(n=2**70), Names(n=float("nan"))])
def test_a_dict_of_another_type_is_checked_as_strictly(data: Any) -> None:
    with pytest.raises(PayloadError):
        StrictJSON().dumps(data)
    assert StrictJSON().dumps(Names(n=[1])) == b'{"n":[1]}'
