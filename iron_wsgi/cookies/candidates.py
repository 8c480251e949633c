"""Which of the cookies that came in may be the session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, final

from .jar import CookieJar

MAX_CANDIDATES: Final = 4
"""Values tried per request: tossed junk cannot sign a visitor out, nor cost much."""


@final
class Candidates(NamedTuple):
    """What came in.

    Attributes:
        values: The values to try.
        received_names: The names of the session's cookies.
        has_more: More values came than are tried.
    """

    values: list[str]
    received_names: tuple[str, ...]
    has_more: bool


def candidates(jar: CookieJar, name: str, chunk_names: Sequence[str]) -> Candidates:
    """Return what came in under the cookie's *name*, and in chunks of it."""
    whole = [value for value in jar.read(name) if value]
    received_names = [name] if whole else []
    chunks: list[str] = []
    for index, chunk in enumerate(chunk_names):
        values = jar.read(chunk)
        if values and (part := next(filter(None, values), "")):
            received_names.append(chunk)
            if len(chunks) == index:
                chunks.append(part)
    joined = ["".join(chunks)] if chunks else []
    distinct = list(dict.fromkeys(whole))
    room = MAX_CANDIDATES - len(joined)
    return Candidates([*distinct[:room], *joined], tuple(received_names), len(distinct) > room)
