from __future__ import annotations

import copy
from collections.abc import Iterable

import pytest

from iron_wsgi import CookieTooLarge, Outcome, Session
from iron_wsgi.testing import FakeClock

from .visitor import Visitor, lines, names, sealed, sign_in, write

# ---- size ----


def _room(visitor: Visitor) -> int:
    """How many characters of text one cookie holds."""
    low, high = 0, 5000
    while low + 1 < high:
        middle = (low + high) // 2
        try:
            visitor.ask(write(text="x" * middle))
            low = middle
        except CookieTooLarge:
            high = middle
    return low


def test_a_line_of_4096_octets_goes_out_and_a_longer_one_is_an_error(visitor: Visitor) -> None:
    room = _room(visitor)
    assert 2800 < room < 2900
    (cookie,) = visitor.ask(write(text="x" * room)).cookies
    assert 4070 < len(cookie.header) <= 4096
    with pytest.raises(CookieTooLarge) as caught:
        visitor.ask(write(text="x" * (room + 1)))
    assert caught.value.size > caught.value.limit == 4096


def test_a_size_error_names_the_largest_keys_and_leaves_the_old_cookie_untouched(visitor: Visitor) -> None:
    visitor.visit(sign_in)
    before = visitor.value
    with pytest.raises(CookieTooLarge) as caught:
        visitor.visit(write(a="canary" * 100, b="x" * 4000, c=1, d="é" * 200))
    assert visitor.value == before
    assert [key for key, _ in caught.value.largest] == ["b", "a", "d"]
    assert caught.value.largest[0][1] == len('{"b":""}') + 4000
    assert "Store less, or set overflow='chunk' or overflow='store'. Largest keys, in octets: 'b' 40" in str(
        caught.value
    )
    assert "canary" not in str(caught.value)


# ---- chunks ----

LONG = "x" * 5000
LONGER = "y" * 8000


@pytest.fixture
def chunked(clock: FakeClock) -> Visitor:
    return Visitor(clock, overflow="chunk", max_chunks=4)


def test_a_session_too_large_for_one_cookie_is_cut_into_several_that_each_fit(chunked: Visitor) -> None:
    outcome = chunked.visit(write(text=LONG))
    assert lines(outcome) == [("s.0", "set"), ("s.1", "set"), ("s", "deleted")]
    assert len(outcome.cookies[0].header) == 4096
    assert all(len(cookie.header) <= 4096 for cookie in outcome.cookies)
    assert chunked.finds() == {"text": LONG}


def test_chunks_are_read_whatever_overflow_says(chunked: Visitor) -> None:
    chunked.visit(write(text=LONG))
    assert chunked.finds(overflow="raise") == {"text": LONG}


def test_a_session_that_needs_no_chunks_gets_none(chunked: Visitor) -> None:
    assert lines(chunked.visit(sign_in))[0] == ("s", "set")
    assert list(chunked.cookies) == ["s"]


def test_growing_and_shrinking_leave_nothing_behind(chunked: Visitor) -> None:
    for text, held in (
        ("x", ["s"]),
        (LONG, ["s.0", "s.1"]),
        (LONGER, ["s.0", "s.1", "s.2"]),
        (LONG, ["s.0", "s.1"]),
        ("x", ["s"]),
        (LONGER, ["s.0", "s.1", "s.2"]),
        ("x", ["s"]),
    ):
        outcome = chunked.visit(write(text=text))
        assert sorted(chunked.cookies) == held
        assert len(set(names(outcome))) == len(outcome.cookies)
        assert chunked.finds() == {"text": text}


def test_growing_and_shrinking_in_one_request_leave_nothing_behind(chunked: Visitor) -> None:
    def use(session: Session) -> None:
        for text in ("x", LONGER, LONG, "x", LONG):
            session["text"] = text
            session.save()

    outcome = chunked.visit(use)
    assert len(set(names(outcome))) == len(outcome.cookies)
    assert sorted(chunked.cookies) == ["s.0", "s.1"]
    assert chunked.finds() == {"text": LONG}


def test_ending_a_chunked_session_deletes_every_chunk(chunked: Visitor) -> None:
    for end in (Session.destroy, Session.clear):
        chunked.visit(write(text=LONGER))
        assert len(chunked.cookies) == 3
        chunked.visit(end)
        assert chunked.cookies == {}


def test_ending_a_session_that_was_chunked_in_the_same_request_deletes_every_chunk(chunked: Visitor) -> None:
    chunked.visit(lambda session: (session.update(text=LONGER), session.save(), session.destroy()))
    assert chunked.cookies == {}


def test_more_chunks_than_allowed_are_an_error_that_says_how_many(chunked: Visitor) -> None:
    with pytest.raises(CookieTooLarge, match="It needs 3 cookies, max_chunks is 2") as caught:
        chunked.ask(write(text=LONGER), max_chunks=2)
    assert caught.value.size > caught.value.limit
    with pytest.raises(CookieTooLarge, match="max_chunks is 4"):
        chunked.ask(write(text="x" * 20_000))


