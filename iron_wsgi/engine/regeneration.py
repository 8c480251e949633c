"""Regeneration: a session gets a new id, and the former one is ended once the new one is written."""

from __future__ import annotations

from iron_wsgi.sessions.expiry import last_expiry
from iron_wsgi.sessions.options import SessionOptions
from iron_wsgi.sessions.state import FormerSession, State
from iron_wsgi.sessions.vault import Vault
from iron_wsgi.times import now


def add_former(
    state: State, options: SessionOptions, *, expires_at: float | None = None, must_be_alive: bool = False
) -> None:
    """Add the session under its present id to ``state.former``, unless no visitor can have that id.

    Args:
        state: The session.
        options: The options.
        expires_at: Epoch seconds at which a seal made now would expire; None for what the options say.
        must_be_alive: Whether the new session may only be written if nobody has ended the former one.
    """
    visitor_has_id = (not state.is_new or state.saved is not None) and not state.has_new_id
    if not visitor_has_id or not options.has_server_state:
        return
    last = last_expiry(state, options, expires_at)
    # The subject that it had, not the one that it has now: an anonymous visitor who signs in had none.
    began_at = state.issued_at if must_be_alive else None
    if state.sid:
        state.former.append(FormerSession(state.sid, state.meta.get("ref"), last, state.subject, began_at))
    if "was" in state.meta:
        state.former.append(FormerSession(state.meta["was"], None, last))


def regenerate(state: State, options: SessionOptions, *, began_at: float | None = None) -> None:
    """Give *state* a new id and a new time of issue. The former session is ended at the next write.

    Args:
        state: The session.
        options: The options.
        began_at: Epoch seconds at which the session began; None for now.
    """
    add_former(state, options, must_be_alive=True)
    state.stored, state.mac = None, b""
    for stamp in ("ref", "until", "life", "was"):
        state.meta.pop(stamp, None)
    # Rounded as it is written, so that this process and all others compare the same number.
    state.issued_at = round(now(options.clock) if began_at is None else began_at, 3)
    state.give_id(options.generate_id)
    state.meta["iat"] = state.issued_at


def end_former(state: State, vault: Vault, expires_at: float | None) -> bool:
    """End every session in ``state.former``.

    Args:
        state: The session.
        vault: The vault that ends them.
        expires_at: Epoch seconds at which the seal that is written now expires; None for never. A slow
            response may still write a former session with that expiry.

    Returns:
        False if one of them had to be alive and was ended before.

    Raises:
        Unavailable: A store or a list does not answer. The sessions that are left stay in ``state.former``.
    """
    was_alive = True
    while state.former:
        former = state.former[0]
        until = None if former.until is None or expires_at is None else max(former.until, expires_at)
        was_alive = vault.end(former._replace(until=until)) and was_alive
        del state.former[0]
    return was_alive
