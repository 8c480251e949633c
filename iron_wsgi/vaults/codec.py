"""The codec: a session's data, with its stamps under ``_iron``, as the octets of a payload and back."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, final

from iron_wsgi.errors import PayloadError, Refused
from iron_wsgi.seals.payload import META_KEY, StrictJSON
from iron_wsgi.servers.ids import MAX_ID
from iron_wsgi.sessions.options import SessionOptions
from iron_wsgi.sessions.state import FLASH_KEY
from iron_wsgi.times import MAX_SECONDS

NEXT_IRON_SESSION: Final = "next-iron-session"

_IDS: Final = frozenset({"sid", "ref", "was"})
_TIMES: Final = frozenset({"iat", "ttl", "exp", "until", "life"})


@final
class Decoded(NamedTuple):
    """What a payload holds.

    Attributes:
        data: The session's data.
        meta: Its stamps.
        is_legacy: The payload is next-iron-session's.
    """

    data: dict[str, Any]
    meta: dict[str, Any]
    is_legacy: bool = False

    def __repr__(self) -> str:
        """Show no content."""
        return "<Decoded>"


@final
class Codec:
    """Turns a session's data and stamps into octets and back, by the option ``serializer``."""

    __slots__ = ("_accepts_legacy", "_encode_unchecked", "_has_member", "_serializer")

    def __init__(self, options: SessionOptions) -> None:
        """Work under *options*."""
        serializer = options.serializer
        self._serializer = serializer
        # A comparison writes nothing, so it needs no strict checks.
        self._encode_unchecked = serializer.encode if type(serializer) is StrictJSON else serializer.dumps
        # Only a class's own method: one that inherits it may write values in another way.
        is_own = "has_member" in vars(type(serializer))
        self._has_member = getattr(serializer, "has_member", None) if is_own else None
        self._accepts_legacy = NEXT_IRON_SESSION in options.accept

    def encode(self, data: dict[str, Any], meta: dict[str, Any]) -> bytes:
        """Return the payload.

        Raises:
            PayloadError: The data cannot be written. The message names the key, never a value.
        """
        if META_KEY in data:
            raise PayloadError(
                f"session.{META_KEY}", "is reserved for the session's own stamps; use another key"
            )
        payload = _payload(data, meta)
        try:
            return self._serializer.dumps(payload)
        except PayloadError:
            raise
        except (TypeError, ValueError, RecursionError) as error:
            problem = str(error)
        raise PayloadError(self._failing_path(payload), f"cannot be written: {problem}")

    def snapshot(self, plaintext: bytes, *, foreign_key: str | None = None) -> PayloadSnapshot:
        """Return the snapshot that finds nested changes of the session in *plaintext*.

        Args:
            plaintext: The payload.
            foreign_key: A member of the payload that does not belong to the session's data; None without.
        """
        return PayloadSnapshot(self, plaintext, foreign_key)

    def is_written_as(self, data: dict[str, Any], meta: dict[str, Any], plaintext: bytes) -> bool:
        """Tell whether data and stamps would be written as *plaintext*. Serializers may raise any error."""
        return self._encode_unchecked(_payload(data, meta)) == plaintext

    def has_members(self, plaintext: bytes, data: dict[str, Any], keys: list[str]) -> bool:
        """Return True if *plaintext* surely holds these dicts and lists unchanged. False means unknown."""
        has_member = self._has_member
        return has_member is not None and all(has_member(plaintext, key, data[key]) for key in keys)

    def is_same(self, one: object, other: object) -> bool:
        """Tell whether two values would be written alike."""
        if one is other:
            return True
        try:
            # Text tells True from 1 and 1 from 1.0, which == does not.
            return self._encode_unchecked({"": one}) == self._encode_unchecked({"": other})
        except Exception:  # noqa: BLE001 - a serializer may raise any error, as for values that only Node writes
            return repr(one) == repr(other)

    def decode(self, plaintext: bytes) -> Decoded:
        """Return what a payload holds.

        Raises:
            Refused: ``"invalid"``: it cannot be decoded, is no mapping, or has unsound stamps.
        """
        try:
            data = self._serializer.loads(plaintext)
        except Exception:  # noqa: BLE001 - a serializer may raise any error
            raise Refused("invalid") from None
        if data is None:
            data = {}
        if not isinstance(data, dict):
            raise Refused("invalid")
        if self._accepts_legacy and _is_legacy(data):
            flashes = {FLASH_KEY: data["flash"]} if data["flash"] else {}
            data["persistent"].pop(META_KEY, None)
            return Decoded({**data["persistent"], **flashes}, {}, is_legacy=True)
        if META_KEY not in data:
            return Decoded(data, {})
        meta = data.pop(META_KEY)
        _check_stamps(meta)
        return Decoded(data, meta)

    def _failing_path(self, payload: dict[str, Any]) -> str:
        for key, value in payload.items():
            try:
                self._serializer.dumps({key: value})
            except (TypeError, ValueError, RecursionError):  # noqa: PERF203 - once, and it fails anyway
                return f"session.{key}"
        return "session"


@final
class PayloadSnapshot:
    """A session's payload as it came in, or was last written. Implements `Snapshot`."""

    __slots__ = ("_codec", "_foreign_key", "_plaintext")

    def __init__(self, codec: Codec, plaintext: bytes, foreign_key: str | None) -> None:
        """Hold *plaintext*, which *codec* decodes. *foreign_key* does not belong to the session's data."""
        self._codec = codec
        self._plaintext = plaintext
        self._foreign_key = foreign_key

    def data(self) -> dict[str, Any]:
        """Return the data, decoded anew."""
        data = self._codec.decode(self._plaintext).data
        if self._foreign_key is not None:
            del data[self._foreign_key]
        return data

    def is_same(self, data: dict[str, Any], meta: dict[str, Any], *, keys: list[str], is_all: bool) -> bool:
        """Compare the values of *keys*. See `Snapshot.is_same`."""
        # 1. One encoding, compared with the text that came in: enough for nearly every session.
        try:
            if not is_all and self._codec.has_members(self._plaintext, data, keys):
                return True
            if self._codec.is_written_as(data, meta, self._plaintext):
                return True
        except Exception:  # noqa: BLE001, S110 - a serializer may raise any error, as for values that only Node writes
            pass
        # 2. Value by value: another writer may order or spell things in another way, and stamps may be new.
        before = self.data()
        return all(key in before and self._codec.is_same(data[key], before[key]) for key in keys)

    def __repr__(self) -> str:
        """Show no content."""
        return "<PayloadSnapshot>"


def _payload(data: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    # A copy: a thread of a streamed response may still hold the session.
    return {**data, META_KEY: dict(meta)} if meta else dict(data)


def _is_legacy(data: dict[str, Any]) -> bool:
    """Tell whether this is iron-store's payload, by the shape of the authentic data alone."""
    return data.keys() == {"persistent", "flash"} and all(isinstance(part, dict) for part in data.values())


def _check_stamps(meta: object) -> None:
    """Refuse stamps of a wrong type or range: they are compared with times and ids."""
    if not isinstance(meta, dict):
        raise Refused("invalid")
    for name, stamp in meta.items():
        if name in _IDS:
            is_sound = isinstance(stamp, str) and stamp.isascii() and 0 < len(stamp) <= MAX_ID
        elif name in _TIMES:
            is_number = isinstance(stamp, (int, float)) and not isinstance(stamp, bool)
            is_sound = is_number and 0 < stamp < MAX_SECONDS
        else:  # a later version of this library wrote it
            continue
        if not is_sound:
            raise Refused("invalid")
