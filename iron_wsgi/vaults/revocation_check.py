"""What a list of revocations is asked, and told."""

from __future__ import annotations

from typing import Final

from iron_wsgi.errors import Refused, Unavailable
from iron_wsgi.revocation.revocations import MARGIN
from iron_wsgi.servers.outages import ask
from iron_wsgi.sessions.events import notices
from iron_wsgi.sessions.options import SessionOptions
from iron_wsgi.sessions.state import FormerSession, State

LIST: Final = "list of revocations"
"""What it is called in the log."""


def refuse_revoked(state: State, options: SessionOptions) -> None:
    """Ask the option ``revocations``, if there is one, whether *state* is over.

    Raises:
        Refused: It is; or the list has lost what it knew.
        Unavailable: The list does not answer, and ``on_outage`` is ``"refuse"``.
    """
    revocations = options.revocations
    if revocations is None:
        return
    subject = options.subject_of(state.data)
    sid = state.sid or state.meta.get("was", "")
    try:
        is_revoked = ask(LIST, lambda: revocations.is_revoked(sid, subject, state.issued_at))
    except Unavailable:
        if options.on_outage == "refuse":
            raise
        notices.say(
            "unchecked",
            options.cookie_name,
            "the list of revocations does not answer; sessions are accepted all the same, revoked ones too, "
            "as on_outage='accept' says",
        )
        return
    if is_revoked:
        raise Refused("revoked")


def revoke(over: FormerSession, options: SessionOptions) -> bool:
    """Tell the option ``revocations``, if there is one, that a session is over.

    Returns whether it was alive until now, as far as *over* says that it matters.

    Raises:
        Unavailable: The list does not answer.
    """
    revocations = options.revocations
    if revocations is None:
        return True
    until = None if over.until is None else over.until + options.skew + MARGIN
    issued_at = over.issued_at
    if issued_at is None:
        ask(LIST, lambda: revocations.revoke(over.sid, expires_at=until))
        return True

    def is_over() -> bool:
        try:
            return ask(LIST, lambda: revocations.is_revoked_now(over.sid, over.subject, issued_at))
        except Refused:
            return True

    was_alive = not is_over()
    is_news = ask(LIST, lambda: revocations.revoke(over.sid, expires_at=until))
    # Where it is none, somebody was faster; or it is a list that notes no single sessions, and knows nothing.
    return was_alive and (is_news or not is_over())
