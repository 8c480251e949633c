"""All options of a session, in one table."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, TypedDict, final, get_args

from .cookies import MAX_CHUNKS, CookieOptions, did_you_mean
from .errors import ConfigError, opaque
from .events import EventHook
from .keys import check_iterations
from .passwords import Password, Passwords
from .payload import Serializer, StrictJSON
from .sealer import DEFAULT_TTL, Clock, seconds

if TYPE_CHECKING:
    from typing_extensions import Unpack

Overflow = Literal["raise", "chunk"]
Legacy = Literal["next-iron-session", "flask", "signed_cookies", "db", "secret-key"]


class Options(TypedDict, total=False):
    """The keyword arguments that everything which makes sessions takes. `OPTIONS` explains each."""

    password: Password
    seal_with: int | None
    cookie_name: str
    ttl: float | timedelta
    absolute_timeout: float | timedelta | None
    refresh_after: float | timedelta | None
    cookie_options: Mapping[str, Any] | CookieOptions
    overflow: Overflow
    max_chunks: int
    accept: tuple[Legacy, ...]
    auto_commit: bool
    save_on_error: bool
    serializer: Serializer
    skew: float | timedelta
    iterations: int
    generate_id: Callable[[], str] | None
    environ_key: str
    on_event: EventHook | None
    clock: Clock | None


class Option(NamedTuple):
    """One row of the table.

    Attributes:
        name: The keyword argument; also the attribute of `SessionOptions`.
        parse: Turns what was given into what is kept; raises ConfigError.
        default: What holds when it is not given; `REQUIRED` if it must be.
        help: What the site's visitor, or its owner, notices.
    """

    name: str
    parse: Callable[[Any, str], Any]
    default: Any
    help: str


REQUIRED: Any = object()


@final
@dataclass(frozen=True, slots=True, init=False, repr=False, eq=False)
class SessionOptions:
    """Checked, immutable options; make them once and share them."""

    password: Passwords
    seal_with: int | None
    cookie_name: str
    ttl: float
    absolute_timeout: float | None
    refresh_after: float | None
    cookie_options: CookieOptions
    overflow: Overflow
    max_chunks: int
    accept: tuple[Legacy, ...]
    auto_commit: bool
    save_on_error: bool
    serializer: Serializer
    skew: float
    iterations: int
    generate_id: Callable[[], str]
    environ_key: str
    on_event: EventHook | None
    clock: Clock | None

    @opaque
    def __init__(self, **options: Unpack[Options]) -> None:
        """Check *options*.

        Raises:
            ConfigError: One is unknown, missing, or has an impossible value.
        """
        given: dict[str, Any] = dict(options)
        for name in given:
            if name not in _NAMES:
                msg = f"{name} {did_you_mean(name, _NAMES)}"
                raise ConfigError(msg)
        for option in OPTIONS:
            value = given.get(option.name, option.default)
            if value is REQUIRED:
                msg = f"{option.name} is missing: {option.help}"
                raise ConfigError(msg)
            object.__setattr__(self, option.name, option.parse(value, option.name))
        object.__setattr__(self, "password", Passwords.parse(self.password, seal_with=self.seal_with))
        self.cookie_options.check_name(self.cookie_name)

    def replace(self, **changes: Unpack[Options]) -> SessionOptions:
        """Return these options with *changes*."""
        same: dict[str, Any] = {name: getattr(self, name) for name in _NAMES}
        if "password" in changes:
            same["seal_with"] = None
        elif "seal_with" in changes and changes["seal_with"] is None:
            same["password"] = Passwords.parse(self.password, seal_with=int(self.password.ids[0]))
        same.update(changes)
        return SessionOptions(**same)

    def __repr__(self) -> str:
        """Show every option; passwords mask themselves."""
        return f"SessionOptions({', '.join(f'{name}={getattr(self, name)!r}' for name in _NAMES)})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: the password would go with it."""
        msg = "SessionOptions are not to be pickled"
        raise TypeError(msg)


def _as_given(value: Any, _name: str) -> Any:
    return value


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        _refuse(name, "must be True or False", value)
    return value


def _optional_seconds(value: Any, name: str) -> float | None:
    return None if value is None else seconds(value, name)


def _timeout(value: Any, name: str) -> float | None:
    timeout = _optional_seconds(value, name)
    if timeout == 0:
        _refuse(name, "must be positive, or None for no such limit", value)
    return timeout


