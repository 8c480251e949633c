"""The page that is the same for everybody, so that any cache may keep it."""

# Django has no types.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page, require_GET

MAX_AGE: Final = 5 * 60  # seconds


# The template asks for no message, no form's token and no user. So nothing touches the session, and nothing
# of it is in the response: no Vary, no Set-Cookie.
@require_GET
@conditional_page
@cache_control(public=True, max_age=MAX_AGE)
def start(request: HttpRequest) -> HttpResponse:
    """Show the start page, or say that the browser has it. Who is looking, its script asks `account.me`."""
    shown = {"demo_account": settings.DEMO_ACCOUNT, "is_secure": settings.SESSION_COOKIE_SECURE}
    return render(request, "start.html", shown)
