"""Cookies as values, valid by construction, and the jar they travel in."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol, final

from werkzeug.http import dump_cookie

from .errors import ConfigError
from .times import MAX_SECONDS, epoch

if TYPE_CHECKING:
    from .outcome import Outcome

MAX_COOKIE = 4096  # octets; browsers drop a longer name and value (RFC 6265bis 5.6), proxies a longer line
MAX_CHUNKS = 4  # iron-session 9 reads name.0 to name.3
MAX_ATTRIBUTE = 1024  # octets; browsers drop a longer one, which would widen the scope (RFC 6265bis 5.6)

SameSite = Literal["Lax", "Strict", "None"]

# Printable ASCII without the characters that end or split a name. Wider than RFC 9110's token by '/', ':' and
# the like, which browsers and every peer but jshttp/cookie 0.7 accept.
_NAME = re.compile(r"[!#-+\--:<>-\[\]-~]+")
_PATH = re.compile(r"/[A-Za-z0-9_.\-~%!$&'()*+,/:=@]*")  # what stands in a path unquoted (RFC 3986 3.3)
_DOMAIN = re.compile(
    r"\.?(?:[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_REFUSED_ATTRIBUTES = {
    "encode": "a seal needs no encoding, and any would make the cookie unreadable to iron-session",
    "priority": "it is not a standard attribute, and only one family of browsers knows it",
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CookieOptions:
    """The attributes of the session cookie, checked when they are given (RFC 6265bis 4.1).

    Attributes:
        secure: Send over https only. Some browsers make an exception for http://localhost.
        httponly: Keep the cookie from JavaScript.
        samesite: ``"Lax"``, ``"Strict"``, ``"None"`` in any case, or None to send no such attribute.
        path: The path below which the cookie is sent.
        domain: A domain whose subdomains get the cookie too; None for this host alone.
        max_age: Seconds the browser keeps the cookie; ``"ttl"`` follows the session's lifetime; None makes a
            browser-session cookie, whose seal expires all the same.
        expires: Epoch seconds, or a datetime, at which the browser drops the cookie, instead of a max_age.
        partitioned: Keep a separate cookie per top-level site (CHIPS). Needs ``secure``.
    """

    secure: bool = True
    httponly: bool = True
    samesite: SameSite | None = "Lax"
    path: str = "/"
    domain: str | None = None
    max_age: int | Literal["ttl"] | None = "ttl"
    expires: float | None = None
    partitioned: bool = False

    def __post_init__(self) -> None:
        """Refuse what a browser would drop or misread."""
        for flag in ("secure", "httponly", "partitioned"):
            if not isinstance(getattr(self, flag), bool):
                _refuse(flag, "must be True or False")
        if not isinstance(self.path, str) or not _PATH.fullmatch(self.path) or len(self.path) > MAX_ATTRIBUTE:
            _refuse(
                "path",
                "must begin with '/' and hold only what a URL's path may, 1024 octets at most",
            )
        if self.domain is not None:
            _check_domain(self.domain)
        samesite = self.samesite
        if samesite is not None:
            if not isinstance(samesite, str) or samesite.title() not in ("Lax", "Strict", "None"):
                _refuse("samesite", "must be 'Lax', 'Strict', 'None' or None")
            object.__setattr__(self, "samesite", samesite.title())
        if not self.secure and (self.samesite == "None" or self.partitioned):
            _refuse(
                "partitioned" if self.partitioned else "samesite",
                "needs secure=True; browsers drop it otherwise",
            )
        age = self.max_age
        if age not in ("ttl", None) and (isinstance(age, bool) or not isinstance(age, int) or age <= 0):
            _refuse("max_age", "must be a positive number of seconds, 'ttl' or None")
        object.__setattr__(self, "expires", _epoch(self.expires))

    @classmethod
    def parse(cls, attributes: Mapping[str, Any] | CookieOptions) -> CookieOptions:
        """Return the options that a mapping spells out.

        Raises:
            ConfigError: An attribute is unknown, spelt as in JavaScript, or has an impossible value.
        """
        if isinstance(attributes, CookieOptions):
            return attributes
        if not isinstance(attributes, Mapping):
            msg = f"cookie_options must be a mapping, not {type(attributes).__name__}"
            raise ConfigError(msg)
        known = [field.name for field in fields(cls)]
        for name in attributes:
            if name in _REFUSED_ATTRIBUTES:
                _refuse(name, f"cannot be set: {_REFUSED_ATTRIBUTES[name]}")
            if name not in known:
                _refuse(str(name), did_you_mean(str(name), known))
        return cls(**attributes)

    def check_name(self, name: str) -> None:
        """Check that a cookie of this *name* may carry these attributes (RFC 6265bis 4.1.3).

        Browsers compare the prefixes without regard to case, so this does too.

        Raises:
            ConfigError: The name is no cookie name, or its prefix demands other attributes.
        """
        if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > MAX_ATTRIBUTE:
            msg = "a cookie name is printable ASCII without spaces, quotes, '=', ';', ',' and '\\'"
            raise ConfigError(msg)
        lower = name.lower()
        if lower.startswith(("__secure-", "__host-", "__http-")) and not self.secure:
            _refuse_prefix(name, "secure=True")
        if lower.startswith(("__http-", "__host-http-")) and not self.httponly:
            _refuse_prefix(name, "httponly=True")
        if lower.startswith("__host-") and (self.path != "/" or self.domain is not None):
            _refuse_prefix(name, "path='/' and no domain")


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return the end of a sentence about an unknown *name*: the right spelling, where one is close."""
    snake = re.sub(r"(?<=[a-z])[A-Z]", lambda capital: "_" + capital[0], name).lower()
    for guess in (snake, snake.replace("_", ""), *difflib.get_close_matches(snake, known, n=1)):
        if guess in known:
            return f"is not an option; write {guess}"
    return f"is not an option; there are {', '.join(known)}"


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


class CookieJar(Protocol):
    """One HTTP exchange as the sessions see it: what came in, and what goes out."""

    def read(self, name: str, /) -> Sequence[str]:
        """Return every value sent under *name*, in the order of the header; empty if there is none."""
        ...

    def send(self, outcome: Outcome, /) -> None:
        """Put *outcome* on the response, in place of an earlier one of the same session.

        Raises:
            HeadersAlreadySent: It would be lost.
        """
        ...


def _check_domain(domain: object) -> None:
    if (
        not isinstance(domain, str)
        or not domain.isascii()
        or len(domain) > MAX_ATTRIBUTE
        or not _DOMAIN.fullmatch(domain)
    ):
        _refuse("domain", "must be a host name; write an international one in its xn-- form")


def _epoch(moment: object) -> float | None:
    if isinstance(moment, datetime):
        moment = epoch(moment)
    if moment is None:
        return None
    if isinstance(moment, bool) or not isinstance(moment, (int, float)) or not 0 < moment < MAX_SECONDS:
        _refuse("expires", "must be a datetime or epoch seconds")
    return moment


def _refuse(attribute: str, problem: str) -> NoReturn:
    msg = f"cookie_options: {attribute} {problem}"
    raise ConfigError(msg)


def _refuse_prefix(name: str, demand: str) -> NoReturn:
    msg = f"a cookie named {name!r} needs {demand}; browsers drop it otherwise"
    raise ConfigError(msg)
