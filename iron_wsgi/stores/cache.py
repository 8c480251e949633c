"""Sessions in a cache that the application has already."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final, Protocol, final

from iron_wsgi.errors import ConfigError, Unavailable
from iron_wsgi.times import FOREVER, Clock, milliseconds, now

from .store import Record, Store, StoredSession

LISTED: Final = 1000
"""Sessions of one subject that are listed; of more, the latest."""

MAX_PREFIX: Final = 100
"""Characters; memcached takes keys of 250, and Django puts a prefix and a number of its own before ours."""

_PREFIX: Final = re.compile(rf"[!-~]{{1,{MAX_PREFIX}}}")
_NAME: Final = re.compile(r"[0-9a-f]{64}")
_HEADER: Final = re.compile(
    r"iron_wsgi 1 ([0-9]{1,16}) ([0-9a-f]{64}|-) (-?[0-9]{1,17}) (-?[0-9]{1,17}) (-?[0-9]{1,17}|-)\n"
)


class Cache(Protocol):
    """What a cache must have. ``set`` may also take a timeout in seconds, and there may be an ``add``."""

    def get(self, key: str, /) -> Any:
        """Return what is kept under *key*, or None."""
        ...

    @property
    def set(self) -> Callable[..., Any]:
        """A method that keeps a value under a key."""
        ...

    def delete(self, key: str, /) -> Any:
        """Remove what is kept under *key*."""
        ...


@final
class CacheStore(Store):
    """Keeps sessions in a cache of cachelib's or Django's; in any object with ``get``, ``set``, ``delete``.

    ::

        SessionOptions(..., storage="store", store=CacheStore(FileSystemCache("sessions")))
        IRON_SESSION = {"storage": "store", "store": "django-cache:default"}  # Django's settings

    Caches compare nothing when they write, so ``atomic`` is False, and this is what it costs: of two requests
    that write one session at the same moment the last one wins, and the other's changes are lost unseen; one
    that began before the session was ended may bring it back. Where that matters add a list of revocations,
    which ends a session for good, or take `iron_wsgi.stores.sql.SqlStore` or
    `iron_wsgi.stores.redis.RedisStore`.

    A cache forgets what it has no room for, which signs a visitor out, and so does emptying it: give sessions
    one of their own, and make it large (Django's keep 300 entries unless told otherwise, cachelib's 500).
    Somebody's sessions are listed as well as a cache can: two that begin at the same moment may hide each
    other.

    What is found under a key and was not written by this class is taken for nothing. But the file, Redis and
    memcached caches of cachelib and Django unpickle what they find before anybody can look at it: whoever can
    write there runs code in the application. The caches of an application that keeps nothing else there need
    to be as safe as its code.
    """

    atomic = False

    def __init__(self, cache: Cache, *, prefix: str = "iron_wsgi:", clock: Clock | None = None) -> None:
        """Keep sessions in *cache*.

        Args:
            cache: The cache. Records come as texts, and are told to expire after 400 days at most: by then
                browsers have forgotten a cookie that was not set anew. An object whose ``set`` takes no
                timeout keeps what has expired, though nobody sees it.
            prefix: What the names of all entries begin with. The application's own must not begin so.
            clock: Returns epoch seconds.

        Raises:
            ConfigError: The object is no cache, or the prefix is not 1 to 100 printable ASCII characters.
        """
        missing = [name for name in ("get", "set", "delete") if not callable(getattr(cache, name, None))]
        if missing:
            msg = (
                f"CacheStore needs an object with get, set and delete; this one has no {' or '.join(missing)}"
            )
            raise ConfigError(msg)
        if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
            msg = f"prefix must be 1 to {MAX_PREFIX} printable ASCII characters without spaces"
            raise ConfigError(msg)
        self._cache = cache
        self._prefix = prefix
        self._clock = clock
        self._has_timeout = _takes(cache.set, "key", "value", 60)
        add = getattr(cache, "add", None)
        self._add = add if _takes(add, "key", "value", *self._timeout(None)) else None

    def create(self, key: str, record: Record) -> bool:
        """See `Store.create`. Unless the cache has an ``add``, parallel callers may both succeed."""
        name = self._prefix + key
        # What is there may have expired, or be nothing of ours; then it is in the way of add() alone.
        is_kept = self._add is not None and self._add(name, _text(record), *self._timeout(record.expires_at))
        if not is_kept:
            if self._read(key) is not None:
                return False
            self._write(name, _text(record), record.expires_at)
        if record.subject:
            self._list(record.subject, [*self._listed(record.subject), key])
        return True

    def load(self, key: str) -> Record | None:
        """See `Store.load`."""
        return self._read(key)

    def save(self, key: str, record: Record, *, version: int) -> bool:
        """See `Store.save`. What is written or deleted between the comparison and the writing is lost."""
        present = self._read(key)
        if present is None or present.version != version:
            return False
        self._write(self._prefix + key, _text(record), record.expires_at)
        if record.subject != present.subject:
            self._unlist(present.subject, key)
            if record.subject:
                self._list(record.subject, [*self._listed(record.subject), key])
        return True

    def touch(self, key: str, *, expires_at: float | None) -> bool:
        """See `Store.touch`. What somebody writes at the same moment is lost."""
        present = self._read(key)
        if present is not None:
            self._write(self._prefix + key, _text(replace(present, expires_at=expires_at)), expires_at)
        return present is not None

    def delete(self, key: str) -> bool:
        """See `Store.delete`.

        Raises:
            Unavailable: The record is still there. Some caches keep to themselves that they have failed.
        """
        present = self._read(key) if _NAME.fullmatch(key) else None  # it may come from a form
        if present is None:
            return False
        self._cache.delete(self._prefix + key)
        if self._read(key) is not None:
            msg = "the cache did not delete a session"
            raise Unavailable(msg)
        self._unlist(present.subject, key)
        return True

    def list_subject(self, subject: str) -> Iterable[StoredSession]:
        """See `Store.list_subject`: the latest 1000. Sessions that are over are taken off the list here."""
        listed = self._listed(subject)
        read = [(key, self._read(key)) for key in listed]
        sessions = [
            StoredSession(
                key=key,
                created_at=record.created_at,
                written_at=record.written_at,
                expires_at=record.expires_at,
            )
            for key, record in read
            if record is not None and record.subject == subject
        ]
        if len(sessions) < len(listed):
            self._list(subject, [session.key for session in sessions])
        return sessions

    def _read(self, key: str) -> Record | None:
        record = _record(self._cache.get(self._prefix + key))
        if record is None or record.expires_at is None or record.expires_at > now(self._clock):
            return record
        return None

    def _write(self, name: str, text: str, expires_at: float | None) -> None:
        if self._cache.set(name, text, *self._timeout(expires_at)) is False:  # so cachelib tells of a failure
            msg = "the cache did not keep a session"
            raise Unavailable(msg)

    def _timeout(self, expires_at: float | None) -> tuple[int, ...]:
        """The third argument of ``set`` and ``add``, if there is one.

        Never 0 or None, which mean "for ever" to some and "not at all" or "the default" to others. A second
        is added since caches cut fractions off; the expiry in the record counts.
        """
        left = FOREVER if expires_at is None else min(FOREVER, expires_at - now(self._clock))
        return (max(math.ceil(left), 0) + 1,) if self._has_timeout else ()

    def _listed(self, subject: str) -> list[str]:
        """The keys of somebody's sessions, some of which may be over."""
        text = _decoded(self._cache.get(self._list_name(subject)))
        return list(dict.fromkeys(_NAME.findall(text))) if text else []

    def _list(self, subject: str, keys: list[str]) -> None:
        if keys:
            self._write(self._list_name(subject), " ".join(keys[-LISTED:]), None)
        else:
            self._cache.delete(self._list_name(subject))

    def _unlist(self, subject: str, key: str) -> None:
        listed = self._listed(subject) if subject else []
        if key in listed:
            self._list(subject, [other for other in listed if other != key])

    def _list_name(self, subject: str) -> str:
        return f"{self._prefix}subject:{subject}"