@pytest.mark.parametrize("lost", [0, 1])
def test_a_chunk_that_was_lost_makes_an_anonymous_visitor_and_no_error(chunked: Visitor, lost: int) -> None:
    chunked.visit(write(text=LONG))
    del chunked.cookies[f"s.{lost}"]
    assert chunked.finds() == {}
    chunked.visit(sign_in)
    assert list(chunked.cookies) == ["s"]


def test_chunks_in_another_order_or_of_another_session_are_refused(chunked: Visitor) -> None:
    chunked.visit(write(text=LONG))
    mine = dict(chunked.cookies)
    chunked.visit(write(text=LONG[::-1] + "z"))
    theirs = dict(chunked.cookies)
    for cookies in (
        {"s.0": mine["s.1"], "s.1": mine["s.0"]},
        {"s.0": mine["s.0"], "s.1": theirs["s.1"]},
        {"s.0": mine["s.0"], "s.1": mine["s.0"], "s.2": mine["s.1"]},
        {"s.0": mine["s.0"], "s.2": mine["s.1"]},
        {"s.1": mine["s.0"], "s.2": mine["s.1"]},
    ):
        assert Visitor.ask(chunked, cookies=cookies).vary
        chunked.cookies = dict(cookies)
        assert chunked.finds() == {}


def test_a_fifth_chunk_is_never_read(chunked: Visitor) -> None:
    value = sealed({"user": 7})
    parts = [value[start : start + 60] for start in range(0, len(value), 60)]
    assert len(parts) == 5
    chunked.cookies.update({f"s.{index}": part for index, part in enumerate(parts)})
    assert chunked.finds() == {}
    chunked.cookies = {f"s.{index}": part for index, part in enumerate([*parts[:3], parts[3] + parts[4]])}
    assert chunked.finds() == {"user": 7}


def test_refused_chunks_are_deleted_when_they_are_looked_at(chunked: Visitor) -> None:
    chunked.cookies.update({"s.0": "gar", "s.1": "bage"})
    assert lines(chunked.visit()) == [("s.0", "deleted"), ("s.1", "deleted")]


# Two requests that begin with the same cookies and answer in either order.


def _after(visitor: Visitor, answers: Iterable[Outcome]) -> Visitor:
    """The same browser, had the answers arrived in this order."""
    browser = copy.copy(visitor)
    browser.cookies = dict(visitor.cookies)
    for answer in answers:
        browser.keep(answer)
    return browser


def test_a_whole_session_written_beside_newer_chunks_does_not_bring_the_older_one_back(
    chunked: Visitor,
) -> None:
    chunked.visit(write(who="start"))
    chunks = chunked.ask(write(who="chunks", text=LONG))
    chunked.clock.advance(1)
    whole = chunked.ask(write(who="whole"))
    for answers in ((chunks, whole), (whole, chunks)):
        browser = _after(chunked, answers)
        last = "whole" if answers[-1] is whole else "chunks"
        assert browser.finds()["who"] == last


def test_a_chunked_session_written_beside_a_newer_whole_one_does_not_bring_the_older_one_back(
    chunked: Visitor,
) -> None:
    chunked.visit(write(who="start", text=LONG))
    whole = chunked.ask(lambda session: (session.update(who="whole"), session.pop("text")))
    chunked.clock.advance(1)
    chunks = chunked.ask(write(who="chunks", text=LONGER))
    for answers in ((chunks, whole), (whole, chunks)):
        browser = _after(chunked, answers)
        last = "whole" if answers[-1] is whole else "chunks"
        assert browser.finds()["who"] == last


def test_where_both_forms_arrive_and_both_open_the_later_expiry_wins(chunked: Visitor) -> None:
    for first, second in (("x", LONG), (LONG, "x")):
        chunked.cookies.clear()
        earlier = chunked.ask(write(text=first, who="earlier"))
        chunked.clock.advance(1)
        later = chunked.ask(write(text=second, who="later"))
        for outcome in (earlier, later):
            for cookie in outcome.cookies:
                if not cookie.is_deletion:
                    chunked.cookies[cookie.name] = cookie.value
        assert len(chunked.cookies) == 3
        assert chunked.finds()["who"] == "later"
        # The next write leaves one form alone.
        chunked.visit(write(n=1))
        assert ("s" in chunked.cookies) == ("s.0" not in chunked.cookies)
        assert chunked.finds()["who"] == "later"


def test_a_stale_chunk_behind_a_shorter_session_is_harmless(chunked: Visitor) -> None:
    chunked.visit(write(text="x"))
    longer, shorter = chunked.ask(write(text=LONGER)), chunked.ask(write(text=LONG))
    chunked.keep(longer)
    chunked.keep(shorter)
    assert sorted(chunked.cookies) == ["s.0", "s.1", "s.2"]
    assert chunked.finds() == {"text": LONG}
    chunked.visit(write(n=1))
    assert sorted(chunked.cookies) == ["s.0", "s.1"]


def test_a_chunk_in_the_way_of_a_whole_session_cannot_sign_the_visitor_out(chunked: Visitor) -> None:
    chunked.visit(sign_in)
    chunked.cookies["s.0"] = "garbage"
    assert chunked.finds() == {"user": 7}
    outcome = chunked.visit(write(n=1))
    assert lines(outcome) == [("s", "set"), ("s.0", "deleted")]
