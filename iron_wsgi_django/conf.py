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
from iron_wsgi.seals.payload import Serializer, StrictJSON
from iron_wsgi.servers.outages import ask
from iron_wsgi.sessions.option_table import OPTIONS
from iron_wsgi.sessions.vault import Vault
from iron_wsgi.vaults.older_cookies import Reader
from iron_wsgi.vaults.seal_vault import SealVault

from .installed import OURS, middleware_of
from .migration import DatabaseSessions, SignedCookies
from .urls import open_revocations, open_store

SESSION_KEY: Final = "_auth_user_id"
"""Where ``django.contrib.auth`` keeps whose session it is. Its own constant stands beside models."""

SECRET_KEY: Final = "secret-key"
ACCEPTED: Final = ("next-iron-session", "signed_cookies", "db", SECRET_KEY)
"""What the option ``accept`` may name."""

ELSEWHERE: Final = {
    "cookie_name": "SESSION_COOKIE_NAME",
    "ttl": "SESSION_COOKIE_AGE",
    "environ_key": "request.session",
}
"""Options that Django has another place for."""

NAMES: Final = tuple(option.name for option in OPTIONS if option.name not in ELSEWHERE)
"""The keys that ``IRON_SESSION`` may have."""

MIDDLEWARE_ONLY: Final = ("auto_commit", "save_on_error", "overflow", "max_chunks", "cookie_options")
"""Those of them that have no effect under Django's own session middleware."""

DEFAULT_SERIALIZER: Final = "django.contrib.sessions.serializers.JSONSerializer"


class Built(NamedTuple):
    """What is made of the settings once.

    Attributes:
        engine: The engine of our middleware.
        stock_engine: The engine of Django's middleware, which can set one cookie.
        vault: What a single value is read by.
    """

    engine: Engine
    stock_engine: Engine
    vault: Vault


class SharedJSON(JSONSerializer):
    """Django's JSON, which reads the UTF-8 of other languages' JSON too; Django's own is all ASCII."""

    def loads(self, data: bytes) -> Any:
        """Return what *data* holds."""
        return json.loads(data.decode())


def engine() -> Engine:
    """Return the engine that the settings describe, for our middleware; made once.

    Raises:
        ImproperlyConfigured: A setting is unusable; the message says which and what to do.
    """
    return _built().engine


def stock_engine() -> Engine:
    """Return the engine for Django's own session middleware: the same, but one that never cuts a cookie.

    Raises:
        ImproperlyConfigured: A setting is unusable.
    """
    return _built().stock_engine


def vault() -> Vault:
    """Return what opens a single value, and ends a session that is known by its id.

    Raises:
        ImproperlyConfigured: A setting is unusable.
    """
    return _built().vault


def options() -> SessionOptions:
    """Return the options that the settings describe.

    Raises:
        ImproperlyConfigured: A setting is unusable.
    """
    return _built().engine.options