def _takes(method: Any, *arguments: object) -> bool:
    """Whether it is a method, and may be called with that many arguments."""
    try:
        inspect.signature(method).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # it is written in C and does not say: as most do, it takes them
        return True
    return True


def _text(record: Record) -> str:
    """A record as it is kept: one line, and the encrypted value."""
    subject = record.subject or "-"
    end = "-" if record.expires_at is None else milliseconds(record.expires_at)
    begun, written = milliseconds(record.created_at), milliseconds(record.written_at)
    return f"iron_wsgi 1 {record.version} {subject} {begun} {written} {end}\n{record.value}"


def _record(found: object) -> Record | None:
    """The record that *found* is; None if it is anything else."""
    text = _decoded(found)
    header = _HEADER.match(text)
    if header is None:
        return None
    version, subject, begun, written, end = header.groups()
    return Record(
        value=text[header.end() :],
        version=int(version),
        subject="" if subject == "-" else subject,
        created_at=int(begun) / 1000,
        written_at=int(written) / 1000,
        expires_at=None if end == "-" else int(end) / 1000,
    )


def _decoded(found: object) -> str:
    """The text that *found* is; empty if it is none of ours. Clients that decode nothing give bytes."""
    if isinstance(found, bytes):
        found = found.decode("ascii", "replace")
    return found if isinstance(found, str) and found.isascii() else ""
