"""The page that is the same for everybody, so that any cache may keep it."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, make_response, render_template, request
from werkzeug.wrappers import Response

MAX_AGE: Final = 5 * 60  # seconds

# A blueprint of its own, out of Flask-Login's reach: see account.py. The template asks for no message, no
# form's token and no user either. So nothing touches the session, and nothing of it is in the response: no
# Vary, no Set-Cookie. Rendering by itself is no access: the session that Flask gives templates waits for use.
blueprint = Blueprint("public", __name__)


@blueprint.get("/")
def start() -> Response:
    """Show the start page, or say that the browser has it. Who is looking, its script asks `account.me`."""
    response = make_response(render_template("start.html"))
    response.cache_control.public = True
    response.cache_control.max_age = MAX_AGE
    response.add_etag()
    return response.make_conditional(request)
