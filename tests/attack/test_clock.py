"""T-CLOCK: servers' clocks differ and jump; a session is accepted or refused by rule, and nothing breaks."""

from __future__ import annotations

from typing import Any

import pytest

from iron_wsgi import ConfigError, ExpiredSeal, Sealer, seal_data, unseal_data
from iron_wsgi.testing import FakeClock

from .seals import NOW, OLD, TTL, forged, vault, verdict
from .site import Browser, environ, page, serve, sessions

DAY = 86_400
PAGE = page(lambda session: session.set("count", session.get("count", 0) + 1))


def count_after(first: float, second: float, **options: Any) -> int:
    """Let one server write at one time and another read at the other; return what it counted."""
    clock = FakeClock(first)
    browser = Browser()
    app = sessions(PAGE, clock=clock, **options)
    browser.visit(app)
    clock.now = second
    seen: list[int] = []
    browser.visit(
        sessions(page(lambda session: seen.append(session.get("count", 0))), clock=clock, **options)
    )
    return seen[0]


@pytest.mark.parametrize(
    ("reader", "accepted"),
    [
        (TTL - 1, True),
        (TTL, True),
        (TTL + 59, True),
        (TTL + 60, False),
        (TTL + 61, False),
        (-59, True),
        (-61, True),
        (-DAY, True),
    ],
)
def test_a_session_ends_a_skew_after_its_ttl_on_whatever_server_reads_it(reader: int, accepted: bool) -> None:  # noqa: FBT001
    assert count_after(NOW, NOW + reader) == (1 if accepted else 0)


@pytest.mark.parametrize(
    ("behind", "accepted"), [(0, True), (59, True), (60, True), (60.01, False), (61, False), (DAY, False)]
)
def test_a_stamped_session_from_a_clock_ahead_is_accepted_within_the_skew(
    behind: float,
    accepted: bool,  # noqa: FBT001
) -> None:
    assert count_after(NOW, NOW - behind, absolute_timeout=DAY) == (1 if accepted else 0)


@pytest.mark.parametrize("skew", [0, 5, 600])
def test_the_skew_is_what_the_option_says(skew: int) -> None:
    assert count_after(NOW, NOW + TTL + skew - 0.01, skew=skew) == 1
    assert count_after(NOW, NOW + TTL + skew, skew=skew) == 0
    assert count_after(NOW, NOW - skew, skew=skew, absolute_timeout=DAY) == 1
    assert count_after(NOW, NOW - skew - 0.01, skew=skew, absolute_timeout=DAY) == 0


@pytest.mark.parametrize("now", [1.0, 1000.0, 2.0**31 - 1, 2.0**31, 2.0**32, 4_294_967_296.5, 9.9e10])
@pytest.mark.parametrize(
    "options", [{}, {"absolute_timeout": DAY}, {"refresh_after": 0}, {"ttl": 0}], ids=str
)
def test_sessions_work_from_1970_to_the_year_5107(now: float, options: dict[str, Any]) -> None:
    clock = FakeClock(now)
    browser = Browser()
    app = sessions(PAGE, **{"clock": clock, **options})
    seen: list[int] = []
    for expected in (1, 2, 3):
        browser.visit(app)
        browser.visit(
            sessions(page(lambda session: seen.append(session["count"])), **{"clock": clock, **options})
        )
        assert seen.pop() == expected
        clock.advance(60)


def test_beyond_what_javascript_counts_nothing_is_sealed_wrongly() -> None:
    for now in (2.0**53 / 1000, 2.0**60, 1e18):
        with pytest.raises(ConfigError, match="JavaScript"):
            seal_data({}, password=OLD, ttl=60, clock=lambda now=now: now)


@pytest.mark.parametrize("step", [-DAY, -3600, -61, -1, 0, 1, 61, TTL, DAY, 10 * DAY])
@pytest.mark.parametrize(
    "options", [{}, {"absolute_timeout": DAY}, {"refresh_after": 0}, {"refresh_after": 60}], ids=str
)
def test_a_clock_that_jumps_breaks_no_request_and_revives_nothing(step: int, options: dict[str, Any]) -> None:
    clock = FakeClock(NOW)
    browser = Browser()
    app = sessions(PAGE, clock=clock, **options)
    for _ in range(4):
        assert browser.visit(app).status == "200 OK"
        clock.advance(step)
    value = browser.cookies["session"]
    state = vault(clock=clock, **options)
    for at in (clock.now + TTL + DAY + 120, clock.now + 400 * DAY):
        clock.now = at
        assert verdict(value, state) in ("expired", "too-old")


@pytest.mark.parametrize("refresh_after", [0, 60, 1800])
def test_a_clock_set_back_shortens_no_session_by_renewal(refresh_after: int) -> None:
    clock = FakeClock(NOW)
    browser = Browser()
    app = sessions(
        page(lambda session: session.setdefault("user", 1)), clock=clock, refresh_after=refresh_after
    )
    browser.visit(app)
    clock.advance(-600)
    answer = browser.visit(app)
    # Nothing is due: the seal ends later than one made now would.
    assert answer.cookies == []


def test_the_absolute_timeout_does_not_move_when_the_session_is_written_or_the_clock_steps() -> None:
    clock = FakeClock(NOW)
    browser = Browser()
    app = sessions(PAGE, clock=clock, absolute_timeout=2 * TTL, refresh_after=0)
    issued: list[float] = []
    for advance in (0, 600, -30, 1800, TTL):
        clock.advance(advance)
        browser.visit(app)
        browser.visit(
            sessions(
                page(lambda session: issued.append(session.issued_at)), clock=clock, absolute_timeout=2 * TTL
            )
        )
    assert issued == [NOW] * 5
    clock.now = NOW + 2 * TTL + 60
    assert verdict(browser.cookies["session"], vault(clock=clock, absolute_timeout=2 * TTL)) in (
        "expired",
        "too-old",
    )


def test_the_expiry_of_a_written_session_is_capped_by_its_absolute_end() -> None:
    clock = FakeClock(NOW)
    browser = Browser()
    app = sessions(PAGE, clock=clock, absolute_timeout=2 * TTL)
    ends = []
    for advance in (0, TTL - 1, TTL - 1):
        clock.advance(advance)
        browser.visit(app)
        ends.append(int(browser.cookies["session"].split("*")[5]) / 1000 - NOW)
    assert ends == [TTL, 2 * TTL - 1, 2 * TTL]


def test_the_clock_is_asked_at_each_call_never_kept() -> None:
    clock = FakeClock(NOW)
    links = Sealer(OLD, purpose="link", clock=clock)
    token = links.seal({"user": 7}, ttl=60)
    clock.advance(60 + 59)
    assert links.unseal(token) == {"user": 7}
    clock.advance(1)
    with pytest.raises(ExpiredSeal, match="expired 60 seconds ago"):
        links.unseal(token)
    assert unseal_data(forged({"user": 1}), password=OLD, clock=clock) == {"user": 1}


def test_a_clock_that_fails_is_the_applications_error_and_opens_nothing() -> None:
    def broken() -> float:
        raise OSError("no clock")

    with pytest.raises(OSError, match="no clock"):
        serve(sessions(page(bool), clock=broken), environ(f"session={forged({'user': 1})}"))
