"""A Django project for the tests of this process, whose settings can be made only once."""

from __future__ import annotations

import django
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import path

OURS = "iron_wsgi_django.middleware.SessionMiddleware"
STOCK = "django.contrib.sessions.middleware.SessionMiddleware"
AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"

SETTINGS = {
    "SECRET_KEY": "project-Tq7Zr2Lx9-cVfM4nKs8WbJ1yEd5Uh3Pg-of-the-tests-alone",
    "ROOT_URLCONF": __name__,
    "ALLOWED_HOSTS": ["testserver"],
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    "DEFAULT_AUTO_FIELD": "django.db.models.AutoField",
    "INSTALLED_APPS": [
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "iron_wsgi_django",
    ],
    "MIDDLEWARE": [OURS, AUTH],
    "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    "SESSION_ENGINE": "iron_wsgi_django.backend",
    "USE_TZ": True,
}


def set_up() -> None:
    """Make the settings, unless another module did; each test overrides what it depends on."""
    if not settings.configured:
        settings.configure(**SETTINGS)
        django.setup()


async def visit(request: HttpRequest) -> JsonResponse:
    """What the session holds, and who is signed in. A POST writes into it, a DELETE ends it."""
    session = request.session
    if request.method == "POST":
        session[request.POST["key"]] = request.POST["value"]
    elif request.method == "DELETE":
        await session.aflush()
    user = await request.auser()
    answer = JsonResponse({"data": dict(session.items()), "user": user.get_username()})
    answer.headers["Session-Key"] = session.session_key or ""
    return answer


urlpatterns = [path("", visit)]
