"""How sessions end: what the engine tells the vault, and when."""

from __future__ import annotations

from typing import Any

import pytest

from iron_wsgi import Cookie, Event, Outcome, Refused, Session, SessionOptions, Unavailable
from iron_wsgi.engine.engine import Engine
from iron_wsgi.engine.exchange import CookieExchange
from iron_wsgi.errors import Ended
from iron_wsgi.revocation import MemoryRevocations
from iron_wsgi.sessions.state import FormerSession, State
from iron_wsgi.testing import DictJar, FakeClock

from .visitor import NOW, PASSWORD, lines

TTL = 900


class Ledger:
    """A vault that writes down what it is told. A value is an id, and the user: ``sid:user``."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []
        self.until: list[float | None] = []
        self.fails: dict[str, Exception] = {}
        self.is_alive = True

    def load(self, value: str, /) -> State:
        sid, _, user = value.partition(":")
        return State(
            data={"user": user},
            meta={"sid": sid, "iat": NOW - 5, "ref": f"at {sid}"},
            issued_at=NOW - 5,
            expires_at=NOW + 100,
            is_new=False,
        )

    def peek(self, value: str, /) -> State:
        raise NotImplementedError

    def dump(self, state: State, /, *, expires_at: float | None, cookie: Cookie) -> str:
        del expires_at, cookie
        self._tell("dump", state.sid)
        return f"{state.sid}:{state.data.get('user')}"

    def preview(self, state: State, /, *, expires_at: float | None, cookie: Cookie) -> str:
        raise NotImplementedError

    def release(self, state: State, /) -> None:
        self._tell("release", state.sid)

    def end(self, over: FormerSession, /) -> bool:
        self._tell("end", over.sid, over.ref or "")
        self.until.append(over.until)
        return self.is_alive

    def _tell(self, what: str, *about: str) -> None:
        if what in self.fails:
            raise self.fails[what]
        self.told.append((what, *about))


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def engine(clock: FakeClock, ledger: Ledger, events: list[Event]) -> Engine:
    ids = iter("XYZ")
    options = SessionOptions(
        password=PASSWORD,
        cookie_name="s",
        clock=clock,
        ttl=TTL,
        generate_id=lambda: next(ids),
        vault=lambda _: ledger,
        revocations=MemoryRevocations(clock=clock),
        on_event=events.append,
    )
    return Engine(options)


def _open(engine: Engine, *, cookie: str | None = "A:anna") -> State:
    state = engine.open(DictJar({} if cookie is None else {"s": cookie}))
    state.accessed = True
    return state


# ---- destroying ----


def test_a_destroyed_session_is_ended_once_before_its_cookie_is_deleted(
    engine: Engine, ledger: Ledger, events: list[Event]
) -> None:
    state = _open(engine)
    outcome = engine.destroy(state)
    assert lines(outcome) == [("s", "deleted")]
    assert engine.destroy(state) is engine.commit(state) is outcome
    assert engine.commit(state, renew=True) is outcome
    assert ledger.told == [("end", "A", "at A")]
    assert (state.data, state.destroyed) == ({}, True)
    assert [event.kind for event in events] == ["destroyed"]


def test_a_destruction_that_fails_has_done_nothing_and_can_be_tried_again(
    engine: Engine, ledger: Ledger, events: list[Event]
) -> None:
    state = _open(engine)
    ledger.fails["end"] = Unavailable()
    with pytest.raises(Unavailable):
        engine.destroy(state)
    assert (state.destroyed, state.data, state.saved, events) == (False, {"user": "anna"}, None, [])
    ledger.fails.clear()
    assert lines(engine.destroy(state)) == [("s", "deleted")]
    assert set(ledger.told) == {("end", "A", "at A")}


@pytest.mark.parametrize("cookie", [None, "junk"])
def test_who_has_no_session_has_none_that_could_end(
    engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, cookie: str | None
) -> None:
    def refuse(_: str) -> State:
        raise Refused("invalid")

    monkeypatch.setattr(ledger, "load", refuse)
    state = _open(engine, cookie=cookie)
    outcome = engine.destroy(state)
    assert lines(outcome) == ([] if cookie is None else [("s", "deleted")])
    assert ledger.told == []


# ---- emptying ----


def test_an_emptied_session_is_ended_by_the_commit(engine: Engine, ledger: Ledger) -> None:
    state = _open(engine)
    state.data.clear()
    state.modified = True
    assert ledger.told == []
    assert lines(engine.commit(state)) == [("s", "deleted")]
    assert lines(engine.commit(state)) == [("s", "deleted")]
    assert ledger.told == [("end", "A", "at A")]
    assert not state.destroyed


def test_an_emptied_session_stays_to_be_emptied_until_it_is(engine: Engine, ledger: Ledger) -> None:
    state = _open(engine)
    state.data.clear()
    state.modified = True
    ledger.fails["end"] = Unavailable()
    for _ in range(2):
        with pytest.raises(Unavailable):
            engine.commit(state)
    ledger.fails.clear()
    assert lines(engine.commit(state)) == [("s", "deleted")]


def test_what_is_written_after_it_was_emptied_is_a_session_of_its_own(
    engine: Engine, ledger: Ledger, clock: FakeClock
) -> None:
    state = _open(engine)
    state.data.clear()
    state.modified = True
    engine.commit(state)
    clock.advance(50)
    state.data["user"], state.modified = "bert", True
    assert engine.sid(state) == "X"
    assert lines(engine.commit(state)) == [("s", "set")]
    assert state.issued_at in (NOW, NOW + 50)
    engine.destroy(state)
    assert [told for told in ledger.told if told[0] == "end"] == [("end", "A", "at A"), ("end", "X", "")]


def test_a_new_session_that_is_empty_again_ends_nothing(engine: Engine, ledger: Ledger) -> None:
    state = _open(engine, cookie=None)
    state.modified = True
    assert engine.commit(state) == Outcome(vary=True, name="s")
    assert ledger.told == []


# ---- regenerating ----


def test_what_a_session_was_is_ended_when_its_new_self_is_written_and_settled_after_that(
    engine: Engine, ledger: Ledger
) -> None:
    state = _open(engine)
    engine.regenerate(state)
    assert ledger.told == []
    state.modified = True
    assert engine.commit(state).cookies[0].value == "X:anna"
    assert ledger.told == [("dump", "X"), ("end", "A", "at A"), ("release", "X")]
    assert (state.meta, state.issued_at) == ({"sid": "X", "iat": NOW}, NOW)
    engine.commit(state, renew=True)
    assert ledger.told.count(("end", "A", "at A")) == 1


def test_a_new_self_that_cannot_be_written_ends_nothing(engine: Engine, ledger: Ledger) -> None:
    state = _open(engine)
    engine.regenerate(state)
    state.modified = True
    ledger.fails["dump"] = Unavailable()
    with pytest.raises(Unavailable):
        engine.commit(state)
    assert (ledger.told, state.modified) == ([], True)
    ledger.fails.clear()
    engine.commit(state)
    assert ("end", "A", "at A") in ledger.told


def test_an_end_that_fails_is_tried_again_by_the_next_commit_and_no_cookie_goes_out(
    engine: Engine, ledger: Ledger
) -> None:
    state = _open(engine)
    engine.regenerate(state)
    state.modified = True
    ledger.fails["end"] = Unavailable()
    with pytest.raises(Unavailable):
        engine.commit(state)
    assert (state.saved, state.modified) == (None, True)
    ledger.fails.clear()
    assert lines(engine.commit(state)) == [("s", "set")]
    assert ledger.told.count(("end", "A", "at A")) == 1


def test_where_somebody_else_has_ended_what_it_was_its_new_self_is_ended_too(
    engine: Engine, ledger: Ledger, events: list[Event], caplog: pytest.LogCaptureFixture
) -> None:
    state = _open(engine)
    engine.regenerate(state)
    state.modified = True
    ledger.is_alive = False
    assert engine.commit(state) == Outcome(vary=True, name="s")
    assert ledger.told == [("dump", "X"), ("end", "A", "at A"), ("end", "X", "")]
    assert (state.destroyed, state.data, state.is_ended) == (True, {}, True)
    assert [(event.kind, event.reason) for event in events] == [("refused", "revoked")]
    assert "ended elsewhere while the request ran" in caplog.text


def test_a_destroyed_session_may_have_been_ended_before(engine: Engine, ledger: Ledger) -> None:
    """A second click on sign out deletes the cookie as the first."""
    ledger.is_alive = False
    state = _open(engine)
    assert lines(engine.destroy(state)) == [("s", "deleted")]


def test_ids_that_were_never_sent_are_not_ended(engine: Engine, ledger: Ledger) -> None:
    state = _open(engine, cookie=None)
    for _ in range(2):
        engine.regenerate(state)
    state.data["user"], state.modified = "anna", True
    assert engine.commit(state).cookies[0].value == "Y:anna"
    engine.regenerate(state)
    engine.destroy(state)
    assert [told for told in ledger.told if told[0] == "end"] == [("end", "Y", "")]


# ---- for how long ----


def test_what_ends_is_noted_for_as_long_as_the_last_copy_and_any_made_now_can_live(
    engine: Engine, ledger: Ledger
) -> None:
    engine.destroy(_open(engine))
    engine.destroy(_open(engine), expires_at=NOW + 5000)
    state = _open(engine)
    state.expires_at = NOW + 8000
    engine.destroy(state)
    state = _open(engine)
    engine.regenerate(state)
    state.modified = True
    engine.commit(state, expires_at=NOW + 6000)
    assert ledger.until == [NOW + TTL, NOW + 5000, NOW + 8000, NOW + 6000]


@pytest.mark.parametrize("expires_at", [None, NOW + 60])
def test_a_copy_that_never_expires_is_over_for_ever(
    clock: FakeClock, ledger: Ledger, expires_at: float | None
) -> None:
    options = SessionOptions(password=PASSWORD, cookie_name="s", clock=clock, ttl=0, vault=lambda _: ledger)
    state = _open(Engine(options))
    state.expires_at = expires_at
    Engine(options).destroy(state)
    assert ledger.until == [None]


# ---- ended elsewhere ----


def test_a_session_that_was_ended_elsewhere_sends_nothing_and_is_destroyed(
    engine: Engine, ledger: Ledger, events: list[Event], caplog: pytest.LogCaptureFixture
) -> None:
    exchange = CookieExchange(engine, jar := DictJar({"s": "A:anna"}))
    session = Session(exchange)
    session["n"] = 1
    ledger.fails["dump"] = Ended()
    session.save()
    assert jar.outcome == Outcome(vary=True, name="s")
    assert (dict(session), session.modified) == ({}, False)
    assert [(event.kind, event.reason) for event in events] == [("refused", "revoked")]
    assert events[0].session is not None
    session.save()
    session.destroy()
    assert jar.outcome.cookies == ()
    assert ledger.told == []
    assert caplog.text.count("ended elsewhere while the request ran") == 1


@pytest.mark.parametrize("renew", [True, False])
def test_a_mere_renewal_of_what_was_ended_elsewhere_sends_nothing(
    engine: Engine, ledger: Ledger, *, renew: bool
) -> None:
    state = _open(engine)
    state.is_outdated = not renew
    ledger.fails["dump"] = Ended()
    assert engine.commit(state, renew=renew) == Outcome(vary=True, name="s")
    assert state.destroyed


def test_what_was_saved_before_the_session_was_ended_elsewhere_does_not_go_out(
    engine: Engine, ledger: Ledger
) -> None:
    state = _open(engine)
    assert lines(engine.commit(state, renew=True)) == [("s", "set")]
    ledger.fails["dump"] = Ended()
    state.modified = True
    assert engine.commit(state).cookies == ()
    assert engine.commit(state).cookies == ()


# ---- who is told ----


def test_without_a_store_a_list_or_another_vault_there_is_nobody_to_tell(clock: FakeClock) -> None:
    ledger = Ledger()
    plain = Engine(SessionOptions(password=PASSWORD, cookie_name="s", clock=clock), vault=lambda _: ledger)
    state = _open(plain)
    plain.regenerate(state)
    assert state.former == []
    assert lines(plain.destroy(state)) == [("s", "deleted")]
    assert ledger.told == []


def test_every_conflict_is_an_event_and_told_once(engine: Engine, events: list[Event]) -> None:
    state = _open(engine)
    state.conflicts = ["a", "b", "a"]
    for _ in range(2):
        engine.commit(state, renew=True)
    assert [event.key for event in events if event.kind == "conflict"] == ["a", "b", "a"]


def test_conflicts_of_a_write_that_failed_are_told_when_it_succeeds(
    engine: Engine, ledger: Ledger, events: list[Event]
) -> None:
    state = _open(engine)
    state.conflicts = ["a"]
    ledger.fails["dump"] = Unavailable()
    with pytest.raises(Unavailable):
        engine.commit(state, renew=True)
    assert events == []
    ledger.fails.clear()
    engine.commit(state, renew=True)
    assert [event.key for event in events if event.kind == "conflict"] == ["a"]


def _kept(engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Any:
    def refuse(_: str) -> State:
        raise Refused("lost")

    monkeypatch.setattr(ledger, "load", refuse)
    return _open(engine)


def test_a_cookie_that_is_kept_is_left_by_emptying_and_deleted_by_destroying(
    engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server behind in a rotation must not sign anybody out by itself; who asks for it is signed out."""
    state = _kept(engine, ledger, monkeypatch)
    state.modified = True
    assert engine.commit(state).cookies == ()
    assert engine.commit(state).cookies == ()
    state = _kept(engine, ledger, monkeypatch)
    assert lines(engine.destroy(state)) == [("s", "deleted")]
    assert ledger.told == []
