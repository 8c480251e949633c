"""T-EXP: a seal ends when it says, and only an authentic one is believed."""

from __future__ import annotations

from typing import Any

import pytest

from iron_wsgi import ExpiredSeal, InvalidSeal, Sealer, unseal_data
from iron_wsgi.seals.seal import parse, unseal_at
from iron_wsgi.sessions.state import State

from .seals import NOW, OLD, OTHER, SKEW, TTL, forged, milliseconds, vault, verdict

MOMENT = milliseconds(NOW)

MALFORMED = [
    *(
        "0",
        "00",
        "-1",
        "+5",
        "1e20",
        "1E5",
        "0x10",
        "1.5",
        ".5",
        "5.",
        "01",
        "0" + MOMENT,
        MOMENT + ".0",
        "Infinity",
    ),
    *(
        " " + MOMENT,
        MOMENT + " ",
        MOMENT + "\n",
        "\t" + MOMENT,
        MOMENT + "\x00",
        "1_000",
        "1,000",
        "x",
        "null",
        "NaN",
    ),
    *("9" * 17, "9" * 400, "9" * 5000, str(2**53), str(2**63), "-" + MOMENT, MOMENT + "n"),
]


@pytest.mark.parametrize("expiration", MALFORMED, ids=lambda text: repr(text[:20]) + str(len(text)))
def test_an_expiration_that_is_no_plain_number_is_refused_even_if_the_mac_covers_it(expiration: str) -> None:
    seal = forged({"user": 1}, expiration=expiration)
    assert verdict(seal, vault()) == "invalid"
    assert verdict(seal, vault(ttl=0)) == "invalid"
    with pytest.raises(InvalidSeal):
        unseal_at(parse(seal), OLD, now=NOW)


@pytest.mark.parametrize("digits", ["\u0661" * 13, "\uff11" * 13, "\u00b9" * 13])
def test_digits_of_other_scripts_are_no_number(digits: str) -> None:
    fields = forged({"user": 1}).split("*")
    fields[5] = digits
    assert verdict("*".join(fields), vault()) == "invalid"


@pytest.mark.parametrize("skew", [0, 1, 60, 3600])
def test_a_seal_is_accepted_until_the_skew_after_its_expiry_to_the_millisecond(skew: int) -> None:
    over = round((NOW - skew) * 1000)
    judge = vault(skew=skew)
    assert verdict(forged({"user": 1}, expiration=str(over)), judge) == "expired"
    assert verdict(forged({"user": 1}, expiration=str(over - 1)), judge) == "expired"
    assert verdict(forged({"user": 1}, expiration=str(over + 1)), judge) == {"user": 1}


@pytest.mark.parametrize("now", [0.001, 1.0, 1_234_567_890.123, NOW + 0.0005, 2.0**31, 2.0**32, 9e12])
def test_the_boundary_is_exact_wherever_the_clock_stands(now: float) -> None:
    for late, verdict_is in ((1, ExpiredSeal), (0, ExpiredSeal), (-1, None)):
        expiration = round((now + 100) * 1000) - late
        fields = parse(forged({"user": 1}, expiration=str(expiration)))
        if verdict_is is None:
            assert unseal_at(fields, OLD, now=now + 100 + SKEW).expires_at == expiration / 1000
        else:
            with pytest.raises(verdict_is):
                unseal_at(fields, OLD, now=now + 100 + SKEW)


def test_only_an_authentic_seal_is_called_expired() -> None:
    long_ago = forged({"user": 1}, expiration="1000")
    assert verdict(long_ago, vault()) == "expired"
    for forgery in (
        forged({"user": 1}, OTHER, expiration="1000"),
        long_ago[:-1] + ("A" if long_ago[-1] != "A" else "B"),
        forged({"user": 1}).replace(milliseconds(NOW + TTL), "1000"),
        long_ago.replace("*1000*", "*1001*"),
    ):
        assert verdict(forgery, vault()) == "invalid"


