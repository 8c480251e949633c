"""The headers that every response has."""

# Django has no types.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

# Scripts and styles are files of this site: whatever a visitor types, nothing of it runs.
OWN: Final = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# The admin has images and fonts of its own, and nothing inline either.
ADMIN: Final = (
    "default-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@sync_and_async_middleware
def guarded(get_response: Any) -> Any:
    """Wrap *get_response*. Django's SecurityMiddleware adds nosniff, Referrer-Policy and others."""
    if iscoroutinefunction(get_response):

        async def answer_soon(request: HttpRequest) -> HttpResponse:
            return _guard(request, await get_response(request))

        return answer_soon

    def answer(request: HttpRequest) -> HttpResponse:
        return _guard(request, get_response(request))

    return answer


def _guard(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    match = request.resolver_match
    policy = ADMIN if match and "admin" in match.app_names else OWN
    response.headers.setdefault("Content-Security-Policy", policy)
    if response.status_code >= 400:
        response.headers.setdefault("Cache-Control", "no-store")
    return response
