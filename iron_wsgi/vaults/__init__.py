"""The lower floor: one cookie value, and everything that decides whether it is trusted."""

from __future__ import annotations
