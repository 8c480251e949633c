"""The vault that Django's settings describe."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from iron_wsgi import ConfigError, Passwords, SessionOptions
from iron_wsgi.vault import SealVault

OPTIONS = ("accept", "iterations", "password", "seal_with", "serializer", "skew")
"""What ``IRON_SESSION`` may hold: all else is decided by Django's own settings and middleware."""


@lru_cache(maxsize=1)
def vault() -> SealVault:
    """Return the vault, made once per settings.

    Raises:
        ConfigError: ``IRON_SESSION`` holds an option that has no effect under Django, or an unusable one.
    """
    given: dict[str, Any] = getattr(settings, "IRON_SESSION", {})
    for name in given:
        if name not in OPTIONS:
            msg = f"IRON_SESSION: {name} has no effect here; there are {', '.join(OPTIONS)}"
            raise ConfigError(msg)
    options: dict[str, Any] = {
        "cookie_name": settings.SESSION_COOKIE_NAME,
        "ttl": max(settings.SESSION_COOKIE_AGE, 1),  # as an option, 0 would accept seals that never expire
        "serializer": import_string(settings.SESSION_SERIALIZER)(),
        **given,
    }
    if "password" not in options:
        secret_keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        options["password"] = Passwords.from_secret_keys(secret_keys)
    return SealVault(SessionOptions(**options))


def _forget(**_change: object) -> None:
    vault.cache_clear()


setting_changed.connect(_forget)
