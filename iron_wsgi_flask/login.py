"""Flask-Login: whoever signs in or out gets a session with a new id."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from flask import session

from .session import FlaskSession

if TYPE_CHECKING:
    from flask import Flask


def follow_flask_login(app: Flask) -> bool:
    """Regenerate *app*'s sessions when Flask-Login signs in or out (ASVS 5.0 7.2.4). Their data stay.

    Returns:
        Whether Flask-Login is imported; if not, nothing is done.
    """
    flask_login: Any = sys.modules.get("flask_login")
    if flask_login is None:
        return False
    flask_login.user_logged_in.connect(_regenerate, app)
    flask_login.user_loaded_from_cookie.connect(_regenerate_unless_destroyed, app)
    flask_login.user_logged_out.connect(_regenerate_unless_destroyed, app)
    return True


def _regenerate(_app: Flask, **_arguments: Any) -> None:
    """Regenerate the current session.

    Raises:
        SessionDestroyed: It was destroyed in this request, so that the sign-in would be lost.
    """
    current = session._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - a proxy's own way
    if isinstance(current, FlaskSession):
        current.regenerate()


def _regenerate_unless_destroyed(app: Flask, **_arguments: Any) -> None:
    current = session._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - a proxy's own way
    if not (isinstance(current, FlaskSession) and current.state and current.state.destroyed):
        _regenerate(app)
