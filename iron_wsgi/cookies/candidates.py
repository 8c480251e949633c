"""Candidates: the cookies of a request that may be the session."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Final, NamedTuple, final

from .jar import CookieJar

MAX_CANDIDATES: Final = 4
"""Values tried per request. So planted cookies cost little; the engine keeps the cookie if more came."""


@final
class Candidates(NamedTuple):
    """The session's cookies on a request.

    Attributes:
        values: The values to try.
        received_names: The names of the session's cookies.
        has_more: More values came than are tried.
    """

    values: list[str]
    received_names: tuple[str, ...]
    has_more: bool

    def __repr__(self) -> str:
        """Show no value."""
        return f"<Candidates {self.received_names}>"


def candidates(jar: CookieJar, name: str, chunk_names: Sequence[str]) -> Candidates:
    """Return what came in under the cookie's *name*, and in chunks of it."""
    read = jar.read
    whole = [value for value in dict.fromkeys(read(name)) if value]
    chunks = {chunk: values for chunk in chunk_names if (values := read(chunk)) and any(values)}
    received_names = (name, *chunks) if whole else tuple(chunks)
    joined = _joined(chunks, chunk_names) if chunks else []
    room = MAX_CANDIDATES - len(joined)
    return Candidates([*whole[:room], *joined], received_names, len(whole) > room)


def _joined(chunks: dict[str, Sequence[str]], chunk_names: Sequence[str]) -> list[str]:
    """Return the value that the chunks make together, up to the first that is missing."""
    found = takewhile(bool, (next(filter(None, chunks.get(name, ())), "") for name in chunk_names))
    value = "".join(found)
    return [value] if value else []
