"""Flask's types in a session: tuples, bytes, Markup, UUIDs and datetimes."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, final

from flask.json.provider import DefaultJSONProvider
from flask.json.tag import JSONTag, TagDateTime, TaggedJSONSerializer
from werkzeug.http import parse_date

from iron_wsgi import PayloadError

if TYPE_CHECKING:
    from flask import Flask

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
        """Return *data* as bytes, by the JSON of the current application."""
        return super().dumps(data).encode()

    def loads(self, payload: bytes) -> Any:  # type: ignore[override]  # Flask's takes text
        """Return what *payload* holds."""
        return super().loads(payload.decode())

    def decode(self, payload: bytes) -> Any:
        """Return what Flask's own JSON makes of *payload*: as `loads`, in one pass."""
        return self._decoder.decode(payload.decode())


@final
class AppJSON:
    """Tagged JSON for one application: what has no tag is left to its ``app.json``, as Flask leaves it."""

    __slots__ = ("_app", "_encoder", "_tagged")

    def __init__(self, app: Flask, tagged: TaggedJSON) -> None:
        """Write and read for *app*, in its context or out of it."""
        self._app = app
        self._tagged = tagged
        self._encoder = json.JSONEncoder(separators=(",", ":"), sort_keys=True, default=self._of_no_json_type)

    def dumps(self, data: Any) -> bytes:
        """Return *data* as bytes.

        Raises:
            PayloadError: Something in it has a type that neither a tag nor the application's JSON knows, or
                holds itself. This is a TypeError too, as in Flask.
        """
        try:
            if self._is_flasks():
                return self._encoder.encode(self._tagged.tag(data)).encode()
            with self._app.app_context():
                return self._tagged.dumps(data)
        except (TypeError, ValueError, RecursionError) as error:
            problem = str(error)
        raise PayloadError("session", f"cannot be written: {problem}")

    def loads(self, payload: bytes) -> Any:
        """Return what *payload* holds."""
        if self._is_flasks():
            return self._tagged.decode(payload)
        with self._app.app_context():
            return self._tagged.loads(payload)

    def _is_flasks(self) -> bool:
        """Tell whether the application's JSON is Flask's, as it comes: then what it does is known."""
        provider = self._app.json
        return type(provider) is DefaultJSONProvider and provider.sort_keys and provider.ensure_ascii

    def _of_no_json_type(self, value: Any) -> Any:
        """Return what the application's JSON makes of a type without a tag: a Decimal, a dataclass."""
        provider: Any = self._app.json
        return provider.default(value)
