"""Sessions in a store: all of them, or those that are too large for a cookie."""

from __future__ import annotations

from typing import Any

import pytest

from iron_wsgi import (
    ConfigError,
    CookieTooLarge,
    HeadersAlreadySent,
    Outcome,
    Session,
    SessionOptions,
    Unavailable,
)
from iron_wsgi.cookies.cookie import MAX_COOKIE
from iron_wsgi.engine.engine import Engine
from iron_wsgi.engine.exchange import CookieExchange
from iron_wsgi.servers.ids import key_of
from iron_wsgi.testing import DictJar, FakeClock
from iron_wsgi.wsgi.jars import WaitingJar

from .shaky import ShakyStore
from .visitor import NOW, PASSWORD, Use, Visitor, attributes, ends_at, lines, payload, sealed, sign_in, write

DAY = 86_400
TTL = 14 * DAY
LARGE = "x" * 5000


@pytest.fixture
def store(clock: FakeClock) -> ShakyStore:
    return ShakyStore(clock)


@pytest.fixture
def stored(clock: FakeClock, store: ShakyStore) -> Visitor:
    """A visitor whose session is in the store."""
    return Visitor(clock, storage="store", store=store)


@pytest.fixture
def roomy(clock: FakeClock, store: ShakyStore) -> Visitor:
    """A visitor whose session goes into the store when it is large."""
    return Visitor(clock, overflow="store", store=store)


def _is_reference(value: str) -> bool:
    return "ref" in payload(value).get("_iron", {})


def _refusals(visitor: Visitor, use: Use = bool, **changes: Any) -> tuple[list[Any], Outcome]:
    reasons: list[Any] = []
    outcome = visitor.ask(use, on_event=lambda event: reasons.append(event.reason), **changes)
    return reasons, outcome


# ---- storage="store" ----


def test_the_cookie_is_a_seal_that_carries_the_reference_alone(stored: Visitor, store: ShakyStore) -> None:
    outcome = stored.visit(write(user=7, cart=[1, {"a": 2}]))
    stamps = payload(stored.value)["_iron"]
    assert payload(stored.value) == {"_iron": {"sid": stamps["sid"], "iat": NOW, "ref": stamps["sid"]}}
    assert len(stamps["sid"]) == 43  # 256 bits
    assert ends_at(stored.value) == NOW + TTL
    assert attributes(outcome.cookies[0].header)["max-age"] == str(TTL - 60)
    assert stored.finds() == {"user": 7, "cart": [1, {"a": 2}]}
    assert list(store.records) == [key_of(stamps["sid"])]


def test_the_cookie_does_not_grow_with_the_session(stored: Visitor) -> None:
    stored.visit(write(a=1))
    small = len(stored.value)
    stored.visit(write(a="x" * 1_000_000))
    assert len(stored.value) == small < 450
    assert len(stored.finds()["a"]) == 1_000_000


def test_the_id_stays_when_the_session_is_written_again(stored: Visitor, store: ShakyStore) -> None:
    stored.visit(sign_in)
    before = payload(stored.value)
    stored.clock.advance(5)
    stored.visit(write(more=1))
    assert payload(stored.value) == before
    assert len(store) == 1


def test_the_expiry_of_its_own_is_kept_in_the_record(stored: Visitor) -> None:
    stored.visit(lambda session: (session.update(a=1), session.set_expiry(60)))
    assert ends_at(stored.value) == NOW + 60
    assert set(payload(stored.value)["_iron"]) == {"sid", "iat", "ref"}
    stored.clock.advance(10)
    stored.visit(write(b=1))
    assert ends_at(stored.value) == NOW + 70


def test_a_request_that_does_not_touch_its_session_asks_no_store(stored: Visitor, store: ShakyStore) -> None:
    stored.visit(sign_in)
    store.calls.clear()
    assert stored.visit(lambda _: None, refresh_after=0) == Outcome()
    assert store.calls == []


def test_a_session_that_is_not_in_the_store_is_lost_and_its_cookie_stays(
    stored: Visitor, store: ShakyStore
) -> None:
    """The store may be being restored, or its data may come back with another server."""
    stored.visit(sign_in)
    kept = dict(store.records)
    store.records.clear()
    reasons, outcome = _refusals(stored)
    assert (reasons, outcome.cookies) == (["lost"], ())
    store.records.update(kept)
    assert stored.finds() == {"user": 7}


