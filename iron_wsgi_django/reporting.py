"""Error reports without the session: Django hides the cookie of its name, and knows of no chunks."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.views.debug import get_default_exception_reporter_filter


@lru_cache(maxsize=4)
def filter_like(original: Any) -> Any:
    """Return a filter of error reports that does what *original* does, and hides the session's chunks too."""

    class ChunkFilter(original):
        """Hides what is a session."""

        def cleanse_setting(self, key: Any, value: Any) -> Any:
            """Return *value*, or asterisks in its place."""
            if re.fullmatch(re.escape(settings.SESSION_COOKIE_NAME) + r"\.[0-9]", str(key)):
                return self.cleansed_substitute
            return super().cleanse_setting(key, value)

    return ChunkFilter()


def hide_chunks(request: Any) -> None:
    """Have the error report of *request*, if there will be one, leave the session's chunks out."""
    if not hasattr(request, "exception_reporter_filter"):
        original: Any = type(get_default_exception_reporter_filter())
        request.exception_reporter_filter = filter_like(original)
