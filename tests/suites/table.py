"""Which suites are run, under what, and what comes out. A suite more is an entry more."""

from __future__ import annotations

from typing import Final

from .django_suites import DJANGO_SUITES
from .flask_suites import FLASK_SUITES

SUITES: Final = {suite.name: suite for suite in (*FLASK_SUITES, *DJANGO_SUITES)}
"""Every suite by its name."""