def test_a_server_without_a_store_leaves_a_reference_alone(stored: Visitor) -> None:
    stored.visit(sign_in)
    reasons, outcome = _refusals(stored, storage="cookie", store=None)
    assert (reasons, outcome.cookies) == (["lost"], ())


def test_a_lost_session_is_written_under_an_id_that_was_never_out(stored: Visitor, store: ShakyStore) -> None:
    stored.visit(sign_in)
    before = payload(stored.value)["_iron"]["sid"]
    store.records.clear()
    stored.visit(write(new=1))
    assert payload(stored.value)["_iron"]["sid"] != before
    assert stored.finds() == {"new": 1}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a",
        "1234567",
        "x" * 43,
        "x" * 10_240,
        "../../etc/passwd",
        "s:abc.def",
        "%00",
        "é",
        "{}",
        "Fe26.2**",
    ],
)
def test_an_id_that_a_visitor_made_up_is_never_adopted_and_never_reaches_the_store(
    stored: Visitor, store: ShakyStore, value: str
) -> None:
    """T-STRICT: ids are taken out of authentic seals alone."""
    stored.ask(cookies={"s": value})
    assert store.calls == []
    outcome = stored.ask(sign_in, cookies={"s": value})
    sid = payload(outcome.cookies[0].value)["_iron"]["sid"]
    assert sid != value
    assert len(sid) == 43
    assert store.calls == ["create"]


@pytest.mark.parametrize("ref", ["1234567", "x" * 128, "'; DROP TABLE", "\x00", "*"])
def test_an_authentic_reference_to_what_was_never_there_makes_no_record(
    stored: Visitor, store: ShakyStore, ref: str
) -> None:
    value = sealed({"_iron": {"sid": ref, "iat": NOW, "ref": ref}})
    assert stored.finds(cookies={"s": value}) == {}
    assert len(store) == 0
    outcome = stored.ask(sign_in, cookies={"s": value})
    assert payload(outcome.cookies[0].value)["_iron"]["sid"] != ref


@pytest.mark.parametrize("ref", ["", "x" * 129, "x" * 10_240, "é", 7, None, ["a"]])
def test_an_authentic_reference_that_can_be_none_is_invalid(
    stored: Visitor, store: ShakyStore, ref: object
) -> None:
    value = sealed({"_iron": {"sid": "a", "iat": NOW, "ref": ref}})
    assert _refusals(stored, cookies={"s": value})[0] == ["invalid"]
    assert store.calls == []


def test_what_another_writer_put_beside_a_reference_is_ignored_and_said(
    stored: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    stored.visit(sign_in)
    stored.cookies["s"] = sealed({**payload(stored.value), "user": "admin"})
    assert stored.finds() == {"user": 7}
    assert sum("another writer added values" in line for line in caplog.messages) == 1


def test_expired_references_do_not_reach_the_store(stored: Visitor, store: ShakyStore) -> None:
    stored.visit(sign_in)
    stored.clock.advance(TTL + 60)
    store.calls.clear()
    assert _refusals(stored)[0] == ["expired"]
    assert store.calls == []


def test_the_absolute_timeout_holds_in_the_store_too(stored: Visitor, store: ShakyStore) -> None:
    stored.options["absolute_timeout"] = 3600
    stored.visit(sign_in)
    stored.clock.advance(3000)
    stored.visit(write(more=1))
    assert ends_at(stored.value) == NOW + 3600
    (record,) = store.records.values()
    assert record.expires_at == NOW + 3660
    value = sealed(payload(stored.value), expires_at=NOW + 1e6)
    stored.clock.advance(660)
    assert _refusals(stored, cookies={"s": value})[0] == ["too-old"]


@pytest.mark.parametrize("options", [{"storage": "store"}, {"overflow": "store"}])
def test_a_mode_that_needs_a_store_and_has_none_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="need a store, such as"):
        SessionOptions(password=PASSWORD, cookie_name="s", **options)


# ---- the end ----


@pytest.mark.parametrize("end", [Session.destroy, Session.clear])
def test_an_ended_session_leaves_no_record_and_no_copy(stored: Visitor, store: ShakyStore, end: Use) -> None:
    stored.visit(sign_in)
    stolen = dict(stored.cookies)
    assert lines(stored.visit(end)) == [("s", "deleted")]
    assert len(store) == 0
    assert stored.finds(cookies=stolen) == {}


