"""The vault that Django's settings describe."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from iron_wsgi import Passwords, SessionOptions
from iron_wsgi.vault import SealVault


@lru_cache(maxsize=1)
def vault() -> SealVault:
    """Return the vault, made once per settings: ``IRON_SESSION`` over what Django's own settings say."""
    options: dict[str, Any] = {
        "cookie_name": settings.SESSION_COOKIE_NAME,
        "ttl": settings.SESSION_COOKIE_AGE,
        "serializer": import_string(settings.SESSION_SERIALIZER)(),
        **getattr(settings, "IRON_SESSION", {}),
    }
    if "password" not in options:
        secret_keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        options["password"] = Passwords.from_secret_keys(secret_keys)
    return SealVault(SessionOptions(**options))


def _forget(**_change: object) -> None:
    vault.cache_clear()


setting_changed.connect(_forget)
