"""``IRON_SESSION`` as it stands in the settings, whatever it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings


def given() -> Mapping[str, Any]:
    """Return it; nothing where it is no mapping, which is said elsewhere."""
    found = getattr(settings, "IRON_SESSION", {})
    return found if isinstance(found, Mapping) else {}
