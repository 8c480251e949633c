"""Flask's configuration, read as the options of a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict, final
from urllib.parse import quote

from iron_wsgi import ConfigError, CookieOptions, Event, Passwords, SessionOptions, generate_password
from iron_wsgi.cookies.options import did_you_mean
from iron_wsgi.engine.engine import Engine
from iron_wsgi.errors import opaque
from iron_wsgi.seals.payload import Serializer, StrictJSON
from iron_wsgi.sessions.option_table import OPTIONS
from iron_wsgi.stores import MemoryStore
from iron_wsgi.vaults.seal_vault import SealVault

from .login import follow_flask_login
from .migration import FlaskCookie
from .serializer import AppJSON, TaggedJSON
from .signals import BY_KIND

if TYPE_CHECKING:
    from flask import Flask

    from iron_wsgi.revocation import Revocations
    from iron_wsgi.sessions.events import EventHook, EventKind
    from iron_wsgi.sessions.option_table import OnConflict, OnOutage, Overflow, Storage, Subject
    from iron_wsgi.sessions.vault import Vault
    from iron_wsgi.stores import Store
    from iron_wsgi.times import Clock

PREFIX: Final = "IRON_SESSION_"
SECRET_KEY: Final = "secret-key"
ACCEPTED: Final = ("next-iron-session", "flask", SECRET_KEY)
SerializerName: TypeAlias = Literal["tagged", "json"]
SHORTEST: Final = timedelta(seconds=1)
LONGEST: Final = timedelta(days=365_000)
"""Lifetimes as an option can have them; Flask's are 0, or timedelta.max, here and there."""

MANY: Final = 256
"""Cookie names that an application may have engines for; one whose names never end begins anew."""

MANY_HEADERS: Final = 10_000
"""Cookie headers that are remembered at a time; less than a megabyte."""


class FlaskOptions(TypedDict, total=False):
    """The keyword arguments of `IronSessionInterface` that are plain options. `OPTIONS` explains each."""

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


# What flask.session stands for needs no place in the environ, and the interface has its serializer.
NAMES: Final = tuple(option.name for option in OPTIONS if option.name not in ("environ_key", "serializer"))
KEYS: Final = tuple(PREFIX + name.upper() for name in NAMES)
SUBJECT: Final = "_user_id"
"""Where Flask-Login keeps whose session it is."""

DECISIVE: Final = ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "PERMANENT_SESSION_LIFETIME", *KEYS)
"""The keys of Flask's configuration that an engine is built from."""


def serializer_of(given: SerializerName | Serializer | None) -> Serializer:
    """Return a serializer: by its name, as it is, or the tagged one.

    Raises:
        ConfigError: There is none of that name.
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
    """Check what can be checked before there is an application.

    Raises:
        ConfigError: An option is unknown, or unusable.
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
    # What an option needs beside it may stand in the application's configuration.
    elsewhere = {"cookie_name": "session", "store": MemoryStore(), "absolute_timeout": 1}
    options = {**elsewhere, **arguments, "password": generate_password()}
    options.pop("seal_with", None)
    SessionOptions(**options)


def attributes_of(cookie_options: Mapping[str, Any] | CookieOptions | None) -> dict[str, Any]:
    """Return attributes of the cookie as a dict of its own."""
    if cookie_options is None or isinstance(cookie_options, Mapping):
        return dict(cookie_options or {})
    return asdict(CookieOptions.parse(cookie_options))


@final
@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Built:
    """What one configuration made for one cookie.

    Attributes:
        values: The values that it was built from.
        engine: The engine.
        is_lasting: Whether cookies outlive the browser unless their session says otherwise: a ``ttl`` was
            chosen.
    """

    values: list[Any]
    engine: Engine
    is_lasting: bool


