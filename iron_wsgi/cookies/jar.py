"""The cookie jar: how one HTTP exchange looks to the sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .outcome import Outcome


class CookieJar(Protocol):
    """One HTTP exchange as the sessions see it: what came in, and what goes out."""

    def read(self, name: str, /) -> Sequence[str]:
        """Return every value sent under *name*, in the order of the header; empty if there is none."""
        ...

    def send(self, outcome: Outcome, /) -> None:
        """Put *outcome* on the response, in place of an earlier one of the same session.

        Raises:
            HeadersAlreadySent: It would be lost.
        """
        ...
