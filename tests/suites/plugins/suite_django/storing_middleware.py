"""Settings: our engine with all sessions in a store, and our session middleware."""

from __future__ import annotations

from .middleware import *  # noqa: F403

IRON_SESSION = {"storage": "store", "store": "memory:"}
