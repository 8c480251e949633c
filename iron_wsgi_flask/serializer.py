"""Flask's types in a session: tuples, bytes, Markup, UUIDs and datetimes."""

from __future__ import annotations

from typing import Any

from flask.json.tag import TaggedJSONSerializer


class TaggedJSON(TaggedJSONSerializer):
    """Flask's tagged JSON as bytes. Plain values stay plain JSON, so JavaScript reads them."""

    def dumps(self, data: Any) -> bytes:  # type: ignore[override]  # Flask's returns text
        """Return *data* as bytes."""
        return super().dumps(data).encode()

    def loads(self, payload: bytes) -> Any:  # type: ignore[override]  # Flask's takes text
        """Return what *payload* holds."""
        return super().loads(payload.decode())
