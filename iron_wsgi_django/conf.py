"""Django's settings, read as the options of a session."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.contrib.sessions.serializers import JSONSerializer
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from iron_wsgi import ConfigError, CookieOptions, Passwords, SessionOptions
from iron_wsgi.cookies.options import did_you_mean
from iron_wsgi.engine.engine import Engine
from iron_wsgi.seals.payload import Serializer, StrictJSON, has_member
from iron_wsgi.servers.outages import ask
from iron_wsgi.sessions.option_table import OPTIONS
from iron_wsgi.sessions.vault import Vault
from iron_wsgi.vaults.older_cookies import Reader
from iron_wsgi.vaults.seal_vault import SealVault

from .databases.urls import open_revocations, open_store
from .dotted_paths import OURS, find_middleware
from .older_cookies import DatabaseSessions, SignedCookies

SESSION_KEY: Final = "_auth_user_id"
"""The key under which ``django.contrib.auth`` keeps the user. Importing its constant would import models."""

SECRET_KEY: Final = "secret-key"
ACCEPTED: Final = ("next-iron-session", "signed_cookies", "db", SECRET_KEY)
"""The values that the option ``accept`` may hold."""

ELSEWHERE: Final = {
    "cookie_name": "SESSION_COOKIE_NAME",
    "ttl": "SESSION_COOKIE_AGE",
    "environ_key": "request.session",
}
"""Options for which Django has a place of its own."""

NAMES: Final = tuple(option.name for option in OPTIONS if option.name not in ELSEWHERE)
"""The keys that ``IRON_SESSION`` may hold."""

MIDDLEWARE_ONLY: Final = ("auto_commit", "save_on_error", "overflow", "max_chunks", "cookie_options")
"""Keys that have no effect under Django's own session middleware."""

DEFAULT_SERIALIZER: Final = "django.contrib.sessions.serializers.JSONSerializer"


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


class Engines(NamedTuple):
    """What the settings describe, built once.

    Attributes:
        engine: The engine under our middleware.
        stock_engine: The engine under Django's own middleware, which sets only one cookie.
        vault: The vault, for single cookie values and for sessions known by their id.
    """

    engine: Engine
    stock_engine: Engine
    vault: Vault


class SharedJSON(JSONSerializer):
    """Django's JSON, which also reads UTF-8, as other languages write it. Django writes and reads ASCII."""

    def dumps(self, obj: Any) -> bytes:
        """Return *obj* as Django's serializer writes it, with an encoder that is made once."""
        return _ENCODER.encode(obj).encode("latin-1")

    def has_member(self, payload: bytes, key: str, value: Any) -> bool:
        """See `StrictJSON.has_member`."""
        return has_member(payload, self.dumps(key), self.dumps(value))

    def loads(self, data: bytes) -> Any:
        """Return the value that *data* encodes."""
        return json.loads(data.decode())


def engine() -> Engine:
    """Return the engine that the settings describe, for our middleware.

    Raises:
        ImproperlyConfigured: A setting is unusable; the message names it and the remedy.
    """
    return _engines().engine


def stock_engine() -> Engine:
    """Return the engine for Django's own session middleware, which never splits a session into chunks.

    Raises:
        ImproperlyConfigured: A setting is unusable.
    """
    return _engines().stock_engine


def vault() -> Vault:
    """Return the vault, which opens a single cookie value, or ends a session by its id.

    Raises:
        ImproperlyConfigured: A setting is unusable.
    """
    return _engines().vault


def options() -> SessionOptions:
    """Return the options that the settings describe.

    Raises:
        ImproperlyConfigured: A setting is unusable.
    """
    return _engines().engine.options


def sweep() -> tuple[int, int]:
    """Remove expired sessions and expired revocations, and return how many of each.

    Raises:
        ImproperlyConfigured: A setting is unusable.
        Unavailable: One of them does not answer.
    """
    store, revocations = options().store, options().revocations
    return (
        0 if store is None else ask("store", store.sweep),
        0 if revocations is None else ask("list of revocations", revocations.sweep),
    )


@lru_cache(maxsize=1)
def has_own_middleware() -> bool:
    """Tell whether ``MIDDLEWARE`` holds our session middleware, or a subclass of it."""
    return bool(find_middleware(OURS))


@lru_cache(maxsize=1)
def _engines() -> Engines:
    try:
        return _build()
    except ConfigError as error:
        failure = ImproperlyConfigured(str(error))
    except Exception as error:  # noqa: BLE001 - a value of the wrong type may cause any error
        failure = ImproperlyConfigured(f"IRON_SESSION, or a setting of sessions, is unusable: {error}")
    raise failure  # here, without the frames above, whose local variables hold the password


