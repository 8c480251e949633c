"""Flask-Login: whoever signs in or out gets a session with a new id."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flask import session

from .session import FlaskSession

if TYPE_CHECKING:
    from flask import Flask


def follow_flask_login(app: Flask) -> None:
    """Regenerate *app*'s sessions when Flask-Login signs in or out, if *app* uses it (ASVS 5.0 7.2.4).

    The data stay. Without it nothing is imported.
    """
    if not hasattr(app, "login_manager"):
        return
    flask_login = import_module("flask_login")
    for name in ("user_logged_in", "user_loaded_from_cookie", "user_logged_out"):
        getattr(flask_login, name).connect(_regenerate, app)


def _regenerate(_app: Flask, **_about: Any) -> None:
    current = session._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - a proxy's own way
    if isinstance(current, FlaskSession) and not (current.state and current.state.destroyed):
        current.regenerate()
