"""Session keys of others: what one opens, and whether there is its session.

Under Django's own middleware a key is a seal. Under ours it is the session's id, which opens nothing by
itself: a browser must send the seal. But applications keep keys, and ask for the sessions behind them:
django-allauth's list of a user's sessions is one. Where the store has all sessions, they get them.
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

from . import conf

_COOKIES: Final[ContextVar[str | None]] = ContextVar("iron_wsgi_django cookies", default=None)


@contextmanager
def trusted(cookies: str = "") -> Iterator[None]:
    """Let ids open sessions of the store, as they do while our middleware answers a request.

    For a program that goes through keys which an application has kept. Nowhere else: what hands the value of
    a cookie to ``SessionStore`` would make a password of every id.

    Args:
        cookies: The ``Cookie`` header of the request that is answered. An id that stands there opens nothing.
    """
    token = _COOKIES.set(cookies)
    try:
        yield
    finally:
        _COOKIES.reset(token)


def is_id(key: str) -> bool:
    """Tell whether *key* can be an id, and is no seal."""
    return not key.startswith(PREFIX) and key.isascii() and 0 < len(key) <= MAX_ID


def opens_by_id(key: str | None) -> bool:
    """Tell whether *key* is an id that may open the session of its record."""
    cookies = _COOKIES.get()
    if not key or cookies is None or not is_id(key) or not conf.has_own_middleware():
        return False
    return conf.options().storage == "store" and key not in parse_cookie(cookies).values()


def reference(sid: str) -> str:
    """Return a cookie's value that refers to the record of the session *sid*.

    So all is asked of the record that is asked of one to which a browser's cookie refers.
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
    """Tell whether there is a session of this key: a seal that opens, or an id.

    What is known of ids depends on the settings: a store knows which there are, a list which are over, and
    without either every id may be in use.
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
            conf.vault().load(reference(key))
            return True
        revocations = options.revocations
        if revocations is None:
            return True
        at = conf.engine().now()
        return not ask("list of revocations", lambda: revocations.is_revoked(key, None, at))
    except Refused:
        return False
