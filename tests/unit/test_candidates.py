from __future__ import annotations

from collections.abc import Sequence

import pytest

from iron_wsgi.cookies.candidates import MAX_CANDIDATES, candidates
from iron_wsgi.testing import DictJar

CHUNKS = ["s.0", "s.1", "s.2", "s.3"]


def _candidates(cookies: dict[str, str | Sequence[str]]) -> tuple[list[str], tuple[str, ...], bool]:
    values, came, has_more = candidates(DictJar(cookies), "s", CHUNKS)
    return values, came, has_more


@pytest.mark.parametrize(
    ("cookies", "values", "came"),
    [
        ({}, [], ()),
        ({"other": "x", "s.4": "x", "S": "x"}, [], ()),
        ({"s": "a"}, ["a"], ("s",)),
        ({"s": ""}, [], ()),
        ({"s": ["", "a", "a", "b"]}, ["a", "b"], ("s",)),
        ({"s.0": "a", "s.1": "b"}, ["ab"], ("s.0", "s.1")),
        ({"s": "w", "s.0": "a"}, ["w", "a"], ("s", "s.0")),
        ({"s.0": ["", "a", "x"], "s.1": "b"}, ["ab"], ("s.0", "s.1")),
        # A gap ends them, and what comes after it is still there to be deleted.
        ({"s.0": "a", "s.2": "c"}, ["a"], ("s.0", "s.2")),
        ({"s.1": "b"}, [], ("s.1",)),
        ({"s.0": "", "s.1": "b"}, [], ("s.1",)),
        ({"s.0": "a", "s.1": "b", "s.2": "c", "s.3": "d"}, ["abcd"], ("s.0", "s.1", "s.2", "s.3")),
    ],
)
def test_what_may_be_the_session_is_tried_and_what_came_is_known(
    cookies: dict[str, str | Sequence[str]], values: list[str], came: tuple[str, ...]
) -> None:
    assert _candidates(cookies) == (values, came, False)


def test_no_more_than_four_are_tried_and_the_chunks_are_one_of_them() -> None:
    assert MAX_CANDIDATES == 4
    assert _candidates({"s": list("abcd")}) == (list("abcd"), ("s",), False)
    assert _candidates({"s": list("abcde")}) == (list("abcd"), ("s",), True)
    assert _candidates({"s": list("abc"), "s.0": "x"}) == ([*"abc", "x"], ("s", "s.0"), False)
    assert _candidates({"s": list("abcd"), "s.0": "x"}) == ([*"abc", "x"], ("s", "s.0"), True)
    assert _candidates({"s": list("aaaaab")}) == (["a", "b"], ("s",), False)
