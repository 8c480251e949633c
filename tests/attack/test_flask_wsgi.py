"""A Flask site on our sessions keeps to WSGI's letter, whatever its views do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from flask import Response, stream_with_context

from iron_wsgi_flask import FlaskSession
from tests.unit.flask_site import ERRORS, Site, Use, look_away, put

from .site import VALIDATORS, Browser, Validator


def stream(current: FlaskSession) -> Response:
    def body() -> Iterator[str]:
        yield "one"
        yield str(len(current))

    current["streamed"] = True
    return Response(stream_with_context(body()))


def fail(current: FlaskSession) -> None:
    current["failed"] = True
    raise ValueError


USES: Final[dict[str, Use]] = {
    "nothing": look_away,
    "read": len,
    "write": put(user=7),
    "permanent": lambda current: setattr(current, "permanent", True),
    "clear": lambda current: current.clear(),
    "destroy": lambda current: current.destroy(),
    "stream": stream,
    "304": lambda current: (current.update(user=8), Response(status=304))[1],
    "500": fail,
    "large": put(big="x" * 5000),
}


# Werkzeug's validator counts the octets that a HEAD does not send.
@pytest.mark.parametrize(
    ("method", "validate"), [*(("GET", validate) for validate in VALIDATORS), ("HEAD", VALIDATORS[0])]
)
@pytest.mark.parametrize("use", USES)
def test_every_answer_passes_the_validators(use: str, method: str, validate: Validator) -> None:
    place = Site(**ERRORS)
    browser = Browser()
    app: Any = validate(place.app)
    for step in ("write", use, "nothing", use):
        place._use = USES[step]
        answer = browser.visit(app, REQUEST_METHOD=method)
        assert answer.starts == 1
        expected = {"304": "304", "500": "500", "large": "500"}.get(step, "200")
        assert answer.status.startswith(expected)
