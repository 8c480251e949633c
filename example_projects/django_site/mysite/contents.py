"""What a session holds, and what its cookie says of it."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, NamedTuple, final

from django.conf import settings
from django.http import HttpRequest

from iron_wsgi_django.conf import vault


@final
class Entry(NamedTuple):
    """One key of a session.

    Attributes:
        key: Its name.
        json: Its value, as it is written before it is sealed.
    """

    key: str
    json: str


@final
class Cookie(NamedTuple):
    """The session's cookie, as it came with a request.

    Attributes:
        size: Octets of its name and value.
        began_at: When the session was first sealed under its key.
        expires_at: When it is over if it is not used.
        ends_at: When it is over in any case.
    """

    size: int
    began_at: datetime
    expires_at: datetime
    ends_at: datetime


def entries(session: Any) -> list[Entry]:
    """Return what *session* holds."""
    return [Entry(key, json.dumps(value, ensure_ascii=False)) for key, value in sorted(session.items())]


def cookie(request: HttpRequest) -> Cookie:
    """Return what the cookie of a request says of its session, which somebody has signed in to."""
    name = settings.SESSION_COOKIE_NAME
    seal = request.COOKIES[name]
    state = vault().load(seal)
    began_at = _moment(state.issued_at)
    return Cookie(
        size=len(f"{name}={seal}"),
        began_at=began_at,
        expires_at=_moment(state.expires_at),
        ends_at=began_at + settings.IRON_SESSION["absolute_timeout"],
    )


def _moment(epoch: Any) -> datetime:
    return datetime.fromtimestamp(round(epoch), tz=timezone.utc)
