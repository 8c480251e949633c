"""Outages: a store or a list answers, or the request ends with `Unavailable`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from iron_wsgi.errors import IronError, SealError, Unavailable

T = TypeVar("T")

logger = logging.getLogger("iron_wsgi")

_OF_CONNECTIONS = {
    "ConnectionError",
    "TimeoutError",
    "OperationalError",
    "InterfaceError",
    "BusyLoadingError",
}

RETRY_AFTER = 5
"""Seconds after which a visitor is asked to come back."""


def ask(what: str, question: Callable[[], T]) -> T:
    """Return the answer to *question*.

    Args:
        what: Who is asked, for the log: ``"store"`` or ``"list of revocations"``.
        question: Asks it.

    Raises:
        Unavailable: It failed, whatever the error; that is logged, without its traceback.
    """
    try:
        return question()
    except Exception as error:
        # Ours say what is meant; but for those of a seal, which some application's list may have opened.
        if isinstance(error, (IronError, NotImplementedError)) and not isinstance(error, SealError):
            raise
        problem = type(error).__name__
        # The text of any other may quote what was asked: an id, a user's name, a record.
        if isinstance(error, OSError) or problem in _OF_CONNECTIONS:
            problem += f": {str(error).partition(chr(10))[0][:200]}"
    logger.error("the sessions' %s did not answer: %s", what, problem)
    msg = f"the sessions' {what} does not answer"
    raise Unavailable(msg)
