"""A session's options, state, lifetime and events, and the protocol of vaults."""

from __future__ import annotations
