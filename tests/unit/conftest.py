"""What the unit tests share: a clock, a visitor, and notices that nobody has read yet."""

from __future__ import annotations

import pytest

from iron_wsgi.sessions.events import notices
from iron_wsgi.testing import FakeClock

from .visitor import Visitor


@pytest.fixture(autouse=True)
def _unread_notices() -> None:
    """A line that is logged once per process is logged once per test."""
    notices.forget()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def visitor(clock: FakeClock) -> Visitor:
    return Visitor(clock)
