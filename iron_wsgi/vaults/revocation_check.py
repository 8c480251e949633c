"""The revocation check: ask the list whether a session was revoked, and revoke one."""

from __future__ import annotations

from typing import Final

from iron_wsgi.errors import Refused, Unavailable
from iron_wsgi.revocation.revocations import MARGIN
from iron_wsgi.servers.outages import ask
from iron_wsgi.sessions.events import notices
from iron_wsgi.sessions.options import SessionOptions
from iron_wsgi.sessions.state import FormerSession, State

REVOCATION_LIST: Final = "list of revocations"
"""The list's name in the log."""


def refuse_revoked(state: State, options: SessionOptions) -> None:
    """Refuse *state* if the list in the option ``revocations`` says that it was revoked.

    Raises:
        Refused: The session was revoked (``"revoked"``), or the list has lost its entries (``"lost"``).
        Unavailable: The list does not answer, and ``on_outage`` is ``"refuse"``.
    """
    revocations = options.revocations
    if revocations is None:
        return
    subject = options.subject_of(state.data)
    sid = state.sid or state.meta.get("was", "")
    try:
        is_revoked = ask(REVOCATION_LIST, lambda: revocations.is_revoked(sid, subject, state.issued_at))
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


def revoke(former: FormerSession, options: SessionOptions) -> bool:
    """Add *former* to the list in the option ``revocations``, if there is one.

    Returns:
        False if the session had to be alive, and was revoked before.

    Raises:
        Unavailable: The list does not answer.
    """
    revocations = options.revocations
    if revocations is None:
        return True
    until = None if former.until is None else former.until + options.skew + MARGIN
    issued_at = former.issued_at
    if issued_at is None:
        ask(REVOCATION_LIST, lambda: revocations.revoke(former.sid, expires_at=until))
        return True

    def is_revoked() -> bool:
        try:
            return ask(
                REVOCATION_LIST, lambda: revocations.is_revoked_now(former.sid, former.subject, issued_at)
            )
        except Refused:
            return True

    was_alive = not is_revoked()
    is_new_entry = ask(REVOCATION_LIST, lambda: revocations.revoke(former.sid, expires_at=until))
    # No new entry: another request was faster, or this kind of list has no entries for single sessions.
    return was_alive and (is_new_entry or not is_revoked())
