"""What a session holds, as its cookie holds it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, final

from .interface import interface


@final
class Entry(NamedTuple):
    """One key of a session.

    Attributes:
        key: Its name.
        json: Its value, as it is written before it is sealed.
        is_plain: JavaScript reads the same value; else one with Flask's tag for a type that only Python has.
    """

    key: str
    json: str
    is_plain: bool


def entries(session: Mapping[str, Any]) -> list[Entry]:
    """Return what *session* holds."""
    serializer = interface().serializer
    found = []
    for key, value in sorted(session.items()):
        read = json.loads(serializer.dumps(value))
        found.append(Entry(key, json.dumps(read, ensure_ascii=False), read == value))
    return found