def sweep() -> tuple[int, int]:
    """Remove what has expired, and return how much: from the store, and from the list of revocations.

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
    """Tell whether ``MIDDLEWARE`` holds our session middleware, or a class made from it."""
    return bool(middleware_of(OURS))


@lru_cache(maxsize=1)
def _built() -> Built:
    try:
        return _build()
    except ConfigError as error:
        failure = ImproperlyConfigured(str(error))
    except Exception as error:  # noqa: BLE001 - a value of a type that nobody thought of
        failure = ImproperlyConfigured(f"IRON_SESSION, or a setting of sessions, is unusable: {error}")
    raise failure  # without the frames below, whose local variables hold the password


def _build() -> Built:
    given = _given()
    cookie_options = _cookie_options(given.get("cookie_options", {}))
    accept = tuple(given.get("accept", ()))
    chosen: dict[str, Any] = {
        "generate_id": _generate_id,
        "subject": SESSION_KEY,
        **given,
        "accept": tuple(name for name in accept if name != SECRET_KEY),
        "cookie_name": settings.SESSION_COOKIE_NAME,
        "cookie_options": cookie_options,
        # As an option, an age of 0 would make sessions eternal; Django's ends them at once.
        "ttl": max(settings.SESSION_COOKIE_AGE, 1),
    }
    try:
        chosen["password"] = _passwords(chosen, accept)
        chosen["serializer"] = _serializer(given.get("serializer"))
        chosen["store"] = open_store(given.get("store"), clock=given.get("clock"))
        chosen["revocations"] = open_revocations(given.get("revocations"), clock=given.get("clock"))
        checked = SessionOptions(**chosen)
        readers: dict[str, Reader] = {
            "signed_cookies": SignedCookies(settings.SESSION_COOKIE_AGE),
            "db": DatabaseSessions(settings.SESSION_COOKIE_AGE),
        }
        # Django tells a visitor whose session was ended while his request ran: `UpdateError`.
        make_vault = partial(SealVault, readers=readers, rechecks=True)
        stock = checked.replace(overflow="raise") if checked.overflow == "chunk" else checked
        return Built(
            engine=Engine(checked, vault=make_vault),
            stock_engine=Engine(stock, vault=make_vault),
            vault=(checked.vault or make_vault)(checked),
        )
    except ConfigError as error:
        msg = f"IRON_SESSION: {error}"
        raise ConfigError(msg) from None


def _given() -> dict[str, Any]:
    given = getattr(settings, "IRON_SESSION", {})
    if not isinstance(given, Mapping):
        msg = f"IRON_SESSION must be a dict, not {type(given).__name__}"
        raise ConfigError(msg)
    for name in given:
        if name in ELSEWHERE:
            msg = f"IRON_SESSION: {name} has no effect here; Django's place for it is {ELSEWHERE[name]}"
            raise ConfigError(msg)
        if name not in NAMES:
            msg = f"IRON_SESSION: {name} {did_you_mean(str(name), NAMES)}"
            raise ConfigError(msg)
    return dict(given)


def _passwords(chosen: dict[str, Any], accept: tuple[str, ...]) -> Passwords:
    """Return the passwords: those given, or one from each secret key; or both, where old seals count."""
    if "password" not in chosen:
        return _from_secret_keys()
    if chosen["password"] is None:
        msg = "password is None; give one, or leave the key out to have one made of SECRET_KEY"
        raise ConfigError(msg)
    explicit = Passwords.parse(chosen["password"], seal_with=chosen.pop("seal_with", None))
    return explicit.followed_by(_from_secret_keys()) if SECRET_KEY in accept else explicit


def _from_secret_keys() -> Passwords:
    return Passwords.from_secret_keys([settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS])


def _serializer(given: Any) -> Serializer:
    if given == "json":
        return StrictJSON()
    if isinstance(given, str):
        msg = f"serializer must be 'json' or an object with dumps and loads, not {given!r}"
        raise ConfigError(msg)
    if given is not None:
        return given  # type: ignore[no-any-return]  # SessionOptions checks it
    if settings.SESSION_SERIALIZER == DEFAULT_SERIALIZER:
        return SharedJSON()
    return import_string(settings.SESSION_SERIALIZER)()  # type: ignore[no-any-return]


def _cookie_options(given: Mapping[str, Any]) -> CookieOptions:
    """Return the attributes that ``SESSION_COOKIE_...`` gives, and the one that Django has no setting for."""
    for name in given:
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
            partitioned=given.get("partitioned", False),
        )
        cookie.check_name(settings.SESSION_COOKIE_NAME)
    except ConfigError as error:
        msg = f"SESSION_COOKIE_...: {error}"
        raise ConfigError(msg) from None
    return cookie


def _generate_id() -> str:
    """Return 160 bits as 32 characters, so that they fit where Django's session keys do, in any case."""
    return base64.b32encode(os.urandom(20)).decode().lower()


def _forget(*, setting: str, **_change: object) -> None:
    if setting.startswith(("SESSION_", "SECRET_KEY", "IRON_SESSION")):
        _built.cache_clear()
    elif setting == "MIDDLEWARE":
        has_own_middleware.cache_clear()


setting_changed.connect(_forget)
