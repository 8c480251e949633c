"""Sessions in signed and encrypted cookies for Django: ``SESSION_ENGINE = "iron_wsgi_django.backend"``."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from iron_wsgi import Sealer
from iron_wsgi.revocation import Revocations
from iron_wsgi.stores import Store

from .conf import options as _options
from .sessions.keys import trusted_keys
from .sessions.termination import end_others as _end_others

__all__ = ["end_other_sessions", "revocations", "sealer", "store", "trusted_keys"]


def sealer(purpose: str, *, once: bool = False) -> Sealer:
    """Return a sealer for *purpose*, under the password of the site's sessions.

    ::

        links = sealer("magic-link")
        token = links.seal({"user_id": 7}, ttl=900)  # opens for no other purpose, and is no session

    Args:
        purpose: What the seals are for.
        once: Whether each seal can be used only once (`Sealer.consume`), which the list of revocations notes.

    Raises:
        ImproperlyConfigured: A setting is unusable.
        ConfigError: *once* is True, and ``IRON_SESSION`` names no list of revocations.
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

        revocations().revoke_subject(str(user.pk))  # ends all sessions of a user

    Raises:
        ImproperlyConfigured: A setting is unusable.
    """
    return _options().revocations


def end_other_sessions(request: HttpRequest) -> None:
    """End all other sessions of the user who sent *request*: "sign out everywhere else".

    The session of the request goes on under another id, as after ``cycle_key``. Asynchronous code runs this
    in a thread.

    Raises:
        ImproperlyConfigured: ``IRON_SESSION`` names neither a list of revocations nor a store.
        Unavailable: One of them does not answer.
        UpdateError: The session itself was ended elsewhere while this request ran.
    """
    served: Any = request  # the session middleware gave it a session
    _end_others(served.session)
