"""What holds for every test."""

from __future__ import annotations

import os
from typing import Final

import hypothesis
import pytest

pytest_plugins = ("tests.parts",)

SLOW: Final = frozenset({"slow", "soak", "browser", "servers"})
"""The marks of the tests that `--fast` leaves out."""

# How long one example takes says more about the machine than about the code. Where a failure would stop
# everybody, the examples are the same at every run; elsewhere new ones are looked for.
hypothesis.settings.register_profile(
    "iron_wsgi",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("iron_wsgi")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help=f"leave out tests marked {', '.join(sorted(SLOW))}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--fast"):
        slow = [item for item in items if any(item.get_closest_marker(mark) for mark in SLOW)]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