def test_a_regenerated_session_leaves_its_former_record_behind_for_nobody(
    stored: Visitor, store: ShakyStore
) -> None:
    stored.visit(sign_in)
    stolen = dict(stored.cookies)
    stored.visit(lambda session: session.regenerate())
    assert (stored.finds(), stored.finds(cookies=stolen), len(store)) == ({"user": 7}, {}, 1)


def test_a_regeneration_that_is_not_written_leaves_everything_as_it_was(
    stored: Visitor, store: ShakyStore
) -> None:
    stored.visit(sign_in)
    before = dict(store.records)
    assert stored.visit(Session.regenerate, status=500).cookies == ()
    assert store.records == before
    assert stored.finds() == {"user": 7}


def test_regenerating_twice_or_saving_in_between_leaves_one_record(
    stored: Visitor, store: ShakyStore
) -> None:
    stored.visit(sign_in)
    stored.visit(lambda session: (session.regenerate(), session.regenerate()))
    assert (stored.finds(), len(store)) == ({"user": 7}, 1)
    stored.visit(lambda session: (session.regenerate(), session.save(), session.regenerate()))
    assert (stored.finds(), len(store)) == ({"user": 7}, 1)


def test_a_session_that_was_saved_and_destroyed_in_one_request_leaves_no_record(
    stored: Visitor, store: ShakyStore
) -> None:
    outcome = stored.visit(lambda session: (session.update(a=1), session.save(), session.destroy()))
    assert (lines(outcome), len(store)) == ([("s", "deleted")], 0)


def test_what_is_written_after_a_session_was_emptied_is_a_new_one(stored: Visitor, store: ShakyStore) -> None:
    stored.visit(sign_in)
    before = payload(stored.value)["_iron"]["sid"]
    stored.clock.advance(100)

    def begin_anew(session: Session) -> None:
        with session:
            session.clear()
        session["new"] = 1

    stored.visit(begin_anew)
    stamps = payload(stored.value)["_iron"]
    assert stamps["sid"] != before
    assert stamps["iat"] == NOW + 100
    assert (stored.finds(), len(store)) == ({"new": 1}, 1)


def test_ten_thousand_who_sign_out_without_a_session_leave_nothing(
    clock: FakeClock, store: ShakyStore
) -> None:
    """T-FLOOD."""
    engine = Engine(
        SessionOptions(password=PASSWORD, cookie_name="s", clock=clock, storage="store", store=store)
    )
    for number in range(10_000):
        jar = DictJar({"s": f"{number}-made-up"} if number % 2 else {})
        exchange = CookieExchange(engine, jar)
        session = Session(exchange)
        if number % 3:
            session.destroy()
        else:
            session.get("user")
            session.clear()
        assert session.state is not None
        exchange.commit(session.state)
    assert (len(store), store.calls) == (0, [])


# ---- overflow="store" ----


def test_a_session_moves_into_the_store_when_it_is_large_and_comes_back_when_it_fits(
    roomy: Visitor, store: ShakyStore
) -> None:
    roomy.visit(write(user=7))
    assert (_is_reference(roomy.value), len(store)) == (False, 0)
    roomy.visit(write(big=LARGE))
    assert (_is_reference(roomy.value), len(store)) == (True, 1)
    assert roomy.finds() == {"user": 7, "big": LARGE}
    roomy.visit(write(more=1))
    assert (roomy.finds()["more"], len(store)) == (1, 1)
    roomy.visit(lambda session: session.unset("big"))
    assert not _is_reference(roomy.value)
    assert payload(roomy.value)["user"] == 7
    assert roomy.finds() == {"user": 7, "more": 1}


def test_the_id_and_the_time_of_issue_are_those_of_the_session_wherever_it_is(roomy: Visitor) -> None:
    roomy.visit(write(user=7))
    stamps = payload(roomy.value)["_iron"]
    roomy.clock.advance(50)
    roomy.visit(write(big=LARGE))
    reference = payload(roomy.value)["_iron"]
    assert {name: reference[name] for name in ("sid", "iat")} == stamps
    assert reference["ref"] != stamps["sid"]
    roomy.visit(lambda session: session.unset("big"))
    assert payload(roomy.value)["_iron"] == stamps


def test_each_stay_in_the_store_has_a_name_of_its_own(roomy: Visitor) -> None:
    refs = set()
    for _ in range(3):
        roomy.visit(write(big=LARGE))
        refs.add(payload(roomy.value)["_iron"]["ref"])
        roomy.visit(lambda session: session.unset("big"))
        roomy.visit(write(user=7))
    assert len(refs) == 3


