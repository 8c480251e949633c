from __future__ import annotations

import time
from typing import Any

import pytest

from iron_wsgi import Passwords, PayloadError, Refused, SessionOptions, seal_data
from iron_wsgi.cookies.candidates import Candidates
from iron_wsgi.seals.payload import StrictJSON
from iron_wsgi.seals.sealer import _open
from iron_wsgi.vaults.codec import Codec, Decoded
from iron_wsgi.vaults.merge import merge

from .visitor import PASSWORD


def _codec(**options: Any) -> Codec:
    return Codec(SessionOptions(password=PASSWORD, cookie_name="s", **options))


class Fussy:
    """A serializer that writes with `repr`, and refuses what is bad."""

    def dumps(self, data: dict[str, Any]) -> bytes:
        if any(value == "bad" for value in data.values()):
            raise LookupError("bad")
        return repr(data).encode()

    def loads(self, payload: bytes) -> Any:
        raise NotImplementedError


def test_without_stamps_a_payload_is_the_data_alone() -> None:
    assert _codec().encode({"a": 1}, {}) == b'{"a":1}'
    assert _codec().decode(b'{"a":1}') == Decoded({"a": 1}, {})


def test_stamps_stand_beside_the_data_and_come_back_apart() -> None:
    payload = _codec().encode({"a": 1}, {"sid": "x"})
    assert payload == b'{"a":1,"_iron":{"sid":"x"}}'
    assert _codec().decode(payload) == Decoded({"a": 1}, {"sid": "x"})


def test_what_was_encoded_is_not_changed() -> None:
    data, meta = {"a": 1}, {"sid": "x"}
    _codec().encode(data, meta)
    assert (data, meta) == ({"a": 1}, {"sid": "x"})


@pytest.mark.parametrize("meta", [{}, {"sid": "x"}])
def test_the_data_cannot_bring_stamps_of_their_own(meta: dict[str, Any]) -> None:
    with pytest.raises(PayloadError, match=r"^session\._iron is reserved") as refused:
        _codec().encode({"_iron": {"sid": "mine"}}, meta)
    assert refused.value.path == "session._iron"


@pytest.mark.parametrize("payload", [b"", b"[]", b"1", b'"x"', b"false", b"{", b"\x80\x04]\x94.", b"\xff"])
def test_what_is_no_object_is_invalid(payload: bytes) -> None:
    with pytest.raises(Refused, match="invalid") as refused:
        _codec().decode(payload)
    assert refused.value.__cause__ is None


def test_null_is_an_empty_session() -> None:
    assert _codec().decode(b"null") == Decoded({}, {})


@pytest.mark.parametrize("iat", [1, 0.5, 253_402_300_799.9])
def test_stamps_within_their_bounds_are_taken(iat: float) -> None:
    meta = {"sid": "x" * 128, "ref": "y", "iat": iat, "ttl": 1, "exp": 1, "until": 1, "more": None}
    assert _codec().decode(_codec().encode({}, meta)).meta == meta


@pytest.mark.parametrize("name", ["iat", "ttl", "exp", "until"])
@pytest.mark.parametrize("stamp", [0, -1, 253_402_300_800, True])
def test_stamps_out_of_their_bounds_are_invalid(name: str, stamp: float) -> None:
    with pytest.raises(Refused, match="invalid"):
        _codec().decode(_codec().encode({}, {name: stamp}))


@pytest.mark.parametrize("name", ["sid", "ref"])
@pytest.mark.parametrize("stamp", ["", "x" * 129, "é", 1, None, ["x"]])
def test_ids_that_cannot_be_ids_are_invalid(name: str, stamp: object) -> None:
    with pytest.raises(Refused, match="invalid"):
        _codec().decode(_codec().encode({}, {name: stamp}))


def test_a_payload_of_next_iron_session_cannot_smuggle_stamps_in() -> None:
    payload = b'{"persistent":{"a":1,"_iron":{"sid":"x"}},"flash":{"f":1}}'
    decoded = _codec(accept=("next-iron-session",)).decode(payload)
    assert decoded == Decoded({"a": 1, "_flash": {"f": 1}}, {}, is_legacy=True)
    assert not _codec().decode(payload).is_legacy


# ---- what is the same ----


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (1, 1, True),
        ([1, {"a": 2}], [1, {"a": 2}], True),
        ((1, 2), [1, 2], True),  # written alike
        (1, True, False),
        (0, False, False),
        (0, None, False),
        ("1", 1, False),
        ([1], [1, 1], False),
    ],
)
def test_two_values_are_the_same_if_they_are_written_alike(
    one: object, other: object, *, expected: bool
) -> None:
    assert _codec().is_same(one, other) is expected


def test_values_that_cannot_be_written_are_compared_all_the_same() -> None:
    codec = _codec(serializer=Fussy())
    assert codec.is_same("bad", str(b"bad", "ascii"))
    assert not codec.is_same("bad", "good")


def test_a_value_is_the_same_as_itself_without_being_written() -> None:
    class Idle(Fussy):
        def dumps(self, data: dict[str, Any]) -> bytes:
            raise AssertionError(data)

    class Restless:
        def __repr__(self) -> str:
            raise AssertionError

    value = Restless()
    assert _codec(serializer=Idle()).is_same(value, value)


def test_a_serializer_that_inherits_from_the_strict_one_is_compared_by_what_it_writes() -> None:
    class Reversed(StrictJSON):
        def dumps(self, data: dict[str, Any], /, *, root: str = "session") -> bytes:
            return super().dumps(data, root=root)[::-1]

        def loads(self, payload: bytes, /) -> Any:
            return super().loads(payload[::-1])

    codec = _codec(serializer=Reversed())
    plaintext = codec.encode({"a": [1]}, {})
    assert not codec.has_members(plaintext[::-1], {"a": [1]}, ["a"])
    assert codec.is_written_as({"a": [1]}, {}, plaintext)


def test_what_passes_between_the_parts_shows_no_content() -> None:
    merged = merge({}, {"a": "CANARY"}, {}, is_same=lambda one, other: one == other)
    found = Candidates(["CANARY"], ("s",), has_more=False)
    opened = _open(seal_data({"a": "CANARY"}, password=PASSWORD), Passwords.parse(PASSWORD), time.time(), 1)
    assert opened.data == {"a": "CANARY"}
    assert "CANARY" not in f"{merged!r} {found!r} {opened!r}"
