"""Checks of the session cookie's attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Advice

from iron_wsgi_django.dotted_paths import STOCK

from .raw_options import raw_options

SESSIONS = "django.contrib.sessions"


def cookie_messages() -> Iterator[CheckMessage]:
    """Report attributes under which browsers drop the cookie."""
    name, prefix = settings.SESSION_COOKIE_NAME, str(settings.SESSION_COOKIE_NAME).lower()
    missing = []
    if prefix.startswith(("__secure-", "__host-", "__http-")) and not settings.SESSION_COOKIE_SECURE:
        missing.append("SESSION_COOKIE_SECURE = True")
    if prefix.startswith(("__http-", "__host-http-")) and not settings.SESSION_COOKIE_HTTPONLY:
        missing.append("SESSION_COOKIE_HTTPONLY = True")
    if prefix.startswith("__host-") and settings.SESSION_COOKIE_PATH != "/":
        missing.append('SESSION_COOKIE_PATH = "/"')
    if prefix.startswith("__host-") and settings.SESSION_COOKIE_DOMAIN:
        missing.append("SESSION_COOKIE_DOMAIN = None")
    if missing:
        yield Error(
            f"Browsers drop a cookie named {name!r} under these settings.",
            hint=f"Set {', '.join(missing)}, or choose a SESSION_COOKIE_NAME without the prefix.",
            id="iron_wsgi.E006",
        )
    if settings.SESSION_COOKIE_SECURE:
        return
    options = raw_options().get("cookie_options")
    if isinstance(options, Mapping) and options.get("partitioned"):
        lacking = 'IRON_SESSION["cookie_options"]["partitioned"]'
    elif str(settings.SESSION_COOKIE_SAMESITE).lower() == "none" and settings.SESSION_COOKIE_SAMESITE:
        lacking = 'SESSION_COOKIE_SAMESITE = "None"'
    else:
        return
    yield Error(
        f"Browsers drop the session cookie: {lacking} needs a Secure cookie.",
        hint="Set SESSION_COOKIE_SECURE = True.",
        id="iron_wsgi.E007",
    )


def protection_messages() -> Iterator[CheckMessage]:
    """Report the protection that the cookie lacks."""
    # Django's security.W010 to W015 only look where its own application or middleware is installed.
    is_checked_by_django = SESSIONS in settings.INSTALLED_APPS or STOCK in settings.MIDDLEWARE
    if not is_checked_by_django and settings.SESSION_COOKIE_SECURE is not True:
        yield Advice(
            "SESSION_COOKIE_SECURE is not True: whoever listens to one plain http request has the session.",
            hint="Set SESSION_COOKIE_SECURE = True; the site must be served over https.",
            id="iron_wsgi.W006",
        )
    if not is_checked_by_django and settings.SESSION_COOKIE_HTTPONLY is not True:
        yield Advice(
            "SESSION_COOKIE_HTTPONLY is not True: a script that gets into a page can take the session away.",
            hint="Set SESSION_COOKIE_HTTPONLY = True, which is Django's default.",
            id="iron_wsgi.W007",
        )
    if not settings.SESSION_COOKIE_SAMESITE:
        yield Advice(
            "SESSION_COOKIE_SAMESITE is off: some browsers send the session with requests of other sites.",
            hint='Set SESSION_COOKIE_SAMESITE = "Lax", which is Django\'s default, or "Strict".',
            id="iron_wsgi.W008",
        )
