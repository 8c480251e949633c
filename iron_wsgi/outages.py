"""What is asked of other servers: an answer, or `Unavailable`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from .errors import IronError, Unavailable

T = TypeVar("T")

logger = logging.getLogger("iron_wsgi")

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
    except (IronError, NotImplementedError):
        raise
    except Exception as error:  # noqa: BLE001 - every driver has errors of its own
        problem = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
    logger.error("the sessions' %s did not answer: %s", what, problem)
    msg = f"the sessions' {what} does not answer"
    raise Unavailable(msg)
