"""Revocations in an SQL database: a file of SQLite, or PostgreSQL. Needs the extra ``sql``."""

from __future__ import annotations

import math
from typing import Final, final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Engine,
    Index,
    MetaData,
    Table,
    Text,
    bindparam,
    case,
    or_,
    select,
)

from iron_wsgi.errors import Refused
from iron_wsgi.servers.database import Database, engine_of
from iron_wsgi.servers.ids import key_of, subject_key_of
from iron_wsgi.times import Clock, milliseconds, now

from .revocations import LONGEST, Revocations

# Names of rows that no hash is called like.
_ALL: Final = "all"
_LIST: Final = "list"


@final
class SqlRevocations(Revocations):
    """Keeps the list in a table of SQLite or PostgreSQL, which it makes when it is first used.

    `is_revoked` is one statement. As with `iron_wsgi.stores.sql.SqlStore`, an engine of the application's own
    keeps its settings, and what has expired stays in the table until `sweep` is called.

    The table has a row about itself, made together with the table and never again. Where that row is missing,
    the list has been emptied, or dropped; from then on, for good, what began before is refused as ``"lost"``,
    and new sessions are accepted. Not noticed are an older backup that is put back, and the loss of the whole
    database before a program that never saw it starts.
    """

    def __init__(
        self, engine: Engine, *, table: str = "iron_revocations", clock: Clock | None = None
    ) -> None:
        """Keep the list in *table*; *clock* returns epoch seconds.

        Raises:
            ConfigError: The engine is of another database, or of SQLite in memory.
        """
        self._clock = clock
        columns = Table(
            table,
            MetaData(),
            Column("key", Text, primary_key=True),
            Column("before", BigInteger),  # milliseconds; NULL: whenever the session began
            Column("expires_at", BigInteger),  # milliseconds; NULL: never
            sqlite_with_rowid=False,
        )
        # At moment 0, so that switching revocation on signs nobody out.
        self._database = Database(engine, columns, first={"key": _LIST, "before": 0})
        ours = columns.c
        there = ours.expires_at.is_not(None)
        Index(f"{table}_expires_at", ours.expires_at, sqlite_where=there, postgresql_where=there)

        given = {column.name: bindparam(f"new_{column.name}", type_=column.type) for column in ours}
        at = bindparam("at", type_=BigInteger)
        self._ask = select(ours.key, ours.before).where(
            ours.key.in_(bindparam("names", expanding=True)),
            or_(ours.expires_at.is_(None), ours.expires_at > at),
        )
        insert = self._database.insert(given)
        self._note = insert.on_conflict_do_update(
            index_elements=[ours.key], set_={"expires_at": given["expires_at"]}, where=ours.expires_at <= at
        )
        self._strengthen = insert.on_conflict_do_update(
            index_elements=[ours.key],
            set_={name: _later(given[name], ours[name]) for name in ("before", "expires_at")},
        )
        self._lose = insert.on_conflict_do_nothing()

    @classmethod
    def from_url(
        cls, url: str, *, table: str = "iron_revocations", clock: Clock | None = None
    ) -> SqlRevocations:
        """Return the list in the database at *url*; see `iron_wsgi.stores.sql.SqlStore.from_url`.

        Raises:
            ConfigError: The URL cannot be used.
        """
        return cls(engine_of(url, outlives_power=True), table=table, clock=clock)

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        """See `Revocations.is_revoked`."""
        issued = milliseconds(issued_at)
        names = [key_of(sid), _ALL, _LIST, *([] if subject is None else [subject_key_of(subject)])]
        found = self._moments(names)
        lost_at = found.pop(_LIST) if _LIST in found else self._note_loss()
        if any(issued < before for before in found.values()):
            return True
        if issued < lost_at:
            raise Refused("lost")
        return False

    def revoke(self, sid: str, *, expires_at: float | None = None) -> bool:
        """See `Revocations.revoke`."""
        at = now(self._clock)
        entry = _entry(key_of(sid), None, at + LONGEST if expires_at is None else expires_at)
        if self._database.count(self._note, {**entry, "at": milliseconds(at)}) == 1:
            return True
        self._database.count(self._strengthen, entry)
        return False

    def revoke_subject(self, subject: str, *, before: float | None = None) -> None:
        """See `Revocations.revoke_subject`."""
        self._revoke_before(subject_key_of(subject), before)

    def revoke_all(self, *, before: float | None = None) -> None:
        """See `Revocations.revoke_all`."""
        self._revoke_before(_ALL, before)

    def sweep(self) -> int:
        """See `Revocations.sweep`. It goes in batches, and leaves as much time between them as they take."""
        return self._database.sweep(self._at())

    def close(self) -> None:
        """Close the connections that are not in use. The list can be used again."""
        self._database.close()

    def _at(self) -> int:
        return milliseconds(now(self._clock))

    def _moments(self, names: list[str]) -> dict[str, float]:
        """Return the living rows of these names, each with the moment before which it revokes, in ms."""
        rows = self._database.rows(self._ask, {"names": names, "at": self._at()})
        return {row.key: math.inf if row.before is None else row.before for row in rows}

    def _note_loss(self) -> float:
        """Write down that the list has been lost by now, unless somebody has; return the moment."""
        at = self._at()
        self._database.count(self._lose, {"new_key": _LIST, "new_before": at, "new_expires_at": None})
        return self._moments([_LIST]).get(_LIST, at)

    def _revoke_before(self, name: str, before: float | None) -> None:
        at = now(self._clock)
        moment = at if before is None else before
        self._database.count(self._strengthen, _entry(name, moment, max(at, moment) + LONGEST))


def _entry(key: str, before: float | None, expires_at: float) -> dict[str, object]:
    return {
        "new_key": key,
        "new_before": None if before is None else milliseconds(before),
        "new_expires_at": milliseconds(expires_at),
    }


def _later(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    """The greater of two numbers; of two NULLs, NULL."""
    return case((one > other, one), else_=other)
