"""Settings: Django's suite as it was published."""

from __future__ import annotations

from test_sqlite import *  # noqa: F403 - this is how Django's suite is given settings

TEST_RUNNER = "suite_django.outcomes.Runner"
