"""The records that contracts keep in stores."""

from __future__ import annotations

from iron_wsgi.servers.ids import key_of, subject_key_of
from iron_wsgi.stores import Record, Store
from iron_wsgi.times import milliseconds

from .clock import FakeClock
from .promise import same

A, B, C = (key_of(sid) for sid in "ABC")
ANNA, BERT = (subject_key_of(subject) for subject in ("anna", "bert"))


def new(
    clock: FakeClock, *, value: str = "value", version: int = 1, subject: str = "", life: float | None = 3600
) -> Record:
    """Return the record of a session that has just begun, to live for that many seconds."""
    return Record(
        value=value,
        version=version,
        subject=subject,
        created_at=clock(),
        written_at=clock(),
        expires_at=None if life is None else clock() + life,
    )


def seen(record: Record | None) -> tuple[object, ...] | None:
    """Return a record's fields; times in milliseconds, because stores may keep them so."""
    if record is None:
        return None
    times = milliseconds(record.created_at), milliseconds(record.written_at)
    end = None if record.expires_at is None else milliseconds(record.expires_at)
    return record.value, record.version, record.subject, *times, end


def holds(store: Store, key: str, record: Record | None) -> None:
    """Fail unless *record* is what the store has under *key*; None for nothing."""
    same(seen(store.load(key)), seen(record), "value, version, subject, begun, written, expires")
