"""All options of a session, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, get_args

from iron_wsgi.cookies.options import CookieOptions
from iron_wsgi.seals.payload import StrictJSON
from iron_wsgi.times import DEFAULT_TTL, seconds

from . import parsers

Overflow = Literal["raise", "chunk", "store"]
Storage = Literal["cookie", "store"]
Legacy = Literal["next-iron-session", "flask", "signed_cookies", "db", "secret-key"]
OnOutage = Literal["refuse", "accept"]
OnConflict = Literal["merge", "raise"]
Subject = str | Callable[[Mapping[str, Any]], Any]
"""The option ``subject``: a key of the session's data, or a function of the data."""


class Option(NamedTuple):
    """One row of the table.

    Attributes:
        name: The keyword argument; also the attribute of `SessionOptions`.
        parse: Checks a value and returns it as it is kept; raises ConfigError.
        default: The value if none is given; `REQUIRED` if one must be given.
        help: What visitors, or the site's owner, notice of the option.
    """

    name: str
    parse: Callable[[Any, str], Any]
    default: Any
    help: str


REQUIRED: Any = object()


OPTIONS: tuple[Option, ...] = (
    Option(
        "password",
        parsers.as_given,
        REQUIRED,
        "The secret that seals sessions. Change it without ids and everybody is signed out.",
    ),
    Option(
        "seal_with",
        parsers.as_given,
        None,
        "The password id that seals, when it is not the newest; for rolling deployments.",
    ),
    Option(
        "cookie_name",
        parsers.as_given,
        REQUIRED,
        "The session cookie's name. A name that begins with __Host- keeps subdomains from setting it.",
    ),
    Option(
        "ttl",
        seconds,
        DEFAULT_TTL,
        "Seconds a session lives after it was last written, or used where refresh_after is set. 0: "
        "no expiry.",
    ),
    Option(
        "absolute_timeout",
        parsers.timeout,
        None,
        "Seconds after which a session ends however much it is used.",
    ),
    Option(
        "refresh_after",
        parsers.optional_seconds,
        None,
        "A session that is used gets a new ttl once this many seconds have passed. 0: at every "
        "request that uses it. None: only when written.",
    ),
    Option(
        "cookie_options",
        parsers.cookie_options,
        CookieOptions(),
        "The cookie's attributes: secure, httponly, samesite, path, domain, max_age, expires, partitioned.",
    ),
    Option(
        "overflow",
        parsers.one_of("raise", "chunk", "store"),
        "raise",
        "What happens to a session larger than one cookie: an error, several cookies, or the store keeps it.",
    ),
    Option(
        "max_chunks",
        parsers.chunks,
        2,
        "How many cookies a session may be cut into, at most 4. Proxies commonly refuse more than 8 "
        "KB of them.",
    ),
    Option(
        "storage",
        parsers.one_of("cookie", "store"),
        "cookie",
        "Where sessions are: each in its cookie, or all in the store, with a sealed reference in the cookie.",
    ),
    Option(
        "store",
        parsers.store,
        None,
        "Where sessions are with storage='store' or overflow='store': a Store, or a URL (redis://host).",
    ),
    Option(
        "revocations",
        parsers.revocations,
        None,
        "Which sessions are over though their cookies would still open: a list, or a URL as for store. "
        "With it, signing out ends every copy of the cookie.",
    ),
    Option(
        "subject",
        parsers.subject,
        None,
        "Whose a session is: a key of its data, or a function of them. For lists of somebody's sessions, and "
        "to end them all.",
    ),
    Option(
        "vault",
        parsers.function,
        None,
        "What turns cookies into sessions in place of seals: an IdVault, for express-session, next-session.",
    ),
    Option(
        "on_outage",
        parsers.one_of("refuse", "accept"),
        "refuse",
        "When the list of revocations does not answer: 503, or sessions are accepted unchecked, which lets "
        "revoked ones in. A store that does not answer is 503 always.",
    ),
    Option(
        "on_conflict",
        parsers.one_of("merge", "raise"),
        "merge",
        "When two requests changed one key of a session in the store: the last wins, counted, or an error.",
    ),
    Option(
        "accept",
        parsers.some_of(*get_args(Legacy)),
        (),
        "Older cookies that are read once and written back as seals, so that a switch signs nobody out.",
    ),
    Option(
        "auto_commit",
        parsers.flag,
        True,
        "Whether a changed session is saved by itself at the end of the request.",
    ),
    Option(
        "save_on_error",
        parsers.flag,
        False,
        "Whether changes are saved when the response is an error of the server (5xx).",
    ),
    Option(
        "serializer",
        parsers.has("dumps", "loads"),
        StrictJSON(),
        "What turns the session into bytes. The default is JSON that JavaScript reads back equal.",
    ),
    Option(
        "skew",
        seconds,
        60.0,
        "Seconds a seal is accepted after its expiry, for servers whose clocks differ.",
    ),
    Option(
        "iterations",
        parsers.rounds,
        1,
        "PBKDF2 rounds of the seal. iron-session uses 1; more only costs time, since the password is a key.",
    ),
    Option(
        "generate_id",
        parsers.id_source,
        None,
        "Returns a new session id. The default has 256 bits from the operating system.",
    ),
    Option(
        "environ_key",
        parsers.text,
        "iron_wsgi.session",
        "Where the middleware puts the session into the WSGI environ.",
    ),
    Option(
        "on_event",
        parsers.function,
        None,
        "Called with an Event when a session begins, is renewed, ends or is refused, or a change is lost.",
    ),
    Option(
        "clock",
        parsers.function,
        None,
        "Returns epoch seconds; time.time if None.",
    ),
)
