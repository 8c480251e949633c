"""Checks of installed applications that keep session keys, or expect rows of sessions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.apps import apps
from django.core.checks import CheckMessage
from django.core.checks import Warning as Advice
from django.db.models import CharField

from iron_wsgi.cookies.cookie import MAX_COOKIE
from iron_wsgi_django.dotted_paths import OURS, find_middleware, is_subclass

from .raw_options import raw_options

SESSION_MODEL: Final = "django.contrib.sessions.base_session.AbstractBaseSession"

KEY_LENGTH: Final = 32
"""Characters of a session key under our middleware; Django's own keys have as many."""

KEY_COLUMNS: Final = {"hitcount.hit": "session"}
"""Columns with session keys whose name does not end in ``session_key``, by model."""

SHORTEN: Final = (
    f"Put {OURS!r} into MIDDLEWARE in place of Django's: its session keys are short, and stay the same."
)
WIDEN: Final = "Widen the column."


def application_messages(configs: Iterable[Any]) -> Iterator[CheckMessage]:
    """Report columns that are too short for session keys, and models that expect rows of sessions."""
    has_ours = bool(find_middleware(OURS))
    longest = KEY_LENGTH if has_ours else MAX_COOKIE
    for model in (model for config in configs for model in config.get_models()):
        if is_subclass(model, SESSION_MODEL):
            continue
        label = model._meta.label  # noqa: SLF001 - documented by Django
        for field in model._meta.local_fields:  # noqa: SLF001 - the same
            if _holds_keys(field, KEY_COLUMNS.get(label.lower())) and (field.max_length or longest) < longest:
                yield Advice(
                    f"{label}.{field.name} has room for {field.max_length} characters, and a session key "
                    f"has up to {longest}.",
                    hint=WIDEN if has_ours else SHORTEN,
                    obj=model,
                    id="iron_wsgi.W003",
                )
            if is_subclass(field.related_model, SESSION_MODEL):
                yield Advice(
                    f"{label}.{field.name} points at the table of sessions, which stays empty.",
                    hint="Keep the session key itself, in a CharField; sessions are in their cookies.",
                    obj=model,
                    id="iron_wsgi.W004",
                )
    are_listed = has_ours and raw_options().get("storage") == "store"
    if apps.is_installed("allauth.usersessions") and not are_listed:
        can_end = has_ours and raw_options().get("revocations") is not None
        can = "end, but not list," if can_end else "neither list nor end"
        yield Advice(
            f"allauth.usersessions can {can} sessions of other devices: browsers have them.",
            hint=f'Set IRON_SESSION["storage"] = "store", and put {OURS!r} into MIDDLEWARE. Until then tell '
            "users to change their password, which ends all.",
            id="iron_wsgi.W005",
        )


def _holds_keys(field: Any, known: str | None) -> bool:
    """Tell whether *field* holds session keys; *known* is the name of such a field in this model."""
    name = str(field.name)
    return isinstance(field, CharField) and (name.endswith("session_key") or name == known)