def _positive(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        _refuse(name, "must be an integer of at least 1", value)
    return value


def _rounds(value: Any, name: str) -> int:
    check_iterations(_positive(value, name))
    return int(value)


def _chunks(value: Any, name: str) -> int:
    chunks = _positive(value, name)
    if chunks > MAX_CHUNKS:
        _refuse(name, f"must be at most {MAX_CHUNKS}, which is what is read", value)
    return chunks


def _one_of(*choices: str) -> Callable[[Any, str], Any]:
    def parse(value: Any, name: str) -> Any:
        if value not in choices:
            _refuse(name, f"must be one of {', '.join(map(repr, choices))}", value)
        return value

    return parse


def _some_of(*choices: str) -> Callable[[Any, str], Any]:
    def parse(value: Any, name: str) -> Any:
        if not isinstance(value, (tuple, list)) or not all(one in choices for one in value):
            _refuse(name, f"must be a tuple of {', '.join(map(repr, choices))}", value)
        return tuple(value)

    return parse


def _has(*methods: str) -> Callable[[Any, str], Any]:
    def parse(value: Any, name: str) -> Any:
        if not all(callable(getattr(value, method, None)) for method in methods):
            _refuse(name, f"must be an object with {' and '.join(methods)}", value)
        return value

    return parse


def _function(value: Any, name: str) -> Any:
    if value is not None and not callable(value):
        _refuse(name, "must be callable", value)
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        _refuse(name, "must be a non-empty string", value)
    return value


def _generate_id() -> str:
    return secrets.token_urlsafe(32)


def _id_source(value: Any, name: str) -> Any:
    return _generate_id if value is None else _function(value, name)


def _cookie_options(value: Any, _name: str) -> CookieOptions:
    return CookieOptions.parse(value)


def _refuse(name: str, demand: str, value: object) -> NoReturn:
    msg = f"{name} {demand}, not {value!r}"
    raise ConfigError(msg)


OPTIONS: tuple[Option, ...] = (
    Option(
        "password",
        _as_given,
        REQUIRED,
        "The secret that seals sessions. Change it without ids and everybody is signed out.",
    ),
    Option(
        "seal_with",
        _as_given,
        None,
        "The password id that seals, when it is not the newest; for rolling deployments.",
    ),
    Option(
        "cookie_name",
        _as_given,
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
        _timeout,
        None,
        "Seconds after which a session ends however much it is used.",
    ),
    Option(
        "refresh_after",
        _optional_seconds,
        None,
        "A session that is used gets a new ttl once this many seconds have passed. 0: at every "
        "request that uses it. None: only when written.",
    ),
    Option(
        "cookie_options",
        _cookie_options,
        CookieOptions(),
        "The cookie's attributes: secure, httponly, samesite, path, domain, max_age, expires, partitioned.",
    ),
    Option(
        "overflow",
        _one_of("raise", "chunk"),
        "raise",
        "What happens to a session larger than one cookie: an error, or several cookies.",
    ),
    Option(
        "max_chunks",
        _chunks,
        2,
        "How many cookies a session may be cut into, at most 4. Proxies commonly refuse more than 8 "
        "KB of them.",
    ),
    Option(
        "accept",
        _some_of(*get_args(Legacy)),
        (),
        "Older cookies that are read once and written back as seals, so that a switch signs nobody out.",
    ),
    Option(
        "auto_commit",
        _flag,
        True,
        "Whether a changed session is saved by itself at the end of the request.",
    ),
    Option(
        "save_on_error",
        _flag,
        False,
        "Whether changes are saved when the response is an error of the server (5xx).",
    ),
    Option(
        "serializer",
        _has("dumps", "loads"),
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
        _rounds,
        1,
        "PBKDF2 rounds of the seal. iron-session uses 1; more only costs time, since the password is a key.",
    ),
    Option(
        "generate_id",
        _id_source,
        None,
        "Returns a new session id. The default has 256 bits from the operating system.",
    ),
    Option(
        "environ_key",
        _text,
        "iron_wsgi.session",
        "Where the middleware puts the session into the WSGI environ.",
    ),
    Option(
        "on_event",
        _function,
        None,
        "Called with an Event when a session is created, renewed, destroyed or refused.",
    ),
    Option(
        "clock",
        _function,
        None,
        "Returns epoch seconds; time.time if None.",
    ),
)

_NAMES = tuple(option.name for option in OPTIONS)
