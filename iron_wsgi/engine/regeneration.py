"""The end of a session: of what it is, and of what it was before it was regenerated."""

from __future__ import annotations

from iron_wsgi.sessions.expiry import last_expiry
from iron_wsgi.sessions.options import SessionOptions
from iron_wsgi.sessions.state import FormerSession, State
from iron_wsgi.sessions.vault import Vault
from iron_wsgi.times import now


def note_former(
    state: State, options: SessionOptions, *, expires_at: float | None = None, must_be_alive: bool = False
) -> None:
    """Note that what *state* is now is over; nothing where nobody can have it.

    Args:
        state: The session.
        options: The options.
        expires_at: When a seal made now would expire, if not as the options say.
        must_be_alive: Whether something is to follow from it, which must not if somebody else has ended it.
    """
    is_known = (not state.is_new or state.saved is not None) and not state.has_new_id
    if not is_known or not options.has_server_state:
        return
    last = last_expiry(state, options, expires_at)
    # Whose it was, and not whose it has become: an anonymous visitor who signs in was nobody.
    began = state.issued_at if must_be_alive else None
    if state.sid:
        state.former.append(FormerSession(state.sid, state.meta.get("ref"), last, state.subject, began))
    if "was" in state.meta:
        state.former.append(FormerSession(state.meta["was"], None, last))


def regenerate(state: State, options: SessionOptions, *, began_at: float | None = None) -> None:
    """Give *state* a new id and time of issue. What it was is ended when it is written.

    Args:
        state: The session.
        options: The options.
        began_at: When it began (epoch seconds), if not now.
    """
    note_former(state, options, must_be_alive=True)
    state.stored, state.mac = None, b""
    for stamp in ("ref", "until", "life", "was"):
        state.meta.pop(stamp, None)
    # As it is written: whoever compares it now must find what others will find.
    state.issued_at = round(now(options.clock) if began_at is None else began_at, 3)
    state.give_id(options.generate_id)
    state.meta["iat"] = state.issued_at


def end_former(state: State, vault: Vault, end: float | None) -> bool:
    """End what *state* was, and return whether it was alive until now, as far as that matters.

    Args:
        state: The session.
        vault: What ends it.
        end: When what is written now expires: slow responses make copies that live as long. None for never.

    Raises:
        Unavailable: A store or a list does not answer. What is left stays noted.
    """
    was_alive = True
    while state.former:
        over = state.former[0]
        until = None if over.until is None or end is None else max(over.until, end)
        was_alive = vault.end(over._replace(until=until)) and was_alive
        del state.former[0]
    return was_alive
