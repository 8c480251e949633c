"""Lifetimes: the expiry inside a seal means the same moment, to the millisecond, to both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from iron_wsgi.seals import seal as fe26
from iron_wsgi.seals.sealer import seal_data, unseal_data
from iron_wsgi.times import DEFAULT_TTL

from .forge import OLD
from .payloads import text_of
from .peers import SEALS, SESSIONS

if TYPE_CHECKING:
    from .peers import Peers

pytestmark = pytest.mark.needs("node")

DATA: Final = {"user": 7}
NOW_MS: Final = 1_790_000_000_123  # when everything here is sealed
SKEW_MS: Final = 60_000

# How long after its expiry a seal is read, in milliseconds, and whether it still opens.
MOMENTS: Final = [(-1, True), (0, True), (SKEW_MS - 1, True), (SKEW_MS, False), (SKEW_MS + 1, False)]


def _clock(moment_ms: int) -> float:
    return moment_ms / 1000


@pytest.mark.parametrize("peer", SEALS + SESSIONS)
@pytest.mark.parametrize("ttl", [1, 60, 900, DEFAULT_TTL])
def test_both_sides_write_the_same_expiry_for_the_same_ttl(peers: Peers, peer: str, ttl: int) -> None:
    theirs = peers.value("seal", peer=peer, data=text_of(DATA), password=_password(peer), ttl=ttl, now=NOW_MS)
    ours = seal_data(DATA, password=OLD, ttl=ttl, clock=lambda: _clock(NOW_MS))
    assert fe26.parse(ours).expiration == fe26.parse(theirs).expiration == b"%d" % (NOW_MS + ttl * 1000)


@pytest.mark.parametrize("peer", ["iron-session-8", "iron-session-9"])
def test_both_sides_live_for_fourteen_days_when_nothing_is_said(peers: Peers, peer: str) -> None:
    theirs = peers.value("seal", peer=peer, data=text_of(DATA), password=OLD, now=NOW_MS)
    ours = seal_data(DATA, password=OLD, clock=lambda: _clock(NOW_MS))
    assert fe26.parse(ours).expiration == fe26.parse(theirs).expiration == b"%d" % (NOW_MS + 14 * 86_400_000)


@pytest.mark.parametrize("peer", SEALS + SESSIONS)
@pytest.mark.parametrize(("late", "opens"), MOMENTS)
def test_both_sides_refuse_from_the_same_millisecond_on(
    peers: Peers, peer: str, late: int, *, opens: bool
) -> None:
    ttl = 300
    moment = NOW_MS + ttl * 1000 + late
    ours = seal_data(DATA, password=OLD, ttl=ttl, clock=lambda: _clock(NOW_MS))
    theirs = peers.value("seal", peer=peer, data=text_of(DATA), password=_password(peer), ttl=ttl, now=NOW_MS)

    reasons: list[str] = []
    for seal in (ours, theirs):
        found = unseal_data(
            seal,
            password=OLD,
            on_unseal_error=lambda reason, _: reasons.append(reason),
            clock=lambda: _clock(moment),
        )
        assert found == (DATA if opens else {})
        there = peers.ask(
            "unseal",
            peer=peer,
            seal=seal.removesuffix("~2") if peer in SEALS else seal,
            password={"1": OLD},
            now=moment,
        )
        # What iron-session 6 and 8 refuse reads as an empty session; the others say so.
        assert (there.ok and there.data == DATA) is opens, there
    assert reasons == ([] if opens else ["expired", "expired"])


@pytest.mark.parametrize("peer", SEALS + SESSIONS)
def test_ttl_0_means_no_expiry_on_both_sides(peers: Peers, peer: str) -> None:
    theirs = peers.value("seal", peer=peer, data=text_of(DATA), password=_password(peer), ttl=0, now=NOW_MS)
    ours = seal_data(DATA, password=OLD, ttl=0, clock=lambda: _clock(NOW_MS))
    assert fe26.parse(ours).expiration == fe26.parse(theirs).expiration == b""
    in_a_century = NOW_MS + 100 * 365 * 86_400_000
    for seal in (ours, theirs):
        assert unseal_data(seal, password=OLD, clock=lambda: _clock(in_a_century)) == DATA
        text = seal.removesuffix("~2") if peer in SEALS else seal
        assert peers.ask("unseal", peer=peer, seal=text, password={"1": OLD}, now=in_a_century).data == DATA


def test_a_session_with_ttl_0_from_iron_session_6_lives_sixty_eight_years_and_is_read_as_such(
    peers: Peers,
) -> None:
    visit = peers.value(
        "visit",
        peer="iron-session-6",
        options={"password": OLD, "cookieName": "session", "ttl": 0},
        steps=[["set", "user", "7"], ["save"]],
        now=NOW_MS,
    )
    theirs = visit["setCookie"][0].partition(";")[0].removeprefix("session=")
    assert fe26.parse(theirs).expiration == b"%d" % (NOW_MS + (2**31 - 1) * 1000)
    assert unseal_data(theirs, password=OLD, clock=lambda: _clock(NOW_MS)) == DATA


def _password(peer: str) -> object:
    return {"id": "1", "secret": OLD} if peer in SEALS else OLD
