"""What is kept of a session in a store, and what parallel writers do to it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from iron_wsgi import Event, Session, SessionConflict, Unavailable
from iron_wsgi.revocation import MemoryRevocations
from iron_wsgi.servers.ids import key_of, subject_key_of
from iron_wsgi.stores import Record
from iron_wsgi.testing import FakeClock
from iron_wsgi.vaults.records import ATTEMPTS
from tests.interop import forge_record

from .shaky import ShakyStore
from .visitor import NEWER, NOW, PASSWORD, Use, Visitor, lines, payload, sealed, sign_in, write

DAY = 86_400


@pytest.fixture
def store(clock: FakeClock) -> ShakyStore:
    return ShakyStore(clock)


@pytest.fixture
def visitor(clock: FakeClock, store: ShakyStore) -> Visitor:
    return Visitor(clock, storage="store", store=store)


def _another(visitor: Visitor) -> Visitor:
    """Somebody else on the same site."""
    other = Visitor(visitor.clock)
    other.options = visitor.options
    return other


def _record(store: ShakyStore) -> Record:
    (record,) = store.records.values()
    return record


def _content(store: ShakyStore, password: str = PASSWORD) -> Any:
    """What the only record holds, by a second implementation of its format."""
    ((key, record),) = store.records.items()
    return json.loads(forge_record.opened(record.value, key, password))


def _forged(content: object, sid: str, **changes: Any) -> str:
    """The record of *sid*, with content that only who knows the password can have written."""
    return forge_record.record(json.dumps(content).encode(), key_of(sid), **{"password": PASSWORD, **changes})


def _replace(store: ShakyStore, **changes: Any) -> None:
    """What somebody does who can write into the store."""
    for key, record in store.records.items():
        store.records[key] = replace(record, **changes)


def _ids(*ids: str) -> Callable[[], str]:
    following = iter(ids)
    return lambda: next(following)


# ---- what a store gets ----


def test_a_store_gets_a_record_under_a_key_of_its_own_and_a_hash_of_the_id(
    visitor: Visitor, store: ShakyStore
) -> None:
    visitor.visit(write(user="canary-7Qx"))
    sid = payload(visitor.value)["_iron"]["sid"]
    ((key, record),) = store.records.items()
    assert key == key_of(sid)
    assert record.value.startswith("1.1.")
    assert _content(store) == {"user": "canary-7Qx", "_iron": {"sid": sid, "iat": NOW, "ref": sid}}
    for text in (key, repr(record), record.value, record.subject):
        assert sid not in text
        assert "canary-7Qx" not in text
    assert record.value not in repr(record)


def test_a_stolen_record_opens_as_no_cookie(visitor: Visitor, store: ShakyStore) -> None:
    visitor.visit(sign_in)
    assert visitor.finds(cookies={"s": _record(store).value}) == {}
    ((key, _),) = store.records.items()
    for value in (key, key_of(key), _record(store).value + visitor.value):
        assert visitor.finds(cookies={"s": value}) == {}


def test_the_key_of_a_record_is_no_use_as_an_id(visitor: Visitor, store: ShakyStore) -> None:
    """Whoever reads the store knows the keys; a reference is sealed, and names the id."""
    visitor.visit(sign_in)
    (key,) = store.records
    value = sealed({"_iron": {"sid": key, "iat": NOW, "ref": key}})
    assert visitor.finds(cookies={"s": value}) == {}


def test_a_record_says_when_the_session_began_was_written_and_ends_a_skew_after_its_cookie(
    visitor: Visitor, store: ShakyStore
) -> None:
    visitor.visit(sign_in)
    record = _record(store)
    assert (record.created_at, record.written_at, record.expires_at) == (NOW, NOW, NOW + 14 * DAY + 60)
    assert record.version == NOW * 1000
    visitor.clock.advance(100)
    visitor.visit(write(more=1), skew=5)
    record = _record(store)
    assert (record.created_at, record.written_at) == (NOW, NOW + 100)
    assert record.expires_at == NOW + 100 + 14 * DAY + 5
    assert record.version == NOW * 1000 + 1


def test_a_record_of_a_session_without_an_end_has_none(visitor: Visitor, store: ShakyStore) -> None:
    visitor.visit(sign_in, ttl=0)
    assert _record(store).expires_at is None
    assert visitor.finds(ttl=0) == {"user": 7}


def test_whose_a_session_is_follows_its_data(visitor: Visitor, store: ShakyStore) -> None:
    visitor.options["subject"] = "user"
    visitor.visit(write(cart=[]))
    assert _record(store).subject == ""
    visitor.visit(sign_in)
    assert _record(store).subject == subject_key_of("7")
    assert [session.key for session in store.sessions_of("7")] == list(store.records)
    visitor.visit(lambda session: session.unset("user"))
    assert _record(store).subject == ""


def test_a_list_of_somebodys_sessions_marks_the_one_that_asks(visitor: Visitor, store: ShakyStore) -> None:
    visitor.options["subject"] = "user"
    other = _another(visitor)
    for who in (visitor, other):
        who.visit(sign_in)
        visitor.clock.advance(1)
    marks: list[bool] = []
    visitor.ask(lambda s: marks.extend(one.is_current for one in store.sessions_of("7", current=s.sid)))
    assert marks == [False, True]
    visitor.ask(lambda s: store.end_sessions_of("7", keep=s.sid))
    assert (visitor.finds(), other.finds()) == ({"user": 7}, {})


def test_records_that_hold_the_same_share_nothing(visitor: Visitor, store: ShakyStore) -> None:
    """Neither those of two sessions, nor two writings of one."""
    visitor.visit(sign_in)
    before = _record(store).value
    visitor.visit(write(note=1))
    visitor.visit(lambda session: session.unset("note"))
    again = _record(store).value
    _another(visitor).visit(sign_in)
    _, other = (record.value for record in store.records.values())
    for part in (slice(20), slice(20, 36), slice(-24, None)):
        assert len({value[part] for value in (before, again, other)}) == 3


def test_rounds_of_pbkdf2_are_for_seals_alone(visitor: Visitor, store: ShakyStore) -> None:
    visitor.visit(sign_in, iterations=2)
    assert visitor.finds(iterations=2) == {"user": 7}
    assert _content(store)["user"] == 7


# ---- what is not trusted ----


@pytest.mark.parametrize(
    "value",
    [
        "",
        "garbage",
        '{"user":1,"_iron":{}}',
        "\x80\x04\x95",
        pickle.dumps({"user": 1}).decode("latin-1"),
        "é" * 50,
        sealed({"user": 1}),
        "x" * 100_000,
        "1.1." + "x" * 100_000,
        _forged({"user": 1}, "sid", password=NEWER),
        _forged({"user": 1}, "sid", version="2"),
        _forged({"user": 1}, "other"),
        _forged([1], "sid"),
        _forged({"user": 1, "_iron": 1}, "sid"),
        _forged({"user": 1, "_iron": {"ref": "sid", "iat": "now"}}, "sid"),
    ],
)
def test_what_is_in_the_store_and_not_ours_is_nobodys_session(
    visitor: Visitor, store: ShakyStore, value: str
) -> None:
    visitor.visit(sign_in, generate_id=_ids("sid"))
    _replace(store, value=value)
    refused: list[str | None] = []
    visitor.options["on_event"] = lambda event: refused.append(event.reason)
    assert visitor.finds() == {}
    assert refused == ["invalid"]


def test_a_record_that_was_moved_to_another_key_is_refused(visitor: Visitor, store: ShakyStore) -> None:
    visitor.visit(sign_in)
    admin = _another(visitor)
    admin.visit(write(user="admin"))
    mine, theirs = store.records
    store.records[mine] = store.records[theirs]
    assert visitor.finds() == {}
    assert admin.finds() == {"user": "admin"}


def test_an_older_writing_of_ones_own_record_is_all_that_can_be_put_back(
    visitor: Visitor, store: ShakyStore
) -> None:
    visitor.visit(write(n=1))
    before = _record(store)
    visitor.visit(write(n=2))
    _replace(store, value=before.value)
    assert visitor.finds() == {"n": 1}  # nobody can tell; what is promised is that it is his own


# ---- rotation ----

BOTH = {2: NEWER, 1: PASSWORD}


def test_a_record_under_an_older_password_is_read_and_written_anew_when_it_is_used(
    visitor: Visitor, store: ShakyStore
) -> None:
    visitor.visit(sign_in)
    visitor.visit(lambda _: None, password=BOTH)
    assert _record(store).value.startswith("1.1.")
    assert lines(visitor.visit(password=BOTH)) == [("s", "set")]
    assert _record(store).value.startswith("1.2.")
    assert visitor.finds(password={2: NEWER}) == {"user": 7}
    assert lines(visitor.visit(password=BOTH)) == []


def test_a_record_alone_under_an_older_password_is_written_anew_too(
    visitor: Visitor, store: ShakyStore
) -> None:
    """A server that is behind wrote it last, under a reference that another has renewed."""
    visitor.visit(sign_in)
    record = _record(store)
    visitor.visit(password=BOTH)
    _replace(store, value=record.value)
    assert lines(visitor.visit(password=BOTH)) == [("s", "set")]
    assert _record(store).value.startswith("1.2.")


def test_a_record_under_a_password_that_is_not_known_here_keeps_its_cookie(
    visitor: Visitor, store: ShakyStore
) -> None:
    visitor.visit(sign_in, password=BOTH)
    value = _record(store).value
    visitor.visit(sign_in, password=BOTH)
    _replace(store, value=value.replace("1.2.", "1.3.", 1))
    outcome = visitor.visit(password=BOTH)
    assert outcome.cookies == ()
    _replace(store, value=value)
    assert visitor.finds(password=BOTH) == {"user": 7}


def test_a_record_that_a_newer_server_wrote_meanwhile_is_an_outage_for_one_that_is_behind(
    visitor: Visitor, store: ShakyStore
) -> None:
    visitor.visit(sign_in)

    def use(session: Session) -> None:
        session["a"] = 1
        visitor.ask(write(b=2), password=BOTH)

    with pytest.raises(Unavailable):
        visitor.visit(use)
    assert _content(store, NEWER)["b"] == 2


# ---- ids that somebody has already ----


def test_an_id_that_somebody_has_is_never_his_session(visitor: Visitor, store: ShakyStore) -> None:
    """T-COLL: whatever makes the ids."""
    visitor.visit(write(secret="hers"), generate_id=_ids("same"))
    other = _another(visitor)
    other.visit(write(mine=1), generate_id=_ids("same", "same", "other"))
    assert (visitor.finds(), other.finds()) == ({"secret": "hers"}, {"mine": 1})
    assert payload(other.value)["_iron"]["sid"] == "other"
    assert len(store) == 2


def test_a_regenerated_session_never_becomes_somebody_elses(visitor: Visitor) -> None:
    visitor.visit(write(secret="hers"), generate_id=_ids("same"))
    other = _another(visitor)
    other.visit(write(mine=1))
    other.visit(Session.regenerate, generate_id=_ids("same", "other"))
    assert (visitor.finds(), other.finds()) == ({"secret": "hers"}, {"mine": 1})


def test_a_session_written_after_it_was_emptied_never_becomes_somebody_elses(visitor: Visitor) -> None:
    visitor.visit(write(secret="hers"), generate_id=_ids("same"))
    other = _another(visitor)
    other.visit(write(mine=1))

    def begin_anew(session: Session) -> None:
        with session:
            session.clear()
        session["mine"] = 2

    other.visit(begin_anew, generate_id=_ids("same", "other"))
    assert (visitor.finds(), other.finds()) == ({"secret": "hers"}, {"mine": 2})


def test_a_large_session_never_becomes_somebody_elses(visitor: Visitor, store: ShakyStore) -> None:
    visitor.options.update(storage="cookie", overflow="store")
    visitor.visit(write(secret="h" * 5000), generate_id=_ids("1", "same"))
    other = _another(visitor)
    other.visit(write(mine="m" * 5000), generate_id=_ids("2", "same", "other"))
    assert (set(visitor.finds()), set(other.finds())) == ({"secret"}, {"mine"})
    assert len(store) == 2


def test_a_session_that_grows_large_later_never_becomes_somebody_elses(visitor: Visitor) -> None:
    visitor.options.update(storage="cookie", overflow="store")
    visitor.visit(write(secret="h" * 5000), generate_id=_ids("1", "same"))
    other = _another(visitor)
    other.visit(write(mine=1))
    other.visit(write(more="m" * 5000), generate_id=_ids("same", "other"))
    assert (set(visitor.finds()), set(other.finds())) == ({"secret"}, {"mine", "more"})


def test_ids_that_never_differ_are_an_outage_in_the_end(visitor: Visitor, store: ShakyStore) -> None:
    visitor.visit(sign_in, generate_id=lambda: "same")
    with pytest.raises(Unavailable, match="too many requests at once"):
        _another(visitor).visit(write(mine=1), generate_id=lambda: "same")
    assert store.calls.count("create") == 1 + ATTEMPTS
    assert visitor.finds() == {"user": 7}


# ---- parallel writers ----


def _meanwhile(visitor: Visitor, use: Use, *, then: Use) -> Use:
    """A request that reads the session, and writes when another has done so."""

    def slow(session: Session) -> None:
        session.get("user")
        visitor.ask(use)
        then(session)

    return slow


def _change_nested(session: Session) -> None:
    session["cart"].append("ours")


@pytest.mark.parametrize(
    ("others", "ours", "expected"),
    [
        (write(a=1), write(b=2), {"user": 7, "cart": [], "a": 1, "b": 2}),
        (write(a=1), _change_nested, {"user": 7, "cart": ["ours"], "a": 1}),
        (_change_nested, write(b=2), {"user": 7, "cart": ["ours"], "b": 2}),
        (lambda session: session.unset("cart"), write(b=2), {"user": 7, "b": 2}),
        (write(a=1), lambda session: session.unset("cart"), {"user": 7, "a": 1}),
        (lambda s: s.unset("user"), lambda s: s.unset("cart"), {}),
    ],
)
def test_different_keys_are_merged_without_a_conflict(
    visitor: Visitor, others: Use, ours: Use, expected: dict[str, Any]
) -> None:
    events: list[Event] = []
    visitor.options["on_event"] = events.append
    visitor.visit(write(user=7, cart=[]))
    outcome = visitor.visit(_meanwhile(visitor, others, then=ours))
    assert lines(outcome) == [("s", "set")]
    assert visitor.finds() == expected
    assert [event for event in events if event.kind == "conflict"] == []


@pytest.mark.parametrize(
    ("others", "ours", "expected"),
    [
        (write(cart=["theirs"]), _change_nested, {"user": 7, "cart": ["ours"]}),
        (lambda session: session.unset("cart"), _change_nested, {"user": 7, "cart": ["ours"]}),
        (write(cart=["theirs"]), lambda session: session.unset("cart"), {"user": 7}),
        (write(cart=["ours"]), _change_nested, {"user": 7, "cart": ["ours"]}),
    ],
)
def test_of_one_key_the_last_writing_wins_and_an_event_counts_it(
    visitor: Visitor, others: Use, ours: Use, expected: dict[str, Any]
) -> None:
    events: list[Event] = []
    visitor.options["on_event"] = events.append
    visitor.visit(write(user=7, cart=[]))
    visitor.visit(_meanwhile(visitor, others, then=ours))
    assert visitor.finds() == expected
    (conflict,) = [event for event in events if event.kind == "conflict"]
    assert (conflict.key, conflict.cookie_name, conflict.reason) == ("cart", "s", None)
    assert conflict.session is not None


def test_each_key_that_both_changed_is_an_event_of_its_own_and_each_loss_another(
    visitor: Visitor, store: ShakyStore
) -> None:
    counted: list[str | None] = []
    visitor.options["on_event"] = lambda event: counted.append(event.key) if event.key else None
    visitor.visit(write(a=0, b=0, c=0))

    def use(session: Session) -> None:
        session.update(a=1, b=1)
        visitor.ask(write(a=2, b=2, c=2))
        store.meanwhile["load"] = lambda: store.meanwhile.update(save=lambda: visitor.ask(write(a=3)))

    visitor.visit(use)
    assert visitor.finds() == {"a": 1, "b": 1, "c": 2}
    assert sorted(filter(None, counted)) == ["a", "a", "b"]
    visitor.visit(write(d=1))
    assert len(counted) == 3  # told once


def test_what_a_parallel_request_wrote_is_in_the_session_once_it_was_saved(visitor: Visitor) -> None:
    visitor.visit(write(a=0))
    found: dict[str, Any] = {}

    def use(session: Session) -> None:
        session["b"] = 1
        visitor.ask(write(c=2))
        session.save()
        found.update(session)
        session["d"] = 3

    visitor.visit(use)
    assert found == {"a": 0, "b": 1, "c": 2}
    assert visitor.finds() == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_what_the_application_holds_of_a_merged_session_can_still_be_changed(visitor: Visitor) -> None:
    visitor.visit(write(cart=[]))

    def use(session: Session) -> None:
        cart = session["cart"]
        session["n"] = 1
        visitor.ask(write(c=2))
        session.save()
        cart.append("late")

    visitor.visit(use)
    assert visitor.finds() == {"cart": ["late"], "n": 1, "c": 2}


def test_a_conflict_is_an_error_where_that_is_wanted_and_nothing_is_written(
    visitor: Visitor, store: ShakyStore
) -> None:
    visitor.options["on_conflict"] = "raise"
    visitor.visit(write(a=0, b=0))
    answered: list[SessionConflict] = []

    def use(session: Session) -> None:
        session.update(a=1, b=1)
        visitor.ask(write(a=2, c=2))
        for _ in range(2):  # trying again changes nothing
            with pytest.raises(SessionConflict, match=r"the same keys of the session: a$") as caught:
                session.save()
            answered.append(caught.value)

    with pytest.raises(SessionConflict):
        visitor.visit(use)
    assert [error.keys for error in answered] == [("a",), ("a",)]
    assert visitor.finds() == {"a": 2, "b": 0, "c": 2}
    assert _record(store).version == NOW * 1000 + 1


def test_a_conflict_that_comes_late_names_only_the_keys_that_both_changed(
    visitor: Visitor, store: ShakyStore
) -> None:
    visitor.options["on_conflict"] = "raise"
    visitor.visit(write(a=0))

    def use(session: Session) -> None:
        session["a"] = 1
        visitor.ask(write(b=2))
        store.meanwhile["load"] = lambda: store.meanwhile.update(save=lambda: visitor.ask(write(a=3)))
        for _ in range(2):
            with pytest.raises(SessionConflict) as caught:
                session.save()
            assert caught.value.keys == ("a",)

    with pytest.raises(SessionConflict):
        visitor.visit(use)
    assert visitor.finds() == {"a": 3, "b": 2}


def test_different_keys_are_no_error_where_conflicts_are(visitor: Visitor) -> None:
    visitor.options["on_conflict"] = "raise"
    visitor.visit(write(a=0))
    visitor.visit(_meanwhile(visitor, write(b=1), then=write(c=2)))
    assert visitor.finds() == {"a": 0, "b": 1, "c": 2}


def test_one_who_is_always_overtaken_gives_up_as_in_an_outage(visitor: Visitor, store: ShakyStore) -> None:
    visitor.visit(write(n=0))
    rival = _another(visitor)
    rival.cookies = visitor.cookies

    def overtake() -> None:
        rival.ask(lambda session: session.update(n=session["n"] + 1))
        store.meanwhile["save"] = overtake

    def use(session: Session) -> None:
        session["mine"] = 1
        store.meanwhile["save"] = overtake

    with pytest.raises(Unavailable, match="too many requests at once"):
        visitor.visit(use)
    store.meanwhile.clear()
    assert visitor.finds() == {"n": ATTEMPTS}


def test_two_requests_that_move_one_session_into_the_store_are_merged(
    visitor: Visitor, store: ShakyStore
) -> None:
    visitor.visit(write(a=0), storage="cookie", store=None)
    visitor.visit(_meanwhile(visitor, write(b=1), then=write(c=2)))
    assert visitor.finds() == {"a": 0, "b": 1, "c": 2}
    assert len(store) == 1


def test_of_two_that_move_it_and_change_one_key_the_loss_is_counted(visitor: Visitor) -> None:
    counted: list[str | None] = []
    visitor.visit(write(a=0), storage="cookie", store=None)
    visitor.options["on_event"] = lambda event: counted.append(event.key) if event.key else None
    visitor.visit(_meanwhile(visitor, write(a=1), then=write(a=2)))
    assert (visitor.finds(), counted) == ({"a": 2}, ["a"])


def test_a_record_that_comes_and_goes_while_a_session_is_moved_does_not_stop_the_move(
    visitor: Visitor, store: ShakyStore
) -> None:
    visitor.visit(write(a=0), storage="cookie", store=None)

    def come() -> None:
        visitor.ask(write(b=1))
        store.meanwhile["load"] = store.records.clear

    def use(session: Session) -> None:
        session["c"] = 2
        store.meanwhile["create"] = come

    visitor.visit(use)
    assert visitor.finds() == {"a": 0, "c": 2}
    assert len(store) == 1


def test_when_the_last_copy_expires_is_the_later_of_what_two_writers_know(
    visitor: Visitor, store: ShakyStore, clock: FakeClock
) -> None:
    visitor.options["revocations"] = MemoryRevocations(clock=clock)
    visitor.visit(lambda session: (session.update(a=0), session.set_expiry(30 * DAY)))

    def shorten(days: int) -> Use:
        return lambda session: session.set_expiry(days * DAY)

    visitor.visit(_meanwhile(visitor, shorten(2), then=shorten(1)))
    assert _content(store)["_iron"]["until"] == NOW + 30 * DAY


# ---- what is gone stays gone ----


ENDINGS: Final = [
    pytest.param(Session.destroy, id="destroyed"),
    pytest.param(Session.clear, id="emptied"),
    pytest.param(Session.regenerate, id="regenerated"),
]
WAYS: Final = [
    pytest.param(write(late=1), id="a change"),
    pytest.param(Session.save, id="a save"),
    pytest.param(Session.touch, id="a touch"),
    pytest.param(lambda session: session["cart"].append(1), id="a nested change"),
    pytest.param(lambda session: (session.update(a=1), session.save(), session.save()), id="two saves"),
]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("way", WAYS)
def test_a_late_writer_does_not_bring_an_ended_session_back(
    visitor: Visitor, store: ShakyStore, ending: Use, way: Use
) -> None:
    visitor.visit(write(user=7, cart=[]))
    cookies = dict(visitor.cookies)
    records = len(store)

    def slow(session: Session) -> None:
        assert session["user"] == 7
        visitor.visit(ending)
        assert len(store) == records - (ending is not Session.regenerate)
        way(session)

    outcome = visitor.ask(slow, cookies=cookies)
    assert outcome.cookies == ()
    assert visitor.finds(cookies=cookies) == {}
    assert len(store) == records - (ending is not Session.regenerate)


def test_a_renewal_does_not_bring_an_ended_session_back(visitor: Visitor, store: ShakyStore) -> None:
    visitor.visit(write(user=7))
    visitor.clock.advance(100)

    def slow(session: Session) -> None:
        assert session["user"] == 7
        visitor.ask(Session.destroy)

    outcome = visitor.ask(slow, refresh_after=0)
    assert (outcome.cookies, len(store)) == ((), 0)


@pytest.mark.parametrize("ending", [Session.destroy, Session.clear])
def test_a_late_regeneration_does_not_bring_an_ended_session_back(
    visitor: Visitor, store: ShakyStore, ending: Use
) -> None:
    visitor.visit(sign_in)

    def slow(session: Session) -> None:
        assert session["user"] == 7
        visitor.ask(ending)
        session.regenerate()

    outcome = visitor.visit(slow)
    assert outcome.cookies == ()
    assert len(store) == 0
    assert visitor.finds() == {}


def test_a_session_that_ended_meanwhile_is_destroyed_for_the_rest_of_the_request(
    visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[Event] = []
    visitor.options["on_event"] = events.append
    visitor.visit(sign_in)
    states: list[Any] = []

    def slow(session: Session) -> None:
        session["a"] = 1
        visitor.ask(Session.destroy)
        session.save()
        states.append(session.state)
        assert dict(session) == {}

    visitor.visit(slow)
    assert states[0].destroyed
    assert [(event.kind, event.reason) for event in events[-1:]] == [("refused", "revoked")]
    assert sum("ended elsewhere while the request ran" in line for line in caplog.messages) == 1


def test_a_record_that_has_expired_is_gone(visitor: Visitor, store: ShakyStore) -> None:
    visitor.visit(sign_in)
    (record,) = store.records.values()
    assert record.expires_at is not None
    visitor.clock.now = record.expires_at
    assert store.load(next(iter(store.records))) is None
    assert visitor.finds() == {}


def test_a_renewal_of_what_did_not_change_moves_the_ends_and_writes_nothing(
    visitor: Visitor, store: ShakyStore
) -> None:
    visitor.visit(sign_in)
    before = _record(store)
    visitor.clock.advance(100)
    store.calls.clear()
    assert lines(visitor.visit(refresh_after=60)) == [("s", "set")]
    assert store.calls == ["load", "touch"]
    assert _record(store) == replace(before, expires_at=NOW + 100 + 14 * DAY + 60)


def test_reading_a_session_writes_nothing(visitor: Visitor, store: ShakyStore) -> None:
    visitor.visit(sign_in)
    store.calls.clear()
    visitor.visit()
    visitor.visit(lambda _: None)
    assert store.calls == ["load"]
