"""The site as `scripts/demo flask` serves it: over plain http, on this machine alone."""

from __future__ import annotations

import atexit
import secrets
from tempfile import TemporaryDirectory
from typing import Final

from flask import g
from werkzeug.security import generate_password_hash

from iron_wsgi import generate_password

from .app import create_app
from .users import User, Users

ACCOUNT: Final = ("ada", "lovelace")

# What the site writes, and forgets when the demo ends.
FOLDER: Final = TemporaryDirectory(prefix="flask_login-", ignore_cleanup_errors=True)
atexit.register(FOLDER.cleanup)


def show_link(_user: User, path: str) -> None:
    """Show the link on the page, in the place of a mail."""
    g.link = path


application = create_app(
    {
        # Chrome and Firefox take a Secure cookie over http from this machine itself, Safari takes none; and a
        # name that begins with __Host- is for Secure cookies alone. Browsers share cookies between ports, so
        # every demo has a name of its own.
        "SESSION_COOKIE_SECURE": False,
        "SESSION_COOKIE_NAME": "flask_login",
        # New at each start, so stopping the demo signs everybody out.
        "IRON_SESSION_PASSWORD": generate_password(),
        "SECRET_KEY": secrets.token_urlsafe(32),
        "USERS": Users([User("1", ACCOUNT[0], generate_password_hash(ACCOUNT[1]))]),
        "DEMO_ACCOUNT": ACCOUNT,
        "SEND_LINK": show_link,
    },
    instance_path=FOLDER.name,
)
