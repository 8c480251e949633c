"""One application's session configuration."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final
from urllib.parse import quote

from iron_wsgi import ConfigError, CookieOptions, Passwords, SessionOptions
from iron_wsgi.cookies.options import did_you_mean
from iron_wsgi.engine.engine import Engine
from iron_wsgi.errors import opaque
from iron_wsgi.seals.payload import Serializer
from iron_wsgi.vaults.seal_vault import SealVault

from .migration import FlaskCookie
from .options import KEYS, NAMES, PREFIX, SECRET_KEY, cookie_attributes
from .serializer import AppJSON, TaggedJSON
from .signals import EventSender

if TYPE_CHECKING:
    from flask import Flask

PERMANENT_KEY: Final = "_permanent"
"""The key of the session's data that holds `FlaskSession.permanent`, as in Flask's own session."""

USER_KEY: Final = "_user_id"
"""The key of the session's data under which Flask-Login keeps the user's id."""

COOKIE_OPTIONS_KEY: Final = f"{PREFIX}COOKIE_OPTIONS"

ENGINE_KEYS: Final = ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "PERMANENT_SESSION_LIFETIME", *KEYS)
"""The configuration keys that an engine is made from."""

SHORTEST: Final = timedelta(seconds=1)
LONGEST: Final = timedelta(days=365_000)
"""The shortest and the longest ``ttl`` that ``PERMANENT_SESSION_LIFETIME`` gives."""

MAX_ENGINES: Final = 256
"""Cookie names that an application has engines for at a time."""

MAX_KNOWN: Final = 10_000
"""Cookies that are known at a time. Their hashes take less than a megabyte."""


@final
class AppConfig:
    """One application's session configuration: its options and what was made of them.

    Flask's configuration may change at any time. So it is read for each session that is used, and an engine
    serves for as long as the values are those that it was made from.

    Attributes:
        not_permanent: Cookies whose sessions are not permanent.
        follows_login: Whether sessions are regenerated when Flask-Login signs in or out.
    """

    def __init__(self, app: Flask, arguments: Mapping[str, Any]) -> None:
        """Read *app*'s configuration; *arguments* win over it."""
        self._app = app
        self._arguments = arguments
        self._engines: dict[str, tuple[list[Any], Engine]] = {}
        self._cookie_options: dict[str, tuple[tuple[object, ...], CookieOptions]] = {}
        self.not_permanent = KnownCookies()
        self.follows_login = False

    def get(self, name: str) -> Any:
        """Return an option: the argument, else the value of ``IRON_SESSION_...``, else None."""
        if name in self._arguments:
            return self._arguments[name]
        return self._app.config.get(PREFIX + name.upper())

    @property
    def has_password(self) -> bool:
        """Whether there is a password or a secret key."""
        return bool(self._app.secret_key) or self.get("password") is not None

    @property
    def has_ttl(self) -> bool:
        """Whether the option ``ttl`` was given. Cookies then outlive the browser by default."""
        return self.get("ttl") is not None

    @opaque
    def engine(self, cookie_name: str, serializer: Serializer) -> Engine:
        """Return the engine for the cookie of this name, as the application is configured now.

        Raises:
            ConfigError: An option is unusable.
        """
        values = [serializer, *map(self._app.config.get, ENGINE_KEYS)]
        made_from, engine = self._engines.get(cookie_name, (None, None))
        if engine is None or made_from != values:
            engine = self._new_engine(cookie_name, serializer)
            if len(self._engines) >= MAX_ENGINES:
                self._engines.clear()
            # Lists and dicts may be changed in place, so they are copied.
            held = [deepcopy(value) if isinstance(value, (dict, list)) else value for value in values]
            self._engines[cookie_name] = held, engine
            self.not_permanent.clear()
        return engine

    def cookie_options(self, cookie_name: str, attributes: Mapping[str, Any]) -> CookieOptions:
        """Return the attributes of the cookie of this name.

        Args:
            cookie_name: The cookie's name.
            attributes: What Flask's own keys say; the option ``cookie_options`` wins over it.

        Raises:
            ConfigError: Browsers would drop such a cookie.
        """
        chosen = self._app.config.get(COOKIE_OPTIONS_KEY)
        made_from = (chosen, *attributes.values())
        held, options = self._cookie_options.get(cookie_name, (None, None))
        if options is None or held != made_from:
            options = self._new_cookie_options(cookie_name, cookie_attributes(chosen), attributes)
            if len(self._cookie_options) >= MAX_ENGINES:
                self._cookie_options.clear()
            self._cookie_options[cookie_name] = (deepcopy(chosen), *attributes.values()), options
        return options

    def _new_cookie_options(
        self, cookie_name: str, chosen: dict[str, Any], attributes: Mapping[str, Any]
    ) -> CookieOptions:
        chosen.update(self._arguments.get("cookie_options", {}))
        if chosen.get("partitioned"):
            chosen.setdefault("secure", True)  # as Werkzeug does for Flask's own key
        merged = {**attributes, **chosen}
        options = CookieOptions.parse({**merged, **_as_werkzeug_writes(merged)})
        options.check_name(cookie_name)
        return options

    def _new_engine(self, cookie_name: str, serializer: Serializer) -> Engine:
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
        # A ttl of 0 would make sessions that never expire; in Flask a lifetime of 0 ends them at once.
        lifetime = min(max(self._app.permanent_session_lifetime, SHORTEST), LONGEST)
        options.setdefault("ttl", lifetime)
        options["cookie_name"] = cookie_name
        options["password"] = _passwords(options, secret_keys)
        if isinstance(accept := options.get("accept"), (tuple, list)):
            options["accept"] = tuple(name for name in accept if name != SECRET_KEY)
        # A subclass of TaggedJSON may write and read in its own way.
        if isinstance(serializer, TaggedJSON) and type(serializer) is TaggedJSON:
            options["serializer"] = AppJSON(self._app, serializer)
        else:
            options["serializer"] = serializer
        options["on_event"] = EventSender(self._app, options.get("on_event"))
        options.setdefault("save_on_error", True)
        options.setdefault("subject", USER_KEY)
        tagged = serializer if isinstance(serializer, TaggedJSON) else TaggedJSON()
        readers = {"flask": FlaskCookie(self._app, tagged)}
        vault = partial(SealVault, readers=readers, reference_keys=(PERMANENT_KEY,))
        return Engine(SessionOptions(**options), vault=vault)

    def _secret_keys(self) -> list[str | bytes]:
        fallbacks = self._app.config.get("SECRET_KEY_FALLBACKS") or ()
        keys = [self._app.secret_key, *fallbacks]
        # Each character of a string would be a key that anybody can guess.
        if isinstance(fallbacks, (str, bytes)) or not all(
            isinstance(key, (str, bytes)) for key in keys if key
        ):
            msg = "SECRET_KEY is a string or bytes, and SECRET_KEY_FALLBACKS a list of such"
            raise ConfigError(msg)
        return [key for key in keys if key]


