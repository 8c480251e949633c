"""The pages of `tests.servers.django_site`, as Django asks for them once its settings are made."""

from __future__ import annotations

import asyncio
import functools
import json
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

user_logged_in.disconnect(dispatch_uid="update_last_login")  # users are numbers here: there is no table


class SharedLogin:
    """Takes for the user whom the session that Node shares names, and nobody else.

    So Django's own members of the session open no door after Node has changed or removed the user.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Name the user."""
        given = request.session.get("user")
        request.user = user_of(given["id"]) if given else AnonymousUser()
        return self._get_response(request)


def user_of(number: int) -> Any:
    """Return the user with this number."""
    return User(pk=number, username=f"user {number}")


def answer(view: Callable[[HttpRequest, Any], Any]) -> Callable[[HttpRequest], Any]:
    """Return a view that is given the JSON of the request, and whose dict is answered as JSON."""

    @functools.wraps(view)
    def answering(request: HttpRequest) -> Any:
        given = json.loads(request.body) if request.body else {}
        return JsonResponse(view(request, given), safe=False)

    return answering


@answer
def show(request: HttpRequest, _given: Any) -> Any:
    """Show the session."""
    return dict(request.session.items())


@answer
def change(request: HttpRequest, given: Any) -> Any:
    """Set values, or remove those that are None, as the page of this name in Node."""
    for key, value in given.items():
        if value is None:
            request.session.pop(key, None)
        else:
            request.session[key] = value
    return dict(request.session.items())


@answer
def sign_in(request: HttpRequest, given: Any) -> Any:
    """Sign in whoever asks: with Django, and in the member of the session that Node knows."""
    login(request, user_of(given["id"]), backend="django.contrib.auth.backends.ModelBackend")
    request.session["user"] = given
    return {}


@answer
def sign_out(request: HttpRequest, _given: Any) -> Any:
    """Sign out."""
    logout(request)
    return {}


def me(request: HttpRequest) -> HttpResponse:
    """Tell a user who that is; everybody else 401."""
    is_known = request.user.is_authenticated
    return JsonResponse({"id": request.user.pk}) if is_known else HttpResponse(status=401)


@answer
def talk(request: HttpRequest, given: Any) -> Any:
    """Leave a message, or show those that are there, which ends them."""
    if given:
        messages.add_message(request, **given)
        return []
    return [[one.level, one.message] for one in messages.get_messages(request)]


@answer
def remember(request: HttpRequest, given: Any) -> Any:
    """Give the session an expiry of its own: seconds, 0 to end it with the browser, or days from now."""
    request.session.set_expiry(timedelta(days=given["days"]) if "days" in given else given["seconds"])
    return {}


@answer
def key(request: HttpRequest, _given: Any) -> Any:
    """Tell the session's key and id."""
    return {"session_key": request.session.session_key, "sid": request.session.sid}


@answer
def count(request: HttpRequest, _given: Any) -> Any:
    """Count this visit, in a nested value."""
    visits = request.session.setdefault("visits", {"count": 0})
    visits["count"] += 1
    request.session["visits"] = visits  # Django's own middleware notices nothing that is nested
    return {"user": request.user.pk, "count": visits["count"], "worker": os.getpid()}


async def acount(request: HttpRequest) -> HttpResponse:
    """Count this visit without a thread, while others are counted; a visitor may say who that is."""
    session = request.session
    if request.body:
        await session.aupdate(json.loads(request.body))
    user = await session.aget("user")
    await asyncio.sleep(0.01)
    visits = await session.asetdefault("visits", {"count": 0})
    await session.aset("visits", {"count": visits["count"] + 1})
    await session.acycle_key()
    await asyncio.sleep(0.01)
    found = await session.aget("visits")
    return JsonResponse({"user": user["id"], "count": found["count"], "worker": os.getpid()})


async def aplain(_request: HttpRequest) -> HttpResponse:
    """Wait as `acount` does; the session is left alone."""
    await asyncio.sleep(0.02)
    return JsonResponse({"worker": os.getpid()})


async def tell_hops(_request: HttpRequest) -> HttpResponse:
    """Tell how often a thread was asked for, by whomever, once nothing else is under way."""
    loop: Any = asyncio.get_running_loop()
    while loop.run_in_executor.under_way > 1:  # noqa: ASYNC110 - the server ends requests in its own way
        await asyncio.sleep(0.01)
    return JsonResponse({"hops": loop.run_in_executor.count})


urlpatterns = [
    path("", show),
    path("change", change),
    path("sign-in", sign_in),
    path("logout", sign_out),
    path("me", me),
    path("messages", talk),
    path("remember", remember),
    path("key", key),
    path("count", count),
    path("acount", acount),
    path("aplain", aplain),
    path("hops", tell_hops),
]
