"""The id vault: the cookie holds an id, and the session is a record that Node reads and writes too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from datetime import datetime, timezone
from math import ceil
from typing import Any, Final, Literal, NamedTuple, NoReturn, Protocol, final
from urllib.parse import quote, unquote

from iron_wsgi.cookies.cookie import Cookie
from iron_wsgi.cookies.options import CookieOptions
from iron_wsgi.errors import ConfigError, Ended, PayloadError, Refused, SessionConflict
from iron_wsgi.servers.ids import MAX_ID, new_id
from iron_wsgi.servers.outages import ask
from iron_wsgi.sessions.options import SessionOptions
from iron_wsgi.sessions.state import FormerSession, State, StoredSession
from iron_wsgi.times import FOREVER, MAX_SECONDS, epoch, now

from .codec import Codec
from .id_signature import Decode, Encode, id_codec
from .merge import merge
from .revocation_check import refuse_revoked, revoke

MAX_VALUE: Final = 4096  # characters of a cookie's value
COOKIE: Final = "cookie"  # the member of a record by which Node sets the session's cookie
STAMPED_ELSEWHERE: Final = ("sid", "ttl")  # stamps that are the record's key, or stand in its cookie member
_ID = re.compile(rf"[!-~]{{1,{MAX_ID}}}")


class RecordClient(Protocol):
    """A client of the records' store: redis-py's synchronous one, or one with the same three methods."""

    def get(self, name: str, /) -> Any:
        """Return the text under *name*, as str or bytes; None if there is none or it has expired."""

    def set(self, name: str, value: str, /, *, ex: int | None, nx: bool, xx: bool) -> Any:
        """Keep *value* for *ex* seconds, with Redis' *nx* and *xx*; return a true value if it was kept."""

    def delete(self, name: str, /) -> Any:
        """Remove *name*; return a true value if it was there."""


class _Library(NamedTuple):
    """The form of the records that a library in Node writes."""

    lifetime_key: (
        str  # the key in the record's cookie member for the time that a session lives after each write
    )
    units_per_second: int  # of that time: 1000 for milliseconds
    endless: dict[str, None]  # the same members for a cookie that ends with the browser
    reserved: re.Pattern[str]  # keys that the library uses itself, so that a session's value would be lost


# express-session does not copy members that are named like its methods, or like those of every object.
_RESERVED = (
    "cookie|req|id|touch|resetMaxAge|save|reload|destroy|regenerate|constructor|hasOwnProperty|valueOf|"
    "isPrototypeOf|propertyIsEnumerable|to(Locale)?String|__proto__|__(define|lookup)[GS]etter__"
)
_ENDLESS = {"originalMaxAge": None, "expires": None}
_LIBRARIES = {
    "express": _Library("originalMaxAge", 1000, _ENDLESS, re.compile(_RESERVED)),
    "next-session": _Library("maxAge", 1, {}, re.compile("cookie|id|commit|touch|destroy")),
}


