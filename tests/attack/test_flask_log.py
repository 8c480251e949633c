"""T-LOG for Flask: no repr, log line or traceback with locals shows a password, a cookie or a value."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from typing import Any, Final

import pytest
from flask import Flask

from iron_wsgi import ConfigError, CookieTooLarge, HeadersAlreadySent, PayloadError, SessionDestroyed
from iron_wsgi_flask import FlaskSession, IronSessionInterface
from tests.unit.flask_site import ERRORS, Site, put

PASSWORD: Final = "canary-Tq81LmZx0Vw3Rb6Yc9Ue2Ka5Nd7Hf4Gs"
KEY: Final = "canary-secret-key"
VALUE: Final = "canary-payload-value"


def site(**options: Any) -> Site:
    return Site(IronSessionInterface(PASSWORD, **options), SECRET_KEY=KEY)


def look(text: str, place: Site) -> None:
    """Find no canary in what somebody may read."""
    for canary in (PASSWORD, KEY, VALUE, *([place.value[30:90]] if place.value else [])):
        assert canary not in text


def our_frames(error: BaseException) -> str:
    """The frames of the packages in a traceback, with their local variables, as Sentry stores them."""
    shown = []
    while error is not None:
        stack = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), capture_locals=True)
        shown += [f"{frame.name} {frame.locals}" for frame in stack if "/iron_wsgi" in frame.filename]
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return "\n".join(shown)


def too_large(current: FlaskSession) -> None:
    current["big"] = VALUE * 300


def too_large_and_saved(current: FlaskSession) -> None:
    too_large(current)
    current.save()


def late(current: FlaskSession) -> None:
    current["user"] = VALUE
    current.exchange.close()
    current.save()


def lost(current: FlaskSession) -> None:
    current.destroy()
    current["user"] = VALUE


def reserved(current: FlaskSession) -> None:
    current["_iron"] = VALUE


def unknown_type(current: FlaskSession) -> None:
    current["user"] = {VALUE, object()}


FAILURES: Final[dict[str, tuple[Callable[[FlaskSession], None], type[Exception], dict[str, Any]]]] = {
    "too large": (too_large, CookieTooLarge, {}),
    "too large, saved": (too_large_and_saved, CookieTooLarge, {}),
    "headers gone": (late, HeadersAlreadySent, {}),
    "destroyed": (lost, SessionDestroyed, {}),
    "reserved": (reserved, PayloadError, {}),
    "no JSON": (unknown_type, PayloadError, {"serializer": "json"}),
    "no type of Flask's": (unknown_type, TypeError, {}),
    "prefix": (put(user=VALUE), ConfigError, {"cookie_name": "__Host-s"}),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_an_error_shows_nothing_of_the_session(failure: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    use, kind, options = FAILURES[failure]
    place = site(**options)
    if failure != "prefix":
        place.visit(put(note=VALUE))
    with pytest.raises(kind) as raised:
        place.visit(use)
    look(str(raised.value) + repr(raised.value), place)
    look(our_frames(raised.value), place)
    place.app.config.update(ERRORS)
    assert place.visit(use).status_code == 500
    look(caplog.text, place)


def test_no_object_of_ours_shows_a_secret() -> None:
    place = site(cookie_options={"secure": False})

    def use(current: FlaskSession) -> None:
        current["user"] = VALUE
        interface = place.app.session_interface
        assert isinstance(interface, IronSessionInterface)
        config = interface.config(place.app)
        engine = interface.engine(place.app, "session")
        for thing in (interface, config, engine, engine.options, current, current.state, current.exchange):
            look(f"{thing!r} {thing}", place)
        look(repr(interface.sealer("link")), place)

    place.visit(use)
    place.visit(use)


def test_whatever_is_refused_the_log_shows_neither_the_cookie_nor_a_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    place = site(accept=("flask", "secret-key"))
    place.visit(put(user=VALUE))
    good = place.value
    for value in (good[:-8] + "AAAAAA~2", good.replace("*1*", "*77*", 1), VALUE, f"{VALUE}.AAAA.AAAA"):
        place.send(f"session={value}", len)
    assert "refused" in caplog.text
    look(caplog.text, place)


def test_a_hook_that_fails_is_logged_without_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    def hook(event: object) -> None:
        raise RuntimeError(repr(event))

    place = site(on_event=hook)
    place.visit(put(user=VALUE))
    assert "failed" in caplog.text
    look(caplog.text, place)
    assert sys.exc_info() == (None, None, None)
    assert isinstance(place.app, Flask)
