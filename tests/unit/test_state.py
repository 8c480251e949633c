from __future__ import annotations

import copy
from typing import Any

import pytest

from iron_wsgi import SessionOptions
from iron_wsgi.sessions.state import FormerSession, State, StoredSession
from iron_wsgi.vaults.codec import Codec, Decoded

from .visitor import PASSWORD


class Pairs:
    """A serializer that writes what JSON cannot, and refuses complex numbers."""

    def dumps(self, data: dict[str, Any]) -> bytes:
        if any(isinstance(value, list) and 1j in value for value in data.values()):
            raise TypeError
        return repr(data).encode()

    def loads(self, payload: bytes) -> Any:
        return eval(payload.decode(), {"__builtins__": {}})  # noqa: S307 - what the lines above wrote


def _codec(serializer: Any = None) -> Codec:
    given = {} if serializer is None else {"serializer": serializer}
    return Codec(SessionOptions(password=PASSWORD, cookie_name="s", **given))


def _opened(data: dict[str, Any], serializer: Any = None, **about: Any) -> State:
    """A state whose data came in as they are now."""
    codec = _codec(serializer)
    return State(data=data, is_new=False, snapshot=codec.snapshot(codec.encode(data, {})), **about)


def _add_a_member(data: dict[str, Any]) -> None:
    data["cart"][0]["more"] = 1


def _replace_true_by_1(data: dict[str, Any]) -> None:
    data["cart"][1] = 1


def _replace_1_by_1_0(data: dict[str, Any]) -> None:
    data["cart"][2] = 1.0


def _reorder(data: dict[str, Any]) -> None:
    data["cart"][0]["n"] = data["cart"][0].pop("n")


@pytest.mark.parametrize("change", [_add_a_member, _replace_true_by_1, _replace_1_by_1_0, _reorder])
def test_a_change_in_a_nested_value_is_noticed_even_if_python_calls_the_two_equal(change: Any) -> None:
    state = _opened({"cart": [{"n": 1, "m": 2}, True, 1]})
    assert not state.is_changed()
    change(state.data)
    assert state.is_changed()


@pytest.mark.parametrize("value", [[1], {"a": 1}, ([1],)])
@pytest.mark.parametrize("exposed", [None, {"a"}])
def test_every_container_is_looked_into(value: Any, exposed: set[str] | None) -> None:
    value = copy.deepcopy(value)
    state = _opened({"a": value}, exposed=exposed)
    assert not state.is_changed()
    inner = value[0] if isinstance(value, tuple) else value
    inner.clear()
    assert state.is_changed()


class NeverAsked:
    """A snapshot that nobody should look at."""

    def data(self) -> dict[str, Any]:
        raise AssertionError

    def is_same(self, *_: Any, **__: Any) -> bool:
        raise AssertionError


def test_where_nothing_can_change_unseen_nothing_is_compared() -> None:
    data = {"a": 1, "b": "x", "c": None, "d": 1.5, "e": True}
    assert not State(data=data, snapshot=NeverAsked()).is_changed()
    assert State(data={"a": []}, modified=True, snapshot=NeverAsked()).is_changed()
    assert not State(data={"a": []}, exposed=set(), snapshot=NeverAsked()).is_changed()


def test_a_new_session_has_changed_only_when_it_was_written_to() -> None:
    assert not State(data={"a": []}).is_changed()
    assert State(modified=True).is_changed()


def test_a_state_shows_keys_and_flags_and_no_values() -> None:
    state = State(data={"user": "canary", "cart": ["canary"]}, accessed=True, meta={"sid": "canary"})
    assert repr(state) == "<State ['cart', 'user'] is_new accessed>"
    assert repr(State(is_new=False, modified=True, destroyed=True)) == "<State [] modified destroyed>"


@pytest.mark.parametrize("is_counted", [True, False])
def test_a_settled_state_keeps_its_answer_whatever_changes_unseen_afterwards(*, is_counted: bool) -> None:
    state, changed = _opened({"cart": [1]}), _opened({"cart": [1]})
    for one in (state, changed):
        one.exposed = {"cart"} if is_counted else None
    changed.data["cart"].append(2)
    assert not state.settle()
    assert changed.settle()
    assert changed.modified
    if is_counted:
        state.data["cart"].append(2)
        assert not state.is_changed()


@pytest.mark.parametrize("exposed", [None, {"odd"}])
def test_a_value_that_cannot_be_written_is_compared_by_what_it_shows(exposed: set[str] | None) -> None:
    codec = _codec(Pairs())
    state = State(
        data={"odd": [1j]}, is_new=False, snapshot=codec.snapshot(b"{'odd': [1j]}"), exposed=exposed
    )
    assert not state.is_changed()
    state.data["odd"].append(3)
    assert state.is_changed()


@pytest.mark.parametrize(
    "text",
    [
        b'{ "cart": [ 1, 2.50 ], "user": 7 }',
        b'{"_iron":{"sid":"x"},"cart":[1,2.5],"user":7}',
        b'{"cart":0,"user":7,"cart":[1,2.5]}',
        b'{"user":7,"c\\u0061rt":[1,2.5]}',
        b'{"x\\"cart":[1,2.5],"cart":[1,2.5],"user":7}',
        b'{"in":{"cart":[1,2.5]},"cart":[1,2.5],"user":7}',
    ],
)
@pytest.mark.parametrize("exposed", [None, {"cart", "user"}])
def test_what_another_writer_spells_otherwise_is_no_change(text: bytes, exposed: set[str] | None) -> None:
    codec = _codec()
    data, meta, _ = codec.decode(text)
    state = State(data=data, meta=meta, is_new=False, snapshot=codec.snapshot(text), exposed=exposed)
    assert not state.is_changed()
    data["cart"].append(3)
    assert state.is_changed()


def test_a_stamp_that_is_new_is_no_change_of_the_data() -> None:
    state = _opened({"cart": [1]})
    state.meta["sid"] = "x"
    assert not state.is_changed()
    state.data["cart"][0] = True
    assert state.is_changed()


def test_a_value_added_behind_the_session_s_back_is_noticed() -> None:
    state = _opened({"in": {"cart": [1]}})
    state.data["cart"] = [1]
    assert state.is_changed()


def test_what_is_known_of_a_session_shows_neither_ids_nor_content() -> None:
    secrets = (
        StoredSession(1, b"CANARY"),
        FormerSession("CANARY", "CANARY", 5.0, "CANARY"),
        Decoded({"a": "CANARY"}, {}),
        _codec().snapshot(b'{"a":"CANARY"}'),
    )
    assert "CANARY" not in repr(secrets)


def test_keys_that_another_thread_reads_meanwhile_do_not_disturb_the_comparison() -> None:
    exposed = {"cart"}
    state = _opened({"cart": [1], "more": [2]}, exposed=exposed)

    class Meanwhile:
        def data(self) -> dict[str, Any]:
            return {}

        def is_same(self, _data: Any, _meta: Any, /, *, keys: list[str], is_all: bool) -> bool:
            exposed.add("more")
            return keys == ["cart"] and not is_all

    state.snapshot = Meanwhile()
    assert not state.is_changed()
