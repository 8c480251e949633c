"""A Flask application whose visitors sign in here or in Node: what the tests put behind real servers.

Gunicorn finds it by its name: ``tests.servers.flask_site:create_app()``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from flask import Blueprint, Flask, flash, get_flashed_messages, request
from flask_login import (  # type: ignore[import-untyped]
    LoginManager,
    UserMixin,
    current_user,
    login_required,
    login_user,
    logout_user,
)
from markupsafe import Markup

from iron_wsgi_flask import IronSessionInterface, session

if TYPE_CHECKING:
    from flask.sessions import SessionInterface
    from flask.typing import ResponseReturnValue
    from flask.wrappers import Request

PASSWORD: Final = "q3Vd0k7hXw9LmZt2sB5yRf8cJn4uPgE1aT6iKoQxY-0"
"""What the site seals with where it makes its interface itself."""

COOKIE: Final = "session"

TYPED: Final[dict[str, Any]] = {
    "when": datetime(2026, 11, 21, 6, 30, 0, 123456, tzinfo=timezone(timedelta(hours=1))),
    "pair": (1, "two"),
    "octets": b"\x00\xff",
    "number": UUID("6f1d3a52-0c6c-4a52-9a0e-2f1f9a3c7b11"),
    "html": Markup("<b>bold</b>"),
}
"""Values of types that JSON does not have. ``POST /typed`` puts them into the session by name."""


@dataclass(frozen=True, eq=False)
class User(UserMixin):  # type: ignore[misc]
    """Somebody who can sign in."""

    id: int

    @staticmethod
    def get(number: int) -> User | None:
        """Return the user with this id; there are a thousand."""
        return User(number) if number in range(1000) else None


site = Blueprint("site", __name__)


def create_app(interface: SessionInterface | None = None, **config: Any) -> Flask:
    """Return the site, which keeps its sessions by *interface*; for 14 days where none is given."""
    app = Flask(__name__)
    app.config.update(config)
    app.session_interface = interface or IronSessionInterface(PASSWORD, ttl=timedelta(days=14))
    app.register_blueprint(site)

    # The session that Node shares says who is signed in, and nothing else does: there is no user_loader, so
    # Flask-Login's own _user_id opens no door after Node has changed or removed the user.
    login_manager = LoginManager(app)
    login_manager.session_protection = None  # Node's sessions hold no hash of address and browser

    @login_manager.request_loader  # type: ignore[untyped-decorator]
    def load(_request: Request) -> User | None:
        user = session.get("user")
        return User.get(user["id"]) if user else None

    return app


@site.get("/")
def show() -> ResponseReturnValue:
    """Show the session; values that JSON does not have as text."""
    return {key: str(value) if key in TYPED else value for key, value in session.items()}


@site.post("/change")
def change() -> ResponseReturnValue:
    """Set values, or remove those that are None, as the page of this name in Node."""
    for key, value in request.get_json(force=True).items():
        if value is None:
            session.unset(key)
        else:
            session[key] = value
    return show()


@site.post("/count")
def count() -> ResponseReturnValue:
    """Count this visit, in a nested value."""
    session.setdefault("visits", {"count": 0})["count"] += 1
    return {"user": current_user.id, "count": session["visits"]["count"], "worker": os.getpid()}


@site.post("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Sign in whoever asks: in the member of the session that Node knows, and with Flask-Login."""
    session["user"] = request.get_json(force=True)
    login_user(User.get(session["user"]["id"]))
    return show()


@site.post("/logout")
def leave() -> ResponseReturnValue:
    """Sign out."""
    session.clear()
    logout_user()  # after clear(): it leaves word in the session that a remember cookie is to go
    return {}


@site.get("/me")
@login_required  # type: ignore[untyped-decorator]
def me() -> ResponseReturnValue:
    """Tell a user who that is; everybody else 401."""
    return {"id": current_user.id}


@site.post("/messages")
def say() -> ResponseReturnValue:
    """Flash a message."""
    flash(**request.get_json(force=True))
    return {}


@site.get("/messages")
def hear() -> ResponseReturnValue:
    """Show the messages, which ends them."""
    return list(map(list, get_flashed_messages(with_categories=True)))


@site.post("/typed")
def put_typed() -> ResponseReturnValue:
    """Put named values of `TYPED` into the session."""
    session.update({name: TYPED[name] for name in request.get_json(force=True)["names"]})
    return {}


@site.get("/typed")
def get_typed() -> ResponseReturnValue:
    """Tell which values of `TYPED` the session holds, type and all."""
    return {
        name: session.get(name) == value and type(session.get(name)) is type(value)
        for name, value in TYPED.items()
    }


@site.get("/stamps")
def stamps() -> ResponseReturnValue:
    """Tell what the session knows of itself."""
    return {"sid": session.sid, "issued_at": session.issued_at, "expires_at": session.expires_at}


@site.post("/wait")
def wait() -> ResponseReturnValue:
    """Answer, and count, once the named pipe in the request was opened and closed for writing."""
    Path(request.get_json(force=True)["pipe"]).read_bytes()
    return count()


@site.get("/worker")
def worker() -> ResponseReturnValue:
    """Tell which process answers. Does not touch the session."""
    return {"worker": os.getpid()}
