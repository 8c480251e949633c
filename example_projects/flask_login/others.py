"""All sessions of a user but the one at hand."""

from __future__ import annotations

from flask import current_app

from iron_wsgi import Unavailable
from iron_wsgi_flask import session

from .interface import interface


def end_others(user_id: str) -> None:
    """End every session of the user, on other devices and in copies of cookies, and go on with this one.

    Raises:
        Unavailable: The list of revocations does not answer.
    """
    # In this order: what began before this session begins anew is over, and this one is not. The id that it
    # had is over too.
    session.regenerate()
    session.save()
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - as documented
    revocations = interface().options(app).revocations
    if revocations is None:
        raise RuntimeError("the site has no list of revocations: see settings.py")
    try:
        revocations.revoke_subject(user_id, before=session.issued_at)
    except Exception as error:  # whatever the list's driver raises
        raise Unavailable("the list of revocations does not answer") from error
