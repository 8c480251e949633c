"""The request's ``Cookie`` header: the values of one name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from werkzeug.datastructures import MultiDict
from werkzeug.sansio.http import parse_cookie


@final
class CookieHeader:
    """The text of a ``Cookie`` header.

    Werkzeug's parser decides what it holds. A simple pair is read without it.

    Attributes:
        text: The header, one character for each octet.
    """

    __slots__ = ("_only", "_parsed", "text")

    def __init__(self, text: str) -> None:
        """Hold *text*, as WSGI gives it: one character for each octet."""
        self.text = text
        self._only: str | None = None
        self._parsed: MultiDict[str, str] | None = None

    def values(self, name: str) -> Sequence[str]:
        """Return every value sent under *name*, in the order of the header; empty if there is none."""
        # 1. A name that does not occur in the text has no value. Nor has a name that begins with another one,
        # as a chunk's does, where that other one occurs once and is a cookie of its own.
        only = self._only
        if (only is not None and only != name and name.startswith(only)) or name not in self.text:
            return ()
        # 2. A plain pair whose name occurs nowhere else has the value that stands there.
        if self._parsed is None:
            value = self._only_value(name)
            if value is not None:
                self._only = name
                return (value,)
            self._parsed = parse_cookie(self.text)
        # 3. For all else the parser decides.
        return self._parsed.getlist(name)

    def _only_value(self, name: str) -> str | None:
        """Return the value of the one plain pair of *name*; None if the parser must decide."""
        text = self.text
        start = text.find(name)
        after = start + len(name)
        # Quotes may hide a pair from a parser, however far before it they begin.
        if '"' in text or text.find(name, after) >= 0 or not text.startswith("=", after):
            return None
        if start and text[start - 1] != ";" and text[max(start - 2, 0) : start] != "; ":
            return None
        end = text.find(";", after)
        value = text[after + 1 :] if end < 0 else text[after + 1 : end]
        return None if " " in value or "\t" in value else value
