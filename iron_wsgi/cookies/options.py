"""The attributes of a session cookie, valid by construction."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, NoReturn, final

from iron_wsgi.errors import ConfigError
from iron_wsgi.times import MAX_SECONDS, epoch

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
