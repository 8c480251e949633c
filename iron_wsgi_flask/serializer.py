"""Flask's types in a session: tuples, bytes, Markup, UUIDs and datetimes."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from flask import current_app, has_app_context
from flask.json.provider import DefaultJSONProvider
from flask.json.tag import JSONTag, TagDateTime, TaggedJSONSerializer
from werkzeug.http import parse_date

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})


class TagMoment(JSONTag):
    """A datetime under Flask's own tag, with what Flask's drops: microseconds, and whether it has a zone.

    What Flask wrote is read too.
    """

    __slots__ = ()
    key = TagDateTime.key

    def check(self, value: Any) -> bool:
        """Tell whether *value* is a datetime."""
        return isinstance(value, datetime)

    def to_json(self, value: Any) -> str:
        """Return it as ISO 8601."""
        moment: datetime = value
        return moment.isoformat()

    def to_python(self, value: Any) -> datetime | None:
        """Read ISO 8601, or the HTTP date that Flask writes."""
        return datetime.fromisoformat(value) if value[:1].isdigit() else parse_date(value)


class TaggedJSON(TaggedJSONSerializer):
    """Flask's tagged JSON as bytes. Plain values stay plain JSON, so JavaScript reads them.

    Further types are taught as in Flask: ``app.session_interface.serializer.register(Tag)``. Types without a
    tag are left to the application's own JSON (``app.json``), as Flask leaves them. What is written equals
    what Flask's own writes, but for datetimes; it is only faster.
    """

    default_tags = [  # noqa: RUF012 - Flask's name and form
        TagMoment if tag is TagDateTime else tag for tag in TaggedJSONSerializer.default_tags
    ]

    def __init__(self) -> None:
        """Know Flask's tags."""
        super().__init__()
        self._flask_tags = len(self.order)
        # Untags each object as it is read, the innermost first, as Flask's walk over the whole does.
        self._decoder = json.JSONDecoder(object_hook=self.untag)

    def tag(self, value: Any) -> Any:
        """Return *value* as it is to be written."""
        # What JSON has is nearly all there is, and no tag of Flask's wants it.
        if type(value) in _PLAIN and len(self.order) == self._flask_tags:
            return value
        return super().tag(value)

    def dumps(self, data: Any) -> bytes:  # type: ignore[override]  # Flask's returns text
        """Return *data* as bytes."""
        if _has_own_json():
            return super().dumps(data).encode()
        return _ENCODER.encode(self.tag(data)).encode()

    def loads(self, payload: bytes) -> Any:  # type: ignore[override]  # Flask's takes text
        """Return what *payload* holds."""
        text = payload.decode()
        return super().loads(text) if _has_own_json() else self._decoder.decode(text)


def _has_own_json() -> bool:
    """Tell whether the application has another JSON than Flask's."""
    return has_app_context() and type(current_app.json) is not DefaultJSONProvider


def _of_no_json_type(value: Any) -> Any:
    """Return what the application's JSON makes of a type without a tag: a Decimal, a dataclass."""
    provider: Any = current_app.json
    return provider.default(value)


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True, default=_of_no_json_type)
