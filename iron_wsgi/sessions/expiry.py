"""When sessions and their cookies expire."""

from __future__ import annotations

import math

from iron_wsgi.cookies.options import CookieOptions
from iron_wsgi.times import FOREVER, now

from .options import SessionOptions
from .state import State


def expiry_order(state: State) -> float:
    """Return the session's expiry in epoch seconds, and infinity for never: a key to sort sessions by."""
    return math.inf if state.expires_at is None else state.expires_at


def expiry(state: State, options: SessionOptions, expires_at: float | None = None) -> float | None:
    """Return the epoch seconds at which a seal made now would expire; None for never.

    That is *expires_at*, or the session's own expiry, or the ttl from now. The absolute timeout caps it;
    with revocations and without that timeout 400 days do.
    """
    ttl = state.meta.get("ttl", options.ttl)
    end: float | None = expires_at if expires_at is not None else state.meta.get("exp")
    if end is None and ttl:
        end = now(options.clock) + ttl
    if options.absolute_timeout is not None:
        return min(state.issued_at + options.absolute_timeout, math.inf if end is None else end)
    if options.revocations is not None and end is not None:
        # Entries that revoke a subject, or everybody, are kept for longer than that.
        return min(end, now(options.clock) + FOREVER)
    return end


def needs_refresh(state: State, options: SessionOptions, expires_at: float | None = None) -> bool:
    """Tell whether a seal made now would live longer than the present one by ``refresh_after`` or more."""
    if options.refresh_after is None or state.expires_at is None:
        return False
    renewed = expiry(state, options, expires_at)
    return renewed is not None and renewed - state.expires_at >= options.refresh_after


def last_expiry(state: State, options: SessionOptions, expires_at: float | None = None) -> float | None:
    """Return the epoch seconds at which the last copy of the session's cookie expires; None for never.

    Args:
        state: The session.
        options: The options.
        expires_at: Epoch seconds at which a seal made now would expire; None for what the options say.
    """
    if options.absolute_timeout is not None:
        return state.issued_at + options.absolute_timeout
    made_now = expiry(state, options, expires_at)
    if made_now is None or state.expires_at is None:
        return None
    made_in_parallel: float = now(options.clock) + state.meta.get("life", options.ttl)
    until: float = state.meta.get("until", 0.0)
    return max(made_now, made_in_parallel, state.expires_at, until)


def needs_new_id(state: State, options: SessionOptions, expires_at: float | None) -> bool:
    """Tell whether a seal that expires at *expires_at* outlives every seal under the session's id.

    A sign-out does not know of a longer seal that a parallel request is writing. So a seal that lives longer
    than the option ``ttl`` gets a new id, and a stamp with its lifetime.
    """
    if options.revocations is None or options.absolute_timeout is not None or options.vault is not None:
        return False
    life: float = state.meta.get("life", options.ttl)
    return expires_at is not None and expires_at - now(options.clock) > life + options.skew


def max_age(state: State, attributes: CookieOptions, expires_at: float | None, at: float) -> int | None:
    """Return Max-Age as iron-session 9 does: a minute less than the seal lives, so no seal arrives expired.

    Args:
        state: The session.
        attributes: The cookie's attributes.
        expires_at: Epoch seconds at which the seal expires; None for never.
        at: Epoch seconds now.
    """
    has_own_expiry = "ttl" in state.meta or "exp" in state.meta
    if attributes.max_age != "ttl" and not (attributes.max_age is None and has_own_expiry):
        return attributes.max_age
    if attributes.expires is not None:
        return None
    if expires_at is None:
        return FOREVER
    lifetime = max(round(expires_at - at), 0)
    return min(lifetime - 60 if lifetime > 60 else lifetime, FOREVER)
