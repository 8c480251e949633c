"""A small site with Flask-Login and Flask-WTF whose sessions are in a sealed cookie."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final

from flask import Flask, render_template
from flask.wrappers import Response
from flask_wtf.csrf import CSRFError, CSRFProtect  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as WerkzeugResponse

from iron_wsgi_flask import IronSessionInterface

from . import account, public, settings
from .users import Users

SECRETS: Final = {
    "IRON_SESSION_PASSWORD": "seals sessions: iron-wsgi keygen makes one",
    "SECRET_KEY": "signs the tokens in forms",
}

STALE: Final = (
    "The form was not made for the session you have now, so nothing was done. Perhaps the session ended, or "
    "you signed in or out in another window. Go back, load the page again, and try once more."
)

HEADERS: Final = {
    # Scripts and styles are files of this site: whatever a visitor types, nothing of it runs.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Return the site, set up for production; the secrets come from the environment.

    Args:
        config: What is to be otherwise, the secrets too. ``USERS`` are those who may sign in; by default
            nobody may.

    Raises:
        RuntimeError: A secret is missing.
    """
    app = Flask(__name__)
    app.config.from_object(settings)
    app.config.update({name: os.environ.get(name) for name in SECRETS})
    app.config.update(config or {})
    for name, purpose in SECRETS.items():
        if not app.config[name]:
            raise RuntimeError(f"{name} is not set. It {purpose}.")
    if "USERS" not in app.config:
        app.config["USERS"] = Users()

    app.session_interface = IronSessionInterface()
    CSRFProtect(app)
    app.login_manager = account.login_manager  # type: ignore[attr-defined]  # where Flask-Login looks for it
    app.register_blueprint(public.blueprint)
    app.register_blueprint(account.blueprint)
    app.register_error_handler(HTTPException, _problem)
    app.after_request(_guarded)
    app.add_template_filter(_moment, "moment")
    return app


def _guarded(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response


def _problem(error: HTTPException) -> WerkzeugResponse:
    """Explain on a page what went wrong."""
    description = STALE if isinstance(error, CSRFError) else error.description
    response = error.get_response()
    response.data = render_template("problem.html", name=error.name, description=description)
    response.headers["Cache-Control"] = "no-store"
    return response


def _moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(round(epoch), tz=timezone.utc)
