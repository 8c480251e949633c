"""A small Django site whose sessions are in a sealed cookie."""

from __future__ import annotations
