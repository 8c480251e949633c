"""Settings: our engine with a list of revocations, and our session middleware."""

from __future__ import annotations

from .middleware import *  # noqa: F403

IRON_SESSION = {"revocations": "memory:"}
