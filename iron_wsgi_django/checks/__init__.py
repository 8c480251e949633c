"""System checks: settings under which sessions would fail, reported by ``manage.py check``.

A check returns messages and never raises. It opens no session and asks no database. It returns nothing where
neither ``SESSION_ENGINE`` nor ``MIDDLEWARE`` names this package.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.apps import apps
from django.core.checks import CheckMessage

from iron_wsgi_django.dotted_paths import OURS, find_middleware, uses_our_engine

from .applications import application_messages
from .cookies import cookie_messages, protection_messages
from .middleware import middleware_messages
from .options import option_messages, unusable_messages
from .passwords import password_messages, strength_messages
from .servers import outage_messages, server_messages


def check_settings(**_call: object) -> list[CheckMessage]:
    """Check the password, the cookie, the serializer, the store, the list, and all other options."""
    if not _is_used():
        return []
    messages = [*password_messages(), *cookie_messages(), *option_messages(), *server_messages()]
    if any(message.is_serious() for message in messages):
        return messages  # which say more than the error that the options raise
    return [*messages, *unusable_messages()]


def check_middleware(**_call: object) -> list[CheckMessage]:
    """Check that there is one session middleware, that its place is right, and that the engine fits it."""
    return list(middleware_messages()) if _is_used() else []


def check_applications(*, app_configs: Iterable[Any] | None = None, **_call: object) -> list[CheckMessage]:
    """Check that the installed applications can keep session keys, and find the sessions they expect."""
    if not _is_used():
        return []
    return list(application_messages(apps.get_app_configs() if app_configs is None else app_configs))


def check_password_strength(**_call: object) -> list[CheckMessage]:
    """Check before deployment that no password can be guessed."""
    return list(strength_messages()) if _is_used() else []


def check_protection(**_call: object) -> list[CheckMessage]:
    """Check before deployment the protection of sessions that Django's own checks do not cover."""
    return [*protection_messages(), *outage_messages()] if _is_used() else []


ALWAYS: Final = (check_settings, check_middleware, check_applications)
BEFORE_DEPLOYMENT: Final = (check_password_strength, check_protection)


def _is_used() -> bool:
    """Tell whether the settings name this package's engine or middleware."""
    return uses_our_engine() or bool(find_middleware(OURS))
