"""A session's payload: its data, and beside them its stamps under ``_iron``."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, final

from iron_wsgi.errors import PayloadError, Refused
from iron_wsgi.seals.payload import META_KEY
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

    __slots__ = ("_accepts_legacy", "_serializer")

    def __init__(self, options: SessionOptions) -> None:
        """Work under *options*."""
        self._serializer = options.serializer
        self._accepts_legacy = NEXT_IRON_SESSION in options.accept

    def encode(self, data: dict[str, Any], meta: dict[str, Any]) -> bytes:
        """Return the payload.

        Raises:
            PayloadError: The data cannot be written. Its message names the key, and no value.
        """
        if META_KEY in data:
            raise PayloadError(
                f"session.{META_KEY}", "is reserved for the session's own stamps; use another key"
            )
        # A copy: a thread of a streamed response may still hold the session.
        payload = {**data, META_KEY: dict(meta)} if meta else dict(data)
        try:
            return self._serializer.dumps(payload)
        except PayloadError:
            raise
        except (TypeError, ValueError, RecursionError) as error:
            problem = str(error)
        raise PayloadError(self._place_of_trouble(payload), f"cannot be written: {problem}")

    def values(self, values: dict[str, Any]) -> bytes:
        """Return values as they would be written, to compare them. Raises what the serializer raises."""
        return self._serializer.dumps(values)

    def is_same(self, one: object, other: object) -> bool:
        """Tell whether two values would be written alike."""
        if one is other:
            return True
        try:
            return self.values({"": one}) == self.values({"": other})
        except Exception:  # noqa: BLE001 - a serializer may raise anything
            return repr(one) == repr(other)

    def decode(self, plaintext: bytes) -> Decoded:
        """Return what a payload holds.

        Raises:
            Refused: It is not what it should be.
        """
        try:
            data = self._serializer.loads(plaintext)
        except Exception:  # noqa: BLE001 - a serializer may raise anything
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

    def _place_of_trouble(self, payload: dict[str, Any]) -> str:
        for key, value in payload.items():
            try:
                self._serializer.dumps({key: value})
            except (TypeError, ValueError, RecursionError):  # noqa: PERF203 - once, and it fails anyway
                return f"session.{key}"
        return "session"


def _is_legacy(data: dict[str, Any]) -> bool:
    """Tell iron-store's payload, by its authenticated shape and nothing else."""
    return data.keys() == {"persistent", "flash"} and all(isinstance(part, dict) for part in data.values())


def _check_stamps(meta: object) -> None:
    """Refuse stamps that are not what they should be: comparisons with them decide trust."""
    if not isinstance(meta, dict):
        raise Refused("invalid")
    for name, stamp in meta.items():
        if name in _IDS:
            is_sound = isinstance(stamp, str) and stamp.isascii() and 0 < len(stamp) <= MAX_ID
        elif name in _TIMES:
            is_number = isinstance(stamp, (int, float)) and not isinstance(stamp, bool)
            is_sound = is_number and 0 < stamp < MAX_SECONDS
        else:  # a later version's
            continue
        if not is_sound:
            raise Refused("invalid")
