"""The pages of `tests.servers.store_site`, for the setting ROOT_URLCONF of `tests.servers.django_site`."""

from __future__ import annotations

import json
import os
from typing import Any

from django.contrib.auth import login, logout
from django.http import HttpRequest, JsonResponse
from django.urls import path

from .django_pages import user_of


def shown(request: HttpRequest) -> JsonResponse:
    """Show what the session holds of ours, and as whom Django takes the visitor."""
    kept = {name: request.session[name] for name in ("secret", "visits") if name in request.session}
    return JsonResponse(
        {"worker": os.getpid(), "user": request.session.get("_auth_user_id"), "session": kept}
    )


def sign_in(request: HttpRequest) -> JsonResponse:
    """Sign in."""
    given: dict[str, Any] = json.loads(request.body)
    login(request, user_of(given.get("user", 7)), backend="django.contrib.auth.backends.ModelBackend")
    request.session["secret"] = given.get("secret")
    return shown(request)


def visit(request: HttpRequest) -> JsonResponse:
    """Count the visits of whoever is signed in."""
    if "_auth_user_id" in request.session:
        request.session["visits"] = request.session.get("visits", 0) + 1
    return shown(request)


def leave(request: HttpRequest) -> JsonResponse:
    """Sign out."""
    logout(request)
    return JsonResponse({})


def worker(_request: HttpRequest) -> JsonResponse:
    """Tell which process answers. Does not touch the session."""
    return JsonResponse({"worker": os.getpid()})


urlpatterns = [
    path("", shown),
    path("sign-in", sign_in),
    path("visit", visit),
    path("logout", leave),
    path("worker", worker),
]
