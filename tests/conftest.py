"""What holds for every test."""

from __future__ import annotations

import os

import hypothesis
import pytest

pytest_plugins = ("tests.effort", "tests.parts")

# How long one example takes says more about the machine than about the code. Where a failure would stop
# everybody, the examples are the same at every run; elsewhere new ones are looked for.
hypothesis.settings.register_profile(
    "iron_wsgi",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile("fast", hypothesis.settings.get_profile("iron_wsgi"), max_examples=20)


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.load_profile("fast" if config.getoption("--fast") else "iron_wsgi")