def _build() -> Engines:
    setting = _iron_session()
    cookie_options = _cookie_options(setting.get("cookie_options", {}))
    accept = tuple(setting.get("accept", ()))
    values: dict[str, Any] = {
        "generate_id": _generate_id,
        "subject": SESSION_KEY,
        **setting,
        "accept": tuple(name for name in accept if name != SECRET_KEY),
        "cookie_name": settings.SESSION_COOKIE_NAME,
        "cookie_options": cookie_options,
        # The option 0 means no expiry. Django's 0 ends sessions at once.
        "ttl": max(settings.SESSION_COOKIE_AGE, 1),
    }
    try:
        values["password"] = _passwords(values, accept)
        values["serializer"] = _serializer(setting.get("serializer"))
        values["store"] = open_store(setting.get("store"), clock=setting.get("clock"))
        values["revocations"] = open_revocations(setting.get("revocations"), clock=setting.get("clock"))
        checked = SessionOptions(**values)
        readers: dict[str, Reader] = {
            "signed_cookies": SignedCookies(settings.SESSION_COOKIE_AGE),
            "db": DatabaseSessions(settings.SESSION_COOKIE_AGE),
        }
        # A session that was ended elsewhere while the request ran is an `UpdateError` in Django.
        make_vault = partial(SealVault, readers=readers, rechecks=True)
        stock = checked.replace(overflow="raise") if checked.overflow == "chunk" else checked
        return Engines(
            engine=Engine(checked, vault=make_vault),
            stock_engine=Engine(stock, vault=make_vault),
            vault=(checked.vault or make_vault)(checked),
        )
    except ConfigError as error:
        msg = f"IRON_SESSION: {error}"
        raise ConfigError(msg) from None


def _iron_session() -> dict[str, Any]:
    """Return the setting ``IRON_SESSION``, whose keys are all known."""
    setting = getattr(settings, "IRON_SESSION", {})
    if not isinstance(setting, Mapping):
        msg = f"IRON_SESSION must be a dict, not {type(setting).__name__}"
        raise ConfigError(msg)
    for name in setting:
        if name in ELSEWHERE:
            msg = f"IRON_SESSION: {name} has no effect here; Django's place for it is {ELSEWHERE[name]}"
            raise ConfigError(msg)
        if name not in NAMES:
            msg = f"IRON_SESSION: {name} {did_you_mean(str(name), NAMES)}"
            raise ConfigError(msg)
    return dict(setting)


def _passwords(values: dict[str, Any], accept: tuple[str, ...]) -> Passwords:
    """Return the passwords of the option, or of the secret keys; of both with ``accept=("secret-key",)``."""
    if "password" not in values:
        return _from_secret_keys()
    if values["password"] is None:
        msg = "password is None; give one, or leave the key out to have one made of SECRET_KEY"
        raise ConfigError(msg)
    explicit = Passwords.parse(values["password"], seal_with=values.pop("seal_with", None))
    return explicit.followed_by(_from_secret_keys()) if SECRET_KEY in accept else explicit


def _from_secret_keys() -> Passwords:
    return Passwords.from_secret_keys([settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS])


def _serializer(option: Any) -> Serializer:
    if option == "json":
        return StrictJSON()
    if isinstance(option, str):
        msg = f"serializer must be 'json' or an object with dumps and loads, not {option!r}"
        raise ConfigError(msg)
    if option is not None:
        return option  # type: ignore[no-any-return]  # SessionOptions checks it
    if settings.SESSION_SERIALIZER == DEFAULT_SERIALIZER:
        return SharedJSON()
    return import_string(settings.SESSION_SERIALIZER)()  # type: ignore[no-any-return]


def _cookie_options(option: Mapping[str, Any]) -> CookieOptions:
    """Return the attributes of ``SESSION_COOKIE_...``, and ``partitioned``, for which Django has none."""
    for name in option:
        if name != "partitioned":
            msg = (
                f"IRON_SESSION: cookie_options may hold partitioned alone, not {name}; see SESSION_COOKIE_..."
            )
            raise ConfigError(msg)
    try:
        cookie = CookieOptions(
            secure=bool(settings.SESSION_COOKIE_SECURE),
            httponly=bool(settings.SESSION_COOKIE_HTTPONLY),
            samesite=settings.SESSION_COOKIE_SAMESITE or None,
            path=settings.SESSION_COOKIE_PATH,
            domain=settings.SESSION_COOKIE_DOMAIN or None,
            max_age=None,
            partitioned=option.get("partitioned", False),
        )
        cookie.check_name(settings.SESSION_COOKIE_NAME)
    except ConfigError as error:
        msg = f"SESSION_COOKIE_...: {error}"
        raise ConfigError(msg) from None
    return cookie


def _generate_id() -> str:
    """Return 160 random bits as 32 lower-case characters: as long as Django's session keys."""
    return base64.b32encode(os.urandom(20)).decode().lower()


def _forget(*, setting: str, **_signal: object) -> None:
    """Build anew after a test has changed a setting."""
    if setting.startswith(("SESSION_", "SECRET_KEY", "IRON_SESSION")):
        _engines.cache_clear()
    elif setting == "MIDDLEWARE":
        has_own_middleware.cache_clear()


setting_changed.connect(_forget)
