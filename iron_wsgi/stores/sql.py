"""Sessions in an SQL database: a file of SQLite, or PostgreSQL. Needs the extra ``sql``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, final

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Index,
    MetaData,
    Row,
    Table,
    Text,
    bindparam,
    delete,
    or_,
    select,
    update,
)

from iron_wsgi.servers.database import Database, engine_of
from iron_wsgi.times import Clock, milliseconds, now

from .store import Record, Store, StoredSession


@final
class SqlStore(Store):
    """Keeps sessions in a table of SQLite or PostgreSQL, which it makes when it is first used.

    An engine of the application's own keeps its settings, the timeouts among them: a request waits for the
    database as long as they allow. `from_url` makes an engine that gives up soon.

    Each method is one statement. No request waits for another, save for the moment in which SQLite, which
    has one writer at a time, writes. What has expired stays in the table until `sweep` is called, by a timer.
    """

    def __init__(self, engine: Engine, *, table: str = "iron_sessions", clock: Clock | None = None) -> None:
        """Keep sessions in *table*; *clock* returns epoch seconds.

        Raises:
            ConfigError: The engine is of another database, or of SQLite in memory.
        """
        self._clock = clock
        columns = Table(
            table,
            MetaData(),
            Column("key", Text, primary_key=True),
            Column("value", Text, nullable=False),
            Column("version", BigInteger, nullable=False),
            Column("subject", Text),  # NULL for nobody's, which need no place in the index
            Column("created_at", BigInteger, nullable=False),  # this and the others in milliseconds
            Column("written_at", BigInteger, nullable=False),
            Column("expires_at", BigInteger),  # NULL for never
        )
        self._database = Database(engine, columns)
        ours = columns.c
        for column in (ours.subject, ours.expires_at):
            there = column.is_not(None)
            Index(f"{table}_{column.name}", column, sqlite_where=there, postgresql_where=there)

        given = {column.name: bindparam(f"new_{column.name}", type_=column.type) for column in ours}
        fields = {name: value for name, value in given.items() if name != "key"}
        key, at = bindparam("new_key", type_=Text), bindparam("at", type_=BigInteger)
        here, living = ours.key == key, or_(ours.expires_at.is_(None), ours.expires_at > at)
        self._create = self._database.insert(given).on_conflict_do_update(
            index_elements=[ours.key], set_=fields, where=ours.expires_at <= at
        )
        self._load = select(
            ours.value, ours.version, ours.subject, ours.created_at, ours.written_at, ours.expires_at
        ).where(here, living)
        self._save = (
            update(columns)
            .where(here, ours.version == bindparam("former", type_=BigInteger), living)
            .values(fields)
        )
        self._touch = update(columns).where(here, living).values(expires_at=given["expires_at"])
        self._delete = delete(columns).where(here, living)
        self._list = select(ours.key, ours.created_at, ours.written_at, ours.expires_at).where(
            ours.subject == bindparam("of", type_=Text), living
        )

    @classmethod
    def from_url(cls, url: str, *, table: str = "iron_sessions", clock: Clock | None = None) -> SqlStore:
        """Return a store in the database at *url*.

        ``sqlite:///file.db`` is a file in the working directory, ``sqlite:////var/lib/file.db`` one named
        from the root; ``postgresql://user:password@host/database`` is reached by psycopg.

        Raises:
            ConfigError: The URL cannot be used.
        """
        return cls(engine_of(url), table=table, clock=clock)

    def create(self, key: str, record: Record) -> bool:
        """See `Store.create`."""
        return self._database.count(self._create, self._given(key, record)) == 1

    def load(self, key: str) -> Record | None:
        """See `Store.load`."""
        for row in self._database.rows(self._load, {"new_key": key, "at": self._at()}):
            if isinstance(row.value, str) and isinstance(row.version, int) and _has_moments(row):
                return Record(
                    value=row.value,
                    version=row.version,
                    subject=str(row.subject or ""),
                    created_at=row.created_at / 1000,
                    written_at=row.written_at / 1000,
                    expires_at=None if row.expires_at is None else row.expires_at / 1000,
                )
        return None

    def save(self, key: str, record: Record, *, version: int) -> bool:
        """See `Store.save`."""
        return self._database.count(self._save, {**self._given(key, record), "former": version}) == 1

    def touch(self, key: str, *, expires_at: float | None) -> bool:
        """See `Store.touch`."""
        given = {"new_key": key, "new_expires_at": _expiry(expires_at), "at": self._at()}
        return self._database.count(self._touch, given) == 1

    def delete(self, key: str) -> bool:
        """See `Store.delete`."""
        return self._database.count(self._delete, {"new_key": key, "at": self._at()}) == 1

    def list_subject(self, subject: str) -> Iterable[StoredSession]:
        """See `Store.list_subject`."""
        return [
            StoredSession(
                key=row.key,
                created_at=row.created_at / 1000,
                written_at=row.written_at / 1000,
                expires_at=None if row.expires_at is None else row.expires_at / 1000,
            )
            for row in self._database.rows(self._list, {"of": subject, "at": self._at()})
            if _has_moments(row)
        ]

    def sweep(self) -> int:
        """See `Store.sweep`. It goes in batches, and leaves as much time between them as they take."""
        return self._database.sweep(self._at())

    def close(self) -> None:
        """Close the connections that are not in use. The store can be used again."""
        self._database.close()

    def _at(self) -> int:
        return milliseconds(now(self._clock))

    def _given(self, key: str, record: Record) -> dict[str, object]:
        return {
            "new_key": key,
            "new_value": record.value,
            "new_version": record.version,
            "new_subject": record.subject or None,
            "new_created_at": milliseconds(record.created_at),
            "new_written_at": milliseconds(record.written_at),
            "new_expires_at": _expiry(record.expires_at),
            "at": self._at(),
        }


def _expiry(moment: float | None) -> int | None:
    return None if moment is None else milliseconds(moment)


def _has_moments(row: Row[Any]) -> bool:
    """Tell whether the moments are numbers: SQLite's columns take anything, and others may have written."""
    end = 0 if row.expires_at is None else row.expires_at
    return all(isinstance(moment, int) for moment in (row.created_at, row.written_at, end))
