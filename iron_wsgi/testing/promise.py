"""How a test of a contract speaks, and how it makes calls at one moment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Final, TypeVar

T = TypeVar("T")

WITHIN: Final = 60
"""Seconds after which threads that do not end are given up."""


def same(found: object, expected: object, promise: str) -> None:
    """Fail with both sides. Not an ``assert``, which ``python -O`` leaves out."""
    if found != expected:
        msg = f"{promise}: expected {expected!r}, found {found!r}"
        raise AssertionError(msg)


def at_once(*calls: Callable[[], T]) -> list[T]:
    """Make the calls at one moment, each in a thread of its own, and return what they return, in order.

    What one of them raises is raised here.
    """
    start = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        start.wait(timeout=WITHIN)
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls, timeout=WITHIN))
