"""Whole sessions, cookie in and cookie out: what one side signs in, the other goes on with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from iron_wsgi import unseal_data
from iron_wsgi.errors import PayloadError
from iron_wsgi.seals import seal as fe26
from iron_wsgi.sessions.options import SessionOptions
from iron_wsgi.vaults.seal_vault import SealVault
from tests.effort import repetitions

from .forge import NEW, OLD
from .payloads import canonical, sessions, text_of, without_prototype_keys
from .peers import SESSIONS
from .visits import COOKIE, Browser, Visit, attributes_of, call, here, pair_of, there, visit_of

if TYPE_CHECKING:
    from .peers import Peers

pytestmark = pytest.mark.needs("node")

NOW_MS: Final = 1_790_000_000_456
FORERUNNER: Final = "next-iron-session-4"


@pytest.mark.parametrize("peer", SESSIONS)
def test_a_cookie_written_in_node_is_read_changed_and_written_back_here_and_read_again_in_node(
    peers: Peers, peer: str
) -> None:
    browser = Browser()
    steps = [("set", "user", {"id": 7, "name": "Zoë 🦊"}), ("set", "cart", ["a"]), ("save",)]
    browser.take(there(peers, peer, steps=steps, password=OLD))

    visit = browser.take(
        here(browser.header, steps=[("set", "cart", ["a", "b"]), ("unset", "none")], password=OLD)
    )
    assert visit.found == {"user": {"id": 7, "name": "Zoë 🦊"}, "cart": ["a"]}
    assert visit.reasons == ()

    assert there(peers, peer, browser.header, password=OLD).found == {
        "user": {"id": 7, "name": "Zoë 🦊"},
        "cart": ["a", "b"],
    }


@pytest.mark.parametrize("peer", SESSIONS)
def test_a_cookie_written_here_is_read_changed_and_written_back_in_node_and_read_again_here(
    peers: Peers, peer: str
) -> None:
    browser = Browser()
    browser.take(
        here(steps=[("set", "user", {"id": 7, "name": "Zoë 🦊"}), ("set", "draft", 1.5)], password=OLD)
    )

    steps = [("set", "seen", True), ("unset", "draft"), ("save",)]
    visit = browser.take(there(peers, peer, browser.header, steps=steps, password=OLD))
    assert visit.found == {"user": {"id": 7, "name": "Zoë 🦊"}, "draft": 1.5}
    assert visit.reasons == ()

    assert here(browser.header, password=OLD).found == {"user": {"id": 7, "name": "Zoë 🦊"}, "seen": True}


@pytest.mark.parametrize("peer", SESSIONS)
def test_random_sessions_travel_through_cookies_in_both_directions(peers: Peers, peer: str) -> None:
    count = repetitions(80, 200)
    # Those that fit into a cookie; the others are tested as bare seals.
    drawn = [data for data in sessions() if len(text_of(data)) < 1200][:count]
    assert len(drawn) == count
    headers = [Browser().take(here(steps=_assignments(data), password=OLD)).set_cookie for data in drawn]
    answers = peers.ask_all(call(peer, _header(lines), password=OLD) for lines in headers)
    assert [canonical(visit_of(answer).found) for answer in answers] == [canonical(data) for data in drawn]

    answers = peers.ask_all(
        call(peer, steps=[*_assignments(data), ("save",)], password=OLD) for data in drawn
    )
    visits = [here(_header(visit_of(answer).set_cookie), password=OLD) for answer in answers]
    assert [canonical(visit.found) for visit in visits] == [canonical(data) for data in drawn]


@pytest.mark.parametrize("peer", SESSIONS)
def test_a_session_that_ends_on_one_side_has_ended_on_the_other(peers: Peers, peer: str) -> None:
    for ends_here in (True, False):
        browser = Browser()
        browser.take(here(steps=[("set", "user", 7)], password=OLD))
        if ends_here:
            browser.take(here(browser.header, steps=[("destroy",)], password=OLD))
        else:
            browser.take(there(peers, peer, browser.header, steps=[("destroy",)], password=OLD))
        assert browser.cookies == {}


@pytest.mark.parametrize("peer", SESSIONS)
def test_our_stamps_do_not_disturb_node_and_come_back_from_it_untouched(peers: Peers, peer: str) -> None:
    options: dict[str, Any] = {"password": OLD, "absolute_timeout": 3600, "refresh_after": 60, "ttl": 900}
    browser = Browser()
    browser.take(here(steps=[("set", "user", 7)], now_ms=NOW_MS, **options))
    stamps = _payload(browser, NOW_MS)["_iron"]
    assert stamps["iat"] == NOW_MS / 1000

    # Node sees the stamps as one more value, keeps them, and gives the seal a whole day.
    later = NOW_MS + 600_000
    steps = [("set", "seen", True), ("save",)]
    visit = browser.take(
        there(peers, peer, browser.header, steps=steps, now_ms=later, password=OLD, ttl=86_400)
    )
    assert visit.found == {"user": 7, "_iron": stamps}
    assert _payload(browser, later) == {"user": 7, "seen": True, "_iron": stamps}

    # Here the session still began when it began: it ends an hour after that, whatever Node wrote.
    assert here(browser.header, now_ms=NOW_MS + 3_600_000, **options).found == {"user": 7, "seen": True}
    over = here(browser.header, now_ms=NOW_MS + 3_661_000, **options)
    assert (over.found, over.reasons) == ({}, ("too-old",))


@pytest.mark.parametrize("peer", SESSIONS)
def test_an_absolute_timeout_stands_in_the_seal_so_node_keeps_it_too(peers: Peers, peer: str) -> None:
    options: dict[str, Any] = {"password": OLD, "absolute_timeout": 1000, "ttl": 900}
    browser = Browser()
    browser.take(here(steps=[("set", "user", 7)], now_ms=NOW_MS, **options))
    # A write after 800 s would give the session 900 s more; 200 are left.
    browser.take(here(browser.header, steps=[("set", "n", 1)], now_ms=NOW_MS + 800_000, **options))
    end = NOW_MS + 1_000_000
    assert there(peers, peer, browser.header, now_ms=end + 59_999, password=OLD).found["user"] == 7
    assert there(peers, peer, browser.header, now_ms=end + 60_000, password=OLD).found == {}


def test_with_the_defaults_the_payload_is_what_iron_session_writes(peers: Peers) -> None:
    steps = [("set", "user", {"id": 7}), ("set", "n", [1, None, "é"])]
    ours, theirs = Browser(), Browser()
    ours.take(here(steps=steps, password=OLD))
    theirs.take(there(peers, "iron-session-9", steps=[*steps, ("save",)], password=OLD))
    plaintexts = {fe26.unseal(browser.cookies[COOKIE], OLD).plaintext for browser in (ours, theirs)}
    assert plaintexts == {'{"user":{"id":7},"n":[1,null,"é"]}'.encode()}


@pytest.mark.parametrize("ttl", [30, 60, 61, 1_209_600])
def test_the_set_cookie_line_has_the_attributes_that_iron_session_9_gives_it(peers: Peers, ttl: int) -> None:
    ours = here(steps=[("set", "user", 7)], password=OLD, ttl=ttl, now_ms=NOW_MS)
    theirs = there(
        peers, "iron-session-9", steps=[("set", "user", 7), ("save",)], password=OLD, ttl=ttl, now_ms=NOW_MS
    )
    assert len(ours.set_cookie) == len(theirs.set_cookie) == 1
    assert attributes_of(ours.set_cookie[0]) == attributes_of(theirs.set_cookie[0])
    expiries = {fe26.parse(pair_of(visit.set_cookie[0])[1]).expiration for visit in (ours, theirs)}
    assert expiries == {b"%d" % (NOW_MS + ttl * 1000)}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"secure": False}, {"secure": False}),
        ({"httponly": False}, {"httpOnly": False}),
        ({"samesite": "Strict"}, {"sameSite": "strict"}),
        ({"samesite": "None"}, {"sameSite": "none"}),
        ({"path": "/app"}, {"path": "/app"}),
        ({"domain": "example.com"}, {"domain": "example.com"}),
        ({"max_age": 77}, {"maxAge": 77}),
        ({"partitioned": True}, {"partitioned": True}),
    ],
)
def test_every_cookie_option_makes_the_attributes_that_it_makes_in_iron_session_9(
    peers: Peers, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    mine = here(steps=[("set", "user", 7)], password=OLD, cookie_options=ours)
    other = there(
        peers, "iron-session-9", steps=[("set", "user", 7), ("save",)], password=OLD, cookieOptions=theirs
    )
    assert attributes_of(mine.set_cookie[0]) == attributes_of(other.set_cookie[0])


def test_ttl_0_seals_without_expiry_on_both_sides_and_keeps_the_cookie_as_long_as_browsers_do(
    peers: Peers,
) -> None:
    ours = here(steps=[("set", "user", 7)], password=OLD, ttl=0)
    theirs = there(peers, "iron-session-9", steps=[("set", "user", 7), ("save",)], password=OLD, ttl=0)
    for visit in (ours, theirs):
        cookie = visit.set_cookie[0].partition(";")[0]
        assert fe26.parse(pair_of(cookie)[1]).expiration == b""
        assert here(cookie, password=OLD, ttl=0).found == {"user": 7}
        assert there(peers, "iron-session-9", cookie, password=OLD, ttl=0).found == {"user": 7}
    # Browsers cap it at 400 days (RFC 6265bis), so iron-session's number means the same to them.
    assert attributes_of(ours.set_cookie[0])["max-age"] == "34560000"
    assert attributes_of(theirs.set_cookie[0])["max-age"] == "2147483647"


@pytest.mark.parametrize("peer", SESSIONS)
def test_a_session_times_out_at_the_same_millisecond_on_both_sides(peers: Peers, peer: str) -> None:
    ours = here(steps=[("set", "user", 7)], password=OLD, ttl=300, now_ms=NOW_MS)
    theirs = there(peers, peer, steps=[("set", "user", 7), ("save",)], password=OLD, ttl=300, now_ms=NOW_MS)
    for visit in (ours, theirs):
        cookie = visit.set_cookie[0].partition(";")[0]
        last, over = NOW_MS + 359_999, NOW_MS + 360_000
        assert here(cookie, password=OLD, ttl=300, now_ms=last).found == {"user": 7}
        assert there(peers, peer, cookie, password=OLD, ttl=300, now_ms=last).found == {"user": 7}
        ended = here(cookie, password=OLD, ttl=300, now_ms=over)
        assert (ended.found, ended.reasons) == ({}, ("expired",))
        assert there(peers, peer, cookie, password=OLD, ttl=300, now_ms=over).found == {}


@pytest.mark.parametrize("peer", SESSIONS)
def test_a_session_under_the_old_password_is_sealed_anew_here_and_goes_on_in_node(
    peers: Peers, peer: str
) -> None:
    browser = Browser()
    browser.take(there(peers, peer, steps=[("set", "user", 7), ("save",)], password={"1": OLD}))
    assert browser.take(here(browser.header, password={1: OLD, 2: NEW})).found == {"user": 7}
    assert fe26.parse(browser.cookies[COOKIE]).password_id == "2"
    assert there(peers, peer, browser.header, password={"2": NEW}).found == {"user": 7}


def test_a_session_under_an_unknown_id_is_refused_but_not_deleted_on_either_side(peers: Peers) -> None:
    browser = Browser()
    browser.take(there(peers, "iron-session-9", steps=[("set", "user", 7), ("save",)], password={"2": NEW}))
    kept = Visit({}, (), ("unknown-password",))
    assert here(browser.header, password={1: OLD}) == kept
    assert there(peers, "iron-session-9", browser.header, password={"1": OLD}) == kept


def test_the_largest_integers_of_javascript_travel_exactly_and_larger_ones_are_refused_here(
    peers: Peers,
) -> None:
    numbers = [2**53 - 1, -(2**53 - 1), 2**53 - 2, 0, -1]
    browser = Browser()
    browser.take(here(steps=[("set", "numbers", numbers)], password=OLD))
    steps = [("set", "again", numbers), ("save",)]
    assert browser.take(there(peers, "iron-session-9", browser.header, steps=steps, password=OLD)).found == {
        "numbers": numbers
    }
    back = here(browser.header, password=OLD).found
    assert back == {"numbers": numbers, "again": numbers}
    assert {type(number) for number in back["again"]} == {int}
    for number in (2**53, -(2**53)):
        with pytest.raises(PayloadError, match=r"session\.n is an integer beyond"):
            here(steps=[("set", "n", number)], password=OLD)


def test_an_integer_that_javascript_has_rounded_is_read_here_as_the_number_that_it_is_there(
    peers: Peers,
) -> None:
    seal = peers.value("seal", peer="iron-session-9", data='{"n":12345678901234567890}', password=OLD)
    assert unseal_data(seal, password=OLD) == {"n": 12345678901234567000.0}


# ---- chunks ----


@pytest.mark.parametrize("size", [4_000, 7_000, 11_000])
def test_chunks_written_in_node_are_read_here_and_the_other_way_round(peers: Peers, size: int) -> None:
    text = "abcdefghij" * (size // 10)
    ours, theirs = Browser(), Browser()
    ours.take(here(steps=[("set", "text", text)], password=OLD, overflow="chunk", max_chunks=4))
    theirs.take(
        there(peers, "iron-session-9", steps=[("set", "text", text), ("save",)], password=OLD, chunk=True)
    )
    assert list(ours.cookies) == list(theirs.cookies) == [f"{COOKIE}.{n}" for n in range(-(-size // 3000))]
    for browser in (ours, theirs):
        assert here(browser.header, password=OLD).found == {"text": text}
        assert there(peers, "iron-session-9", browser.header, password=OLD).found == {"text": text}


@pytest.mark.parametrize("writes_here", [True, False])
@pytest.mark.parametrize(
    "sizes", [(100, 7_000), (7_000, 100), (11_000, 4_000), (4_000, 11_000), (7_000, 100, 7_000)]
)
def test_growing_and_shrinking_on_alternate_sides_leaves_nothing_behind(
    peers: Peers, sizes: tuple[int, ...], *, writes_here: bool
) -> None:
    browser = Browser()
    for size in sizes:
        steps: list[Any] = [("set", "text", "x" * size), ("save",)]
        if writes_here:
            visit = here(browser.header, steps=steps, password=OLD, overflow="chunk", max_chunks=4)
        else:
            visit = there(peers, "iron-session-9", browser.header, steps=steps, password=OLD, chunk=True)
        browser.take(visit)
        writes_here = not writes_here
        assert here(browser.header, password=OLD).found == {"text": "x" * size}
        assert there(peers, "iron-session-9", browser.header, password=OLD).found == {"text": "x" * size}
        expected = [COOKIE] if size == 100 else [f"{COOKIE}.{n}" for n in range(-(-size // 3000))]
        assert sorted(browser.cookies) == expected


@pytest.mark.parametrize("ends_here", [True, False])
def test_ending_a_chunked_session_on_one_side_removes_the_chunks_of_the_other(
    peers: Peers, *, ends_here: bool
) -> None:
    browser = Browser()
    steps: list[Any] = [("set", "text", "x" * 7000), ("save",)]
    end: list[Any] = [("destroy",)]
    if ends_here:
        browser.take(there(peers, "iron-session-9", steps=steps, password=OLD, chunk=True))
        browser.take(here(browser.header, steps=end, password=OLD))
    else:
        browser.take(here(steps=steps, password=OLD, overflow="chunk", max_chunks=4))
        browser.take(there(peers, "iron-session-9", browser.header, steps=end, password=OLD))
    assert browser.cookies == {}


def test_what_two_parallel_answers_leave_of_their_chunks_is_read_alike(peers: Peers) -> None:
    # Both began with a whole cookie; the shorter answer arrives last and leaves the longer one's third chunk.
    longer, shorter = "l" * 7000, "s" * 4000
    for first, second in (("here", "there"), ("there", "here")):
        browser = Browser()
        for side, text in ((first, longer), (second, shorter)):
            steps: list[Any] = [("set", "text", text), ("save",)]
            if side == "here":
                browser.take(here(steps=steps, password=OLD, overflow="chunk", max_chunks=4))
            else:
                browser.take(there(peers, "iron-session-9", steps=steps, password=OLD, chunk=True))
        assert list(browser.cookies) == [f"{COOKIE}.{n}" for n in range(3)]
        assert here(browser.header, password=OLD).found == {"text": shorter}
        assert there(peers, "iron-session-9", browser.header, password=OLD).found == {"text": shorter}


def test_a_stale_whole_cookie_that_iron_session_9_leaves_beside_newer_chunks_does_not_win_here(
    peers: Peers,
) -> None:
    # Two saves in one response, small then large: iron-session 9 clears only what the request brought.
    steps: list[Any] = [("set", "text", "old"), ("save",), ("set", "text", "n" * 7000), ("save",)]
    earlier = there(peers, "iron-session-9", steps=steps[:2], password=OLD, chunk=True, now_ms=NOW_MS)
    later = there(peers, "iron-session-9", steps=steps[2:], password=OLD, chunk=True, now_ms=NOW_MS + 5000)
    both = Browser()
    both.keep([*later.set_cookie, *earlier.set_cookie])
    assert COOKIE in both.cookies
    assert there(peers, "iron-session-9", both.header, password=OLD, now_ms=NOW_MS + 6000).found == {
        "text": "old"
    }
    assert here(both.header, password=OLD, now_ms=NOW_MS + 6000).found == {"text": "n" * 7000}


# ---- next-iron-session ----


def test_random_sessions_of_next_iron_session_are_read_and_written_back_as_seals(peers: Peers) -> None:
    drawn = [data for data in without_prototype_keys(list(sessions())) if len(text_of(data)) < 1200]
    assert len(drawn) >= repetitions(200, 500)
    answers = peers.ask_all(
        call(FORERUNNER, steps=[*_assignments(data), ("save",)], password=OLD) for data in drawn
    )
    vault = SealVault(SessionOptions(password=OLD, cookie_name=COOKIE, accept=("next-iron-session",)))
    states = [vault.load(pair_of(visit_of(answer).set_cookie[0])[1]) for answer in answers]
    assert [canonical(state.data) for state in states] == [canonical(data) for data in drawn]
    assert all(state.is_outdated for state in states)


def test_a_cookie_of_next_iron_session_signs_nobody_out_and_is_then_read_by_iron_session(
    peers: Peers,
) -> None:
    browser = Browser()
    browser.take(there(peers, FORERUNNER, steps=[("set", "user", 7), ("save",)], password=OLD))
    visit = browser.take(here(browser.header, password=OLD, accept=("next-iron-session",)))
    assert visit.found == {"user": 7}
    assert browser.cookies[COOKIE].endswith("~2")
    for peer in SESSIONS:
        assert there(peers, peer, browser.header, password=OLD).found == {"user": 7}
    # The way back is closed, and next-iron-session says so: its reader takes no version mark.
    assert there(peers, FORERUNNER, browser.header, password=OLD).found == {}


def test_without_accept_the_envelope_is_data_as_it_is_to_iron_session_9(peers: Peers) -> None:
    browser = Browser()
    browser.take(there(peers, FORERUNNER, steps=[("set", "user", 7), ("save",)], password=OLD))
    envelope = {"persistent": {"user": 7}, "flash": {}}
    assert here(browser.header, password=OLD).found == envelope
    assert there(peers, "iron-session-9", browser.header, password=OLD).found == envelope


def test_a_seal_of_iron_store_without_id_is_read_under_the_password_called_default(peers: Peers) -> None:
    plaintext = text_of({"persistent": {"user": 7}, "flash": {}})
    sealed = peers.value("seal", peer="hapi-iron-7", data=plaintext, password=OLD, ttl=600)
    cookie = f"{COOKIE}={sealed}"
    accept = ("next-iron-session",)
    assert there(peers, FORERUNNER, cookie, password=OLD).found == {"user": 7}
    assert here(cookie, password={1: NEW, "default": OLD}, accept=accept).found == {"user": 7}
    assert here(cookie, password=OLD, accept=accept).reasons == ("unknown-password",)


def test_a_flash_of_iron_store_is_read_once_here_too(peers: Peers) -> None:
    sealed = peers.value(
        "seal", peer="iron-store-1", data='{"user":7}', flash='{"notice":"saved"}', password=OLD, ttl=600
    )
    visit = here(f"{COOKIE}={sealed}", password=OLD, accept=("next-iron-session",))
    # Under the key from which session.pop_flash() takes it.
    assert visit.found == {"user": 7, "_flash": {"notice": "saved"}}


def _assignments(data: dict[str, Any]) -> list[Any]:
    return [("set", key, value) for key, value in data.items()]


def _header(lines: tuple[str, ...]) -> str | None:
    browser = Browser()
    browser.keep(lines)
    return browser.header


def _payload(browser: Browser, now_ms: int) -> dict[str, Any]:
    opened = fe26.unseal_at(fe26.parse(browser.cookies[COOKIE]), OLD, now=now_ms / 1000)
    payload: dict[str, Any] = json.loads(opened.plaintext)
    return payload