def test_what_it_leaves_behind_serves_requests_under_way_and_is_gone_a_minute_later(
    roomy: Visitor, store: ShakyStore
) -> None:
    roomy.visit(write(big=LARGE))
    before = dict(roomy.cookies)
    roomy.visit(write(big="small"))
    assert roomy.finds(cookies=before) == {"big": LARGE}
    roomy.clock.advance(60)
    assert roomy.finds(cookies=before) == {}
    assert roomy.finds() == {"big": "small"}
    store.inner.sweep()
    assert len(store) == 0


def test_saving_twice_in_one_request_keeps_one_record_and_one_cookie(
    roomy: Visitor, store: ShakyStore
) -> None:
    outcome = roomy.visit(
        lambda session: (session.update(big=LARGE), session.save(), session.update(a=1), session.save())
    )
    assert (lines(outcome), len(store)) == ([("s", "set")], 1)
    assert roomy.finds() == {"big": LARGE, "a": 1}


def test_going_out_and_back_in_one_request_ends_in_the_cookie(roomy: Visitor, store: ShakyStore) -> None:
    roomy.visit(lambda s: (s.update(big=LARGE), s.save(), s.update(big=1), s.save(), s.update(big=2)))
    assert not _is_reference(roomy.value)
    assert roomy.finds() == {"big": 2}
    roomy.clock.advance(60)
    store.inner.sweep()
    assert len(store) == 0


@pytest.mark.parametrize("length", [*range(2700, 2950, 50)])
def test_a_cookie_is_used_exactly_while_the_whole_line_fits(roomy: Visitor, length: int) -> None:
    sizes: list[int] = []

    def use(session: Session) -> None:
        session["a"] = "x" * length
        sizes.append(session.size)

    outcome = roomy.visit(use)
    plain = Visitor(roomy.clock, absolute_timeout=9e9, ttl=TTL)
    try:
        plain.visit(lambda session: (session.update(a="x" * length), session.sid))
        fits = True
    except CookieTooLarge:
        fits = False
    assert _is_reference(roomy.value) is not fits
    assert len(outcome.cookies[0].header) == sizes[0] <= MAX_COOKIE


def test_chunks_that_came_are_expired_when_the_session_moves_into_the_store(roomy: Visitor) -> None:
    roomy.visit(write(big=LARGE), overflow="chunk", store=None)
    assert set(roomy.cookies) == {"s.0", "s.1"}
    outcome = roomy.visit(write(more=1))
    assert lines(outcome) == [("s", "set"), ("s.0", "deleted"), ("s.1", "deleted")]
    assert set(roomy.cookies) == {"s"}
    assert roomy.finds() == {"big": LARGE, "more": 1}


def test_a_large_session_leaves_no_record_when_it_ends(roomy: Visitor, store: ShakyStore) -> None:
    for end in (Session.destroy, Session.clear):
        roomy.visit(write(big=LARGE))
        stolen = dict(roomy.cookies)
        roomy.visit(end)
        assert (len(store), roomy.finds(cookies=stolen)) == (0, {})


def test_a_large_session_that_is_regenerated_leaves_its_former_record_for_nobody(
    roomy: Visitor, store: ShakyStore
) -> None:
    roomy.visit(write(big=LARGE))
    stolen = dict(roomy.cookies)
    roomy.visit(Session.regenerate)
    assert (roomy.finds(), roomy.finds(cookies=stolen), len(store)) == ({"big": LARGE}, {}, 1)
    stolen = dict(roomy.cookies)
    roomy.visit(lambda session: (session.regenerate(), session.update(big=1)))
    assert (roomy.finds(), roomy.finds(cookies=stolen), len(store)) == ({"big": 1}, {}, 0)


def test_the_changes_of_parallel_requests_to_a_large_session_are_merged(roomy: Visitor) -> None:
    roomy.visit(write(big=LARGE))

    def slow(session: Session) -> None:
        session["a"] = 1
        roomy.ask(write(b=2))

    roomy.visit(slow)
    assert roomy.finds() == {"big": LARGE, "a": 1, "b": 2}


def test_without_overflow_a_large_session_is_still_an_error(roomy: Visitor, store: ShakyStore) -> None:
    """A store alone, for another mode, changes nothing."""
    with pytest.raises(CookieTooLarge):
        roomy.visit(write(big=LARGE), overflow="raise")
    assert len(store) == 0


# ---- size ----


