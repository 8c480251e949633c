"""Moments and durations."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from iron_wsgi.errors import ConfigError
from iron_wsgi.testing import FakeClock
from iron_wsgi.times import DAY, FOREVER, MAX_SECONDS, epoch, milliseconds, now, seconds


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (0, 0),
        (1.5, 1.5),
        (timedelta(minutes=2, milliseconds=1), 120.001),
        (timedelta(0), 0),
        (FOREVER, FOREVER),
    ],
)
def test_a_duration_is_seconds_or_a_timedelta(duration: float | timedelta, expected: float) -> None:
    assert seconds(duration, "ttl") == expected


@pytest.mark.parametrize(
    "duration",
    [-1, timedelta(-1), float("nan"), float("inf"), True, "60", None, MAX_SECONDS, 10**400],
    ids=repr,
)
def test_what_is_no_duration_is_refused_by_the_options_name(duration: Any) -> None:
    with pytest.raises(ConfigError, match=r"^staleness must be a number of seconds"):
        seconds(duration, "staleness")


def test_a_datetime_without_a_zone_is_utc() -> None:
    noon = datetime(2027, 1, 15, 12, tzinfo=timezone.utc)
    assert epoch(noon) == epoch(noon.replace(tzinfo=None)) == 1_800_014_400
    assert epoch(noon.astimezone(timezone(timedelta(hours=5)))) == 1_800_014_400


def test_moments_are_compared_in_whole_milliseconds() -> None:
    assert milliseconds(1_800_000_000.123) == 1_800_000_000_123
    assert milliseconds(1_800_000_000.1234) == milliseconds(1_800_000_000.1229) == 1_800_000_000_123
    assert milliseconds(0) == 0


def test_milliseconds_come_back_as_the_same_moment() -> None:
    for moment in range(1_800_000_000_000, 1_800_000_002_000):
        assert milliseconds(moment / 1000) == moment


def test_now_is_what_the_clock_says_and_the_machines_time_without_one() -> None:
    assert now(FakeClock(7.5)) == 7.5
    before = time.time()
    assert before <= now(None) <= time.time()


def test_the_machines_time_can_be_frozen_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 42.0)
    assert now(None) == 42.0


def test_a_day_and_the_longest_life_of_a_cookie() -> None:
    assert timedelta(days=1).total_seconds() == DAY
    assert timedelta(days=400).total_seconds() == FOREVER
    assert epoch(datetime(9999, 12, 31, 23, 59, 59)) == MAX_SECONDS - 1  # noqa: DTZ001


@pytest.mark.parametrize("moment", [1_800_000_000_000.0, True, "2026-11-21", None, float("nan")])
def test_what_is_no_epoch_seconds_is_no_moment(moment: Any) -> None:
    with pytest.raises(ConfigError, match="must be epoch seconds"):
        milliseconds(moment)
