"""How sessions end that are not, or not only, the one that a request is about to end."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from iron_wsgi.engine.engine import Engine
from iron_wsgi.seals.seal import PREFIX
from iron_wsgi.servers.outages import ask
from iron_wsgi.sessions.expiry import last_expiry
from iron_wsgi.sessions.state import FormerSession, State

from . import conf
from .jars import KeyJar
from .keys import is_id


def end(key: str) -> bool:
    """End the session of this key. Return whether that can be done: not where it is in its cookie alone."""
    options, engine = conf.options(), conf.engine()
    can_end = options.revocations is not None or options.storage == "store"
    if key.startswith(PREFIX):
        if options.has_server_state:
            engine.destroy(engine.open(KeyJar(key)))
    elif can_end and is_id(key):
        conf.vault().end(FormerSession(key, key if options.storage == "store" else None, until=None))
    return can_end


def end_others(session: Any) -> None:
    """End all sessions of whoever *session* belongs to, but for this one, which gets another id.

    After a password was changed, or for a button "sign out everywhere else". It waits for store and list.

    Raises:
        ImproperlyConfigured: ``IRON_SESSION`` names neither a list of revocations nor a store.
        Unavailable: One of them does not answer.
        UpdateError: The session itself was ended meanwhile.
    """
    store, revocations = conf.options().store, conf.options().revocations
    if store is None and revocations is None:
        msg = "to end sessions of other devices, IRON_SESSION must name a list of revocations, or a store"
        raise ImproperlyConfigured(msg)
    session.cycle_key()
    session.save()  # first, since what is revoked cannot go on under another id
    subject = conf.options().subject_of(session)
    if subject is None:
        return
    if revocations is not None:
        began: float = session.issued_at
        ask("list of revocations", lambda: revocations.revoke_subject(subject, before=began))
    if store is not None:
        ask("store", lambda: store.end_sessions_of(subject, keep=session.sid))


def undoable(state: State, engine: Engine) -> tuple[FormerSession, ...]:
    """Return what a session is that ends now, if the end may be rolled back; it is to be ended again then."""
    places = engine.options.store, engine.options.revocations
    if state.is_new or not any(getattr(place, "is_in_transaction", False) for place in places):
        return ()
    return (FormerSession(state.sid, state.meta.get("ref"), last_expiry(state, engine.options)),)


def retire_emptied(state: State, engine: Engine) -> None:
    """Give a session that was emptied another id: its old cookie still holds what it held, and is to die."""
    if engine.options.revocations is None or state.data or state.is_new:
        return
    if state.snapshot is not None and state.snapshot.data():
        engine.regenerate(state)
