"""T-CHUNK: a session in several cookies is whole or it is nothing, and no old form of it comes back."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from iron_wsgi import CookieTooLarge, Session
from iron_wsgi.engine.engine import MAX_CHUNKS
from tests.interop import forge

from .seals import NOW, forged
from .site import Answer, Browser, environ, page, serve, sessions

SMALL, LARGE, HUGE = 100, 4000, 7000
"""Sizes that take one cookie, two, and three."""

Use = Callable[[Session], object]


def fill(size: int, who: str = "alice") -> Use:
    """Return a handler that writes that much."""
    return lambda session: session.update(who=who, text=f"{who}-" * (size // (len(who) + 1)))


def ask(browser: Browser, use: Use, *, now: float = NOW, **options: Any) -> Answer:
    app = sessions(page(use), overflow="chunk", max_chunks=4, clock=lambda: now, **options)
    return browser.visit(app)


def who(browser: Browser, **options: Any) -> str | None:
    """Return whose session the browser has; looking changes no cookie that opens."""
    seen: list[Any] = []
    ask(Browser(browser.cookies), lambda session: seen.append(session.get("who")), **options)
    return seen[0]  # type: ignore[no-any-return]


def signed_in(size: int, name: str = "alice", *, now: float = NOW) -> Browser:
    browser = Browser()
    ask(browser, fill(size, name), now=now)
    return browser


@pytest.mark.parametrize(
    ("size", "names"),
    [
        (SMALL, ["session"]),
        (LARGE, ["session.0", "session.1"]),
        (HUGE, ["session.0", "session.1", "session.2"]),
    ],
)
def test_a_session_takes_as_many_cookies_as_it_needs_and_no_line_is_too_long(
    size: int, names: list[str]
) -> None:
    browser = Browser()
    answer = ask(browser, fill(size))
    assert sorted(browser.cookies) == names
    assert all(len(line) <= 4096 for line in answer.cookies)
    assert who(browser) == "alice"


@pytest.mark.parametrize("index", range(3))
def test_a_lost_chunk_is_an_anonymous_visitor(index: int) -> None:
    browser = signed_in(HUGE)
    del browser.cookies[f"session.{index}"]
    assert who(browser) is None


@pytest.mark.parametrize(
    "order", [order for order in itertools.permutations(range(3)) if order != (0, 1, 2)], ids=str
)
def test_chunks_in_another_order_do_not_open(order: tuple[int, ...]) -> None:
    browser = signed_in(HUGE)
    mixed = {f"session.{place}": browser.cookies[f"session.{index}"] for place, index in enumerate(order)}
    assert who(Browser(mixed)) is None


@pytest.mark.parametrize("index", range(3))
def test_a_chunk_of_another_session_does_not_fit(index: int) -> None:
    alice, mallory = signed_in(HUGE), signed_in(HUGE, "mallory")
    assert (who(alice), who(mallory)) == ("alice", "mallory")
    alice.cookies[f"session.{index}"] = mallory.cookies[f"session.{index}"]
    assert who(alice) is None


def test_a_chunk_twice_or_cut_does_not_open() -> None:
    for spoil in (
        lambda text: text * 2,
        lambda text: text[:-1],
        lambda text: text[1:],
        lambda text: text + "x",
    ):
        for index in range(2):
            browser = signed_in(LARGE)
            # What follows the mark of the last chunk is not sealed.
            name = f"session.{index}"
            browser.cookies[name] = spoil(browser.cookies[name].removesuffix("~2"))
            assert who(browser) is None, (name, spoil)


def test_a_stale_chunk_behind_the_last_changes_nothing() -> None:
    browser = signed_in(LARGE)
    browser.cookies["session.2"] = signed_in(HUGE, "mallory").cookies["session.2"]
    assert who(browser) == "alice"


def test_a_gap_ends_the_chunks() -> None:
    browser = signed_in(HUGE)
    browser.cookies["session.3"] = browser.cookies.pop("session.2")
    assert who(browser) is None


def test_no_more_than_four_chunks_are_read_and_none_is_counted_by_a_cookie() -> None:
    assert MAX_CHUNKS == 4
    seal = forged({"who": "alice", "text": "x" * 900})
    for parts, expected in ((4, "alice"), (5, None)):
        size = -(-len(seal) // parts)
        browser = Browser({f"session.{i}": seal[i * size : (i + 1) * size] for i in range(parts)})
        assert len(browser.cookies) == parts
        assert who(browser) == expected
    whole = Browser(
        {"session": seal, "session.count": "100000000", "session.100000000": "x", "session.-1": "x"}
    )
    assert who(whole) == "alice"


def test_names_that_only_look_like_chunks_are_not_read() -> None:
    seal = forged({"who": "mallory"})
    for name in (
        "session.00",
        "session.+0",
        "session. 0",
        "session.\u0660",
        "session_0",
        "session.0.0",
        "sessionx0",
    ):
        assert who(Browser({name: seal})) is None


def test_one_chunk_alone_is_a_session_as_iron_session_reads_it() -> None:
    assert who(Browser({"session.0": forged({"who": "alice"})})) == "alice"


@pytest.mark.parametrize(("before", "after"), list(itertools.product((SMALL, LARGE, HUGE), repeat=2)))
def test_a_session_that_grows_or_shrinks_leaves_nothing_of_its_old_form(before: int, after: int) -> None:
    browser = signed_in(before)
    ask(browser, fill(after, "alice again"), now=NOW + 1)
    expected = {SMALL: 1, LARGE: 2, HUGE: 3}[after]
    assert len(browser.cookies) == expected
    assert who(browser, now=NOW + 2) == "alice again"


@pytest.mark.parametrize("size", [SMALL, LARGE, HUGE])
@pytest.mark.parametrize("end", ["destroy", "clear"])
def test_a_session_that_ends_leaves_no_cookie_at_all(size: int, end: str) -> None:
    browser = signed_in(size)
    ask(browser, lambda session: getattr(session, end)())
    assert browser.cookies == {}


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations((SMALL, LARGE, HUGE), 2)))
def test_two_saves_in_one_response_leave_the_second(first: int, second: int) -> None:
    def twice(session: Session) -> None:
        for size, name in ((first, "first"), (second, "second")):
            fill(size, name)(session)
            session.save()

    for browser in (Browser(), signed_in(SMALL), signed_in(HUGE)):
        answer = ask(browser, twice)
        names = [line.partition("=")[0] for line in answer.cookies]
        assert len(names) == len(set(names))
        assert who(browser) == "second"


@pytest.mark.parametrize("size", [SMALL, LARGE, HUGE])
def test_a_save_and_a_destroy_in_one_response_leave_nothing(size: int) -> None:
    def save_and_destroy(session: Session) -> None:
        fill(size, "again")(session)
        session.save()
        session.destroy()

    for browser in (Browser(), signed_in(SMALL), signed_in(LARGE), signed_in(HUGE)):
        ask(browser, save_and_destroy)
        assert browser.cookies == {}


def copied(browser: Browser) -> Browser:
    return Browser(browser.cookies)


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations((SMALL, LARGE, HUGE), 2)))
@pytest.mark.parametrize("start", [None, SMALL, HUGE])
def test_of_two_parallel_responses_the_one_that_arrives_last_is_the_session(
    start: int | None, one: int, other: int
) -> None:
    # Each was answered without knowing of the other's cookies.
    browser = Browser() if start is None else signed_in(start, "old")
    first = ask(copied(browser), fill(one, "first"), now=NOW + 1)
    second = ask(copied(browser), fill(other, "second"), now=NOW + 2)
    browser.take(first)
    browser.take(second)
    assert who(browser, now=NOW + 3) == "second"


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations((SMALL, LARGE, HUGE), 2)))
@pytest.mark.parametrize("start", [None, SMALL, HUGE])
def test_parallel_responses_out_of_order_never_bring_the_old_session_back(
    start: int | None, one: int, other: int
) -> None:
    browser = Browser() if start is None else signed_in(start, "old")
    first = ask(copied(browser), fill(one, "first"), now=NOW + 1)
    second = ask(copied(browser), fill(other, "second"), now=NOW + 2)
    browser.take(second)
    browser.take(first)
    assert who(browser, now=NOW + 3) in ("first", "second")


def test_either_form_expires_the_other_though_the_request_did_not_bring_it() -> None:
    # A parallel response may have written it in the meantime.
    for size, other in ((SMALL, "session.0"), (LARGE, "session"), (HUGE, "session")):
        for start in (Browser(), signed_in(SMALL), signed_in(HUGE)):
            lines = ask(start, fill(size)).cookies
            deleted = [line.partition("=")[0] for line in lines if "Max-Age=0" in line]
            assert other in deleted


def test_where_a_whole_and_chunks_both_open_the_later_expiry_wins() -> None:
    for older, newer in itertools.permutations((SMALL, HUGE), 2):
        both = {
            **signed_in(older, "old").cookies,
            **signed_in(newer, "new", now=NOW + 100).cookies,
        }
        assert who(Browser(both), now=NOW + 200) == "new"
        assert who(Browser(dict(reversed(both.items()))), now=NOW + 200) == "new"


def test_junk_chunks_beside_a_good_whole_and_a_junk_whole_beside_good_chunks_sign_nobody_out() -> None:
    whole, chunks = signed_in(SMALL), signed_in(HUGE)
    for browser in (
        Browser({**whole.cookies, "session.0": "junk", "session.1": "junk"}),
        Browser({**chunks.cookies, "session": "junk"}),
    ):
        answer = ask(browser, bool)
        assert answer.cookies == []
        assert who(browser) == "alice"


def test_a_session_too_large_for_its_chunks_is_an_error_and_leaves_the_old_one_alone() -> None:
    browser = signed_in(SMALL)
    before = dict(browser.cookies)
    app = sessions(page(fill(HUGE, "more")), overflow="chunk", max_chunks=2)
    with pytest.raises(CookieTooLarge, match="max_chunks is 2"):
        browser.visit(app)
    assert browser.cookies == before

    caught: list[CookieTooLarge] = []

    def save(session: Session) -> None:
        fill(HUGE, "more")(session)
        try:
            session.save()
        except CookieTooLarge as error:
            caught.append(error)
            session["text"] = ""

    answer = browser.visit(sessions(page(save), overflow="chunk", max_chunks=2))
    assert answer.status == "200 OK"
    assert [name for name, _ in caught[0].largest] == ["text", "who"]
    assert who(browser) == "more"


def test_without_overflow_a_session_that_came_in_chunks_is_read_and_shrunk_into_one() -> None:
    browser = signed_in(LARGE)
    answer = browser.visit(sessions(page(fill(SMALL, "small"))))
    assert answer.status == "200 OK"
    assert list(browser.cookies) == ["session"]
    assert who(browser) == "small"


def test_the_length_of_a_line_counts_every_attribute() -> None:
    attributes = {"domain": "a" * 60 + ".example.org", "path": "/" + "p" * 900}
    browser = Browser()
    answer = ask(browser, fill(LARGE), cookie_options=attributes)
    assert len(browser.cookies) == 2 or len(browser.cookies) == 3
    assert all(len(line) <= 4096 for line in answer.cookies)


def test_chunks_are_cut_anywhere_so_a_seal_of_another_maker_is_read_too() -> None:
    seal = forged({"who": "alice", "text": "x" * 500}) + "~2"
    for cut in (1, 7, 8, len(seal) // 2, len(seal) - 2, len(seal) - 1):
        assert who(Browser({"session.0": seal[:cut], "session.1": seal[cut:]})) == "alice"
    assert forge.base64url(b"") == ""


def test_deleting_a_chunked_session_repeats_the_scope_for_every_chunk() -> None:
    attributes = {"domain": "example.org", "path": "/app", "samesite": "None", "partitioned": True}
    browser = Browser()
    ask(browser, fill(HUGE), cookie_options=attributes)
    answer = serve(
        sessions(page(lambda session: session.destroy()), cookie_options=attributes, overflow="chunk"),
        environ(browser.header),
    )
    assert len(answer.cookies) == 3
    for line in answer.cookies:
        assert {
            "Domain=example.org",
            "Path=/app",
            "SameSite=None",
            "Partitioned",
            "Secure",
            "HttpOnly",
        } <= set(line.split("; "))
