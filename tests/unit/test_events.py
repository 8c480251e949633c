from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iron_wsgi import ConfigError, CookieTooLarge, Event, Session
from iron_wsgi.sessions.events import Reporter, notices
from iron_wsgi.testing import FakeClock

from .visitor import NEWER, NOW, OTHER, PASSWORD, Visitor, sealed


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def watched(clock: FakeClock, events: list[Event]) -> Visitor:
    """A visitor whose sessions report to `events`."""
    return Visitor(clock, on_event=events.append)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """Returns the lines of the log that an operator sees by default."""
    with caplog.at_level(logging.WARNING, "iron_wsgi"):
        yield lambda: caplog.messages


def _kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


def _sign_in(session: Session) -> None:
    session["user"] = 7


# ---- what is reported ----


def test_the_first_cookie_of_a_session_is_reported_as_created(watched: Visitor, events: list[Event]) -> None:
    watched.visit(_sign_in)
    assert events == [Event(kind="created", cookie_name="s")]


def test_a_session_saved_twice_in_its_first_request_is_created_once(
    watched: Visitor, events: list[Event]
) -> None:
    def use(session: Session) -> None:
        for number in range(3):
            session["n"] = number
            session.save()

    watched.visit(use)
    assert _kinds(events) == ["created"]


def test_reading_and_changing_a_session_is_no_event(watched: Visitor, events: list[Event]) -> None:
    watched.visit(_sign_in)
    events.clear()
    watched.visit()
    watched.visit(lambda session: session.update(n=1))
    assert events == []


@pytest.mark.parametrize(
    ("use", "changes"),
    [
        (Session.save, {}),
        (bool, {"refresh_after": 0}),
        (bool, {"password": {2: NEWER, 1: PASSWORD}}),
    ],
)
def test_a_session_sealed_again_without_a_change_is_reported_as_renewed(
    watched: Visitor, events: list[Event], use: Any, changes: dict[str, Any]
) -> None:
    watched.visit(_sign_in)
    events.clear()
    watched.visit(use, **changes)
    assert _kinds(events) == ["renewed"]


@pytest.mark.parametrize("end", [Session.destroy, Session.clear])
def test_a_deleted_cookie_is_reported_as_destroyed(watched: Visitor, events: list[Event], end: Any) -> None:
    watched.visit(_sign_in)
    events.clear()
    watched.visit(end)
    assert _kinds(events) == ["destroyed"]
    watched.visit(end)
    assert _kinds(events) == ["destroyed"]


@pytest.mark.parametrize(
    ("value", "reason", "password_id"),
    [
        ("garbage", "invalid", None),
        (sealed({}, password=OTHER), "invalid", "1"),
        (sealed({}, expires_at=NOW - 60), "expired", "1"),
        (sealed({}, password_id="9"), "unknown-password", "9"),
        (sealed({}, password_id=""), "unknown-password", ""),
        (sealed({}, expires_at=None), "no-expiry", "1"),
    ],
)
def test_a_cookie_that_cannot_be_trusted_is_reported_as_refused_with_the_reason(
    watched: Visitor, events: list[Event], value: str, reason: Any, password_id: str | None
) -> None:
    watched.ask(cookies={"s": value})
    assert events == [Event(kind="refused", cookie_name="s", reason=reason, password_id=password_id)]


def test_every_refused_cookie_of_one_name_is_reported(watched: Visitor, events: list[Event]) -> None:
    watched.ask(cookies={"s": ["garbage", sealed({}, password_id="9")]})
    assert [event.reason for event in events] == ["invalid", "unknown-password"]


def test_a_cookie_nobody_looked_at_is_no_event(watched: Visitor, events: list[Event]) -> None:
    watched.ask(lambda _: None, cookies={"s": "garbage"})
    assert events == []


# ---- ids ----


def test_events_of_one_session_carry_one_keyed_hash_of_its_id(watched: Visitor, events: list[Event]) -> None:
    ids: list[str] = []

    def use(session: Session) -> None:
        ids.append(session.sid)
        session["n"] = len(ids)

    watched.visit(use)
    watched.visit(Session.save)
    watched.visit(Session.destroy)
    assert _kinds(events) == ["created", "renewed", "destroyed"]
    (digest,) = {event.session for event in events}
    assert digest is not None
    assert len(digest) == 16
    assert ids[0] not in digest

    other = Visitor(watched.clock, on_event=events.append, generate_id=lambda: "fixed")
    other.visit(use)
    assert events[-1].session not in (digest, None)
    elsewhere = Visitor(watched.clock, on_event=events.append, generate_id=lambda: "fixed", password=OTHER)
    elsewhere.visit(use)
    assert events[-1].session != events[-2].session


