"""A site whose sessions have a server behind them, for tests that attack that server.

Its options come as a Python literal in the environment variable STORE_SITE. Gunicorn finds it by the names
``tests.servers.store_site:wsgi()`` and ``tests.servers.store_site:flask()``.
"""

from __future__ import annotations

import ast
import json
import os
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, request
from flask import session as flask_session
from flask_login import (  # type: ignore[import-untyped]
    LoginManager,
    UserMixin,
    current_user,
    login_user,
    logout_user,
)
from redis import Redis
from redis.sentinel import Sentinel

from iron_wsgi import IronSessionMiddleware, session_from
from iron_wsgi_flask import IronSessionInterface
from tests.services.redis import MASTER, patient

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PASSWORD: Final = "q3Vd0k7hXw9LmZt2sB5yRf8cJn4uPgE1aT6iKoQxY-0"
COOKIE: Final = "session"
SENTINEL: Final = "sentinel:"
"""Begins the place of a list or store behind Sentinels, whose ports follow, with commas between them."""


def pages(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """Show the session after what was asked for, and who answers; ``/worker`` leaves it alone."""
    session = session_from(environ)
    route = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    given = environ["wsgi.input"].read()
    shown: dict[str, Any] = {"worker": os.getpid()}
    if route == "POST /sign-in":
        session.regenerate(clear=True)
        session.update(json.loads(given))
    elif route == "POST /change":
        session.update(json.loads(given))
    elif route == "POST /count":
        session["count"] = session.get("count", 0) + 1
    elif route == "POST /visit" and session:  # nobody's are not counted
        session["visits"] = session.get("visits", 0) + 1
    elif route == "POST /logout":
        session.destroy()
    if route != "GET /worker":
        shown["session"] = session.copy()
    body = json.dumps(shown).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def settings() -> dict[str, Any]:
    """Return the options that the environment gives."""
    given: dict[str, Any] = ast.literal_eval(os.environ["STORE_SITE"])
    if given.get("store", "").startswith(SENTINEL):
        from iron_wsgi.stores.redis import RedisStore  # noqa: PLC0415 - a site needs what it uses

        given["store"] = RedisStore(_master(given["store"]), replicas=1)
    if given.get("revocations", "").startswith(SENTINEL):
        from iron_wsgi.revocation.redis import RedisRevocations  # noqa: PLC0415 - the same

        given["revocations"] = RedisRevocations(_master(given["revocations"]), replicas=1)
    return {"password": PASSWORD, "cookie_name": COOKIE, "cookie_options": {"secure": False}, **given}


def wsgi() -> WSGIApplication:
    """Return the site without a framework."""
    return IronSessionMiddleware(pages, **settings())


def flask() -> Flask:
    """Return the site with Flask-Login as its documentation has it."""
    app = Flask(__name__)
    app.session_interface = IronSessionInterface(**settings())
    manager = LoginManager(app)

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load(number: str) -> UserMixin:
        user = UserMixin()
        user.id = number
        return user

    def shown() -> dict[str, Any]:
        user = current_user.id if current_user.is_authenticated else None
        kept = {name: flask_session[name] for name in ("secret", "visits") if name in flask_session}
        return {"worker": os.getpid(), "user": user, "session": kept}

    @app.post("/sign-in")
    def sign_in() -> dict[str, Any]:
        given = request.get_json(force=True)
        flask_session["secret"] = given.get("secret")
        login_user(load(str(given.get("user"))))
        return shown()

    @app.post("/visit")
    def visit() -> dict[str, Any]:
        if current_user.is_authenticated:
            flask_session["visits"] = flask_session.get("visits", 0) + 1
        return shown()

    @app.get("/")
    def show() -> dict[str, Any]:
        return shown()

    @app.get("/worker")
    def worker() -> dict[str, Any]:
        return {"worker": os.getpid()}

    @app.post("/logout")
    def leave() -> dict[str, Any]:
        flask_session.pop("secret", None)
        flask_session.pop("visits", None)
        logout_user()
        return {}

    return app


def _master(place: str) -> Redis:
    ports = place.removeprefix(SENTINEL).split(",")
    found: Any = Sentinel([("127.0.0.1", int(port)) for port in ports], sentinel_kwargs=patient())  # type: ignore[no-untyped-call]
    client: Redis = found.master_for(MASTER, **patient())
    return client
