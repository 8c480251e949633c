"""The end of sessions beside the one of the request: by key, all others of a user, after a rollback."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from iron_wsgi.engine.engine import Engine
from iron_wsgi.seals.seal import PREFIX
from iron_wsgi.servers.outages import ask
from iron_wsgi.sessions.expiry import last_expiry
from iron_wsgi.sessions.state import FormerSession, State
from iron_wsgi_django import conf
from iron_wsgi_django.http.jars import KeyJar

from .keys import is_id


def end_by_key(key: str) -> bool:
    """End the session with this key. Return False where no server can: the session is in a cookie alone."""
    options, engine = conf.options(), conf.engine()
    can_end = options.revocations is not None or options.storage == "store"
    if key.startswith(PREFIX):
        if options.has_server_state:
            engine.destroy(engine.open(KeyJar(key)))
    elif can_end and is_id(key):
        conf.vault().end(FormerSession(key, key if options.storage == "store" else None, until=None))
    return can_end


def end_others(session: Any) -> None:
    """End all other sessions of the user whose *session* this is; *session* goes on under another id.

    It waits for the store and the list.

    Raises:
        ImproperlyConfigured: ``IRON_SESSION`` names neither a list of revocations nor a store.
        Unavailable: One of them does not answer.
        UpdateError: The session was ended elsewhere while this request ran.
    """
    store, revocations = conf.options().store, conf.options().revocations
    if store is None and revocations is None:
        msg = "to end sessions of other devices, IRON_SESSION must name a list of revocations, or a store"
        raise ImproperlyConfigured(msg)
    session.cycle_key()
    session.save()  # first: a session that was revoked cannot go on under another id
    subject = conf.options().subject_of(session)
    if subject is None:
        return
    if revocations is not None:
        began: float = session.issued_at
        ask("list of revocations", lambda: revocations.revoke_subject(subject, before=began))
    if store is not None:
        ask("store", lambda: store.end_sessions_of(subject, keep=session.sid))


def ends_in_transaction(state: State, engine: Engine) -> tuple[FormerSession, ...]:
    """Return the session of *state* if its end may be rolled back with an open transaction; else nothing."""
    servers = engine.options.store, engine.options.revocations
    if state.is_new or not any(getattr(server, "is_in_transaction", False) for server in servers):
        return ()
    return (FormerSession(state.sid, state.meta.get("ref"), last_expiry(state, engine.options)),)


def regenerate_emptied(state: State, engine: Engine) -> None:
    """Give a session that was emptied another id, so that its old cookie is revoked with its old data."""
    if engine.options.revocations is None or state.data or state.is_new:
        return
    if state.snapshot is not None and state.snapshot.data():
        engine.regenerate(state)