def test_an_expiry_cannot_be_put_off_or_taken_away() -> None:
    seal = forged({"user": 1}, expiration="1000")
    for later in (milliseconds(NOW + TTL), ""):
        assert verdict(seal.replace("*1000*", f"*{later}*"), vault()) == "invalid"


def test_a_seal_without_expiry_is_no_session_where_sessions_end() -> None:
    forever = forged({"user": 1}, expiration="")
    assert verdict(forever, vault()) == "no-expiry"
    assert verdict(forever, vault(ttl=0.001)) == "no-expiry"
    assert verdict(forever, vault(ttl=0)) == {"user": 1}
    # iron-session's own pair accepts it.
    assert unseal_data(forever, password=OLD, clock=lambda: NOW) == {"user": 1}


def test_what_is_sealed_with_ttl_0_for_ever_is_refused_once_sessions_end() -> None:
    value = vault(ttl=0).dump(State(data={"user": 1}), expires_at=None)
    assert verdict(value, vault(ttl=0)) == {"user": 1}
    assert verdict(value, vault()) == "no-expiry"


def test_a_moment_that_has_passed_seals_what_no_reader_accepts() -> None:
    for moment in (NOW, NOW - 1, NOW - 1e6, 1.0, 0.0, -1.0, -1e9):
        value = vault().dump(State(data={"user": 1}), expires_at=moment)
        assert verdict(value, vault()) == "expired"
        assert unseal_data(value, password=OLD, clock=lambda: NOW) == {}


def test_the_furthest_moment_that_javascript_counts_is_a_good_expiry() -> None:
    assert verdict(forged({"user": 1}, expiration=str(2**53 - 1)), vault()) == {"user": 1}


@pytest.mark.parametrize(
    "ttl", [0, 0.0, -1, float("nan"), float("inf"), -float("inf"), True, None, "60", 1e12]
)
def test_a_link_without_a_sound_end_is_not_made(ttl: Any) -> None:
    with pytest.raises(ValueError, match="ttl"):
        Sealer(OLD, purpose="link").seal({}, ttl=ttl)


@pytest.mark.parametrize("absolute", [60, TTL, 86_400])
def test_the_absolute_timeout_ends_a_session_by_its_time_of_issue_whatever_its_seal_says(
    absolute: int,
) -> None:
    judge = vault(absolute_timeout=absolute)
    far = milliseconds(NOW + 10 * 86_400)
    for age, expected in (
        (absolute + SKEW, "too-old"),
        (absolute + SKEW + 1000, "too-old"),
        (absolute + SKEW - 1, {"user": 1}),
        (0, {"user": 1}),
    ):
        seal = forged({"user": 1, "_iron": {"iat": NOW - age}}, expiration=far)
        assert verdict(seal, judge) == expected


def test_a_seal_without_stamp_cannot_outlive_the_absolute_timeout_by_a_long_expiry() -> None:
    # Its time of issue is taken as exp - ttl, and never as later than now.
    judge = vault(ttl=600, absolute_timeout=600)
    aged: list[Any] = []
    for since in (0, 300, 659, 660, 661, 10_000):
        at = NOW + since
        later = vault(ttl=600, absolute_timeout=600, clock=lambda at=at: at)
        aged.append(verdict(forged({"user": 1}, expiration=milliseconds(NOW + 600)), later))
    assert aged == [{"user": 1}, {"user": 1}, {"user": 1}, "expired", "expired", "expired"]
    # Made elsewhere with a longer ttl: it counts from now, but a stamp at the next write fixes the moment.
    assert verdict(forged({"user": 1}, expiration=milliseconds(NOW + 10_000)), judge) == {"user": 1}
    state = judge.load(forged({"user": 1}, expiration=milliseconds(NOW + 10_000)))
    written = judge.dump(state, expires_at=NOW + 10_000)
    later = vault(ttl=600, absolute_timeout=600, clock=lambda: NOW + 660)
    assert verdict(written, later) == "too-old"
