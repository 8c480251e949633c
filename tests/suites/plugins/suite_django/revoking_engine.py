"""Settings: our engine with a list of revocations, under Django's own session middleware."""

from __future__ import annotations

from .engine import *  # noqa: F403

IRON_SESSION = {"revocations": "memory:"}
