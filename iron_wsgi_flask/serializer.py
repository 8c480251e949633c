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
    """Tags a datetime as Flask does, and keeps its microseconds and time zone, which Flask drops.

    Reads what Flask wrote, too.
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

    It learns further types as in Flask: ``app.session_interface.serializer.register(Tag)``. The application's
    own JSON (``app.json``) writes types without a tag, as in Flask. The text equals that of Flask's own
    serializer, except for datetimes.
    """

    default_tags = [  # noqa: RUF012 - Flask's name and form
        TagMoment if tag is TagDateTime else tag for tag in TaggedJSONSerializer.default_tags
    ]

    def __init__(self) -> None:
        """Register Flask's tags."""
        super().__init__()
        self._flask_tags = len(TaggedJSON.default_tags)
        # Untags each object as it is read, the innermost first: Flask walks over the whole afterwards.
        self._decoder = json.JSONDecoder(object_hook=self.untag)

    def tag(self, value: Any) -> Any:
        """Return *value* with tags."""
        # Most values have a JSON type. Flask has a tag for none of those but a dict that looks like a tagged
        # value. Other dicts and lists stay as they are, except for the values in them.
        if len(self.order) == self._flask_tags:
            kind, tag = type(value), self.tag
            if kind in _PLAIN:
                return value
            if kind is list:
                return [item if type(item) in _PLAIN else tag(item) for item in value]
            if kind is dict and (len(value) != 1 or next(iter(value)) not in self.tags):
                return {key: item if type(item) in _PLAIN else tag(item) for key, item in value.items()}
        return super().tag(value)

    def dumps(self, data: Any) -> bytes:  # type: ignore[override]  # Flask's returns text
        """Return *data* as bytes, by the JSON of the current application."""
        return super().dumps(data).encode()

    def loads(self, payload: bytes) -> Any:  # type: ignore[override]  # Flask's takes text
        """Return what *payload* holds."""
        return super().loads(payload.decode())

    def decode(self, payload: bytes) -> Any:
        """Return what `loads` returns, in one pass, where the application's JSON is Flask's own."""
        return self._decoder.decode(payload.decode())


@final
class AppJSON:
    """Tagged JSON for one application, whose ``app.json`` writes types without a tag."""

    __slots__ = ("_app", "_encoder", "_tagged")

    def __init__(self, app: Flask, tagged: TaggedJSON) -> None:
        """Write and read for *app*, also outside its context."""
        self._app = app
        self._tagged = tagged
        self._encoder = json.JSONEncoder(separators=(",", ":"), sort_keys=True, default=self._json_of)

    def dumps(self, data: Any) -> bytes:
        """Return *data* as bytes.

        Raises:
            PayloadError: A value has a type that neither a tag nor the application's JSON knows, or it holds
                itself. This is a TypeError too, as in Flask.
        """
        try:
            if self._has_flasks_json():
                return self._encoder.encode(self._tagged.tag(data)).encode()
            with self._app.app_context():
                return self._tagged.dumps(data)
        except (TypeError, ValueError, RecursionError) as error:
            problem = str(error)
        raise PayloadError("session", f"cannot be written: {problem}")

    def loads(self, payload: bytes) -> Any:
        """Return what *payload* holds."""
        if self._has_flasks_json():
            return self._tagged.decode(payload)
        with self._app.app_context():
            return self._tagged.loads(payload)

    def has_member(self, payload: bytes, key: str, value: Any) -> bool:
        """Tell whether *payload* certainly has *value* under *key*. See `StrictJSON.has_member`."""
        name = f"{self._encoder.encode(key)}:".encode()
        place = payload.find(name)
        if place < 0 or payload.find(name, place + 1) >= 0 or not self._has_flasks_json():
            return False
        text = self._encoder.encode(self._tagged.tag(value))
        # A number has no end of its own: 1 begins 12.
        return text[0] in '{["' and payload.startswith(text.encode(), place + len(name))

    def _has_flasks_json(self) -> bool:
        """Tell whether the application's JSON is Flask's own, unchanged."""
        provider = self._app.json
        return type(provider) is DefaultJSONProvider and provider.sort_keys and provider.ensure_ascii

    def _json_of(self, value: Any) -> Any:
        """Return what the application's JSON makes of a value without a tag: a Decimal, a dataclass."""
        provider: Any = self._app.json
        return provider.default(value)
