"""Refused cookies: they are reported, and the visitor gets an empty session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from iron_wsgi.errors import RefusalReason
from iron_wsgi.sessions.events import Event, Reporter, notices
from iron_wsgi.sessions.state import State

Refusal: TypeAlias = tuple[RefusalReason, "str | None"]
"""Why a value was not trusted, and the password id that it names."""

# Refusals after which the cookie stays: a server behind in a rotation, or another that allows such seals, can
# read it; what a server has lost may come back with it; and a late request with the id of before the sign-in
# must not delete the cookie that the sign-in has set.
KEEP_COOKIE_AFTER: frozenset[RefusalReason] = frozenset({"unknown-password", "no-expiry", "lost", "revoked"})


def report_refusals(refusals: Sequence[Refusal], cookie_name: str, reporter: Reporter) -> None:
    """Report each refusal as an event. Log its cause once, unless it is that the session expired."""
    for reason, password_id in refusals:
        reporter.report(
            Event(kind="refused", cookie_name=cookie_name, reason=reason, password_id=password_id)
        )
        if reason != "expired":
            notices.say(
                f"refused {reason}",
                cookie_name,
                f"one was refused ({reason}, password id {password_id!r:.34}); the visitor is anonymous",
            )


def anonymous(refusals: Sequence[Refusal], at: float) -> State:
    """Return the empty session of a visitor whose cookies were refused, if any came.

    Args:
        refusals: Why, in the order of the cookies.
        at: Epoch seconds at which the session begins.
    """
    state = State(issued_at=at)
    if refusals:
        state.refused = refusals[0][0]
        state.keep_cookie = any(reason in KEEP_COOKIE_AFTER for reason, _ in refusals)
    return state
