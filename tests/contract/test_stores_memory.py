"""The store in memory keeps what every atomic store promises, and so does memory in front of it."""

from __future__ import annotations

from iron_wsgi.stores import MemoryStore, Store, TieredStore
from iron_wsgi.testing import AtomicStoreContract, FakeClock


class TestMemoryStore(AtomicStoreContract):
    def store(self, clock: FakeClock) -> Store:
        return MemoryStore(clock=clock)


class TestTieredStore(AtomicStoreContract):
    def store(self, clock: FakeClock) -> Store:
        return TieredStore(MemoryStore(clock=clock), staleness=3600, clock=clock)
