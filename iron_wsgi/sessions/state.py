"""The state of one session during one request, which vault, engine and adapters share."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from iron_wsgi.cookies.outcome import Outcome
from iron_wsgi.errors import RefusalReason
from iron_wsgi.servers.ids import new_id

FLASH_KEY = "_flash"
"""The member of the data that holds flash values."""


class StoredSession(NamedTuple):
    """A session's record in a store, as it was read or last written.

    Attributes:
        version: The record's version, which `iron_wsgi.stores.Store.save` compares.
        plaintext: The payload.
        is_outdated: The record is encrypted under an older password.
    """

    version: int
    plaintext: bytes
    is_outdated: bool = False

    def __repr__(self) -> str:
        """Show no content."""
        return f"<StoredSession, version {self.version}>"


class FormerSession(NamedTuple):
    """What a session was before it was regenerated or ended.

    Attributes:
        sid: Its id.
        ref: The name of its record; None if it has none.
        until: Epoch seconds at which its last copy expires; None for never.
        subject: Its subject; None for an anonymous visitor.
        issued_at: Epoch seconds at which it began, if the new session may be written only while nobody has
            ended this one; else None.
    """

    sid: str
    ref: str | None
    until: float | None
    subject: str | None = None
    issued_at: float | None = None

    def __repr__(self) -> str:
        """Show no id."""
        return f"<FormerSession, until {self.until}>"


_IMMUTABLE = frozenset({str, int, float, bool, bytes, type(None)})


class Snapshot(Protocol):
    """A session's data as they came in, or were last written. Nested changes differ from them."""

    def data(self) -> dict[str, Any]:
        """Return the data, decoded anew."""
        ...

    def is_same(
        self, data: dict[str, Any], meta: dict[str, Any], /, *, keys: list[str], is_all: bool
    ) -> bool:
        """Tell whether the values of *keys* would be written as the snapshot has them.

        Args:
            data: The session's data as they are now.
            meta: Its stamps as they are now.
            keys: The keys of *data* whose values may have changed in place.
            is_all: Any other key may have been added to *data* as well.
        """
        ...


@dataclass(slots=True)
class State:
    """One session during one request.

    Attributes:
        data: The session's data, without metadata.
        meta: The members of ``_iron``: ``sid``, ``iat``, ``ttl``, ``exp``, ``ref`` (the name of the record),
            ``until`` (when the last of the copies that outlive this one expires), ``life`` (seconds that
            copies may live, where that is more than the ttl), ``was`` (the id that the list of revocations
            has for the older cookie that the session came from), and members of later versions.
        subject: The subject when the session came in, or was last written; None for an anonymous visitor.
        mac: The MAC of the seal that came in, base64url; empty where none came.
        issued_at: Epoch seconds at which the session began; never moved by a later write.
        expires_at: Epoch seconds at which the seal that came in, or was last written, expires; None for
            never.
        is_new: No cookie came in that could be trusted.
        accessed: The response depends on the session.
        modified: The session must be written.
        destroyed: The session was destroyed; nothing brings it back in this request.
        is_ended: Another request ended the session while this one ran.
        refused: The reason why a cookie was refused; None if none was.
        keep_cookie: The refused cookie is not deleted, because another server may be able to read it.
        is_outdated: The session must be written again: it was touched, or its seal has an older password or
            format.
        received_names: The names of the session's cookies on the request, chunks among them.
        snapshot: The data as they came in, or were last written; None where there is nothing to compare with.
        exposed: Keys whose values the application may have changed in place; None if that is not tracked.
        stored: The session's record; None if it has none.
        has_new_id: The id was made in this request and not written yet, so no visitor has it.
        duplicates: The other sessions that came in, by duplicate cookies of other paths or domains.
        former: The sessions that the next successful write ends.
        conflicts: Top-level keys that a parallel request had changed too, and whose values the last write
            overwrote.
        saved: The outcome of the last save, commit or destroy in this exchange.
    """

    data: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    subject: str | None = None
    mac: bytes = b""
    issued_at: float = 0.0
    expires_at: float | None = None
    is_new: bool = True
    accessed: bool = False
    modified: bool = False
    destroyed: bool = False
    is_ended: bool = False
    refused: RefusalReason | None = None
    keep_cookie: bool = False
    is_outdated: bool = False
    received_names: tuple[str, ...] = ()
    snapshot: Snapshot | None = None
    exposed: set[str] | None = None
    stored: StoredSession | None = None
    has_new_id: bool = False
    duplicates: list[State] = field(default_factory=list)
    former: list[FormerSession] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    saved: Outcome | None = None

    @property
    def sid(self) -> str:
        """The session's id: the stamped one, or one from the seal's MAC; empty until a new session needs one.

        It is a hash of the MAC's octets. 32 characters fit where Django's applications keep a session's key.
        """
        stamped: str = self.meta.get("sid", "")
        if stamped or not self.mac:
            return stamped
        octets = base64.urlsafe_b64decode(self.mac + b"=")
        return base64.urlsafe_b64encode(hashlib.sha256(octets).digest()[:24]).decode()

    def give_id(self, generate_id: Callable[[], str]) -> None:
        """Stamp a new id."""
        self.meta["sid"] = new_id(generate_id)
        self.has_new_id = True

    def stamp_id(self, generate_id: Callable[[], str]) -> None:
        """Stamp the id that the session has, or a new one."""
        if "sid" not in self.meta and self.sid:
            self.meta["sid"] = self.sid
        elif "sid" not in self.meta:
            self.give_id(generate_id)

    def is_changed(self) -> bool:
        """Tell whether the data, nested values too, differ from those that came in or were last written."""
        is_tracked = self.exposed is not None
        if self.modified or self.snapshot is None or (is_tracked and not self.exposed):
            return self.modified
        data = dict(self.data)  # a copy: a thread of a streamed response may still write
        exposed = data if self.exposed is None else list(self.exposed)
        keys = [key for key in exposed if key in data and type(data[key]) not in _IMMUTABLE]
        return bool(keys) and not self.snapshot.is_same(data, self.meta, keys=keys, is_all=not is_tracked)

    def settle(self) -> bool:
        """Decide for good whether the data were changed; later changes in place are not noticed."""
        self.modified = self.is_changed()
        if self.exposed is not None:
            self.exposed.clear()
        return self.modified

    def __repr__(self) -> str:
        """Show keys and flags, no values."""
        flags = ("is_new", "accessed", "modified", "destroyed")
        shown = " ".join(flag for flag in flags if getattr(self, flag))
        return f"<State {sorted(map(str, self.data))} {shown}>"
