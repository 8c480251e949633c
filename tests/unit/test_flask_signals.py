from __future__ import annotations

from typing import Any, Final

import pytest
from blinker import NamedSignal
from flask import Flask, current_app

from iron_wsgi import Event
from iron_wsgi.stores import MemoryStore
from iron_wsgi.testing import FakeClock
from iron_wsgi_flask import (
    FlaskSession,
    IronSessionInterface,
    session_conflict,
    session_created,
    session_destroyed,
    session_refused,
    session_renewed,
)
from iron_wsgi_flask.signals import BY_KIND

from .flask_site import Site, Use, look_away, put
from .visitor import PASSWORD

SIGNALS: Final = (session_created, session_renewed, session_destroyed, session_refused, session_conflict)
Heard = list[tuple[str, object, Event]]


class Ear:
    """Hears all signals of one application."""

    def __init__(self, app: Flask) -> None:
        self.heard: Heard = []
        for signal in SIGNALS:
            signal.connect(self._hear_as(signal), app, weak=False)

    def _hear_as(self, signal: NamedSignal) -> Any:
        def hear(sender: object, *, event: Event) -> None:
            self.heard.append((signal.name, sender, event))

        return hear

    def kinds(self) -> list[str]:
        return [event.kind for _, _, event in self.heard]


def end(current: Any) -> None:
    current.destroy()


def touch(current: Any) -> None:
    current.touch()


@pytest.mark.parametrize(
    ("uses", "kinds"),
    [
        ([look_away], []),
        ([len], []),
        ([put(user=7)], ["created"]),
        ([put(user=7), put(user=8)], ["created"]),
        ([put(user=7), len], ["created"]),
        ([put(user=7), touch], ["created", "renewed"]),
        ([put(user=7), end], ["created", "destroyed"]),
        ([put(user=7), lambda current: current.clear()], ["created", "destroyed"]),
    ],
)
def test_each_thing_that_happens_is_signalled_once_by_its_application(
    uses: list[Use], kinds: list[str]
) -> None:
    place = Site()
    ear = Ear(place.app)
    for use in uses:
        place.visit(use)
    assert ear.kinds() == kinds
    for name, sender, event in ear.heard:
        assert sender is place.app
        assert name == f"session-{event.kind}"
        assert BY_KIND[event.kind].name == name
        assert event.cookie_name == "session"
        assert event.session is None or len(event.session) == 16


def test_a_refused_cookie_is_signalled_with_its_reason_when_it_is_looked_at() -> None:
    place = Site()
    ear = Ear(place.app)
    place.keep("junk")
    place.app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    place.visit()
    assert ear.heard == []
    place.visit(len)
    ((_, sender, event),) = ear.heard
    assert (sender, event.kind, event.reason, event.session) == (place.app, "refused", "invalid", None)


def test_a_renewal_by_flask_is_signalled() -> None:
    clock = FakeClock()
    place = Site(IronSessionInterface(PASSWORD, clock=clock, ttl=600))
    ear = Ear(place.app)
    place.visit(put(user=7, _permanent=True))
    clock.advance(60)
    place.visit()
    assert ear.kinds() == ["created", "renewed"]


def test_an_application_hears_its_own_sessions_only() -> None:
    interface = IronSessionInterface(PASSWORD)
    mine, other = Site(interface), Site(interface)
    ear = Ear(mine.app)
    other.visit(put(user=7))
    assert ear.heard == []


def test_a_receiver_works_inside_its_application() -> None:
    place = Site()
    names: list[bool] = []

    def receive(sender: Flask, *, event: Event) -> None:
        names.append(current_app._get_current_object() is sender is place.app)  # type: ignore[attr-defined]
        assert event.kind == "created"

    with session_created.connected_to(receive, place.app):
        place.visit(put(user=7))
        with place.app.test_client().session_transaction() as current:
            current["user"] = 7
    assert names == [True, True]


def stored_site(**options: Any) -> Site:
    return Site(IronSessionInterface(PASSWORD, storage="store", store=MemoryStore(), **options))


def test_a_value_that_a_parallel_request_wrote_and_that_was_overwritten_is_signalled() -> None:
    place = stored_site()
    place.visit(put(user=7, cart=[]))
    ear = Ear(place.app)

    def write_slowly(current: FlaskSession) -> None:
        current.update(user=9, cart=[1])
        place.send(f"session={place.value}", put(user=8, seen=1))

    place.visit(write_slowly)
    assert place.finds() == {"user": 9, "cart": [1], "seen": 1}
    assert [(event.kind, event.key) for _, _, event in ear.heard] == [("conflict", "user")]


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_a_receiver_that_raises_changes_nothing(
    signal: NamedSignal, caplog: pytest.LogCaptureFixture
) -> None:
    def receive(_: object, *, event: Event) -> None:
        raise RuntimeError(event.kind)

    hooked: list[str] = []
    place = stored_site(on_event=lambda event: hooked.append(event.kind))

    def lose(current: FlaskSession) -> None:
        current["user"] = 9
        place.send(f"session={place.value}", put(user=8))

    with signal.connected_to(receive, place.app):
        place.visit(put(user=7))
        seal = place.value
        assert place.visit(touch).status_code == 200
        assert place.value != seal
        assert place.visit(lose).status_code == 200
        assert place.finds() == {"user": 9}
        assert place.visit(end).status_code == 200
        assert place.value == ""
        place.keep("junk")
        assert place.visit(len).status_code == 200
        assert place.value == ""
    assert hooked == ["created", "renewed", "conflict", "destroyed", "refused"]
    assert "failed" in caplog.text


def test_the_hook_and_the_signals_are_told_the_same() -> None:
    hooked: list[Event] = []
    place = Site(IronSessionInterface(PASSWORD, on_event=hooked.append))
    ear = Ear(place.app)
    for use in (put(user=7), touch, end):
        place.visit(use)
    assert [event for _, _, event in ear.heard] == hooked
    assert [event.kind for event in hooked] == ["created", "renewed", "destroyed"]


def test_a_hook_that_raises_changes_nothing() -> None:
    def hook(_: Event) -> None:
        raise RuntimeError

    place = Site(IronSessionInterface(PASSWORD, on_event=hook))
    ear = Ear(place.app)
    place.visit(put(user=7))
    assert place.finds() == {"user": 7}
    assert ear.kinds() == ["created"]


def test_a_hook_from_the_configuration_is_called() -> None:
    hooked: list[Event] = []
    Site(IRON_SESSION_ON_EVENT=hooked.append).visit(put(user=7))
    assert [event.kind for event in hooked] == ["created"]
