"""The setting ``IRON_SESSION`` before it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings


def raw_options() -> Mapping[str, Any]:
    """Return ``IRON_SESSION``; an empty mapping where it is no mapping, which another check reports."""
    options = getattr(settings, "IRON_SESSION", {})
    return options if isinstance(options, Mapping) else {}
