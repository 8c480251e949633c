"""The application's session interface, by its type: it offers more than Flask asks of one."""

from __future__ import annotations

from typing import cast

from flask import current_app

from iron_wsgi_flask import IronSessionInterface


def interface() -> IronSessionInterface:
    """Return the current application's."""
    return cast("IronSessionInterface", current_app.session_interface)
