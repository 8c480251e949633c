"""A small site with Flask-Login and Flask-WTF whose sessions are in a sealed cookie."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from flask import Flask, render_template
from flask.wrappers import Response
from flask_wtf.csrf import CSRFError, CSRFProtect  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException, ServiceUnavailable
from werkzeug.wrappers import Response as WerkzeugResponse

from iron_wsgi import Unavailable
from iron_wsgi_flask import IronSessionInterface

from . import account, link, public, settings
from .users import Users

SECRETS: Final = {
    "IRON_SESSION_PASSWORD": "seals sessions: iron-wsgi keygen makes one",
    "SECRET_KEY": "signs the tokens in forms",
}

STALE: Final = (
    "The form was not made for the session you have now, so nothing was done. Perhaps the session ended, or "
    "you signed in or out in another window. Go back, load the page again, and try once more."
)

OUTAGE: Final = (
    "This site cannot look up just now which sessions are over, so it signs nobody in and nobody out. "
    "Nothing is lost: please try again in a few seconds."
)
RETRY_AFTER: Final = 5  # seconds

HEADERS: Final = {
    # Scripts and styles are files of this site: whatever a visitor types, nothing of it runs.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def create_app(config: Mapping[str, Any] | None = None, *, instance_path: str | None = None) -> Flask:
    """Return the site, set up for production; the secrets come from the environment.

    Args:
        config: What is to be otherwise, the secrets too. ``USERS`` are those who may sign in; by default
            nobody may. ``SEND_LINK`` takes a user and the path of a page that signs in, and has it sent to
            the user, without waiting for that. By default there are no such links.
        instance_path: The folder of what the site writes, an absolute path; by default where Flask has it.

    Raises:
        RuntimeError: A secret is missing.
    """
    app = Flask(__name__, instance_path=instance_path)
    app.config.from_object(settings)
    app.config.update({name: os.environ.get(name) for name in SECRETS})
    app.config.update(config or {})
    for name, purpose in SECRETS.items():
        if not app.config[name]:
            raise RuntimeError(f"{name} is not set. It {purpose}.")
    if "USERS" not in app.config:
        app.config["USERS"] = Users()
    if app.config["IRON_SESSION_REVOCATIONS"] == settings.IRON_SESSION_REVOCATIONS:
        # Nobody else on this machine may write there, and so let sessions in again that are over.
        Path(app.instance_path).mkdir(mode=0o700, parents=True, exist_ok=True)
        app.config["IRON_SESSION_REVOCATIONS"] %= {"instance_path": app.instance_path}

    app.session_interface = IronSessionInterface()
    CSRFProtect(app)
    app.login_manager = account.login_manager  # type: ignore[attr-defined]  # where Flask-Login looks for it
    app.register_blueprint(public.blueprint)
    app.register_blueprint(account.blueprint)
    if "SEND_LINK" in app.config:
        app.register_blueprint(link.blueprint)
    app.register_error_handler(HTTPException, _problem)
    for outage in (503, Unavailable):  # from the session, and from the list itself
        app.register_error_handler(outage, _outage)
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


def _outage(_error: Exception) -> WerkzeugResponse:
    """Explain on a page that the list of revocations does not answer. Nobody is let in unchecked."""
    return _problem(ServiceUnavailable(OUTAGE, retry_after=RETRY_AFTER))


def _moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(round(epoch), tz=timezone.utc)
