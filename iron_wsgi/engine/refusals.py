"""Refused cookies: they are reported, and the visitor gets an empty session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from iron_wsgi.errors import RefusalReason
from iron_wsgi.sessions.events import Event, Reporter, notices
from iron_wsgi.sessions.state import State

Refusal: TypeAlias = tuple[RefusalReason, "str | None"]
"""Why a value was not trusted, and the password id that it names."""

# After these refusals the cookie is not deleted. Another server may be able to read it (unknown-password,
# no-expiry), or have it again after a restart (lost). A late request with the former id must not delete the
# cookie that a sign-in has just set (revoked, lost).
KEEP_COOKIE_AFTER: frozenset[RefusalReason] = frozenset({"unknown-password", "no-expiry", "lost", "revoked"})


def report_refusals(refusals: Sequence[Refusal], cookie_name: str, reporter: Reporter) -> None:
    """Report each refusal as an event, and log its reason once. An expired session is no reason to log."""
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
    """Return the empty session of an anonymous visitor.

    Args:
        refusals: The refusals of the visitor's cookies, in their order; empty if none came in.
        at: Epoch seconds at which the session begins.
    """
    state = State(issued_at=at)
    if refusals:
        state.refused = refusals[0][0]
        state.keep_cookie = any(reason in KEEP_COOKIE_AFTER for reason, _ in refusals)
    return state
