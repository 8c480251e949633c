"""Flask's signals for what happens to sessions: ``session_refused.connect(receiver, app)``.

The sender is the application; the receiver gets an `iron_wsgi.Event` as ``event``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from blinker import NamedSignal, Namespace

from iron_wsgi.sessions.events import Event, EventHook, EventKind

if TYPE_CHECKING:
    from flask import Flask

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


@final
class EventSender:
    """Sends an application's session events to its option ``on_event`` and to the signals' receivers."""

    def __init__(self, app: Flask, hook: EventHook | None) -> None:
        """Send the events of *app*; *hook* is the option ``on_event``."""
        self._app = app
        self._hook = hook

    def is_heard(self, kind: EventKind) -> bool:
        """Tell whether anybody listens now; receivers come and go."""
        return self._hook is not None or bool(BY_KIND[kind].receivers)

    def __call__(self, event: Event) -> None:
        """Send *event*."""
        try:
            if self._hook is not None:
                self._hook(event)
        finally:
            BY_KIND[event.kind].send(self._app, event=event)
