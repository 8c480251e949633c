"""One ``Set-Cookie`` line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

from werkzeug.http import dump_cookie

from .options import CookieOptions

MAX_COOKIE = 4096  # octets; browsers drop a longer name and value (RFC 6265bis 5.6), proxies a longer line
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

    @cached_property
    def header(self) -> str:
        """The value of the ``Set-Cookie`` header."""
        options = self.options
        return dump_cookie(
            self.name,
            self.value,
            max_age=self.max_age,
            expires=self.expires,
            path=options.path,
            domain=options.domain,
            secure=options.secure,
            httponly=options.httponly,
            samesite=options.samesite,
            partitioned=options.partitioned,
            sync_expires=False,
            max_size=0,
        )

    @property
    def is_deletion(self) -> bool:
        """Whether this tells the browser to forget the cookie."""
        return self.max_age == 0

    def __repr__(self) -> str:
        """Show the name and the size, not the value."""
        return f"<Cookie {self.name!r}, {len(self.value)} octets>"


def deletion(name: str, options: CookieOptions) -> Cookie:
    """Return the line that makes a browser forget *name*.

    It repeats every attribute: browsers ignore a deletion of another scope, or of a ``__Host-`` name without
    Secure.
    """
    return Cookie(name=name, value="", options=options, max_age=0, expires=0)


def chunk_name(name: str, index: int) -> str:
    """Return the name of a chunk, as iron-session 9 counts them: ``name.0``, ``name.1``, ..."""
    return f"{name}.{index}"