@final
class AppConfig:
    """How one application keeps its sessions: what its configuration says now, and what was built from it.

    Flask's configuration may change at any time, so it is read for each session that is used; an engine
    serves as long as the values are those that it was built from.
    """

    def __init__(self, app: Flask, arguments: Mapping[str, Any]) -> None:
        """Read *app*'s configuration, in which *arguments* win."""
        self._app = app
        self._arguments = arguments
        self._built: dict[str, Built] = {}
        self._left: set[int] = set()
        self._follows_login = False
        self._cookie_options: tuple[tuple[str, dict[str, Any]], CookieOptions] | None = None

    def get(self, name: str) -> Any:
        """Return an option as it was given: as an argument, or as ``IRON_SESSION_...``; else None."""
        if name in self._arguments:
            return self._arguments[name]
        return self._app.config.get(PREFIX + name.upper())

    @property
    def has_password(self) -> bool:
        """Whether there is anything to seal with."""
        return bool(self._app.secret_key) or self.get("password") is not None

    def is_known_to_be_left(self, cookie_name: str, header: str) -> bool:
        """Tell whether the session in a Cookie header is known to be none that Flask renews."""
        return hash((cookie_name, header)) in self._left

    def note_that_flask_leaves(self, cookie_name: str, header: str) -> None:
        """Remember what `is_known_to_be_left` tells: by a hash, and within bounds."""
        if len(self._left) >= MANY_HEADERS:
            self._left.clear()
        self._left.add(hash((cookie_name, header)))

    @opaque
    def built(self, cookie_name: str, serializer: Serializer) -> Built:
        """Return what the configuration, as it is now, makes for the cookie of this name.

        Raises:
            ConfigError: An option is unusable.
        """
        app, config = self._app, self._app.config
        if not self._follows_login and hasattr(app, "login_manager"):
            self._follows_login = follow_flask_login(app)
        values = [serializer, *map(config.get, DECISIVE)]
        built = self._built.get(cookie_name)
        if built is None or built.values != values:
            if len(self._built) >= MANY:
                self._built.clear()
            # Lists and dicts are copied, since they may be changed in place.
            held = [deepcopy(value) if isinstance(value, (dict, list)) else value for value in values]
            engine = self._build(cookie_name, serializer)
            built = self._built[cookie_name] = Built(held, engine, self.get("ttl") is not None)
            self._left.clear()
        return built

    def cookie_options(self, cookie_name: str, attributes: dict[str, Any]) -> CookieOptions:
        """Return *attributes*, which Flask's keys gave, as they are after ``cookie_options`` had its say.

        Raises:
            ConfigError: Browsers would drop such a cookie.
        """
        chosen = attributes_of(self._app.config.get(f"{PREFIX}COOKIE_OPTIONS"))
        chosen.update(self._arguments.get("cookie_options", {}))
        if chosen.get("partitioned"):
            chosen.setdefault("secure", True)  # as Werkzeug does for Flask's own key
        attributes.update(chosen)
        built = self._cookie_options
        if built is None or built[0] != (cookie_name, attributes):
            options = CookieOptions.parse({**attributes, **_as_werkzeug_writes(attributes)})
            options.check_name(cookie_name)
            built = self._cookie_options = (cookie_name, attributes), options
        return built[1]

    def _build(self, cookie_name: str, serializer: Serializer) -> Engine:
        for key in self._app.config:
            if key.startswith(PREFIX) and key not in KEYS:
                name = key.removeprefix(PREFIX).lower()
                advice = "give it as IronSessionInterface(serializer=...)"
                msg = f"{key}: {advice if name == 'serializer' else f'{name} {did_you_mean(name, NAMES)}'}"
                raise ConfigError(msg)
        given = {name: self.get(name) for name in NAMES}
        options = {name: value for name, value in given.items() if value is not None}
        options.pop("cookie_options", None)
        secret_keys = self._secret_keys()
        # As an option, a lifetime of 0 would make sessions eternal; Flask's ends them at once.
        lifetime = min(max(self._app.permanent_session_lifetime, SHORTEST), LONGEST)
        options.setdefault("ttl", lifetime)
        options["cookie_name"] = cookie_name
        options["password"] = _passwords(options, secret_keys)
        if isinstance(accept := options.get("accept"), (tuple, list)):
            options["accept"] = tuple(name for name in accept if name != SECRET_KEY)
        # A subclass of it may write and read in its own way.
        if isinstance(serializer, TaggedJSON) and type(serializer) is TaggedJSON:
            options["serializer"] = AppJSON(self._app, serializer)
        else:
            options["serializer"] = serializer
        options["on_event"] = Teller(self._app, options.get("on_event"))
        options.setdefault("save_on_error", True)
        options.setdefault("subject", SUBJECT)
        tagged = serializer if isinstance(serializer, TaggedJSON) else TaggedJSON()
        readers = {"flask": FlaskCookie(self._app, tagged)}
        return Engine(SessionOptions(**options), vault=partial(SealVault, readers=readers))

    def _secret_keys(self) -> list[str | bytes]:
        fallbacks = self._app.config.get("SECRET_KEY_FALLBACKS") or ()
        keys = [self._app.secret_key, *fallbacks]
        # Of a string each character would be a key, and anybody could guess one.
        if isinstance(fallbacks, (str, bytes)) or not all(
            isinstance(key, (str, bytes)) for key in keys if key
        ):
            msg = "SECRET_KEY is a string or bytes, and SECRET_KEY_FALLBACKS a list of such"
            raise ConfigError(msg)
        return [key for key in keys if key]


@final
class Teller:
    """Tells an application's ``on_event``, and whoever listens to the signals, what happens to sessions."""

    def __init__(self, app: Flask, hook: EventHook | None) -> None:
        """Tell *hook*, and the receivers of *app*'s signals."""
        self._app = app
        self._hook = hook

    def is_heard(self, kind: EventKind) -> bool:
        """Tell whether anybody listens now; receivers come and go."""
        return self._hook is not None or bool(BY_KIND[kind].receivers)

    def __call__(self, event: Event) -> None:
        """Tell *event*."""
        try:
            if self._hook is not None:
                self._hook(event)
        finally:
            BY_KIND[event.kind].send(self._app, event=event)


def _passwords(options: dict[str, Any], secret_keys: list[str | bytes]) -> Passwords:
    """Return the passwords: those given, or one from each secret key; or both, where old seals count."""
    if "password" not in options:
        return Passwords.from_secret_keys(secret_keys)
    explicit = Passwords.parse(options["password"], seal_with=options.pop("seal_with", None))
    if SECRET_KEY not in options.get("accept", ()) or not secret_keys:
        return explicit
    return explicit.followed_by(Passwords.from_secret_keys(secret_keys))


def _as_werkzeug_writes(attributes: Mapping[str, Any]) -> dict[str, str | None]:
    """Return path and domain as Werkzeug, by which Flask sets cookies, writes them in the header."""
    written = {"path": quote(attributes["path"] or "/", safe="%!$&'()*+,/:=@")}
    name = str(attributes["domain"] or "").partition(":")[0].lstrip(".")
    try:
        return {**written, "domain": name.encode("idna").decode("ascii") or None}
    except UnicodeError:
        return {**written, "domain": name}  # which is refused, with the reason
