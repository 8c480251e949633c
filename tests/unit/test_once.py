"""Seals that are good for one use."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from iron_wsgi import (
    ConfigError,
    ExpiredSeal,
    InvalidSeal,
    IronSessionMiddleware,
    PayloadError,
    Refused,
    Sealer,
    SealError,
    SessionOptions,
    Unavailable,
    UnknownPassword,
    UsedSeal,
)
from iron_wsgi.revocation import MARGIN, Revocations
from iron_wsgi.testing import FakeClock
from iron_wsgi.testing.promise import at_once

from .shaky import ShakyList
from .visitor import NEWER, NOW, OTHER, PASSWORD

SKEW = 60


@pytest.fixture
def used(clock: FakeClock) -> ShakyList:
    return ShakyList(clock)


@pytest.fixture
def links(clock: FakeClock, used: ShakyList) -> Sealer:
    return Sealer(PASSWORD, purpose="magic-link", clock=clock, once=used)


def _spellings(token: str) -> list[str]:
    """What else the peers, and so we, read as the same seal."""
    seal = token.removesuffix("~2")
    return [token, seal, seal + "~", seal + "~1", token + "x", token + "~2"]


def test_a_seal_is_used_once(links: Sealer) -> None:
    token = links.seal({"user_id": 7}, ttl=900)
    assert links.consume(token) == {"user_id": 7}
    with pytest.raises(UsedSeal, match=r"^the seal was good for one use, and has been used$") as caught:
        links.consume(token)
    assert isinstance(caught.value, SealError)
    assert caught.value.reason == "invalid"


def test_looking_at_a_seal_does_not_use_it(links: Sealer, used: ShakyList) -> None:
    """Programs that scan mail open every link."""
    token = links.seal({"user_id": 7}, ttl=900)
    for _ in range(3):
        assert links.unseal(token) == {"user_id": 7}
    assert len(used) == 0
    assert links.consume(token) == {"user_id": 7}
    with pytest.raises(UsedSeal):
        links.unseal(token)


def test_two_seals_of_the_same_data_are_two_uses(links: Sealer) -> None:
    one, other = (links.seal({"user_id": 7}, ttl=900) for _ in range(2))
    links.consume(one)
    assert links.consume(other) == {"user_id": 7}


def test_however_a_seal_is_spelled_it_is_the_same_use(links: Sealer) -> None:
    for spelling in _spellings(links.seal({"user_id": 7}, ttl=900)):
        token = links.seal({"user_id": 7}, ttl=900)
        respelled = token.removesuffix("~2") + spelling.partition("~")[1] + spelling.partition("~")[2]
        assert links.consume(respelled) == {"user_id": 7}
        for again in _spellings(token):
            with pytest.raises(UsedSeal):
                links.consume(again)
            with pytest.raises(UsedSeal):
                links.unseal(again)


def test_other_spellings_than_those_are_no_seals(links: Sealer) -> None:
    token = links.seal({"user_id": 7}, ttl=900)
    seal = token.removesuffix("~2")
    last = seal[-1]
    # The last character of a MAC has bits to spare, which are nobody's to choose.
    respelled = [seal[:-1] + chr(ord(last) + 1), seal + "=", seal + "==", quote(token, safe=""), f" {token}"]
    links.consume(token)
    for other in [*respelled, token.lower(), token.replace("*", "%2a")]:
        with pytest.raises(InvalidSeal):
            links.consume(other)


def test_of_parallel_uses_exactly_one_succeeds(links: Sealer) -> None:
    for _ in range(20):
        token = links.seal({"user_id": 7}, ttl=900)

        def use(token: str = token) -> str:
            try:
                return str(links.consume(token)["user_id"])
            except UsedSeal:
                return "used"

        assert sorted(at_once(*[use] * 8)) == ["7", *["used"] * 7]


def test_a_seal_that_is_used_between_looking_and_using_is_used(links: Sealer, used: ShakyList) -> None:
    token = links.seal({"user_id": 7}, ttl=900)
    used.meanwhile["revoke"] = lambda: links.consume(token)
    with pytest.raises(UsedSeal):
        links.consume(token)


def test_of_an_expired_seal_nothing_is_noted(links: Sealer, used: ShakyList, clock: FakeClock) -> None:
    token = links.seal({"user_id": 7}, ttl=900)
    clock.advance(900 + SKEW)
    with pytest.raises(ExpiredSeal):
        links.consume(token)
    assert used.calls == []


@pytest.mark.parametrize(
    ("maker", "error"),
    [
        (Sealer(PASSWORD, purpose="another", clock=FakeClock()), InvalidSeal),
        (Sealer(OTHER, purpose="magic-link", clock=FakeClock()), InvalidSeal),
        (Sealer({2: NEWER}, purpose="magic-link", clock=FakeClock()), UnknownPassword),
    ],
)
def test_of_what_does_not_open_nothing_is_noted(
    links: Sealer, used: ShakyList, maker: Sealer, error: type[SealError]
) -> None:
    token = maker.seal({"user_id": 7}, ttl=900)
    for ask in (links.consume, links.unseal):
        with pytest.raises(error):
            ask(token)
    for junk in ("", "garbage", "Fe26.2*1*x", "x" * 20_000):
        with pytest.raises(InvalidSeal):
            links.consume(junk)
    assert used.calls == []


def test_a_use_is_remembered_until_the_seal_has_expired_everywhere(
    links: Sealer, used: ShakyList, clock: FakeClock
) -> None:
    token = links.seal({"user_id": 7}, ttl=900)
    clock.advance(100)
    links.consume(token)
    assert [until for _, until in used.revoked] == [NOW + 900 + SKEW + MARGIN]
    clock.now = NOW + 900 + SKEW - 1
    used.sweep()
    with pytest.raises(UsedSeal):
        links.consume(token)


def test_what_the_list_holds_is_no_session_and_tells_nothing(
    links: Sealer, used: ShakyList, clock: FakeClock
) -> None:
    token = links.seal({"user_id": 7}, ttl=900)
    links.consume(token)
    ((use, _),) = used.revoked
    assert use.startswith("once ")
    assert not any(part in use for part in token.split("*") if len(part) > 8)
    assert not used.is_revoked(use.removeprefix("once "), None, clock())


def test_a_use_counts_for_every_process_with_that_list(
    links: Sealer, used: ShakyList, clock: FakeClock
) -> None:
    token = links.seal({"user_id": 7}, ttl=900)
    links.consume(token)
    with pytest.raises(UsedSeal):
        Sealer(PASSWORD, purpose="magic-link", clock=clock, once=used).consume(token)


def test_a_use_counts_after_a_rotation(links: Sealer, used: ShakyList, clock: FakeClock) -> None:
    token = links.seal({"user_id": 7}, ttl=900)
    rotated = Sealer({2: NEWER, 1: PASSWORD}, purpose="magic-link", clock=clock, once=used)
    rotated.consume(token)
    with pytest.raises(UsedSeal):
        links.consume(token)


def test_what_ends_all_sessions_ends_the_seals_made_before_it(
    links: Sealer, used: ShakyList, clock: FakeClock
) -> None:
    before = links.seal({"user_id": 7}, ttl=900)
    clock.advance(5)
    used.revoke_all()
    after = links.seal({"user_id": 7}, ttl=900)
    for ask in (links.unseal, links.consume):
        with pytest.raises(UsedSeal):
            ask(before)
        assert ask(after) == {"user_id": 7}


def test_the_time_of_issue_travels_with_the_seal_and_the_data_cannot_bring_one(links: Sealer) -> None:
    with pytest.raises(PayloadError, match=r"^data\._iron is reserved"):
        links.seal({"_iron": {"iat": 9e9}}, ttl=900)
    data = {"user_id": 7}
    links.seal(data, ttl=900)
    assert data == {"user_id": 7}


@pytest.mark.parametrize("data", [["user_id"], 5, "text", None])
def test_what_is_sealed_must_be_a_mapping(links: Sealer, data: Any) -> None:
    with pytest.raises(PayloadError, match="what is sealed must be a mapping"):
        links.seal(data, ttl=900)


def test_a_seal_from_before_there_was_a_list_is_good_for_one_use_too(
    links: Sealer, used: ShakyList, clock: FakeClock
) -> None:
    token = Sealer(PASSWORD, purpose="magic-link", clock=clock).seal({"user_id": 7}, ttl=900)
    assert links.unseal(token) == links.consume(token) == {"user_id": 7}
    with pytest.raises(UsedSeal):
        links.consume(token)
    used.revoke_all(before=1)
    with pytest.raises(UsedSeal):
        links.unseal(Sealer(PASSWORD, purpose="magic-link", clock=clock).seal({"a": 1}, ttl=900))


@pytest.mark.parametrize("method", ["unseal", "consume"])
def test_where_the_list_does_not_answer_no_seal_is_good_and_none_is_used(
    links: Sealer, used: ShakyList, method: str
) -> None:
    token = links.seal({"user_id": 7}, ttl=900)
    used.down = {"is_revoked", "revoke"}
    with pytest.raises(Unavailable, match="the sessions' list of used seals does not answer"):
        getattr(links, method)(token)
    used.down = set()
    assert getattr(links, method)(token) == {"user_id": 7}


def test_a_list_that_lost_what_it_knew_lets_no_seal_through(clock: FakeClock) -> None:
    class Lost(Revocations):
        def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
            del sid, subject
            assert issued_at == NOW
            raise Refused("lost")

        def revoke(self, sid: str, *, expires_at: float | None = None) -> bool:
            del sid, expires_at
            return True

    sealer = Sealer(PASSWORD, purpose="p", clock=clock, once=Lost())
    token = sealer.seal({"user_id": 7}, ttl=900)
    for ask in (sealer.unseal, sealer.consume):
        with pytest.raises(UsedSeal):
            ask(token)


# ---- how one is made ----


def test_a_sealer_without_a_list_consumes_nothing(clock: FakeClock) -> None:
    sealer = Sealer(PASSWORD, purpose="magic-link", clock=clock)
    token = sealer.seal({"user_id": 7}, ttl=900)
    with pytest.raises(ConfigError, match=r"^consume\(\) needs a list of used seals"):
        sealer.consume(token)
    assert sealer.unseal(token) == {"user_id": 7}


def test_the_password_of_sessions_makes_sealers_with_their_list(clock: FakeClock, used: ShakyList) -> None:
    given: dict[str, Any] = {"password": PASSWORD, "cookie_name": "s", "clock": clock}
    options = SessionOptions(**given, revocations=used)
    sealer = options.sealer("magic-link", once=True)
    token = sealer.seal({"user_id": 7}, ttl=900)
    assert options.sealer("magic-link").unseal(token)["user_id"] == 7
    sealer.consume(token)
    with pytest.raises(UsedSeal):
        sealer.unseal(token)
    assert options.sealer("magic-link").unseal(token)["user_id"] == 7  # asks no list
    with pytest.raises(ConfigError, match="set the option revocations"):
        SessionOptions(**given).sealer("magic-link", once=True)


def test_the_middleware_makes_one(used: ShakyList, clock: FakeClock) -> None:
    def app(_environ: Any, _start: Any) -> Any:
        raise NotImplementedError

    middleware = IronSessionMiddleware(app, password=PASSWORD, cookie_name="s", clock=clock, revocations=used)
    sealer = middleware.sealer("magic-link", once=True)
    token = sealer.seal({"user_id": 7}, ttl=900)
    assert sealer.consume(token) == {"user_id": 7}
    with pytest.raises(UsedSeal):
        sealer.consume(token)
    with pytest.raises(ConfigError, match="set the option revocations"):
        IronSessionMiddleware(app, password=PASSWORD, cookie_name="s").sealer("magic-link", once=True)


@pytest.mark.parametrize("once", [True, "memory:"])
def test_what_is_no_list_is_refused_when_the_sealer_is_made(once: Any) -> None:
    with pytest.raises(ConfigError, match="once must be a list of revocations"):
        Sealer(PASSWORD, purpose="x", once=once)


def test_a_list_that_notes_no_uses_is_refused_when_the_sealer_is_made() -> None:
    class Users(Revocations):
        def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
            return bool(sid and subject and issued_at)

    with pytest.raises(ConfigError, match="notes no single sessions"):
        Sealer(PASSWORD, purpose="x", once=Users())