@pytest.mark.parametrize(
    ("before", "use"),
    [
        pytest.param(None, write(a=1), id="new"),
        pytest.param(None, write(a=LARGE), id="new and large"),
        pytest.param(write(a=1), write(b=1), id="small"),
        pytest.param(write(a=1), write(b=LARGE), id="growing"),
        pytest.param(write(a=LARGE), write(b=1), id="large"),
        pytest.param(write(a=LARGE), write(a=1), id="shrinking"),
        pytest.param(write(a=1), Session.regenerate, id="regenerated"),
        pytest.param(write(a=LARGE), Session.regenerate, id="large and regenerated"),
        pytest.param(write(a=1), lambda session: session.set_expiry(300), id="shortened"),
    ],
)
@pytest.mark.parametrize("mode", [{"overflow": "store"}, {"storage": "store"}, {}], ids=str)
@pytest.mark.parametrize("origin", ["here", "without a store", "Node"])
def test_the_size_is_that_of_the_line_that_goes_out_and_asking_writes_nothing(
    clock: FakeClock, store: ShakyStore, before: Use | None, use: Use, *, mode: dict[str, Any], origin: str
) -> None:
    visitor = Visitor(clock, store=store, **mode)
    if before is not None:
        if origin == "Node":
            visitor.cookies = {"s": sealed({"a": 1})}
        else:
            given = {"overflow": "chunk", "storage": "cookie"} if not mode or origin != "here" else {}
            visitor.visit(before, **given)
    sizes: list[int] = []

    def measure(session: Session) -> None:
        use(session)
        state = session.state
        assert state is not None
        store.calls.clear()
        meta, snapshot, stored = dict(state.meta), state.snapshot, state.stored
        sizes.append(session.size)
        assert (state.meta, state.snapshot, state.stored, store.calls) == (meta, snapshot, stored, [])

    try:
        outcome = visitor.ask(measure)
    except CookieTooLarge as error:
        size = error.size
    else:
        size = len(outcome.cookies[0].header)
    assert [size] == sizes


# ---- from one mode to another ----


def test_sessions_in_cookies_move_into_the_store_when_they_are_used(
    stored: Visitor, store: ShakyStore
) -> None:
    stored.visit(sign_in, storage="cookie", store=None)
    assert stored.visit(lambda _: None).cookies == ()
    assert lines(stored.visit()) == [("s", "set")]
    assert (_is_reference(stored.value), len(store)) == (True, 1)
    assert stored.finds() == {"user": 7}
    assert lines(stored.visit()) == []


def test_a_session_keeps_its_id_from_mode_to_mode(stored: Visitor) -> None:
    stored.visit(sign_in, storage="cookie")
    sid = payload(stored.value)["_iron"]["sid"]
    for mode in ({}, {"storage": "cookie"}, {"storage": "cookie", "overflow": "store"}, {}):
        stored.visit(write(mode=str(mode)), **mode)
        assert payload(stored.value)["_iron"]["sid"] == sid
        assert stored.finds(**mode)["user"] == 7


def test_sessions_in_the_store_come_back_into_their_cookies_when_they_are_written(
    stored: Visitor, store: ShakyStore
) -> None:
    stored.visit(sign_in)
    back = {"storage": "cookie"}
    assert lines(stored.visit(**back)) == []
    assert stored.finds(**back) == {"user": 7}
    stored.visit(write(more=1), **back)
    assert payload(stored.value)["more"] == 1
    assert stored.finds(storage="cookie", store=None) == {"user": 7, "more": 1}
    stored.clock.advance(60)
    store.inner.sweep()
    assert len(store) == 0


def test_a_session_that_goes_from_the_store_into_chunks_leaves_no_record_behind(
    stored: Visitor, store: ShakyStore
) -> None:
    stored.visit(write(big=LARGE))
    stolen = dict(stored.cookies)
    stored.options.update(storage="cookie", overflow="chunk")
    stored.visit(write(more=1))
    assert set(stored.cookies) == {"s.0", "s.1"}
    assert stored.finds() == {"big": LARGE, "more": 1}
    stored.clock.advance(60)
    assert stored.finds(cookies=stolen) == {}
    store.inner.sweep()
    assert len(store) == 0


def test_a_session_that_does_not_fit_back_into_its_cookie_can_still_be_ended(
    stored: Visitor, store: ShakyStore
) -> None:
    stored.visit(write(big=LARGE))
    stolen = dict(stored.cookies)
    stored.options.update(storage="cookie")

    def use(session: Session) -> None:
        session["more"] = 1
        with pytest.raises(CookieTooLarge):
            session.save()
        assert stored.finds(cookies=stolen) == {"big": LARGE}  # the old cookie stands
        session.destroy()

    stored.visit(use)
    assert (len(store), stored.finds(cookies=stolen)) == (0, {})


