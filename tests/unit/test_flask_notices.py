"""The log lines that say why a session's cookie is not kept, or may be given away."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import pytest
from flask import Response, stream_with_context
from flask.json.provider import DefaultJSONProvider

from iron_wsgi.sessions.events import notices
from iron_wsgi_flask import FlaskSession, IronSessionInterface

from .flask_site import Site, Use, lines, look_away, put
from .visitor import PASSWORD

NO_SECURE: Final = "set SESSION_COOKIE_SECURE = True"
PLAIN_HTTP: Final = "it is Secure and the request came over plain http"
TOO_LATE: Final = "it was changed after the response's headers had gone out"
READ_LATE: Final = "it was first read after the response's headers had gone out"


@pytest.fixture(autouse=True)
def _anew(caplog: pytest.LogCaptureFixture) -> None:
    notices.forget()
    caplog.set_level(logging.WARNING, "iron_wsgi")


def production(interface: IronSessionInterface | None = None, **config: Any) -> Site:
    return Site(interface, TESTING=False, **config)


def stream(use: Use = look_away, *, late: Use = look_away, status: int = 200) -> Use:
    """Return a view that uses the session, and its streamed body too, after the first chunk."""

    def view(current: FlaskSession) -> Response:
        def body() -> Iterator[str]:
            yield "one"
            late(current)
            yield "two"

        use(current)
        return Response(stream_with_context(body()), status)

    return view


def test_a_cookie_without_secure_is_named_once_for_each_application(caplog: pytest.LogCaptureFixture) -> None:
    first, second = production(), production()
    assert first.app.name == second.app.name
    for _ in range(3):
        first.visit(put(user=7))
    assert caplog.text.count(NO_SECURE) == 1
    second.visit(put(user=7))
    assert caplog.text.count(NO_SECURE) == 2


@pytest.mark.parametrize(
    "config", [{"TESTING": True}, {"DEBUG": True}, {"SESSION_COOKIE_SECURE": True}], ids=str
)
def test_it_is_not_named_in_debug_and_testing_nor_where_it_is_secure(
    config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    Site(**{"TESTING": False, **config}).visit(put(user=7), base_url="https://example.com")
    assert caplog.text == ""


def test_a_response_without_a_cookie_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    production().visit(len)
    production().visit()
    assert caplog.text == ""


def test_a_secure_cookie_over_plain_http_is_named_but_for_this_machine(
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = production(SESSION_COOKIE_SECURE=True)
    place.visit(put(user=7), base_url="http://localhost:5000")
    place.visit(put(user=7), base_url="https://example.com")
    assert caplog.text == ""
    for _ in range(2):
        place.visit(put(user=7), base_url="http://example.com")
    assert caplog.text.count(PLAIN_HTTP) == 1


@pytest.mark.parametrize(
    "use", [put(user=8), lambda current: current["cart"].append(1)], ids=["flat", "nested"]
)
@pytest.mark.parametrize("before", [look_away, len], ids=["untouched", "read"])
def test_a_change_that_comes_too_late_is_named(
    use: Use, before: Use, caplog: pytest.LogCaptureFixture
) -> None:
    place = Site()
    place.visit(put(user=7, cart=[]))
    held = place.value
    assert lines(place.visit(stream(before, late=use))) == []
    assert caplog.text.count(TOO_LATE) == 1
    assert place.value == held


def test_a_first_reading_that_comes_too_late_is_named(caplog: pytest.LogCaptureFixture) -> None:
    place = Site()
    place.visit(put(user=7))
    place.visit(stream(late=len))
    place.visit(stream(late=len))
    assert caplog.text.count(READ_LATE) == 1


def test_a_late_reading_of_what_was_read_before_is_not_named(caplog: pytest.LogCaptureFixture) -> None:
    place = Site()
    place.visit(put(user=7))
    place.visit(stream(len, late=len))
    assert caplog.text == ""


class Exact(DefaultJSONProvider):
    """Reads numbers as they were written, in a notation of its own."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return "exact:" + super().dumps(obj, **kwargs)

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        assert isinstance(s, str)
        return super().loads(s.removeprefix("exact:"), parse_float=Decimal, **kwargs)


def test_a_late_reading_is_no_change_under_a_json_of_the_applications_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = Site()
    place.app.json = Exact(place.app)
    place.visit(put(prices=[1.5]))
    found: list[Any] = []
    place.visit(stream(len, late=lambda current: found.append(current["prices"])))
    assert found == [[Decimal("1.5")]]
    assert caplog.text == ""
    with place.client.session_transaction() as current:
        assert isinstance(current, FlaskSession)
        assert current["prices"] == [Decimal("1.5")]
        assert not current.modified
        current["prices"].append(2)
        assert current.modified


def test_a_late_reading_is_not_named_where_the_response_varies_since_the_session_was_renewed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = Site()
    place.visit(lambda current: setattr(current, "permanent", True))
    response = place.visit(stream(late=len))
    assert response.headers.getlist("Vary") == ["Cookie"]
    assert caplog.text == ""


@pytest.mark.parametrize("visits", [1, 2])
def test_an_untouched_stream_is_no_late_reading(visits: int, caplog: pytest.LogCaptureFixture) -> None:
    place = Site()
    place.visit(put(user=7))
    for _ in range(visits):
        assert "Vary" not in place.visit(stream()).headers
    assert caplog.text == ""


def veto(_self: IronSessionInterface, *_: object) -> bool:
    return False


@pytest.mark.parametrize(
    ("interface", "status"),
    [
        (IronSessionInterface(PASSWORD, auto_commit=False), 200),
        (IronSessionInterface(PASSWORD, save_on_error=False), 500),
        (type("Veto", (IronSessionInterface,), {"should_set_cookie": veto})(PASSWORD), 200),
    ],
    ids=["auto_commit", "save_on_error", "should_set_cookie"],
)
def test_a_change_that_was_not_to_be_saved_did_not_come_too_late(
    interface: IronSessionInterface, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert lines(Site(interface).visit(stream(put(user=7, cart=[1]), status=status))) == []
    assert caplog.text == ""


def test_a_destroyed_session_that_is_looked_at_late_is_not_named(caplog: pytest.LogCaptureFixture) -> None:
    place = Site()
    place.visit(put(user=7))
    place.visit(stream(lambda current: current.destroy(), late=len))
    assert caplog.text == ""


def test_no_line_holds_a_cookie_or_a_value(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "iron_wsgi")
    place = production()
    place.visit(put(user="canary"))
    place.visit(stream(late=put(user="canary")))
    seal = place.value
    place.keep(seal[:-9] + "AAAAAAA~2")
    place.visit(len)
    assert caplog.records
    assert "canary" not in caplog.text
    assert seal[20:60] not in caplog.text
    assert PASSWORD not in caplog.text
