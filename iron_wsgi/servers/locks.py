"""Locks that a fork does not leave locked for ever in the child."""

from __future__ import annotations

import os
import threading
import weakref
from typing import final


@final
class Lock:
    """A lock for a few steps in memory, used by ``with``.

    Where another thread holds it at the moment of a fork, the child has nobody who would release it. So the
    child begins with a lock of its own.
    """

    def __init__(self) -> None:
        """Begin unlocked."""
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):  # there is no fork on Windows
            here = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _renew(here()))

    def __enter__(self) -> None:
        """Wait for it."""
        self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        """Release it."""
        self._lock.release()

    def renew(self) -> None:
        """Begin anew, in a process in which nobody holds it."""
        self._lock = threading.Lock()


def _renew(lock: Lock | None) -> None:
    if lock is not None:
        lock.renew()
