"""What holds for every test."""

from __future__ import annotations

import os

import hypothesis

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
hypothesis.settings.load_profile("iron_wsgi")
