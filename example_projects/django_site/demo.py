"""The site as `scripts/demo django` serves it: over plain http, on this machine alone."""

from __future__ import annotations

import atexit
import secrets
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connection

from iron_wsgi import generate_password

# Where manage.py finds the site too.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from mysite import settings as production

ACCOUNT: Final = ("ada", "lovelace")

_folder = TemporaryDirectory(prefix="django_site-")
atexit.register(_folder.cleanup)

_taken_back: dict[str, Any] = {
    # Chrome and Firefox take a Secure cookie over http from this machine itself, Safari takes none; and a
    # name that begins with __Host- is for Secure cookies alone. Browsers share cookies between ports, so
    # every demo has names of its own.
    "SESSION_COOKIE_SECURE": False,
    "SESSION_COOKIE_NAME": "django_site",
    "CSRF_COOKIE_SECURE": False,
    "CSRF_COOKIE_NAME": "django_site_csrf",
    "SECURE_SSL_REDIRECT": False,
    "SECURE_HSTS_SECONDS": 0,
    # New at each start, so stopping the demo signs everybody out.
    "SECRET_KEY": secrets.token_urlsafe(50),
    "IRON_SESSION": {**production.IRON_SESSION, "password": generate_password()},
    "ALLOWED_HOSTS": ["127.0.0.1", "localhost"],
    "DATABASES": {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(_folder.name) / "users.sqlite3"}
    },
    "DEMO_ACCOUNT": ACCOUNT,
}

settings.configure(
    **{name: value for name, value in vars(production).items() if name.isupper()} | _taken_back
)
# The web server's work, where there is one.
application = StaticFilesHandler(get_wsgi_application())


def _make_users() -> None:
    from django.contrib.auth.models import User  # noqa: PLC0415 - models need the settings

    call_command("migrate", verbosity=0)
    User.objects.create_superuser(ACCOUNT[0], password=ACCOUNT[1])
    connection.close()  # each request opens its own


_make_users()
