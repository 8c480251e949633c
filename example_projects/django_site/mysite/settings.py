"""What the site needs where it is served to others.

What differs from place to place, secrets first, comes from the environment. `manage.py check --deploy` says
what is missing.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = os.environ.get("SECRET_KEY", "")  # signs the links that reset passwords, for one
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "").split()

ROOT_URLCONF = "mysite.urls"
WSGI_APPLICATION = "mysite.wsgi.application"

# Sessions: these three lines put iron_wsgi in the place of Django's own.

SESSION_ENGINE = "iron_wsgi_django.backend"

INSTALLED_APPS = [
    "mysite",
    "iron_wsgi_django",
    # No "django.contrib.sessions": what it would add is a table, and that would stay empty.
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "mysite.headers.guarded",
    "iron_wsgi_django.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

# The session's cookie: over https alone, and no subdomain can set it, which the browser sees to by its name.
SESSION_COOKIE_NAME = "__Host-mysite"
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

# A session that is not used for an hour is over, and so is every session after three months. Both ends stand
# in the cookie itself, which is sealed anew once a minute while it is used. "Remember me" is in account.py.
SESSION_COOKIE_AGE = 60 * 60  # seconds
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
IRON_SESSION: dict[str, Any] = {
    "password": os.environ.get("IRON_SESSION_PASSWORD"),  # seals sessions: manage.py iron_keygen makes one
    "refresh_after": timedelta(minutes=1),
    "absolute_timeout": timedelta(days=90),
}

# In the session, which nobody can read; Django's default keeps messages in a cookie that is only signed.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# Not CSRF_USE_SESSIONS: to look for its token it would open the session at every request, and no cache could
# keep any page, as each would depend on the session's cookie.
CSRF_COOKIE_NAME = "__Host-csrf"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_AGE = None  # for as long as the browser runs

# Users.

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DATABASE", BASE_DIR / "users.sqlite3"),
    }
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "session"
LOGOUT_REDIRECT_URL = "start"
DEMO_ACCOUNT: tuple[str, str] | None = None  # shown to visitors, where there is one

# https alone. The hour is for finding out whether all works; a year is usual then, and browsers hold to it.
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True

# Pages.

STATIC_URL = "/static/"
STATIC_ROOT = os.environ.get("STATIC_ROOT")  # where manage.py collectstatic puts files for the web server
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            # None of them looks at the session before a template does.
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"terminal": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["terminal"], "level": "WARNING"},
}
