"""What the site needs where it is served to others. Secrets are not here: see `create_app`."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

# The session's cookie: over https alone, and no subdomain can set it, which the browser sees to by its name.
SESSION_COOKIE_NAME: Final = "__Host-flask_login"
SESSION_COOKIE_SECURE: Final = True
SESSION_COOKIE_SAMESITE: Final = "Lax"

# A session that is not used for an hour is over, and so is every session after three months. Both ends stand
# in the cookie itself, which is sealed anew once a minute while it is used.
PERMANENT_SESSION_LIFETIME: Final = timedelta(hours=1)
IRON_SESSION_REFRESH_AFTER: Final = timedelta(minutes=1)
IRON_SESSION_ABSOLUTE_TIMEOUT: Final = timedelta(days=90)
# Flask's own way to renew is for permanent sessions, of which there are none here. To find that out it would
# open the session at every request, also for pages that do not use it.
SESSION_REFRESH_EACH_REQUEST: Final = False

# Sessions that were ended before their time, so that no copy of their cookies goes on. Several machines share
# a list: "postgresql://..." or "redis://...".
IRON_SESSION_REVOCATIONS: Final = "sqlite:///%(instance_path)s/revocations.sqlite3"

WTF_CSRF_TIME_LIMIT: Final = None  # a form is good for as long as its session
MAX_CONTENT_LENGTH: Final = 16 * 1024  # octets; the forms are small
SEND_FILE_MAX_AGE_DEFAULT: Final = timedelta(hours=1)
