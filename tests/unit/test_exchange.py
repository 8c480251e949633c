from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from iron_wsgi import Session, SessionOptions, get_iron_session
from iron_wsgi.engine.engine import Engine
from iron_wsgi.engine.exchange import CookieExchange
from iron_wsgi.testing import DictJar, FakeClock

from .visitor import NOW, PASSWORD, sealed


def _exchange(jar: DictJar, **options: Any) -> CookieExchange:
    given = {"password": PASSWORD, "cookie_name": "s", "clock": FakeClock(), **options}
    return CookieExchange(Engine(SessionOptions(**given)), jar)


def test_what_is_saved_destroyed_and_committed_goes_to_the_jar_at_once() -> None:
    jar = DictJar({"s": sealed({"a": 1})})
    exchange = _exchange(jar)
    state = exchange.open()
    exchange.commit(state)
    exchange.save(state)
    exchange.destroy(state)
    assert [[cookie.is_deletion for cookie in outcome.cookies] for outcome in jar.sent] == [
        [],
        [False],
        [True],
    ]


def test_the_status_of_the_response_decides_what_is_committed() -> None:
    for status, written in ((200, 1), (500, 0)):
        jar = DictJar({"s": sealed({"a": 1})})
        exchange = _exchange(jar)
        state = exchange.open()
        state.modified = True
        exchange.commit(state, status=status)
        assert len(jar.outcome.cookies) == written


def test_what_a_commit_wrote_stays_when_a_later_one_finds_nothing_new() -> None:
    jar = DictJar()
    exchange = _exchange(jar)
    session = Session(exchange)
    session["a"] = 1
    assert session.state is not None
    exchange.commit(session.state)
    exchange.commit(session.state, status=500)
    assert jar.sent[0] == jar.sent[1] == jar.outcome
    assert len(jar.outcome.cookies) == 1


def test_an_exchange_tells_the_time_by_the_clock_of_its_options() -> None:
    assert _exchange(DictJar()).now() == NOW


# ---- one session per cookie of one exchange ----


def test_asked_twice_for_one_cookie_one_session_is_returned() -> None:
    jar = DictJar({"s": sealed({"a": 1})})
    options = SessionOptions(password=PASSWORD, cookie_name="s", clock=FakeClock())
    first = get_iron_session(jar, options)
    assert get_iron_session(jar, options) is first
    assert get_iron_session(jar, password=PASSWORD, cookie_name="s") is first
    assert get_iron_session(jar, options, cookie_name="t") is not first
    assert get_iron_session(DictJar(), options) is not first


def test_single_settings_change_ready_made_options() -> None:
    options = SessionOptions(password=PASSWORD, cookie_name="s", clock=FakeClock(), ttl=60)
    jar = DictJar()
    session = get_iron_session(jar, options, cookie_name="t", ttl=120)
    session["a"] = 1
    session.save()
    assert list(jar.cookies) == ["t"]
    assert session.expires_at == NOW + 120


def test_any_object_with_a_jars_two_methods_will_do() -> None:
    class Plain:
        def read(self, name: str, /) -> list[str]:
            return [sealed({"a": 1})] if name == "s" else []

        def send(self, outcome: object, /) -> None:
            sent.append(outcome)

    sent: list[object] = []
    with get_iron_session(Plain(), password=PASSWORD, cookie_name="s", clock=FakeClock()) as session:
        assert session.pop("a") == 1
    assert len(sent) == 1


def test_a_session_is_never_committed_by_itself() -> None:
    jar = DictJar()
    get_iron_session(jar, password=PASSWORD, cookie_name="s")["a"] = 1
    assert jar.sent == []


def test_asking_for_a_session_reads_no_cookie() -> None:
    jar = DictJar({"s": "garbage"})
    get_iron_session(jar, password=PASSWORD, cookie_name="s", on_event=pytest.fail)


def test_a_session_that_was_emptied_is_not_renewed_by_a_second_commit() -> None:
    jar = DictJar({"s": sealed({"a": 1})})
    exchange = _exchange(jar, refresh_after=0)
    state = exchange.open()
    state.accessed = state.modified = True
    state.data.clear()
    exchange.commit(state)
    exchange.commit(state)
    assert [cookie.is_deletion for cookie in jar.sent[-1].cookies] == [True]


def test_a_tuple_that_comes_back_as_a_list_is_no_change() -> None:
    jar = DictJar({})
    session = Session(_exchange(jar))
    session["pair"] = (1, {"also": (2,)})
    session.save()
    assert not session.modified
    session["pair"][1]["also"] = (3,)
    assert session.modified


def test_a_session_can_be_set_to_end_with_the_calendar() -> None:
    jar = DictJar({})
    session = Session(_exchange(jar))
    session["a"] = 1
    session.set_expiry(datetime(9999, 12, 31, tzinfo=timezone.utc))
    session.save()
    assert dict(Session(_exchange(DictJar(dict(jar.cookies))))) == {"a": 1}
