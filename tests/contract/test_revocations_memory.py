"""The list in memory keeps what every list of revocations promises, and so does a memory of its answers."""

from __future__ import annotations

import pytest

from iron_wsgi.revocation import CachedRevocations, MemoryRevocations, Revocations
from iron_wsgi.testing import FakeClock, RevocationsContract


class TestMemoryRevocations(RevocationsContract):
    def revocations(self, clock: FakeClock) -> Revocations:
        return MemoryRevocations(clock=clock)


@pytest.mark.parametrize("staleness", [0, 3600])
class TestCachedRevocations(RevocationsContract):
    @pytest.fixture(autouse=True)
    def _for_a_while(self, staleness: float) -> None:
        self.staleness = staleness

    def revocations(self, clock: FakeClock) -> Revocations:
        return CachedRevocations(MemoryRevocations(clock=clock), staleness=self.staleness, clock=clock)
