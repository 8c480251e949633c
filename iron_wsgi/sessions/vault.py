"""The protocol of vaults: what turns a cookie value into a session and back."""

from __future__ import annotations

from typing import Protocol

from iron_wsgi.cookies.cookie import Cookie

from .state import FormerSession, State


class Vault(Protocol):
    """Turns a cookie value into a session's state and back."""

    def load(self, value: str, /) -> State:
        """Return the state that *value* stands for.

        Raises:
            Refused: It cannot be trusted; the reason says why.
            Unavailable: Something that must be asked does not answer.
        """
        ...

    def peek(self, value: str, /) -> State:
        """Return what *value* tells by itself: no server is asked. A new session's state if that is nothing.

        Raises:
            Refused: It cannot be trusted.
        """
        ...

    def dump(self, state: State, /, *, expires_at: float | None, cookie: Cookie) -> str:
        """Write *state*, and return the value that stands for it.

        Args:
            state: The session. What a parallel request wrote may be in it afterwards.
            expires_at: Epoch seconds until which it is good; None for ever.
            cookie: The cookie that it will be the value of, still empty. A longer value than fits may be
                returned: the engine says what then.

        Raises:
            Ended: It was ended while this request ran.
            SessionConflict: A parallel request changed the same keys, and that is to be an error.
            PayloadError: The data cannot be written.
            Unavailable: Something that must be told does not answer.
        """
        ...

    def preview(self, state: State, /, *, expires_at: float | None, cookie: Cookie) -> str:
        """Return a value of the length that `dump` would return, and write nothing."""
        ...

    def settle(self, state: State, /) -> None:
        """Let go of what the value that `dump` returned last replaces: it goes out now.

        Raises:
            Unavailable: Something that must be told does not answer.
        """
        ...

    def end(self, over: FormerSession, /) -> bool:
        """See that no copy of a session that is over is accepted any more, as far as that is known here.

        Returns whether it was alive until now, as far as *over* says that it matters.

        Raises:
            Unavailable: Something that must be told does not answer.
        """
        ...
