from __future__ import annotations

import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iron_wsgi.vaults.merge import merge


def _merge(base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[Any, list[str]]:
    merged = merge(base, ours, theirs, is_same=operator.eq)
    return merged.data, merged.conflicts


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        ({}, {}, {}, {}),
        ({"a": 1}, {"a": 1}, {"a": 1}, {"a": 1}),
        # One side alone: changed, added, removed.
        ({"a": 1}, {"a": 2}, {"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}),
        ({}, {"a": 1}, {}, {"a": 1}),
        ({}, {}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {}, {"a": 1}, {}),
        ({"a": 1}, {"a": 1}, {}, {}),
        # Both, but other keys.
        ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 2}),
        ({"a": 1, "b": 1}, {"b": 1}, {"a": 1}, {}),
        ({"a": 1}, {"c": 3}, {"a": 1, "b": 2}, {"b": 2, "c": 3}),
        # Values that are containers are values.
        ({"a": [1]}, {"a": [1, 2]}, {"a": [1], "b": {}}, {"a": [1, 2], "b": {}}),
        ({"a": None}, {}, {"a": None}, {}),
    ],
)
def test_what_one_side_alone_did_is_kept(
    base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert _merge(base, ours, theirs) == (expected, [])


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        ({"a": 1}, {"a": 2}, {"a": 3}, {"a": 2}),
        ({"n": 5}, {"n": 6}, {"n": 6}, {"n": 6}),  # of two increments one is lost
        ({}, {"a": 1}, {"a": 2}, {"a": 1}),
        ({}, {"a": 1}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {}, {"a": 2}, {}),
        ({"a": 1}, {"a": 2}, {}, {"a": 2}),
        ({"a": 1}, {}, {}, {}),
        ({}, {"a": None}, {"a": 1}, {"a": None}),
        ({"a": {"x": 1}}, {"a": {"x": 2}}, {"a": {"x": 1, "y": 1}}, {"a": {"x": 2}}),
    ],
)
def test_what_both_changed_is_as_we_left_it_and_is_counted_whatever_it_is(
    base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any], expected: dict[str, Any]
) -> None:
    key = next(iter({**base, **ours}))
    assert _merge(base, ours, theirs) == (expected, [key])


def test_only_the_keys_that_both_changed_are_conflicts() -> None:
    base = {"a": 1, "b": 1, "c": 1, "d": 1}
    ours = {"a": 2, "b": 2, "c": 1}
    theirs = {"a": 3, "b": 1, "c": 3, "d": 3}
    assert _merge(base, ours, theirs) == ({"a": 2, "b": 2, "c": 3}, ["a", "d"])


def test_what_is_the_same_is_not_for_the_equality_operator_to_say() -> None:
    merged = merge({"a": 1}, {"a": True}, {"a": 1}, is_same=lambda one, other: repr(one) == repr(other))
    assert merged.data["a"] is True
    assert merge({"a": 1}, {"a": True}, {"a": 1}, is_same=operator.eq).conflicts == []


def test_where_both_have_the_same_value_our_object_stays_for_the_application_may_hold_it() -> None:
    ours = {"cart": [1], "new": [3]}
    merged = merge({"cart": [1]}, ours, {"cart": [1], "theirs": [2]}, is_same=operator.eq)
    assert merged.data == {"cart": [1], "new": [3], "theirs": [2]}
    assert merged.data["cart"] is ours["cart"]
    assert merged.data["new"] is ours["new"]


def test_none_of_the_three_is_changed() -> None:
    base, ours, theirs = {"a": 1, "b": 1}, {"a": 2}, {"a": 1, "b": 2}
    merge(base, ours, theirs, is_same=operator.eq).data["z"] = 1
    assert (base, ours, theirs) == ({"a": 1, "b": 1}, {"a": 2}, {"a": 1, "b": 2})


sides = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2))


@given(sides, sides)
def test_against_one_who_changed_nothing_the_other_side_is_the_result(
    base: dict[str, int], side: dict[str, int]
) -> None:
    assert _merge(base, side, base) == (side, [])
    assert _merge(base, base, side) == (side, [])


@given(sides, sides, sides)
def test_no_change_of_either_side_is_lost_unseen(
    base: dict[str, int], ours: dict[str, int], theirs: dict[str, int]
) -> None:
    data, conflicts = _merge(base, ours, theirs)
    for key in "abcd":
        before, mine, others = base.get(key), ours.get(key), theirs.get(key)
        if mine != before:
            assert data.get(key) == mine
            assert (key in conflicts) == (others != before)
        else:
            assert data.get(key) == others
            assert key not in conflicts
