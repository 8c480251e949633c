"""The seal vault: one cookie value, and every check that decides whether it is trusted. No HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final
from urllib.parse import unquote

from iron_wsgi.cookies.cookie import MAX_COOKIE, Cookie
from iron_wsgi.errors import Ended, Refused, SealError
from iron_wsgi.seals import seal as fe26
from iron_wsgi.seals.sealer import password_for
from iron_wsgi.sessions.events import notices
from iron_wsgi.sessions.expiry import needs_new_id
from iron_wsgi.sessions.options import SessionOptions
from iron_wsgi.sessions.state import FormerSession, State
from iron_wsgi.times import now

from .codec import Codec
from .older_cookies import Reader, Readers, older_cookie_id
from .records import Records
from .revocation_check import refuse_revoked, revoke

MAX_VALUE = 16 * 1024  # characters of a cookie value; four chunks of 4096


@final
class SealVault:
    """The vault that seals sessions: the data, or a reference to their record in a store.

    Stamps are written under ``_iron`` beside the data, if a feature needs them.
    """

    __slots__ = (
        "_codec",
        "_list_was_asked",
        "_needs_expiry",
        "_options",
        "_readers",
        "_rechecks",
        "_records",
        "_reference_keys",
    )

    def __init__(
        self,
        options: SessionOptions,
        *,
        readers: Mapping[str, Reader] | None = None,
        reference_keys: Sequence[str] = (),
        rechecks: bool = False,
    ) -> None:
        """Seal and unseal under *options*.

        Args:
            options: The options.
            readers: Readers of older cookies, by the names that the option ``accept`` may enable.
            reference_keys: Keys of the data that a reference carries too, so that `peek` finds them.
            rechecks: Whether `dump` asks the list of revocations again, and raises `Ended` for a session
                that was revoked meanwhile. Without it `dump` writes a seal that `load` will refuse.

        Raises:
            ConfigError: ``accept`` names a cookie that has no reader here.
        """
        self._options = options
        self._readers = Readers(options.accept, readers or {})
        self._reference_keys = reference_keys
        self._rechecks = rechecks
        self._list_was_asked = options.revocations is None
        # Sessions that never end are accepted only where sessions never end.
        self._needs_expiry = options.ttl > 0 or options.absolute_timeout is not None
        self._codec = Codec(options)
        self._records = None if options.store is None else Records(options.store, options, self._codec)

    # Reading.

    def load(self, value: str) -> State:
        """Open a seal and decide whether it is a session. See `Vault.load`."""
        # 1. to 6. The checks that need no server.
        state = self.peek(value)
        # 7. The record, if the seal is a reference. Only an authentic seal comes this far.
        if "ref" in state.meta:
            self._fetch(state)
        elif self._options.storage == "store":
            state.is_outdated = True  # so that it moves into the store
        # 8. The list of revocations.
        if not state.mac and self._options.revocations is not None:
            # An older cookie has no id of its own. The list knows it by a hash of its contents.
            state.meta["was"] = older_cookie_id(state, self._codec)
        refuse_revoked(state, self._options)
        self._set_subject(state)
        return state

    def peek(self, value: str) -> State:
        """Open a seal, and ask no server. See `Vault.peek`."""
        options = self._options
        at = now(options.clock)

        # 1. The size, before any work on the text.
        if len(value) > MAX_VALUE:
            raise Refused("invalid")
        if "%" in value:  # some clients percent-encode '*'; jshttp/cookie, which the peers use, decodes it
            value = unquote(value)

        # 2. A value that does not begin as a seal may be an older cookie of the site. A seal never is.
        if self._readers and not value.startswith("Fe26."):
            return self._older(value, at)

        # 3. The parts, the prefix, the MAC, the seal's expiry, the decryption.
        fields = _parse(value)
        try:
            opened = fe26.unseal_at(
                fields,
                password_for(fields, options.password),
                now=at,
                skew=options.skew,
                iterations=options.iterations,
            )
        except SealError as error:
            raise Refused(error.reason, password_id=fields.password_id) from None

        # 4. An expiry, where sessions must have one.
        if opened.expires_at is None and self._needs_expiry:
            raise Refused("no-expiry", password_id=fields.password_id)

        # 5. The payload, its shape, the stamps.
        data, meta, is_legacy = self._codec.decode(opened.plaintext)
        state = State(
            data=data,
            meta=meta,
            mac=fields.mac,
            issued_at=self._issued_at(meta, opened.expires_at, at),
            expires_at=opened.expires_at,
            is_new=False,
            is_outdated=is_legacy
            or options.password.is_outdated(fields.password_id)
            or self._lacks_time_of_issue(meta),
            snapshot=self._codec.snapshot(opened.plaintext),
        )
        if state.issued_at > at + options.skew:
            raise Refused("invalid", password_id=fields.password_id)

        # 6. The absolute timeout, for seals made before it was set, or made in Node.
        if self._is_too_old(state, at):
            raise Refused("too-old", password_id=fields.password_id)
        return state

    def _set_subject(self, state: State) -> None:
        if self._options.has_server_state:
            state.subject = self._options.subject_of(state.data)

    def _lacks_time_of_issue(self, meta: dict[str, Any]) -> bool:
        """Tell whether a seal lacks the time of issue. Renewed by Node alone, it would never get too old."""
        return self._options.is_timed and "iat" not in meta

    def _fetch(self, state: State) -> None:
        carried = self._carried(state.data)
        if carried != state.data:
            notices.say(
                "beside a reference",
                self._options.cookie_name,
                "it refers to the store, but another writer added values; they are ignored. "
                "A session that is shared with JavaScript must stay in its cookie",
            )
        if self._records is None:
            raise Refused("lost")
        self._records.open(state, state.meta["ref"])
        state.is_outdated |= carried != self._carried(state.data)

    def _carried(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the data that a reference to the store carries."""
        return {key: data[key] for key in self._reference_keys if key in data}

    def _older(self, value: str, at: float) -> State:
        """Return the session of an older cookie, to be written back as a seal."""
        state = self._readers.read(value, at=at)
        if self._is_too_old(state, at):
            raise Refused("too-old")
        return state

    def _is_too_old(self, state: State, at: float) -> bool:
        timeout = self._options.absolute_timeout
        return timeout is not None and at >= state.issued_at + timeout + self._options.skew

    def _issued_at(self, meta: dict[str, Any], expires_at: float | None, at: float) -> float:
        """Return the time of issue. For a seal without a stamp it is the earliest that its expiry allows."""
        if "iat" in meta:
            issued_at: float = meta["iat"]
            return issued_at
        if expires_at is None:
            return at
        ttl: float = meta.get("ttl", self._options.ttl)
        return min(at, expires_at - ttl)

    # Writing.

    def dump(self, state: State, *, expires_at: float | None, cookie: Cookie | None = None) -> str:
        """Seal *state*, or write it into the store and seal a reference. See `Vault.dump`.

        An *expires_at* in the past makes a seal that every reader takes for expired.
        """
        # 1. A session that was revoked while the request ran is not written.
        if self._rechecks and not state.is_new:
            try:
                refuse_revoked(state, self._options)
            except Refused:
                raise Ended from None
        if not self._list_was_asked:
            self._ask_list_once(state)
        # 2. The stamps.
        self._stamp(state, expires_at)
        # 3. The cookie, if sessions are kept there and this one fits.
        if self._options.storage == "cookie":
            inline = {name: stamp for name, stamp in state.meta.items() if name != "ref"}
            plaintext = self._codec.encode(state.data, inline)
            value = self._seal(plaintext, expires_at)
            if self._options.overflow != "store" or _fits(value, cookie):
                state.snapshot = self._codec.snapshot(plaintext)
                state.stored = None
                return value
        # 4. The store, and a reference in the cookie.
        assert self._records is not None  # noqa: S101 - SessionOptions checks it
        self._records.write(state, expires_at=expires_at)
        return self._seal(self._reference(state.data, state.meta), expires_at)

    def preview(self, state: State, *, expires_at: float | None, cookie: Cookie | None = None) -> str:
        """Return a value as long as `dump` would return. See `Vault.preview`."""
        copy = State(
            meta=dict(state.meta), mac=state.mac, issued_at=state.issued_at, expires_at=state.expires_at
        )
        self._stamp(copy, expires_at)
        ref = copy.meta.pop("ref", copy.sid)
        if self._options.storage == "cookie":
            value = self._seal(self._codec.encode(state.data, copy.meta), expires_at)
            if self._options.overflow != "store" or _fits(value, cookie):
                return value
        return self._seal(self._reference(state.data, {**copy.meta, "ref": ref}), expires_at)

    def release(self, state: State) -> None:
        """Release the record of a session that is in its cookie again. See `Vault.release`."""
        if self._records is not None and state.stored is None:
            self._records.release(state)

    def end(self, former: FormerSession) -> bool:
        """Revoke the session's id and delete its record. See `Vault.end`.

        In this order: if the deletion fails, the id is revoked already.
        """
        was_alive = revoke(former, self._options)
        if self._records is not None and former.ref is not None:
            was_alive = self._records.delete(former.ref) and was_alive
        elif self._records is not None and self._options.storage == "store":
            self._records.delete(former.sid)  # a parallel request may have moved it out of its cookie
        return was_alive

    def _stamp(self, state: State, expires_at: float | None) -> None:
        """Give *state* the stamps that the options in use need."""
        options = self._options
        if options.has_server_state:
            state.stamp_id(options.generate_id)
        if options.has_server_state or options.absolute_timeout is not None:
            state.meta.setdefault("iat", round(state.issued_at, 3))
        if options.revocations is None or expires_at is None:
            return
        # Copies of older seals may live longer than the one that is written now.
        until = max(state.meta.get("until", 0), state.expires_at or 0)
        if until > expires_at:
            state.meta["until"] = round(until, 3)
        # A parallel request may write a seal that lives as long as any under this id.
        if needs_new_id(state, options, expires_at):
            state.meta["life"] = round(expires_at - now(options.clock))

    def _ask_list_once(self, state: State) -> None:
        """Ask the list once before the first session begins.

        An empty list treats its first question as the moment at which it lost its entries. It then refuses
        every session that began before.
        """
        try:
            refuse_revoked(state, self._options)
        except Refused as refused:
            if state.is_new and refused.reason == "lost":
                state.issued_at = now(self._options.clock)
                state.meta.pop("iat", None)
        self._list_was_asked = True

    def _reference(self, data: dict[str, Any], meta: dict[str, Any]) -> bytes:
        stamps = {name: meta[name] for name in ("sid", "iat", "ref")}
        return self._codec.encode(self._carried(data), stamps)

    def _seal(self, plaintext: bytes, expires_at: float | None) -> str:
        options = self._options
        at = now(options.clock)
        if expires_at is not None and expires_at <= at:
            expires_at = at - options.skew - 1
        value = fe26.seal_at(
            plaintext,
            options.password.sealing,
            password_id=options.password.sealing_id,
            expires_at=expires_at,
            iterations=options.iterations,
        )
        return value + fe26.VERSION_MARK


def _fits(value: str, cookie: Cookie | None) -> bool:
    return cookie is None or len(cookie.header) + len(value) <= MAX_COOKIE


def _parse(value: str) -> fe26.Fields:
    try:
        return fe26.parse(value)
    except SealError as error:
        raise Refused(error.reason) from None
