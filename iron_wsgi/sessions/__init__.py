"""What is known of a session: its options, its state, its lifetime, and what is reported of it."""

from __future__ import annotations
