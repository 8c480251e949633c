"""The options of a Flask application's sessions: what may be given, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict

from iron_wsgi import ConfigError, CookieOptions, SessionOptions, generate_password
from iron_wsgi.cookies.options import did_you_mean
from iron_wsgi.seals.payload import Serializer, StrictJSON
from iron_wsgi.sessions.option_table import OPTIONS
from iron_wsgi.stores import MemoryStore

from .serializer import TaggedJSON

if TYPE_CHECKING:
    from iron_wsgi.revocation import Revocations
    from iron_wsgi.sessions.events import EventHook
    from iron_wsgi.sessions.option_table import OnConflict, OnOutage, Overflow, Storage, Subject
    from iron_wsgi.sessions.vault import Vault
    from iron_wsgi.stores import Store
    from iron_wsgi.times import Clock

SerializerName: TypeAlias = Literal["tagged", "json"]

SECRET_KEY: Final = "secret-key"
"""The name by which ``accept`` allows seals under ``SECRET_KEY`` beside a password."""

ACCEPTED: Final = ("next-iron-session", "flask", SECRET_KEY)
"""What the option ``accept`` may name."""


class FlaskOptions(TypedDict, total=False):
    """The options that `IronSessionInterface` takes as keyword arguments. `OPTIONS` explains each."""

    seal_with: int | None
    cookie_name: str
    ttl: float | timedelta
    absolute_timeout: float | timedelta | None
    refresh_after: float | timedelta | None
    overflow: Overflow
    max_chunks: int
    storage: Storage
    store: Store | str | None
    revocations: Revocations | str | None
    subject: Subject | None
    vault: Callable[[SessionOptions], Vault] | None
    on_outage: OnOutage
    on_conflict: OnConflict
    accept: tuple[Literal["next-iron-session", "flask", "secret-key"], ...]
    auto_commit: bool
    save_on_error: bool
    skew: float | timedelta
    iterations: int
    generate_id: Callable[[], str] | None
    on_event: EventHook | None
    clock: Clock | None


# The environ needs no key of the session, since there is `flask.session`; the interface has its serializer.
NAMES: Final = tuple(option.name for option in OPTIONS if option.name not in ("environ_key", "serializer"))
"""The options that may be given."""

PREFIX: Final = "IRON_SESSION_"
KEYS: Final = tuple(PREFIX + name.upper() for name in NAMES)
"""The configuration keys that may be given."""


def serializer_of(given: SerializerName | Serializer | None) -> Serializer:
    """Return the serializer of that name, or *given* itself; the tagged one for None.

    Raises:
        ConfigError: No serializer has that name.
    """
    if given is None or given == "tagged":
        return TaggedJSON()
    if given == "json":
        return StrictJSON()
    if isinstance(given, str):
        msg = f"serializer must be 'tagged', 'json' or an object with dumps and loads, not {given!r}"
        raise ConfigError(msg)
    return given


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Check the arguments of `IronSessionInterface`, as far as that needs no application.

    Raises:
        ConfigError: An option is unknown or unusable.
    """
    for name in arguments:
        if name not in NAMES:
            msg = f"{name} {did_you_mean(name, NAMES)}"
            raise ConfigError(msg)
    accept = arguments.get("accept", ())
    if not isinstance(accept, (tuple, list)):
        msg = f"accept must be a tuple of {', '.join(map(repr, ACCEPTED))}, not {accept!r}"
        raise ConfigError(msg)
    if wrong := [name for name in accept if name not in ACCEPTED]:
        msg = f"accept must be a tuple of {', '.join(map(repr, ACCEPTED))}, not {wrong[0]!r}"
        raise ConfigError(msg)
    # Options that others depend on may stand in the application's configuration.
    assumed = {"cookie_name": "session", "store": MemoryStore(), "absolute_timeout": 1}
    options = {**assumed, **arguments, "password": generate_password()}
    options.pop("seal_with", None)
    SessionOptions(**options)


def cookie_attributes(cookie_options: Mapping[str, Any] | CookieOptions | None) -> dict[str, Any]:
    """Return attributes of the cookie as a new dict."""
    if cookie_options is None or isinstance(cookie_options, Mapping):
        return dict(cookie_options or {})
    return asdict(CookieOptions.parse(cookie_options))
