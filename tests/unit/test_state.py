from __future__ import annotations

import copy
from typing import Any

import pytest

from iron_wsgi.sessions.state import FormerSession, State, StoredSession
from iron_wsgi.vaults.codec import Decoded


def _opened(data: dict[str, Any]) -> State:
    """A state whose data came in as they are now."""
    original = copy.deepcopy(data)
    return State(data=data, is_new=False, decode=lambda: copy.deepcopy(original))


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
def test_every_container_is_looked_into(value: Any) -> None:
    state = _opened({"a": value})
    inner = value[0] if isinstance(value, tuple) else value
    inner.clear()
    assert state.is_changed()


def test_where_nothing_can_change_unseen_nothing_is_decoded_again() -> None:
    def unexpected() -> dict[str, Any]:
        raise AssertionError

    assert not State(data={"a": 1, "b": "x", "c": None, "d": 1.5, "e": True}, decode=unexpected).is_changed()
    assert State(data={"a": []}, modified=True, decode=unexpected).is_changed()


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


def test_a_value_that_cannot_be_written_is_compared_by_what_it_shows() -> None:
    state = _opened({"odd": {1, 2}})
    assert not state.is_changed()
    state.data["odd"].add(3)
    assert state.is_changed()


def test_what_is_known_of_a_session_shows_neither_ids_nor_content() -> None:
    secrets = (
        StoredSession(1, b"CANARY"),
        FormerSession("CANARY", "CANARY", 5.0, "CANARY"),
        Decoded({"a": "CANARY"}, {}),
    )
    assert "CANARY" not in repr(secrets)
