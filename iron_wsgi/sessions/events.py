"""Events and notices: what happens to sessions, for the application and the log. They hold no secret."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, final

from iron_wsgi.errors import RefusalReason

logger = logging.getLogger("iron_wsgi")

EventKind = Literal["created", "renewed", "destroyed", "refused", "conflict"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to one session.

    Attributes:
        kind: ``"created"`` (first cookie), ``"renewed"`` (sealed again, data unchanged), ``"destroyed"``
            (cookie deleted), ``"refused"`` (a cookie that cannot be trusted), ``"conflict"`` (a parallel
            request changed the same key, and its value was overwritten).
        cookie_name: The session cookie's name.
        reason: Why a cookie was refused, else None.
        password_id: The id named by a refused value, unauthenticated; else None.
        session: A keyed hash of the session's id. One id has the same hash in all logs under one password.
            Without a stamped id a session gets another hash at each write. None for a refused value, and for
            a new session without a stamped id.
        key: The top-level key that a conflict is about, else None.
    """

    kind: EventKind
    cookie_name: str
    reason: RefusalReason | None = None
    password_id: str | None = None
    session: str | None = None
    key: str | None = None


EventHook: TypeAlias = Callable[[Event], object]


@final
class Reporter:
    """Reports events to the log ``iron_wsgi`` and to the application's hook."""

    __slots__ = ("_hook", "_key", "_make_key")

    def __init__(self, hook: EventHook | None, key: Callable[[], bytes]) -> None:
        """Report to *hook*.

        Args:
            hook: The option ``on_event``. It may have a method ``is_heard(kind)``: if that returns False, and
                the log takes no events, events of this kind are not made.
            key: Returns the key for hashes of ids. It is called when the first hash is made.
        """
        self._hook = hook
        self._make_key = key
        self._key = b""

    def is_heard(self, kind: EventKind) -> bool:
        """Tell whether the log or the hook takes events of this kind."""
        if self._hook is None or logger.isEnabledFor(logging.INFO):
            return logger.isEnabledFor(logging.INFO)
        ask: Callable[[EventKind], bool] | None = getattr(self._hook, "is_heard", None)
        return ask is None or ask(kind)

    def report(self, event: Event, *, sid: str | None = None) -> None:
        """Report *event* about the session *sid*. An error in the hook is logged, and not raised."""
        if not self.is_heard(event.kind):
            return
        if sid is not None:
            self._key = self._key or self._make_key()
            digest = hmac.digest(self._key, sid.encode(), hashlib.sha256).hex()[:16]
            event = replace(event, session=digest)
        logger.info(
            "session %s: cookie=%s reason=%s password_id=%r session=%s key=%r",
            event.kind,
            event.cookie_name,
            event.reason,
            _short(event.password_id),
            event.session,
            _short(event.key),
        )
        if self._hook is None:
            return
        try:
            self._hook(event)
        except Exception:
            logger.exception("on_event failed for a session event %r", event.kind)


@final
class Notices:
    """Log lines that explain why a cookie is not set, each once per process and cause."""

    def __init__(self) -> None:
        """Start without any notice logged."""
        self._said: set[tuple[str, str]] = set()

    def say(self, cause: str, cookie_name: str, message: str) -> None:
        """Log *message*, unless a notice of this cause was logged for this cookie before."""
        if (cause, cookie_name) in self._said:
            return
        self._said.add((cause, cookie_name))
        logger.warning("session cookie %r: %s", cookie_name, message)

    def forget(self) -> None:
        """Forget which notices were logged, so that each is logged again; for tests."""
        self._said.clear()


notices = Notices()
"""The notices of this process."""


def _short(text: str | None) -> str | None:
    return text if text is None else text[:32]
