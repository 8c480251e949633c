"""Sessions in Redis or Valkey."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from math import ceil
from typing import Any, Final, final

from redis.exceptions import ResponseError

from iron_wsgi.servers.redis_link import RedisClient, RedisLink, Script, connect, last_millisecond
from iron_wsgi.times import DAY, MAX_SECONDS, milliseconds

from .store import Record, Store, StoredSession

_KEY: Final = re.compile("[0-9a-f]{64}")

_FIELDS: Final = ("value", "version", "subject", "created_at", "written_at", "expires_at")

_TOGETHER: Final = 500
"""Records that are looked up in one round trip, where somebody's are listed."""

_EXPIRE: Final = """
if ARGV[1] == '' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIREAT', KEYS[1], ARGV[1])
end
"""

# The names stand in the scripts: what is sent with every write are the values alone.
_WRITE: Final = f"""
redis.call('HSET', KEYS[1], 'listed_until', ARGV[2]
  {"".join(f", '{name}', ARGV[{place}]" for place, name in enumerate(_FIELDS, 3))})
{_EXPIRE}
"""
"""Expiry in ms, until when the session must be listed, and the fields."""

_CREATE: Final = Script(f"""
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
{_WRITE}
return 1
""")
"""What `_WRITE` takes. Returns whether the record was kept."""

_SAVE: Final = Script(f"""
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then
  return 0
end
local present = redis.call('HMGET', KEYS[1], 'version', 'subject', 'listed_until')
if present[1] ~= ARGV[9] then
  return 0
end
{_WRITE}
if present[2] ~= ARGV[5] or (tonumber(present[3]) or 0) < tonumber(ARGV[2]) then
  return 2
end
return 1
""")
"""What `_WRITE` takes, and the version that is expected. Returns 0 where nothing was written, and 2 where the
index has to follow."""

_TOUCH: Final = Script(f"""
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then
  return 0
end
local present = redis.call('HMGET', KEYS[1], 'subject', 'listed_until')
if not present[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'expires_at', ARGV[2])
{_EXPIRE}
if present[1] ~= '' and (tonumber(present[2]) or 0) < tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[1], 'listed_until', ARGV[3])
  return present[1]
end
return 1
""")
"""Expiry in ms, the same as a field, and until when the session must be listed. Returns 0 where there is no
record, and the subject where the index has to follow."""

_DELETE: Final = Script("""
local subject = ''
if redis.call('TYPE', KEYS[1]).ok == 'hash' then
  subject = redis.call('HGET', KEYS[1], 'subject') or ''
end
if redis.call('DEL', KEYS[1]) == 0 then
  return 0
end
return subject
""")
"""Returns 0 where there was nothing, and whose it was, as text, where there was."""

_LIST: Final = Script("""
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
local present = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not present or tonumber(present) < tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
end
redis.call('PEXPIREAT', KEYS[1], redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
return 1
""")
"""A record's key, until when (ms) it is listed, and what time it is. Takes off what is over.

Nothing is listed for a shorter time than before, and the index expires with the last of them."""


