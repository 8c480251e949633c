"""When sessions and their cookies expire."""

from __future__ import annotations

import math

from iron_wsgi.cookies.options import CookieOptions
from iron_wsgi.times import FOREVER, now

from .options import SessionOptions
from .state import State


def end_of(state: State) -> float:
    """Return when the seal that came in, or was last written, expires (epoch seconds)."""
    return math.inf if state.expires_at is None else state.expires_at


def expiry(state: State, options: SessionOptions, given: float | None = None) -> float | None:
    """Return when a seal made now would expire: as *given*, as the session says, or by the ttl.

    The absolute timeout caps each; where there are revocations, 400 days do. None for never.
    """
    ttl = state.meta.get("ttl", options.ttl)
    end: float | None = given if given is not None else state.meta.get("exp")
    if end is None and ttl:
        end = now(options.clock) + ttl
    if options.absolute_timeout is not None:
        return min(state.issued_at + options.absolute_timeout, math.inf if end is None else end)
    if options.revocations is not None and end is not None:
        # What ends all of somebody's sessions is remembered for longer than that.
        return min(end, now(options.clock) + FOREVER)
    return end


def is_old(state: State, options: SessionOptions, given: float | None = None) -> bool:
    """Tell whether a seal made now would live longer than the one that came by ``refresh_after`` or more."""
    if options.refresh_after is None or state.expires_at is None:
        return False
    renewed = expiry(state, options, given)
    return renewed is not None and renewed - state.expires_at >= options.refresh_after


def last_expiry(state: State, options: SessionOptions, given: float | None = None) -> float | None:
    """Return when the last copy of the session expires: one that somebody has, or is about to be given.

    Args:
        state: The session.
        options: The options.
        given: When a seal made now would expire, if not as the options say.
    """
    if options.absolute_timeout is not None:
        return state.issued_at + options.absolute_timeout
    made_now = expiry(state, options, given)
    if made_now is None or state.expires_at is None:
        return None
    elsewhere: float = now(options.clock) + state.meta.get("life", options.ttl)
    until: float = state.meta.get("until", 0.0)
    return max(made_now, elsewhere, state.expires_at, until)


def needs_new_id(state: State, options: SessionOptions, end: float | None) -> bool:
    """Tell whether a seal that expires at *end* would live longer than any under the session's id so far.

    Who signs out knows nothing of what a parallel request writes. So what lives longer than the option
    ``ttl`` says so in a stamp, and gets an id of its own.
    """
    if options.revocations is None or options.absolute_timeout is not None or options.vault is not None:
        return False
    life: float = state.meta.get("life", options.ttl)
    return end is not None and end - now(options.clock) > life + options.skew


def max_age(state: State, attributes: CookieOptions, end: float | None, at: float) -> int | None:
    """Return Max-Age, as iron-session 9: a minute less than the seal lives, so none arrives expired."""
    remembered = "ttl" in state.meta or "exp" in state.meta
    if attributes.max_age != "ttl" and not (attributes.max_age is None and remembered):
        return attributes.max_age
    if attributes.expires is not None:
        return None
    if end is None:
        return FOREVER
    lifetime = max(round(end - at), 0)
    return min(lifetime - 60 if lifetime > 60 else lifetime, FOREVER)
