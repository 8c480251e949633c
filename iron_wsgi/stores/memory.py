"""Sessions in this process's memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, final

from iron_wsgi.servers.locks import Lock
from iron_wsgi.times import Clock, now

from .store import Record, Store, StoredSession

MANY: Final = 10_000
"""Records that are kept unless another bound is given."""


@final
class MemoryStore(Store):
    """Keeps sessions in this process: for tests and for development.

    Other processes do not see them, and all are gone when it ends. Bounded: a store that is full forgets the
    records that were not written for longest, which signs their visitors out.
    """

    def __init__(self, *, max_records: int = MANY, clock: Clock | None = None) -> None:
        """Keep at most *max_records*; *clock* returns epoch seconds."""
        self._records: dict[str, Record] = {}
        self._max_records = max_records
        self._clock = clock
        self._lock = Lock()

    def create(self, key: str, record: Record) -> bool:
        """See `Store.create`."""
        with self._lock:
            if self._living(key) is not None:
                return False
            self._keep(key, record)
            return True

    def load(self, key: str) -> Record | None:
        """See `Store.load`."""
        with self._lock:
            return self._living(key)

    def save(self, key: str, record: Record, *, version: int) -> bool:
        """See `Store.save`."""
        with self._lock:
            present = self._living(key)
            if present is None or present.version != version:
                return False
            self._keep(key, record)
            return True

    def touch(self, key: str, *, expires_at: float | None) -> bool:
        """See `Store.touch`."""
        with self._lock:
            present = self._living(key)
            if present is not None:
                self._keep(key, replace(present, expires_at=expires_at))
            return present is not None

    def delete(self, key: str) -> bool:
        """See `Store.delete`."""
        with self._lock:
            is_living = self._living(key) is not None
            self._records.pop(key, None)
            return is_living

    def list_subject(self, subject: str) -> Iterable[StoredSession]:
        """See `Store.list_subject`."""
        with self._lock:
            living = [(key, self._living(key)) for key in list(self._records)]
        return [
            StoredSession(
                key=key,
                created_at=record.created_at,
                written_at=record.written_at,
                expires_at=record.expires_at,
            )
            for key, record in living
            if record is not None and record.subject == subject
        ]

    def sweep(self) -> int:
        """See `Store.sweep`."""
        with self._lock:
            return sum(self._living(key) is None for key in list(self._records))

    def __len__(self) -> int:
        """Return how many records there are, those that have expired among them."""
        return len(self._records)

    def _living(self, key: str) -> Record | None:
        record = self._records.get(key)
        if record is None or record.expires_at is None or record.expires_at > now(self._clock):
            return record
        del self._records[key]
        return None

    def _keep(self, key: str, record: Record) -> None:
        self._records.pop(key, None)  # so that it comes last
        self._records[key] = record
        while len(self._records) > self._max_records:
            del self._records[next(iter(self._records))]
