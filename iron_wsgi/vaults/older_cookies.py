"""Older cookies of a site, which the option ``accept`` reads once and writes back as seals."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, final

from iron_wsgi.errors import ConfigError, RefusalReason, Refused
from iron_wsgi.seals.payload import META_KEY
from iron_wsgi.sessions.state import State

from .codec import NEXT_IRON_SESSION, Codec

_READ_BY: Final = {
    "flask": "Flask",
    "signed_cookies": "Django",
    "db": "Django",
    "secret-key": "Flask and Django",
}


class Reader(Protocol):
    """Reads an older cookie of the site, so that the switch to seals keeps visitors signed in."""

    def read(self, value: str, /, *, at: float) -> State:
        """Return the session of an authentic *value*, at the time *at* (epoch seconds).

        Raises:
            Refused: It is not authentic, or has expired.
        """
        ...


@final
class Readers:
    """The readers that the option ``accept`` enables. False in a condition if there are none."""

    __slots__ = ("_readers",)

    def __init__(self, accept: Sequence[str], available: Mapping[str, Reader]) -> None:
        """Enable the readers that *accept* names.

        Raises:
            ConfigError: *accept* names a cookie that has no reader here.
        """
        # next-iron-session's cookies are seals, so `Codec` reads their payload and no reader is needed.
        enabled = [name for name in accept if name != NEXT_IRON_SESSION]
        for name in enabled:
            if name not in available:
                msg = f"accept: {name!r} is for {_READ_BY[name]}, and cannot be read here"
                raise ConfigError(msg)
        self._readers = [available[name] for name in enabled]

    def __bool__(self) -> bool:
        """Tell whether any is enabled."""
        return bool(self._readers)

    def read(self, value: str, *, at: float) -> State:
        """Return the session of the first reader that accepts *value*, marked to be written as a seal.

        Raises:
            Refused: No reader accepts it. The reason is that of the first reader.
        """
        reasons: list[RefusalReason] = []
        for reader in self._readers:
            try:
                state = reader.read(value, at=at)
            except Refused as refused:
                reasons.append(refused.reason)
                continue
            state.data.pop(META_KEY, None)
            state.is_new, state.is_outdated = False, True
            return state
        raise Refused(reasons[0])


def older_cookie_id(state: State, codec: Codec) -> str:
    """Return the id of an older cookie for a list of revocations: a hash of its contents."""
    content = f"{state.issued_at!r} ".encode() + codec.encode(state.data, {})
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()[:24]).decode()
