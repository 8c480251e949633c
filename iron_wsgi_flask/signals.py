"""What happens to sessions, as Flask's signals: ``session_refused.connect(receiver, app)``.

The sender is the application; the receiver gets an `iron_wsgi.Event` as ``event``.
"""

from __future__ import annotations

from typing import Final

from blinker import NamedSignal, Namespace

from iron_wsgi.sessions.events import EventKind

_signals = Namespace()

session_created: Final = _signals.signal("session-created", "A session got its first cookie.")
session_renewed: Final = _signals.signal("session-renewed", "An unchanged session was sealed again.")
session_destroyed: Final = _signals.signal("session-destroyed", "A session's cookie was deleted.")
session_refused: Final = _signals.signal("session-refused", "A cookie came that cannot be trusted.")
session_conflict: Final = _signals.signal("session-conflict", "A parallel request's value was overwritten.")

BY_KIND: Final[dict[EventKind, NamedSignal]] = {
    "created": session_created,
    "renewed": session_renewed,
    "destroyed": session_destroyed,
    "refused": session_refused,
    "conflict": session_conflict,
}
"""Each signal by the kind of its event."""
