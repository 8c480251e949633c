"""Locks that are free in a child process after a fork."""

from __future__ import annotations

import os
import threading
import weakref
from typing import final


@final
class Lock:
    """A lock for a few steps in memory, used by ``with``.

    A thread that holds the lock during a fork does not exist in the child, and could never release it there.
    So the child begins with a new lock.
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