# ---- the hook ----


def test_a_hook_that_fails_is_logged_and_changes_nothing(
    visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: Event) -> None:
        raise LookupError(event.kind)

    outcome = visitor.visit(_sign_in, on_event=fail)
    assert [cookie.name for cookie in outcome.cookies] == ["s"]
    assert visitor.finds() == {"user": 7}
    assert "on_event failed for a session event 'created'" in caplog.messages


def test_a_hook_that_is_no_function_is_refused(visitor: Visitor) -> None:
    with pytest.raises(ConfigError, match="on_event must be callable"):
        visitor.ask(on_event="print")


# ---- the log ----


def test_without_a_hook_events_stand_in_the_log_at_info(
    visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "iron_wsgi"):
        visitor.visit(_sign_in)
        visitor.ask(cookies={"s": sealed({}, password_id="9" * 100)})
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert said == [
        "session created: cookie=s reason=None password_id=None session=None key=None",
        f"session refused: cookie=s reason=unknown-password password_id={'9' * 32!r} session=None key=None",
    ]


def test_what_a_visitor_sends_cannot_break_or_fill_the_log(
    visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    seal = sealed({}).split("*")
    with caplog.at_level(logging.DEBUG, "iron_wsgi"):
        for password_id in ("a\nb\x1b[0m", "x" * 10_000):
            visitor.ask(cookies={"s": "*".join([seal[0], password_id, *seal[2:]])})
            notices.forget()
    assert len(caplog.messages) >= 4
    for line in caplog.messages:
        assert line.isprintable()
        assert len(line) < 300


def test_with_neither_hook_nor_log_no_id_is_hashed() -> None:
    def unexpected() -> bytes:
        raise AssertionError

    logger = logging.getLogger("iron_wsgi")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        Reporter(None, unexpected).report(Event(kind="created", cookie_name="s"), sid="x")
    finally:
        logger.setLevel(before)


# ---- "my cookie is not set": one line per process and cause ----


@pytest.mark.parametrize(
    ("value", "reason", "password_id"),
    [
        ("garbage", "invalid", "None"),
        (sealed({}, password_id="9"), "unknown-password", "'9'"),
        (sealed({}, expires_at=None), "no-expiry", "'1'"),
    ],
)
def test_a_refused_cookie_is_explained_once_per_reason(
    visitor: Visitor, lines: Callable[[], list[str]], value: str, reason: str, password_id: str
) -> None:
    for _ in range(3):
        visitor.ask(cookies={"s": value})
    (line,) = lines()
    assert line.startswith("session cookie 's': ")
    assert f"refused ({reason}, password id {password_id})" in line


def test_an_expired_session_is_nothing_to_explain(visitor: Visitor, lines: Callable[[], list[str]]) -> None:
    visitor.ask(cookies={"s": sealed({}, expires_at=NOW - 60)})
    assert lines() == []


def test_a_session_too_large_is_explained_once_with_its_size(
    visitor: Visitor, lines: Callable[[], list[str]]
) -> None:
    for _ in range(3):
        with pytest.raises(CookieTooLarge) as caught:
            visitor.ask(lambda session: session.update(text="x" * 5000))
    assert lines() == [f"session cookie 's': it was not set: {caught.value.size} octets, limit 4096"]


def test_a_save_after_the_destroy_is_explained_once(visitor: Visitor, lines: Callable[[], list[str]]) -> None:
    def use(session: Session) -> None:
        session["user"] = 7
        session.destroy()
        session.save()
        session.save()

    for _ in range(2):
        visitor.visit(use)
    (line,) = lines()
    assert "it was not saved, because the session was destroyed in this request" in line


def test_a_response_near_what_proxies_refuse_is_explained_once_with_their_setting(
    visitor: Visitor, lines: Callable[[], list[str]]
) -> None:
    visitor.visit(lambda session: session.update(text="x" * 1900))
    assert lines() == []
    for size in (2200, 2300):
        visitor.visit(lambda session, size=size: session.update(text="x" * size))
    (line,) = lines()
    assert "octets in one response" in line
    assert "nginx: raise proxy_buffer_size" in line


def test_each_cookie_gets_its_own_explanation(clock: FakeClock, lines: Callable[[], list[str]]) -> None:
    for name in ("s", "t", "s"):
        Visitor(clock, cookie_name=name).ask(cookies={name: "garbage"})
    assert [line.partition(":")[0] for line in lines()] == ["session cookie 's'", "session cookie 't'"]
