"""The protocol of vaults."""

from __future__ import annotations

from typing import Protocol

from iron_wsgi.cookies.cookie import Cookie

from .state import FormerSession, State


class Vault(Protocol):
    """Turns a cookie value into a session's state and back."""

    def load(self, value: str, /) -> State:
        """Return the session that *value* stands for.

        Raises:
            Refused: The value cannot be trusted; the reason says why.
            Unavailable: A store or a list of revocations does not answer.
        """
        ...

    def peek(self, value: str, /) -> State:
        """Return the session as far as *value* itself holds it. No server is asked.

        A value that is only an id gives a new session's state.

        Raises:
            Refused: The value cannot be trusted.
        """
        ...

    def dump(self, state: State, /, *, expires_at: float | None, cookie: Cookie) -> str:
        """Write *state*, and return the cookie value that stands for it.

        Args:
            state: The session. Changes of a parallel request may be merged into it.
            expires_at: Epoch seconds at which the value expires; None for never.
            cookie: The cookie that will carry the value, still empty. The value may be too long for it.

        Raises:
            Ended: The session was ended while this request ran.
            SessionConflict: A parallel request changed the same keys (``on_conflict="raise"``).
            PayloadError: The data cannot be written.
            Unavailable: A store or a list of revocations does not answer.
        """
        ...

    def preview(self, state: State, /, *, expires_at: float | None, cookie: Cookie) -> str:
        """Return a value of the length that `dump` would return, and write nothing."""
        ...

    def release(self, state: State, /) -> None:
        """Release what the session no longer needs, such as a record, after its cookie was accepted.

        Raises:
            Unavailable: A store does not answer.
        """
        ...

    def end(self, former: FormerSession, /) -> bool:
        """End *former*: delete its record and revoke its id, where there is a store or a list.

        Returns:
            False if the session had to be alive, and was ended before.

        Raises:
            Unavailable: A store or a list of revocations does not answer.
        """
        ...
