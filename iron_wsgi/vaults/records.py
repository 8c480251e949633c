"""Sessions in a store: encrypted, under hashed keys, and safe from parallel writers."""

from __future__ import annotations

from typing import Final, final

from iron_wsgi.errors import Ended, Refused, SessionConflict, Unavailable
from iron_wsgi.servers.ids import key_of, new_id, subject_key_of
from iron_wsgi.servers.outages import ask
from iron_wsgi.sessions.options import SessionOptions
from iron_wsgi.sessions.state import State, StoredSession
from iron_wsgi.stores.store import Record, Store
from iron_wsgi.times import milliseconds, now

from .codec import Codec, Decoded
from .merge import merge
from .record_cipher import RecordCipher

ATTEMPTS: Final = 64
"""How often a write is tried again because another request was faster."""

GRACE: Final = 60.0
"""Seconds that a record is kept for requests under way after its session went back into the cookie."""


@final
class Records:
    """The sessions of one store.

    The store gets a hash in place of the id, and data that are encrypted under a key of their own. So a dump
    of the store shows nothing, and nothing in it works as a cookie.
    """

    __slots__ = ("_cipher", "_codec", "_options", "_store")

    def __init__(self, store: Store, options: SessionOptions, codec: Codec) -> None:
        """Keep sessions in *store*.

        Raises:
            ConfigError: Records cannot be encrypted here; see `RecordCipher`.
        """
        self._store = store
        self._options = options
        self._codec = codec
        self._cipher = RecordCipher(options.password)

    def open(self, state: State, ref: str) -> None:
        """Fill *state* from the record that *ref* names.

        Raises:
            Refused: ``"lost"`` if there is no record: the session was ended, or the store has lost it.
                ``"invalid"`` or ``"unknown-password"`` if the record does not open.
            Unavailable: The store does not answer.
        """
        found = self._fetch(ref)
        if found is None:
            raise Refused("lost")
        stored, (state.data, state.meta, _) = found
        state.issued_at = state.meta.get("iat", state.issued_at)
        state.is_outdated = state.is_outdated or stored.is_outdated
        self._remember(state, stored)

    def write(self, state: State, *, expires_at: float | None) -> None:
        """Write the record that ``state.meta["ref"]`` names. A session without a record gets one.

        Changes that another request wrote meanwhile are merged into *state*.

        Raises:
            Ended: The record was deleted meanwhile. It is not written again.
            SessionConflict: Both changed the same keys, and the option ``on_conflict`` is ``"raise"``.
            PayloadError: The data cannot be written.
            Unavailable: The store does not answer, or too many requests write this session at once.
        """
        stored = state.stored
        if stored is None:
            self._give_reference(state)
        end = None if expires_at is None else expires_at + self._options.skew
        for _ in range(ATTEMPTS):
            key = key_of(state.meta["ref"])
            plaintext = self._codec.encode(state.data, state.meta)
            if stored is not None and plaintext == stored.plaintext and not stored.is_outdated:
                if not ask("store", lambda: self._store.touch(key, expires_at=end)):  # noqa: B023 - asked at once
                    raise Ended
                self._remember(state, stored)
                return
            record = self._record(state, key, plaintext, end, stored)
            if self._put(key, record, stored):
                self._remember(state, StoredSession(record.version, plaintext))
                return
            if stored is None and (state.has_new_id or self._options.storage == "cookie"):
                # The name belongs to another session, which must not be overwritten.
                self._give_reference(state, is_taken=True)
                continue
            found = self._refetch(state.meta["ref"])
            if found is not None:
                stored = self._merge(state, *found)
            elif stored is not None:
                raise Ended
        msg = "the session is being written by too many requests at once"
        raise Unavailable(msg)

    def release(self, state: State) -> None:
        """Let the record expire after `GRACE`: the session is in its cookie again."""
        ref = state.meta.pop("ref", None)
        if ref is not None:
            end = now(self._options.clock) + GRACE
            ask("store", lambda: self._store.touch(key_of(ref), expires_at=end))

    def delete(self, ref: str) -> bool:
        """Delete the record that *ref* names, and return whether there was one.

        Raises:
            Unavailable: The store does not answer.
        """
        return ask("store", lambda: self._store.delete(key_of(ref)))

    def _give_reference(self, state: State, *, is_taken: bool = False) -> None:
        """Name the record of *state* in ``state.meta["ref"]``.

        With ``storage="store"`` that is the session's id, and a new one if the id *is_taken*.
        """
        if self._options.storage != "store":
            # A name of its own for each stay in the store: an older record is never taken for the session.
            state.meta["ref"] = new_id(self._options.generate_id)
            return
        if is_taken:
            state.give_id(self._options.generate_id)
        state.meta["ref"] = state.meta["sid"]

    def _fetch(self, ref: str) -> tuple[StoredSession, Decoded] | None:
        key = key_of(ref)
        record = ask("store", lambda: self._store.load(key))
        if record is None:
            return None
        # A record that was moved here from another key does not open under this one.
        plaintext, is_outdated = self._cipher.decrypt(record.value, key)
        return StoredSession(record.version, plaintext, is_outdated), self._codec.decode(plaintext)

    def _refetch(self, ref: str) -> tuple[StoredSession, Decoded] | None:
        """Fetch what another request has just written, which must be merged and not overwritten."""
        try:
            return self._fetch(ref)
        except Refused as refused:
            msg = f"the session was written by somebody whose record cannot be read here: {refused.reason}"
        raise Unavailable(msg)

    def _put(self, key: str, record: Record, stored: StoredSession | None) -> bool:
        if stored is None:
            return ask("store", lambda: self._store.create(key, record))
        return ask("store", lambda: self._store.save(key, record, version=stored.version))

    def _record(
        self, state: State, key: str, plaintext: bytes, end: float | None, stored: StoredSession | None
    ) -> Record:
        at = now(self._options.clock)
        subject = self._options.subject_of(state.data)
        return Record(
            # Without an expiry: the reference has one, and `Store.touch` moves the record's own.
            value=self._cipher.encrypt(plaintext, key),
            # A time, so that a key that is used again begins with a higher version.
            version=milliseconds(at) if stored is None else stored.version + 1,
            subject="" if subject is None else subject_key_of(subject),
            created_at=state.issued_at,
            written_at=at,
            expires_at=end,
        )

    def _merge(self, state: State, present: StoredSession, theirs: Decoded) -> StoredSession:
        """Merge what another request wrote meanwhile into *state*, and return the record to replace."""
        if state.stored is not None:
            base = self._codec.decode(state.stored.plaintext)
        else:  # two requests moved the session out of its cookie
            base = Decoded(state.snapshot.data() if state.snapshot else {}, {})
        merged = merge(base.data, state.data, theirs.data, is_same=self._codec.is_same)
        if merged.conflicts and self._options.on_conflict == "raise":
            raise SessionConflict(merged.conflicts)
        state.data.clear()  # the same dict: frameworks hold it too
        state.data.update(merged.data)
        state.conflicts += merged.conflicts
        until = max(state.meta.get("until", 0), theirs.meta.get("until", 0))
        state.meta = merge(base.meta, state.meta, theirs.meta, is_same=self._codec.is_same).data
        if until:
            state.meta["until"] = until
        self._remember(state, present)
        return present

    def _remember(self, state: State, stored: StoredSession) -> None:
        state.stored = stored
        state.snapshot = self._codec.snapshot(stored.plaintext)
