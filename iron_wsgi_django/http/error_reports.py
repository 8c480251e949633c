"""Django's error reports, without the session: Django hides the cookie of its name, but no chunks of it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.views.debug import get_default_exception_reporter_filter


def hide_chunks(request: Any) -> None:
    """Hide the session's chunks in an error report about *request*."""
    if not hasattr(request, "exception_reporter_filter"):
        parent: Any = type(get_default_exception_reporter_filter())
        request.exception_reporter_filter = _chunk_filter(parent)


@lru_cache(maxsize=4)
def _chunk_filter(parent: Any) -> Any:
    """Return an instance of a subclass of the filter class *parent* that hides chunks too."""

    class ChunkFilter(parent):
        """Hides the session's chunks."""

        def cleanse_setting(self, key: Any, value: Any) -> Any:
            """Return *value*, or asterisks in its place."""
            if re.fullmatch(re.escape(settings.SESSION_COOKIE_NAME) + r"\.[0-9]", str(key)):
                return self.cleansed_substitute
            return super().cleanse_setting(key, value)

    return ChunkFilter()
