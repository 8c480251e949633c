"""Sessions in signed and encrypted cookies for Django: ``SESSION_ENGINE = "iron_wsgi_django.backend"``."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from iron_wsgi import Sealer
from iron_wsgi.revocation import Revocations
from iron_wsgi.stores import Store

from .conf import options as _options
from .endings import end_others as _end_others


def sealer(purpose: str, *, once: bool = False) -> Sealer:
    """Return a sealer for *purpose*, under the password that the settings give to sessions.

    ::

        links = sealer("magic-link")
        token = links.seal({"user_id": 7}, ttl=900)  # opens under no other purpose, and is no session

    Args:
        purpose: What the seals are for.
        once: Whether they are good for one use (`Sealer.consume`), noted in the option ``revocations``.

    Raises:
        ImproperlyConfigured: A setting is unusable.
        ConfigError: There is no list to note in.
    """
    return _options().sealer(purpose, once=once)


def store() -> Store | None:
    """Return the store that ``IRON_SESSION`` names; None if it names none.

    ::

        devices = store().sessions_of(str(user.pk), current=request.session.sid)

    Raises:
        ImproperlyConfigured: A setting is unusable.
    """
    return _options().store


def revocations() -> Revocations | None:
    """Return the list of revocations that ``IRON_SESSION`` names; None if it names none.

    ::

        revocations().revoke_subject(str(user.pk))  # ends all the sessions that a user has

    Raises:
        ImproperlyConfigured: A setting is unusable.
    """
    return _options().revocations


def end_other_sessions(request: HttpRequest) -> None:
    """End all sessions of whoever sends *request*, but for the one that he sends it with.

    That goes on under another id, as after ``cycle_key``. In asynchronous code it is to be run by a thread.

    Raises:
        ImproperlyConfigured: ``IRON_SESSION`` names neither a list of revocations nor a store.
        Unavailable: One of them does not answer.
        UpdateError: The session itself was ended meanwhile.
    """
    asked: Any = request  # which has a session since our middleware saw it
    _end_others(asked.session)
