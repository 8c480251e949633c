"""The time, for tests."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import final

START = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC


class FakeClock:
    """A clock that moves when it is told to; give it as the option ``clock``.

    A session ends when the ttl and the skew are over: ``clock.advance(options.ttl + options.skew)``.

    Attributes:
        now: Epoch seconds; 2027-01-15 08:00:00 UTC at first.
    """

    def __init__(self, now: float = START) -> None:
        """Stand at *now*, in epoch seconds."""
        self.now = now

    def __call__(self) -> float:
        """Return epoch seconds, as `time.time` does."""
        return self.now

    def advance(self, duration: float | timedelta) -> None:
        """Move by seconds or a timedelta; a negative one sets the clock back."""
        self.now += duration.total_seconds() if isinstance(duration, timedelta) else duration


@final
class RealClock(FakeClock):
    """The machine's own time, for what keeps time by a server's clock: it is advanced by waiting."""

    def __call__(self) -> float:
        """Return epoch seconds in whole milliseconds, cut off: it must never be ahead of a server."""
        return int(time.time() * 1000) / 1000

    def advance(self, duration: float | timedelta) -> None:
        """Wait that long."""
        time.sleep(duration.total_seconds() if isinstance(duration, timedelta) else duration)