@final
class KnownCookies:
    """A bounded set of cookies: of each its name and the Cookie header that it came in, by their hash."""

    def __init__(self) -> None:
        """Begin empty."""
        self._hashes: set[int] = set()

    def __contains__(self, cookie: tuple[str, str]) -> bool:
        """Tell whether *cookie* was added."""
        return hash(cookie) in self._hashes

    def add(self, cookie: tuple[str, str]) -> None:
        """Add *cookie*. A full set is emptied first."""
        if len(self._hashes) >= MAX_KNOWN:
            self._hashes.clear()
        self._hashes.add(hash(cookie))

    def clear(self) -> None:
        """Remove everything."""
        self._hashes.clear()


def _passwords(options: dict[str, Any], secret_keys: list[str | bytes]) -> Passwords:
    """Return the given passwords, or one for each secret key; both with ``accept=("secret-key",)``."""
    if "password" not in options:
        return Passwords.from_secret_keys(secret_keys)
    explicit = Passwords.parse(options["password"], seal_with=options.pop("seal_with", None))
    if SECRET_KEY not in options.get("accept", ()) or not secret_keys:
        return explicit
    return explicit.followed_by(Passwords.from_secret_keys(secret_keys))


def _as_werkzeug_writes(attributes: Mapping[str, Any]) -> dict[str, str | None]:
    """Return path and domain as Werkzeug writes them, by which Flask sets cookies."""
    written = {"path": quote(attributes["path"] or "/", safe="%!$&'()*+,/:=@")}
    name = str(attributes["domain"] or "").partition(":")[0].lstrip(".")
    try:
        return {**written, "domain": name.encode("idna").decode("ascii") or None}
    except UnicodeError:
        return {**written, "domain": name}  # which is refused, with the reason
