"""The parts of a Django session: its key, its expiry, its end, its asynchronous methods."""

from __future__ import annotations
