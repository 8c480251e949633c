"""A store and a list of revocations whose server fails when it is told to, and lets others act in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from iron_wsgi.revocation import MemoryRevocations, Revocations
from iron_wsgi.stores import MemoryStore, Record, Store, StoredSession
from iron_wsgi.testing import FakeClock


class Shaky:
    """What is asked of another server.

    Attributes:
        down: The methods that fail.
        calls: The methods that were called.
        meanwhile: What somebody else does just before a method answers, once.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.down: set[str] = set()
        self.calls: list[str] = []
        self.meanwhile: dict[str, Callable[[], object]] = {}

    def __len__(self) -> int:
        return len(self.inner)

    def _ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        self.meanwhile.pop(method, lambda: None)()
        self.calls.append(method)
        if method in self.down:
            raise ConnectionError("no answer from the server\nwith a second line")
        return getattr(self.inner, method)(*args, **kwargs)


class ShakyStore(Shaky, Store):
    """A store that keeps its records in memory."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(MemoryStore(clock=clock))

    def create(self, key: str, record: Record) -> bool:
        return bool(self._ask("create", key, record))

    def load(self, key: str) -> Record | None:
        record: Record | None = self._ask("load", key)
        return record

    def save(self, key: str, record: Record, *, version: int) -> bool:
        return bool(self._ask("save", key, record, version=version))

    def touch(self, key: str, *, expires_at: float | None) -> bool:
        return bool(self._ask("touch", key, expires_at=expires_at))

    def delete(self, key: str) -> bool:
        return bool(self._ask("delete", key))

    def list_subject(self, subject: str) -> Iterable[StoredSession]:
        sessions: Iterable[StoredSession] = self._ask("list_subject", subject)
        return sessions

    @property
    def records(self) -> dict[str, Record]:
        """Everything that it holds, by its keys."""
        records: dict[str, Record] = self.inner._records
        return records


class ShakyList(Shaky, Revocations):
    """A list that keeps its entries in memory.

    Attributes:
        revoked: The ids that were revoked, and until when.
    """

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(MemoryRevocations(clock=clock))
        self.revoked: list[tuple[str, float | None]] = []

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        return bool(self._ask("is_revoked", sid, subject, issued_at))

    def revoke(self, sid: str, *, expires_at: float | None = None) -> bool:
        is_news = bool(self._ask("revoke", sid, expires_at=expires_at))
        self.revoked.append((sid, expires_at))
        return is_news

    def revoke_subject(self, subject: str, *, before: float | None = None) -> None:
        self._ask("revoke_subject", subject, before=before)

    def revoke_all(self, *, before: float | None = None) -> None:
        self._ask("revoke_all", before=before)

    def sweep(self) -> int:
        return int(self._ask("sweep"))
