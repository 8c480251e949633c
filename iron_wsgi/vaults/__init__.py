"""Vaults, the lower floor: one cookie value, and every check that decides whether it is trusted."""

from __future__ import annotations