def test_a_session_that_another_request_moves_into_the_store_ends_with_it(
    stored: Visitor, store: ShakyStore
) -> None:
    stored.visit(sign_in, storage="cookie", store=None)
    moved: dict[str, str] = {}

    def use(session: Session) -> None:
        assert session["user"] == 7
        moved["s"] = stored.ask().cookies[0].value
        session.destroy()

    stored.visit(use)
    assert (len(store), stored.finds(cookies=moved)) == (0, {})


def test_a_session_made_in_node_moves_into_the_store(stored: Visitor, store: ShakyStore) -> None:
    stored.cookies = {"s": sealed({"user": 7}, expires_at=NOW + TTL - 100)}
    sids: list[str] = []
    stored.visit(lambda session: sids.append(session.sid))
    stamps = payload(stored.value)["_iron"]
    assert stamps == {"sid": sids[0], "iat": NOW - 100, "ref": sids[0]}
    assert stored.finds() == {"user": 7}
    assert len(store) == 1


# ---- other options in the middle of a request ----


@pytest.mark.parametrize("name", ["storage", "store", "revocations", "vault"])
def test_where_sessions_are_cannot_be_changed_for_one_of_them(stored: Visitor, name: str) -> None:
    changes: Any = {name: "store" if name == "storage" else None}
    stored.visit(sign_in)

    def use(session: Session) -> None:
        with pytest.raises(ConfigError, match=f"^{name} cannot be changed for one session"):
            session.update_options(**changes)
        session["a"] = 1

    stored.visit(use)
    assert stored.finds() == {"user": 7, "a": 1}


def test_other_options_can_be_changed_for_one_session(stored: Visitor) -> None:
    stored.visit(sign_in)
    stored.visit(lambda session: (session.update(a=1), session.update_options(ttl=60)))
    assert ends_at(stored.value) == NOW + 60
    assert stored.finds() == {"user": 7, "a": 1}


# ---- outages ----


@pytest.mark.parametrize(
    ("down", "use"),
    [
        ("load", bool),
        ("save", write(a=1)),
        ("touch", Session.touch),
        ("delete", Session.destroy),
        ("delete", Session.clear),
        ("delete", Session.regenerate),
        ("create", Session.regenerate),
    ],
)
@pytest.mark.parametrize("on_outage", ["refuse", "accept"])
def test_a_store_that_does_not_answer_is_an_outage_and_the_session_lives_on(
    stored: Visitor, store: ShakyStore, down: str, use: Use, on_outage: str
) -> None:
    stored.visit(sign_in)
    store.down = {down}
    with pytest.raises(Unavailable):
        stored.visit(use, on_outage=on_outage)
    store.down = set()
    assert stored.finds() == {"user": 7}


def test_what_an_outage_kept_from_being_emptied_is_emptied_by_the_next_commit(
    stored: Visitor, store: ShakyStore
) -> None:
    stored.visit(sign_in)

    def use(session: Session) -> None:
        store.down = {"delete"}
        session.clear()
        with pytest.raises(Unavailable), session:
            pass
        store.down = set()

    assert lines(stored.visit(use)) == [("s", "deleted")]
    assert len(store) == 0


def test_a_new_session_is_no_session_while_the_store_does_not_answer(
    stored: Visitor, store: ShakyStore
) -> None:
    store.down = {"create"}

    def use(session: Session) -> None:
        session["a"] = 1
        with pytest.raises(Unavailable):
            session.save()
        store.down = set()

    stored.visit(use)
    assert (stored.finds(), len(store)) == ({"a": 1}, 1)


@pytest.mark.parametrize("use", [write(big=1), Session.regenerate])
def test_where_no_cookie_can_be_set_any_more_a_save_changes_nothing_in_the_store(
    roomy: Visitor, store: ShakyStore, use: Use
) -> None:
    roomy.visit(write(big=LARGE))
    jar = WaitingJar({"HTTP_COOKIE": f"s={roomy.value}"})
    session = Session(CookieExchange(Engine(SessionOptions(**roomy.options)), jar))
    use(session)
    before = dict(store.records)
    jar.is_closed = True
    with pytest.raises(HeadersAlreadySent):
        session.save()
    assert store.records == before
