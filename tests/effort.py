"""How much a run takes upon itself: ``--fast`` is short, ``--all`` leaves nothing out.

What is left out says so itself, by a mark that holds the reason, or by `repetitions`.
"""

from __future__ import annotations

import gc
from typing import Final

import pytest

REASONED: Final = ("slow", "long")
"""Marks whose argument says why."""

NOT_FAST: Final = ("needs", "slow", "browser", "servers", "long")
NOT_BY_DEFAULT: Final = ("long",)

_is_full = False


def repetitions(short: int, full: int) -> int:
    """Return how often to repeat: *full* under ``--all``, or else *short*."""
    return full if _is_full else short


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("effort").addoption
    group("--fast", action="store_true", help=f"leave out tests marked {', '.join(NOT_FAST)}")
    group("--all", action="store_true", help="leave nothing out, and repeat more often")


def pytest_configure(config: pytest.Config) -> None:
    global _is_full  # noqa: PLW0603 - there is one run
    _is_full = config.getoption("--all")
    if _is_full and config.getoption("--fast"):
        raise pytest.UsageError("either --fast or --all")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers():
            if mark.name in REASONED and not mark.args:
                raise pytest.UsageError(f"{item.nodeid} does not say why it is {mark.name}")
    if config.getoption("--all"):
        return
    left_out = NOT_FAST if config.getoption("--fast") else NOT_BY_DEFAULT
    kept, dropped = [], []
    for item in items:
        (dropped if any(map(item.get_closest_marker, left_out)) else kept).append(item)
    config.hook.pytest_deselected(items=dropped)
    items[:] = kept


def pytest_collection_finish() -> None:
    # The garbage collector need not look at twelve thousand tests again whenever one of them asks for it.
    gc.collect()
    gc.freeze()
