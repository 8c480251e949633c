"""The site as `scripts/demo flask` serves it: over plain http, on this machine alone."""

from __future__ import annotations

import secrets
from typing import Final

from werkzeug.security import generate_password_hash

from iron_wsgi import generate_password

from .app import create_app
from .users import User, Users

ACCOUNT: Final = ("ada", "lovelace")

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
    }
)
