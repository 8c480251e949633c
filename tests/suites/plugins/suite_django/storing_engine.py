"""Settings: our engine with all sessions in a store, under Django's own session middleware."""

from __future__ import annotations

from .engine import *  # noqa: F403

IRON_SESSION = {"storage": "store", "store": "memory:"}
