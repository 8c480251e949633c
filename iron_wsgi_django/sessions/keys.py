"""Session keys that applications have kept: what a key opens, and whether its session exists.

Under Django's own middleware a key is a seal. Under ours it is the session's id, and opens nothing by itself:
the browser has to send the seal. But some applications keep keys, and ask for the sessions behind them, as
django-allauth does for its list of a user's sessions. They get them where all sessions are in a store.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from django.http import parse_cookie

from iron_wsgi import Refused
from iron_wsgi.seals import seal as fe26
from iron_wsgi.seals.seal import PREFIX
from iron_wsgi.servers.ids import MAX_ID
from iron_wsgi.servers.outages import ask
from iron_wsgi.vaults.codec import Codec
from iron_wsgi_django import conf

REQUEST_COOKIES: Final[ContextVar[str | None]] = ContextVar("iron_wsgi_django cookies", default=None)
"""The ``Cookie`` header of the request that our middleware answers: an id in it opens nothing."""


@contextmanager
def trusted_keys() -> Iterator[None]:
    """Let ``SessionStore(key)`` open sessions of the store by their ids.

    ::

        with trusted_keys():
            session = SessionStore(kept_key)

    While our middleware answers a request this is so anyway. A program that goes through keys which an
    application has kept asks for it. Never do so where the value of a cookie becomes the key: each id would
    be a password.
    """
    token = REQUEST_COOKIES.set("")
    try:
        yield
    finally:
        REQUEST_COOKIES.reset(token)


def is_id(key: str) -> bool:
    """Tell whether *key* may be an id: it is no seal, and not too long."""
    return not key.startswith(PREFIX) and key.isascii() and 0 < len(key) <= MAX_ID


def opens_by_id(key: str | None) -> bool:
    """Tell whether *key* is an id that may open the session of its record."""
    cookies = REQUEST_COOKIES.get()
    if not key or cookies is None or not is_id(key) or not conf.has_own_middleware():
        return False
    return conf.options().storage == "store" and key not in parse_cookie(cookies).values()


def reference_to(sid: str) -> str:
    """Return a cookie value that refers to the record of the session *sid*.

    The vault then checks the record as it checks one that a browser's cookie refers to.
    """
    options = conf.options()
    return fe26.seal_at(
        Codec(options).encode({}, {"sid": sid, "ref": sid}),
        options.password.sealing,
        password_id=options.password.sealing_id,
        expires_at=conf.engine().now() + options.ttl,
        iterations=options.iterations,
    )


def exists(key: str, *, is_bound: bool) -> bool:
    """Tell whether there is a session with this key, which is a seal or an id.

    For an id the answer depends on the settings. A store knows which sessions exist, a list of revocations
    knows which have ended, and without either any id may be in use.

    Args:
        key: The session key.
        is_bound: Whether a session that our middleware made asks.
    """
    options = conf.options()
    is_known_by_id = (is_bound or conf.has_own_middleware()) and is_id(key)
    try:
        if key.startswith(PREFIX) or (options.vault is not None and not is_known_by_id):
            conf.vault().load(key)
            return True
        if not is_known_by_id:
            return False
        if options.storage == "store":
            conf.vault().load(reference_to(key))
            return True
        revocations = options.revocations
        if revocations is None:
            return True
        at = conf.engine().now()
        return not ask("list of revocations", lambda: revocations.is_revoked(key, None, at))
    except Refused:
        return False
