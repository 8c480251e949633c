"""System checks: what would go wrong in front of visitors, said by ``manage.py check`` before that.

Each returns messages and never raises, opens no session and asks no database. They are silent where neither
``SESSION_ENGINE`` nor ``MIDDLEWARE`` is of this package.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.apps import apps
from django.core.checks import CheckMessage

from iron_wsgi_django.installed import OURS, has_our_engine, middleware_of

from .applications import application_messages
from .cookies import cookie_messages, protection_messages
from .middleware import middleware_messages
from .options import option_messages, unusable_messages
from .passwords import password_messages, strength_messages
from .servers import outage_messages, server_messages


def check_settings(**_asked: object) -> list[CheckMessage]:
    """Check the password, the cookie, the serializer, the servers that are asked, and all other options."""
    if not _is_used():
        return []
    found = [*password_messages(), *cookie_messages(), *option_messages(), *server_messages()]
    return found if any(message.is_serious() for message in found) else [*found, *unusable_messages()]


def check_middleware(**_asked: object) -> list[CheckMessage]:
    """Check that there is one session middleware, in its place, and that the engine suits it."""
    return list(middleware_messages()) if _is_used() else []


def check_applications(*, app_configs: Iterable[Any] | None = None, **_asked: object) -> list[CheckMessage]:
    """Check that what the installed applications keep of sessions has room, and means something."""
    if not _is_used():
        return []
    return list(application_messages(apps.get_app_configs() if app_configs is None else app_configs))


def check_password_strength(**_asked: object) -> list[CheckMessage]:
    """Refuse to deploy a password that can be guessed."""
    return list(strength_messages()) if _is_used() else []


def check_protection(**_asked: object) -> list[CheckMessage]:
    """Say which protection sessions lack, where Django's own checks do not look."""
    return [*protection_messages(), *outage_messages()] if _is_used() else []


ALWAYS: Final = (check_settings, check_middleware, check_applications)
BEFORE_DEPLOYMENT: Final = (check_password_strength, check_protection)


def _is_used() -> bool:
    return has_our_engine() or bool(middleware_of(OURS))
