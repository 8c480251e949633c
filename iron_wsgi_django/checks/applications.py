"""What installed applications keep of sessions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.apps import apps
from django.core.checks import CheckMessage
from django.core.checks import Warning as Advice
from django.db.models import CharField

from iron_wsgi.cookies.cookie import MAX_COOKIE
from iron_wsgi_django.installed import OURS, is_a, middleware_of

from .given import given

SESSION_MODEL: Final = "django.contrib.sessions.base_session.AbstractBaseSession"

KEY_LENGTH: Final = 32
"""Characters of a session key where our middleware is used; as many as Django's own have."""

KEY_COLUMNS: Final = {"hitcount.hit": "session"}
"""Columns that hold session keys under a name that does not end in ``session_key``, by model."""

SHORTEN: Final = (
    f"Put {OURS!r} into MIDDLEWARE in place of Django's: its session keys are short, and stay the same."
)
WIDEN: Final = "Widen the column."


def application_messages(configs: Iterable[Any]) -> Iterator[CheckMessage]:
    """Say what has no room for session keys, or expects rows of Django's."""
    has_ours = bool(middleware_of(OURS))
    longest = KEY_LENGTH if has_ours else MAX_COOKIE
    for model in (model for config in configs for model in config.get_models()):
        if is_a(model, SESSION_MODEL):
            continue
        label = model._meta.label  # noqa: SLF001 - as documented
        for field in model._meta.local_fields:  # noqa: SLF001 - the same
            if _holds_keys(field, KEY_COLUMNS.get(label.lower())) and (field.max_length or longest) < longest:
                yield Advice(
                    f"{label}.{field.name} has room for {field.max_length} characters, and a session key "
                    f"has up to {longest}.",
                    hint=WIDEN if has_ours else SHORTEN,
                    obj=model,
                    id="iron_wsgi.W003",
                )
            if is_a(field.related_model, SESSION_MODEL):
                yield Advice(
                    f"{label}.{field.name} points at the table of sessions, which stays empty.",
                    hint="Keep the session key itself, in a CharField; sessions are in their cookies.",
                    obj=model,
                    id="iron_wsgi.W004",
                )
    if apps.is_installed("allauth.usersessions") and not (has_ours and given().get("storage") == "store"):
        can_end = has_ours and given().get("revocations") is not None
        can = "end, but not list," if can_end else "neither list nor end"
        yield Advice(
            f"allauth.usersessions can {can} sessions of other devices: browsers have them.",
            hint=f'Set IRON_SESSION["storage"] = "store", and put {OURS!r} into MIDDLEWARE. Until then tell '
            "users to change their password, which ends all.",
            id="iron_wsgi.W005",
        )


def _holds_keys(field: Any, known: str | None) -> bool:
    name = str(field.name)
    return isinstance(field, CharField) and (name.endswith("session_key") or name == known)
