"""A Django site with applications of others that keep the session's key in tables of theirs.

``python -m tests.apps.third_parties MIDDLEWARE OPTIONS`` visits it and prints what was seen, as JSON:
Django's settings can be made once in a process. The options are those of ``IRON_SESSION``, as JSON too.
"""

from __future__ import annotations

import json
import sys
from http.cookies import SimpleCookie
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path

SECRET = "correct horse battery staple"


def set_up(middleware: str, options: str) -> None:
    """Make the settings, and the tables."""
    settings.configure(
        SECRET_KEY="third-Xk8Qw2Zr5Lm-Vb7Tn3Hs9Yc4Jd6Fg1Pu-parties",
        ALLOWED_HOSTS=["testserver"],
        ROOT_URLCONF=__name__,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.humanize",
            "django.contrib.messages",
            "allauth",
            "allauth.account",
            "allauth.usersessions",
            "hitcount",
            "iron_wsgi_django",
        ],
        MIDDLEWARE=[
            middleware,
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "allauth.account.middleware.AccountMiddleware",
            "allauth.usersessions.middleware.UserSessionsMiddleware",
        ],
        AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
        ACCOUNT_EMAIL_VERIFICATION="none",
        ACCOUNT_LOGIN_METHODS={"username"},
        ACCOUNT_RATE_LIMITS=False,
        IRON_SESSION=json.loads(options),
        LOGIN_REDIRECT_URL="/who",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        SESSION_ENGINE="iron_wsgi_django.backend",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
            }
        ],
        USERSESSIONS_TRACK_ACTIVITY=True,
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0)


def who(request: HttpRequest) -> HttpResponse:
    """Tell who asks, and under which key."""
    return JsonResponse({"user": request.user.get_username(), "key": request.session.session_key})


def write(request: HttpRequest) -> HttpResponse:
    """Write into the session."""
    request.session["written"] = request.session.get("written", 0) + 1
    return HttpResponse("ok")


def hit(request: HttpRequest) -> HttpResponse:
    """Count a hit of whoever asks, once for each session."""
    from django.contrib.contenttypes.models import ContentType  # noqa: PLC0415 - needs the settings
    from hitcount.models import HitCount  # type: ignore[import-untyped] # noqa: PLC0415 - the same
    from hitcount.views import HitCountMixin  # type: ignore[import-untyped] # noqa: PLC0415 - the same

    page, _ = HitCount.objects.get_or_create(
        content_type=ContentType.objects.get_for_model(ContentType), object_pk=1
    )
    return JsonResponse({"counted": HitCountMixin.hit_count(request, page).hit_counted})


def __getattr__(name: str) -> Any:
    """Return the addresses, which Django asks for by their name once there are settings."""
    if name != "urlpatterns":
        raise AttributeError(name)
    return [
        path("who", who),
        path("write", write),
        path("hit", hit),
        path("accounts/", include("allauth.urls")),
    ]


def visit() -> dict[str, Any]:
    """Visit the site, and return what was seen."""
    from allauth.usersessions.models import (  # type: ignore[import-untyped] # noqa: PLC0415 - needs the settings
        UserSession,
    )
    from django.contrib.auth import get_user_model  # noqa: PLC0415 - the same
    from hitcount.models import Hit  # noqa: PLC0415 - the same

    from iron_wsgi_django.test import Client  # noqa: PLC0415 - the same

    get_user_model().objects.create_user("ada", password=SECRET)
    seen: dict[str, Any] = {"keys": []}
    first, second = Client(), Client()
    for client in (first, second):
        client.post("/accounts/login/", {"login": "ada", "password": SECRET})
        seen["keys"].append([client.get("/who").json()["key"]])
        for _ in range(3):
            client.post("/write")
            seen["keys"][-1].append(client.get("/who").json()["key"])
    seen["user"] = first.get("/who").json()["user"]
    seen["rows"] = sorted(UserSession.objects.values_list("session_key", flat=True))

    visitors = Client(), Client()
    seen["counted"] = [
        [visitor.post("/hit").json()["counted"] for visitor in visitors],
        [visitor.post("/write").status_code for visitor in visitors],
        [visitor.post("/hit").json()["counted"] for visitor in visitors],
    ]
    seen["hits"] = sorted(Hit.objects.values_list("session", flat=True))
    seen["visitors"] = sorted(visitor.get("/who").json()["key"] for visitor in visitors)

    page = first.get("/accounts/sessions/")
    seen["list"] = [page.status_code, UserSession.objects.count()]
    third = Client()
    third.post("/accounts/login/", {"login": "ada", "password": SECRET})
    taken = SimpleCookie({"sessionid": second.cookies["sessionid"].value})
    seen["before the end"] = [client.get("/who").json()["user"] for client in (first, second, third)]
    page = first.post("/accounts/sessions/")
    seen["end"] = page.status_code
    seen["after the end"] = [client.get("/who").json()["user"] for client in (first, second, third)]
    # What a thief has copied before.
    thief = Client()
    thief.cookies = taken
    seen["thief"] = thief.get("/who").json()["user"]
    # An id is no cookie.
    liar = Client()
    liar.cookies["sessionid"] = seen["keys"][0][0]
    seen["liar"] = liar.get("/who").json()["user"]
    first.post("/accounts/logout/")
    seen["signed out"] = first.get("/who").json()["user"]
    return seen


if __name__ == "__main__":
    set_up(*sys.argv[1:])
    print(json.dumps(visit()))  # noqa: T201 - for the tests
