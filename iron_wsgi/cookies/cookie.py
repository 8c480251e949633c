"""One ``Set-Cookie`` line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import final

from werkzeug.http import dump_cookie, http_date

from .options import CookieOptions

MAX_COOKIE = 4096  # octets; browsers drop a longer name and value (RFC 6265bis 5.6), proxies a longer line
# What a seal, or a signed id, is made of: nothing that Werkzeug would quote.
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9*_.~!'()%-]*")

MAX_CHUNKS = 4  # iron-session 9 reads name.0 to name.3


@final
@dataclass(frozen=True, kw_only=True, repr=False)
class Cookie:
    """One ``Set-Cookie`` line to be.

    Attributes:
        name: The cookie's name.
        value: The seal, or a part of it; empty in a deletion.
        options: Attributes, but for the two that follow.
        max_age: Seconds, or None for no such attribute.
        expires: Epoch seconds, or None for no such attribute.
    """

    name: str
    value: str
    options: CookieOptions
    max_age: int | None = None
    expires: float | None = None
    _header: str | None = field(default=None, init=False, compare=False)

    @property
    def header(self) -> str:
        """The value of the ``Set-Cookie`` header, as Werkzeug's `dump_cookie` writes it."""
        header = self._header
        if header is None:  # written once, and read several times
            header = self._written()
            object.__setattr__(self, "_header", header)
        return header

    def _written(self) -> str:
        if not _PLAIN_VALUE.fullmatch(self.value):
            return _dumped(self.name, self.value, self.options, max_age=self.max_age, expires=self.expires)
        domain, flags = _fixed_parts(self.name, self.options)
        expires = "" if self.expires is None else f"; Expires={_http_date(int(round(self.expires, 6)))}"
        max_age = "" if self.max_age is None else f"; Max-Age={self.max_age}"
        return f"{self.name}={self.value}{domain}{expires}{max_age}{flags}"

    @property
    def is_deletion(self) -> bool:
        """Whether this tells the browser to forget the cookie."""
        return self.max_age == 0

    def __repr__(self) -> str:
        """Show the name and the size, not the value."""
        return f"<Cookie {self.name!r}, {len(self.value)} octets>"


def _dumped(
    name: str, value: str, options: CookieOptions, *, max_age: int | None, expires: float | None
) -> str:
    return dump_cookie(
        name,
        value,
        max_age=max_age,
        expires=expires,
        path=options.path,
        domain=options.domain,
        secure=options.secure,
        httponly=options.httponly,
        samesite=options.samesite,
        partitioned=options.partitioned,
        sync_expires=False,
        max_size=0,
    )


@lru_cache(maxsize=64)
def _fixed_parts(name: str, options: CookieOptions) -> tuple[str, str]:
    """Return what never changes of a cookie's lines: what stands before its lifetime, and after it."""
    before, _, after = _dumped(name, "", options, max_age=1, expires=None).partition("; Max-Age=1")
    return before.removeprefix(f"{name}="), after


_http_date = lru_cache(maxsize=64)(http_date)  # of whole seconds


def deletion(name: str, options: CookieOptions) -> Cookie:
    """Return the line that makes a browser forget *name*.

    It repeats every attribute: browsers ignore a deletion with another path or domain, or one of a
    ``__Host-`` name without Secure.
    """
    return Cookie(name=name, value="", options=options, max_age=0, expires=0)


def chunk_name(name: str, index: int) -> str:
    """Return the name of a chunk, as iron-session 9 counts them: ``name.0``, ``name.1``, ..."""
    return f"{name}.{index}"