@final
class IdVault:
    """Shares sessions with a Node application on express-session or next-session; the option ``vault``.

    The records are plain JSON: whoever reads the store reads the sessions, and their ids. Called with the
    options it returns the `iron_wsgi.sessions.vault.Vault` that works under them.
    """

    _options: SessionOptions
    _codec: Codec

    def __init__(
        self,
        store: RecordClient,
        *,
        sign: str | Sequence[str] | tuple[Encode, Decode] | None = None,
        records: Literal["express", "next-session"] = "express",
        prefix: str = "sess:",
    ) -> None:
        """Keep sessions in *store*.

        Args:
            store: Where Node keeps them: a client of redis-py.
            sign: A secret, or several, of which the first signs and all are accepted, as by npm's
                ``cookie-signature``; or next-session's functions (encode, decode); or None, for plain ids.
            records: Whose records they are.
            prefix: What stands before the id in a record's key.

        Raises:
            ConfigError: An argument is unusable.
        """
        if records not in _LIBRARIES:
            _refuse(f"records must be 'express' or 'next-session', not {records!r}")
        if not all(callable(getattr(store, method, None)) for method in ("get", "set", "delete")):
            _refuse("store must be a client of redis-py, or an object with its methods get, set and delete")
        if not isinstance(prefix, str):
            _refuse("prefix must be a string")
        if sign is None and records == "express":
            _refuse("express-session accepts signed ids alone: give sign= the secret that it has")
        self._store = store
        self._library = _LIBRARIES[records]
        self._prefix = prefix
        self._encode, self._decode = id_codec(sign)

    def __call__(self, options: SessionOptions) -> IdVault:
        """Return the vault that works under *options*.

        Raises:
            ConfigError: An option does not fit this vault.
        """
        if options.store is not None or options.overflow != "raise" or options.accept:
            _refuse("an IdVault has a store and a format of its own: leave out store, overflow and accept")
        codec = Codec(options)
        if codec.encode({COOKIE: {}}, {}).replace(b" ", b"") != b'{"cookie":{}}':
            _refuse("an IdVault keeps JSON, which Node reads, and the serializer writes something else")
        vault = copy(self)
        vault._options, vault._codec = options, codec  # noqa: SLF001 - one of its own kind
        return vault

    # Reading.

    def load(self, value: str) -> State:
        """Read the record that an id names, and decide whether it is a session. See `Vault.load`."""
        options, at = self._options, now(self._options.clock)
        # 1. The id. The store never sees one without a good signature, or of impossible characters.
        sid = self._sid(value)
        # 2. The record. An id without a record is refused, and never given to a session.
        if (record := self._fetch(sid)) is None:
            raise Refused("lost")
        data, meta, cookie = self._read(record)
        # 3. The lifetime. Only the store knows the end: Node's touch does not change the record.
        written_until, age = _moment(cookie.get("expires")), cookie.get(self._library.lifetime_key)
        if isinstance(age, (int, float)) and 0 < age < MAX_SECONDS * self._library.units_per_second:
            meta["ttl"] = age / self._library.units_per_second
        issued_at = at if written_until is None else min(at, written_until - meta.get("ttl", options.ttl))
        issued_at = meta.get("iat", issued_at)
        if issued_at > at + options.skew:
            raise Refused("invalid")
        if at >= meta.get("exp", MAX_SECONDS) + options.skew:
            raise Refused("expired")
        if at >= issued_at + (options.absolute_timeout or MAX_SECONDS) + options.skew:
            raise Refused("too-old")
        # 4. The session. It is written again if its signature is an older one (unless every signature
        # differs), or if it lacks the time of issue: one that Node alone writes would never get too old.
        is_signed_otherwise = self._encode(sid) == self._encode(sid) != unquote(value)
        state = State(
            data=data,
            meta={**meta, "sid": sid},
            issued_at=issued_at,
            expires_at=max(written_until or at, at),
            is_new=False,
            is_outdated=is_signed_otherwise or (options.is_timed and "iat" not in meta),
        )
        self._remember(state, record)
        refuse_revoked(state, options)
        state.subject = options.subject_of(data)
        return state

    def peek(self, value: str) -> State:
        """Return a new session's state, because an id holds no data. See `Vault.peek`."""
        del value
        return State()

    def _sid(self, value: str) -> str:
        """Return the id in a cookie's value; raise Refused if there is none."""
        try:
            sid = self._decode(unquote(value)) if len(value) <= MAX_VALUE else None
        except Refused:
            raise
        except Exception:  # noqa: BLE001 - the application's function was given what a visitor sent
            sid = None
        if not isinstance(sid, str) or not _ID.fullmatch(sid):
            raise Refused("invalid")
        return sid

    def _fetch(self, sid: str) -> bytes | None:
        def question() -> bytes | None:
            try:
                found = self._store.get(self._prefix + sid)
            except UnicodeDecodeError:  # from a client that decodes answers
                raise Refused("invalid") from None
            if isinstance(found, str):
                return found.encode("utf-8", "surrogatepass")
            return None if found is None else bytes(found)

        return ask("store", question)

    def _read(self, record: bytes) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Return a record's data, stamps and cookie member; raise Refused if it is no record."""
        data, meta, _ = self._codec.decode(record)
        cookie = data.pop(COOKIE, None)
        if not isinstance(cookie, dict):
            raise Refused("invalid")
        return data, meta, cookie

    def _remember(self, state: State, record: bytes) -> None:
        state.stored = StoredSession(0, record)
        state.snapshot = self._codec.snapshot(record, foreign_key=COOKIE)

    # Writing.

    def dump(self, state: State, *, expires_at: float | None, cookie: Cookie) -> str:
        """Write the record, and return its id as the cookie holds it. See `Vault.dump`."""
        try:
            if not state.is_new:
                refuse_revoked(state, self._options)
        except Refused:
            raise Ended from None
        write = self._create if state.stored is None else self._replace
        write(state, expires_at, cookie)
        return self._value(state.sid)

    def preview(self, state: State, *, expires_at: float | None, cookie: Cookie) -> str:  # noqa: ARG002
        """Return what `dump` would return. See `Vault.preview`."""
        return self._value(state.sid or new_id(self._options.generate_id))

    def release(self, state: State) -> None:
        """Do nothing: a session has one record, which stays. See `Vault.release`."""

    def end(self, former: FormerSession) -> bool:
        """Revoke the id, if there is a list, then delete the record. See `Vault.end`."""
        was_alive = revoke(former, self._options)
        return self._delete(former.sid) and was_alive

    def _create(self, state: State, expires_at: float | None, cookie: Cookie) -> None:
        """Write the record of a session that has none."""
        record = self._record(state, _attributes(cookie.options), expires_at, cookie)
        state.stamp_id(self._options.generate_id)
        # An id that has a record belongs to another session.
        if not self._put(state.sid, record, expires_at, is_new=True):
            state.give_id(self._options.generate_id)
            if not self._put(state.sid, record, expires_at, is_new=True):
                _refuse("generate_id must return a new id each time, of printable ASCII without spaces")
        self._remember(state, record)

    def _replace(self, state: State, expires_at: float | None, cookie: Cookie) -> None:
        """Merge the changes into the record as it is now. A deleted record is not written again."""
        sid, stored = state.sid, state.stored
        try:
            present = self._fetch(sid) or b""
            theirs, _, attributes = self._read(present)
        except Refused:
            raise Ended from None
        if stored is not None and present != stored.plaintext:
            before = self._read(stored.plaintext)[0]
            merged = merge(before, state.data, theirs, is_same=self._codec.is_same)
            if merged.conflicts and self._options.on_conflict == "raise":
                raise SessionConflict(merged.conflicts)
            state.data.clear()  # in place, since the application may hold it
            state.data.update(merged.data)
            state.conflicts += merged.conflicts
            self._remember(state, present)  # also if the write fails: the data are merged already
        record = self._record(state, attributes, expires_at, cookie)
        if not self._put(sid, record, expires_at, is_new=False):
            raise Ended
        self._remember(state, record)

    def _record(
        self, state: State, attributes: dict[str, Any], expires_at: float | None, cookie: Cookie
    ) -> bytes:
        """Return the record of *state*, with *attributes* in its cookie member.

        Raises:
            PayloadError: It cannot be written, or Node would lose a part of it.
        """
        library, options, at = self._library, self._options, now(self._options.clock)
        for key in list(state.data):  # a thread of the application may be writing
            if library.reserved.fullmatch(str(key)):
                raise PayloadError(f"session.{key}", "is a name that Node's library takes; use another key")
        if options.is_timed:
            state.meta.setdefault("iat", round(state.issued_at, 3))
        stamps = {name: stamp for name, stamp in state.meta.items() if name not in STAMPED_ELSEWHERE}
        rest = {
            name: value for name, value in attributes.items() if name not in (library.lifetime_key, "expires")
        }
        expiry: dict[str, Any] = dict(library.endless)
        if cookie.max_age is not None or cookie.expires is not None:
            lifetime = FOREVER if expires_at is None else expires_at - at
            ttl = state.meta.get("ttl", options.ttl)
            if abs(lifetime - ttl) < 1:  # the engine computed expires_at a moment ago
                lifetime = ttl
            end = datetime.fromtimestamp(min(at + lifetime, MAX_SECONDS - 1), timezone.utc)
            text = end.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
            expiry = {library.lifetime_key: round(lifetime * library.units_per_second), "expires": text}
        return self._codec.encode({COOKIE: {**rest, **expiry}, **state.data}, stamps)

    def _put(self, sid: str, record: bytes, expires_at: float | None, *, is_new: bool) -> bool:
        if not _ID.fullmatch(sid):
            return False
        lifetime = None if expires_at is None else ceil(expires_at - now(self._options.clock))
        if lifetime is not None and lifetime <= 0:
            self._delete(sid)
            return True
        name, text = self._prefix + sid, record.decode()
        return bool(ask("store", lambda: self._store.set(name, text, ex=lifetime, nx=is_new, xx=not is_new)))

    def _delete(self, sid: str) -> bool:
        return bool(ask("store", lambda: self._store.delete(self._prefix + sid)))

    def _value(self, sid: str) -> str:
        return quote(self._encode(sid), safe="!'()*-._~")  # as JavaScript's encodeURIComponent


def _attributes(options: CookieOptions) -> dict[str, Any]:
    """Return the ``cookie`` member of a new record, without its lifetime."""
    samesite = options.samesite and options.samesite.lower()
    scope = {"path": options.path, "domain": options.domain, "sameSite": samesite}
    flags = {"httpOnly": options.httponly, "secure": options.secure, "partitioned": options.partitioned}
    return {name: value for name, value in {**scope, **flags}.items() if value is not None}


def _moment(text: object) -> float | None:
    """Return a moment that JavaScript's ``toISOString`` wrote as epoch seconds; None for any other value."""
    try:
        return epoch(datetime.fromisoformat(str(text).removesuffix("Z")))
    except (ValueError, OverflowError):
        return None


def _refuse(problem: str) -> NoReturn:
    raise ConfigError(problem)