@final
class RedisStore(Store):
    """Keeps sessions in Redis 6 or Valkey: one server, a Cluster, or a master behind Sentinel.

    A record is one hash; it is compared and written by one script, and the server drops it when its time is
    over (its clock must agree with ours). What stands under one of our keys and was not written here is no
    record, and it is not overwritten.

    Whose sessions there are stands in a sorted set for each subject, written after the record, where the
    record is new, its subject is another, or its expiry has moved on by up to a day. It may lag: a session is
    listed a moment after it was created, or, where the server failed between the two, not before its expiry
    moves on. It never lists what is over: whoever reads it removes that. It expires with its last session.
    """

    def __init__(self, client: RedisClient, *, prefix: str = "iron_wsgi:", replicas: int = 0) -> None:
        """Keep sessions where *client* leads.

        Args:
            client: A `redis.Redis` (also from ``Sentinel(...).master_for(...)``) or a `redis.RedisCluster`.
                Its timeouts are yours: a request waits as long as they say.
            prefix: Begins every key. No other program may write below it.
            replicas: Replicas that must acknowledge, within 200 ms, what was written and that they are
                there; else the call raises, though the record may have been written. Without it a failover
                can bring back a record that was deleted a moment before. Have one replica more than this
                number, or nothing is served after a failover. Not for a Cluster.

        Raises:
            ConfigError: The arguments do not fit.
        """
        self._link = RedisLink(client, prefix, replicas)
        self._prefix = prefix

    @classmethod
    def from_url(cls, url: str, *, prefix: str = "iron_wsgi:", replicas: int = 0) -> RedisStore:
        """Keep sessions at a URL, as `iron_wsgi.servers.redis_link.connect` reads it."""
        return cls(connect(url), prefix=prefix, replicas=replicas)

    def create(self, key: str, record: Record) -> bool:
        """See `Store.create`."""
        until = _listed_until(record.expires_at)
        is_kept = bool(self._link.run(_CREATE, self._prefix + key, *_written(record, until)))
        if is_kept and record.subject:
            self._list(record.subject, key, until)
        return is_kept

    def load(self, key: str) -> Record | None:
        """See `Store.load`."""
        try:
            (fields,) = self._link.ask(("HMGET", self._prefix + key, *_FIELDS))
        except ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                return None
            raise
        return _record(fields)

    def save(self, key: str, record: Record, *, version: int) -> bool:
        """See `Store.save`."""
        until = _listed_until(record.expires_at)
        written = self._link.run(_SAVE, self._prefix + key, *_written(record, until), version)
        if written == 2 and record.subject:
            self._list(record.subject, key, until)
        return bool(written)

    def touch(self, key: str, *, expires_at: float | None) -> bool:
        """See `Store.touch`."""
        until = _listed_until(expires_at)
        answer = self._link.run(_TOUCH, self._prefix + key, _expiry(expires_at), _text(expires_at), until)
        if isinstance(answer, bytes):
            self._list(answer.decode(), key, until)
        return bool(answer)

    def delete(self, key: str) -> bool:
        """See `Store.delete`."""
        if not _KEY.fullmatch(key):  # it may come from a form, and the prefix may begin other keys too
            return False
        subject = self._link.run(_DELETE, self._prefix + key)
        if not isinstance(subject, bytes):
            return False
        whose = subject.decode("ascii", "replace")
        if _KEY.fullmatch(whose):  # others may have written there
            self._link.ask(("ZREM", self._index(whose), key))
        return True

    def list_subject(self, subject: str) -> Iterable[StoredSession]:
        """See `Store.list_subject`."""
        index = self._index(subject)
        (members,) = self._link.ask(("ZRANGE", index, 0, -1))
        listed = []
        gone = []
        for key, record in self._records([member.decode() for member in members]):
            if record is None or record.subject != subject:
                gone.append(key)
                continue
            listed.append(
                StoredSession(
                    key=key,
                    created_at=record.created_at,
                    written_at=record.written_at,
                    expires_at=record.expires_at,
                )
            )
        if gone:
            self._link.ask(("ZREM", index, *gone))
        return listed

    def _index(self, subject: str) -> str:
        return f"{self._prefix}subject:{subject}"

    def _list(self, subject: str, key: str, until: int) -> None:
        self._link.run(_LIST, self._index(subject), key, until, milliseconds(time.time()))

    def _records(self, keys: list[str]) -> Iterator[tuple[str, Record | None]]:
        for start in range(0, len(keys), _TOGETHER):
            some = keys[start : start + _TOGETHER]
            answers = self._link.ask(*(("HMGET", self._prefix + key, *_FIELDS) for key in some))
            yield from zip(some, map(_record, answers), strict=True)


def _expiry(expires_at: float | None) -> str | int:
    return "" if expires_at is None else last_millisecond(expires_at)


def _listed_until(expires_at: float | None) -> int:
    """Return milliseconds: the end of the day, so that a session that is renewed is listed once a day."""
    moment = MAX_SECONDS if expires_at is None else expires_at
    return ceil(moment / DAY) * DAY * 1000


def _text(moment: float | None) -> str:
    return "" if moment is None else repr(float(moment))


def _written(record: Record, until: int) -> tuple[str | int, ...]:
    """Return what `_WRITE` takes."""
    return (
        _expiry(record.expires_at),
        until,
        record.value,
        record.version,
        record.subject,
        _text(record.created_at),
        _text(record.written_at),
        _text(record.expires_at),
    )


def _record(fields: Any) -> Record | None:
    """Return the record that the fields hold; None where they were not written here."""
    if None in fields:
        return None
    value, version, subject, created_at, written_at, expires_at = fields
    try:
        return Record(
            value=value.decode("ascii"),
            version=int(version),
            subject=subject.decode("ascii"),
            created_at=float(created_at),
            written_at=float(written_at),
            expires_at=float(expires_at) if expires_at else None,
        )
    except ValueError:  # no ASCII, or no numbers
        return None
