"""A pytest plugin for the suites of Flask and its extensions: every application keeps our sessions.

It also counts them: a suite that never met our sessions would pass and show nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import flask

from iron_wsgi_flask import FlaskSession, IronSessionInterface

if TYPE_CHECKING:
    from flask import Request, Response
    from flask.sessions import SessionMixin

SESSIONS: Final = {"opened": 0, "sealed": 0}


class CountedInterface(IronSessionInterface):
    """Our interface, counting."""

    def open_session(self, app: flask.Flask, request: Request) -> FlaskSession | None:
        """Count a session of ours."""
        session = super().open_session(app, request)
        SESSIONS["opened"] += isinstance(session, FlaskSession)
        return session

    def save_session(self, app: flask.Flask, session: SessionMixin, response: Response) -> None:
        """Count a response that sets one of our seals."""
        super().save_session(app, session, response)
        SESSIONS["sealed"] += any("=Fe26.2*" in line for line in response.headers.getlist("Set-Cookie"))


flask.Flask.session_interface = CountedInterface()


def pytest_sessionfinish() -> None:
    (Path(os.environ["SUITE_REPORT"]) / "sessions.json").write_text(json.dumps(SESSIONS))
