"""Moments and durations: epoch seconds, and seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Final, TypeAlias

from .errors import ConfigError

MAX_SECONDS: Final = 253_402_300_800
"""The year 10000; larger numbers are milliseconds by mistake, or an attack."""

FOREVER: Final = 34_560_000
"""Seconds; 400 days, the longest that browsers keep a cookie (RFC 6265bis 5.5)."""

DAY: Final = 86_400
"""Seconds."""

DEFAULT_TTL: Final = 14 * DAY
"""Seconds a session lives where nothing else is said, as in iron-session 9."""

Clock: TypeAlias = Callable[[], float]
"""A function that returns epoch seconds, as `time.time` does."""


def seconds(duration: float | timedelta, name: str) -> float:
    """Return a duration in seconds.

    Raises:
        ConfigError: It is negative, infinite or no number; the message calls it *name*.
    """
    value = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < MAX_SECONDS:
        msg = f"{name} must be a number of seconds or a timedelta, 0 or more, not {duration!r}"
        raise ConfigError(msg)
    return value


def epoch(moment: datetime) -> float:
    """Return a datetime as epoch seconds; one without a zone is UTC, as in Werkzeug."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def milliseconds(moment: float) -> int:
    """Return epoch seconds as whole milliseconds: as sessions' times of issue are kept and compared.

    Raises:
        ConfigError: It is no number, or milliseconds already.
    """
    if isinstance(moment, bool) or not isinstance(moment, (int, float)) or not abs(moment) < MAX_SECONDS:
        msg = f"a moment must be epoch seconds, as time.time() returns, not {moment!r}"
        raise ConfigError(msg)
    return round(moment * 1000)


def now(clock: Clock | None) -> float:
    """Return the clock's time; `time.time` is looked up at each call, so tests can freeze it from outside."""
    return time.time() if clock is None else clock()
