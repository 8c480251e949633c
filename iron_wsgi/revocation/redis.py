"""Revocations in Redis or Valkey."""

from __future__ import annotations

from typing import Final, final

from iron_wsgi.errors import Refused
from iron_wsgi.servers.ids import key_of, subject_key_of
from iron_wsgi.servers.redis_link import RedisClient, RedisLink, Script, connect, last_millisecond
from iron_wsgi.times import Clock, milliseconds, now

from .revocations import LONGEST, Revocations

_SESSION: Final = Script("""
local present = redis.call('GET', KEYS[1])
if present and tonumber(present) >= tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('PEXPIREAT', KEYS[1], ARGV[1])
return present and 0 or 1
""")
"""When the entry expires (ms), which is also its value. Returns whether it is new."""

_SUBJECT: Final = Script("""
local present = redis.call('GET', KEYS[1])
if not present or tonumber(present) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1])
end
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
return 1
""")
"""The moment, and when the entry expires, both in ms. The latest moment stays."""

_ALL: Final = Script("""
local before, lost = ARGV[1], ARGV[2]
local present = redis.call('GET', KEYS[1])
if present then
  local former
  former, lost = string.match(present, '^(%d+) (%d+)$')
  if tonumber(former) > tonumber(before) then
    before = former
  end
end
redis.call('SET', KEYS[1], before .. ' ' .. lost)
return 1
""")
"""The moment and now, both in ms. Where there is no marker, the list was lost until now."""

_SHARDS: Final = tuple(f"{{{number:02x}}}" for number in range(256))
"""On a Cluster, entries are kept in these shards, by the first two digits of their keys. The braces keep what
a shard holds, and its marker, on one server: a server that loses its memory loses its markers with it."""


@final
class RedisRevocations(Revocations):
    """Keeps the list in Redis 6 or Valkey: one server, a Cluster, or a master behind Sentinel.

    An entry is one small string, which the server drops when its time is over (its clock must agree with
    ours). A check is one round trip.

    Beside the entries there is always a marker. A check that does not find it knows that the list was lost
    (``FLUSHALL``, a restart without persistence), writes down when, and from then on sessions that are older
    are refused as ``"lost"``; new ones live. The first check of all finds no marker either: call
    `initialize` once when you switch the list on for a running site, or everybody has to sign in again.

    What the marker cannot notice, the server's configuration must rule out:

    * ``appendonly yes``: after a restart from a snapshot alone, the revocations since then are missing
      unseen. With ``appendfsync everysec`` a power failure, though not a crash of Redis, can lose a second.
    * ``maxmemory-policy noeviction``: every other policy may drop a revocation.
    * ``replicas=`` behind Sentinel: a failover loses what the new master had not yet heard.
    """

    def __init__(
        self,
        client: RedisClient,
        *,
        prefix: str = "iron_wsgi:revoked:",
        replicas: int = 0,
        clock: Clock | None = None,
    ) -> None:
        """Keep the list where *client* leads.

        Args:
            client: A `redis.Redis` (also from ``Sentinel(...).master_for(...)``) or a `redis.RedisCluster`.
                Its timeouts are yours: a request waits as long as they say.
            prefix: Begins every key. No other program may write below it.
            replicas: Replicas that must acknowledge, within 200 ms, what was written and that they are
                there; else the call raises, though the entry may have been written. Without it a failover
                can bring back a session that was revoked a moment before. Have one replica more than this
                number, or no session is accepted after a failover. Not for a Cluster.
            clock: Returns epoch seconds.

        Raises:
            ConfigError: The arguments do not fit.
        """
        self._link = RedisLink(client, prefix, replicas)
        self._prefix = prefix
        self._clock = clock
        self._markers = [f"{prefix}{shard}all" for shard in (_SHARDS if self._link.is_cluster else [""])]

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        prefix: str = "iron_wsgi:revoked:",
        replicas: int = 0,
        clock: Clock | None = None,
    ) -> RedisRevocations:
        """Keep the list at a URL, as `iron_wsgi.servers.redis_link.connect` reads it."""
        return cls(connect(url), prefix=prefix, replicas=replicas, clock=clock)

    def initialize(self) -> None:
        """Begin the list, so that its first check finds a marker and refuses nobody.

        Call it once, when the list is switched on; where there is a list it changes nothing. Never call it
        whenever the program starts: after a loss it would let revoked sessions back in.
        """
        self._begin(0)

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        """See `Revocations.is_revoked`. What is not certain raises."""
        issued = milliseconds(issued_at)
        keys = [key_of(sid)] if subject is None else [key_of(sid), subject_key_of(subject)]
        entries, markers = [self._entry(key) for key in keys], list(dict.fromkeys(map(self._marker, keys)))
        # GET and not MGET, which takes a value of another type for none; the markers last, so that what is
        # lost between two answers is noticed.
        answers = self._link.ask(*(("GET", name) for name in (*entries, *markers)))
        session, moments, marks = answers[0], answers[1 : len(keys)], answers[len(keys) :]
        if session is not None:
            return True
        if None in marks:
            self._begin(milliseconds(now(self._clock)))
            marks = self._link.ask(*(("GET", name) for name in markers))
        revoked, lost = zip(*(map(int, mark.split()) for mark in marks), strict=True)
        if issued < max([*revoked, *(int(moment) for moment in moments if moment is not None)]):
            return True
        if issued < max(lost):
            raise Refused("lost")
        return False

    def revoke(self, sid: str, *, expires_at: float | None = None) -> bool:
        """See `Revocations.revoke`.

        Where an answer gets lost and the client asks again, none of the callers is told that it is news.
        """
        end = now(self._clock) + LONGEST if expires_at is None else expires_at
        return bool(self._link.run(_SESSION, self._entry(key_of(sid)), last_millisecond(end)))

    def revoke_subject(self, subject: str, *, before: float | None = None) -> None:
        """See `Revocations.revoke_subject`."""
        at = now(self._clock)
        moment = milliseconds(at if before is None else before)
        end = last_millisecond(at + LONGEST)
        self._link.run(_SUBJECT, self._entry(subject_key_of(subject)), moment, end)

    def revoke_all(self, *, before: float | None = None) -> None:
        """See `Revocations.revoke_all`. On a Cluster call it again if it raises: it may be half done."""
        at = milliseconds(now(self._clock))
        moment = at if before is None else max(0, milliseconds(before))
        for marker in self._markers:
            self._link.run(_ALL, marker, moment, at)

    def _begin(self, lost: int) -> None:
        self._link.ask(*(("SET", marker, f"0 {lost}", "NX") for marker in self._markers))

    def _entry(self, key: str) -> str:
        return f"{self._prefix}{self._shard(key)}{key}"

    def _marker(self, key: str) -> str:
        return f"{self._prefix}{self._shard(key)}all"

    def _shard(self, key: str) -> str:
        return _SHARDS[int(key[:2], 16)] if self._link.is_cluster else ""
