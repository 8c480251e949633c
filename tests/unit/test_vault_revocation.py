"""Sessions in cookies that can be ended at once, and how long that is remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iron_wsgi import ConfigError, Refused, Session, SessionOptions, Unavailable
from iron_wsgi.engine.engine import Engine
from iron_wsgi.engine.exchange import CookieExchange
from iron_wsgi.revocation import MARGIN, Revocations
from iron_wsgi.stores import MemoryStore
from iron_wsgi.testing import DictJar, FakeClock
from iron_wsgi.vaults.seal_vault import SealVault

from .shaky import ShakyList, ShakyStore
from .visitor import NOW, PASSWORD, Use, Visitor, ends_at, lines, payload, sealed, sign_in, write

DAY = 86_400
TTL = 14 * DAY
SKEW = 60


@pytest.fixture
def revocations(clock: FakeClock) -> ShakyList:
    return ShakyList(clock)


@pytest.fixture
def visitor(clock: FakeClock, revocations: ShakyList) -> Visitor:
    return Visitor(clock, revocations=revocations, subject="user")


def _refused(visitor: Visitor, value: str, **changes: Any) -> list[Any]:
    reasons: list[Any] = []
    visitor.ask(cookies={"s": value}, on_event=lambda event: reasons.append(event.reason), **changes)
    return reasons


def _sid(value: str) -> str:
    sid: str = payload(value)["_iron"]["sid"]
    return sid


# ---- what is stamped, and asked ----


def test_a_session_gets_an_id_and_a_time_of_issue(visitor: Visitor) -> None:
    visitor.visit(sign_in)
    stamps = payload(visitor.value)["_iron"]
    assert (set(stamps), stamps["iat"], len(stamps["sid"])) == ({"sid", "iat"}, NOW, 43)
    visitor.clock.advance(5)
    visitor.visit(write(more=1))
    assert payload(visitor.value)["_iron"] == stamps


def test_without_a_list_or_a_store_nothing_is_stamped(clock: FakeClock) -> None:
    visitor = Visitor(clock, subject="user")
    visitor.visit(sign_in)
    assert payload(visitor.value) == {"user": 7}


def test_the_list_is_asked_once_when_the_session_is_opened_and_never_before(
    visitor: Visitor, revocations: ShakyList
) -> None:
    visitor.visit(sign_in)
    revocations.calls.clear()
    visitor.visit(lambda _: None)
    assert revocations.calls == []
    visitor.visit(lambda session: (session.get("user"), session.get("more")))
    assert revocations.calls == ["is_revoked"]
    visitor.visit()
    assert revocations.calls == ["is_revoked"] * 2


@pytest.mark.parametrize(
    "value", ["", "garbage", "x" * 20_000, sealed({}, password_id="9"), sealed({}, expires_at=NOW - 60)]
)
def test_only_what_is_authentic_is_asked_about(visitor: Visitor, revocations: ShakyList, value: str) -> None:
    visitor.ask(cookies={"s": value})
    assert revocations.calls == []


def test_revocations_without_an_end_of_sessions_are_refused() -> None:
    given: dict[str, Any] = {"password": PASSWORD, "cookie_name": "s", "ttl": 0}
    with pytest.raises(ConfigError, match="revocations with ttl=0 need an absolute_timeout"):
        SessionOptions(**given, revocations="memory:")
    assert SessionOptions(**given, revocations="memory:", absolute_timeout=60).ttl == 0


# ---- who is refused ----


def test_a_copy_of_a_session_that_was_ended_opens_no_more(visitor: Visitor) -> None:
    for end in (Session.destroy, Session.clear, Session.regenerate):
        visitor.visit(sign_in)
        stolen = visitor.value
        visitor.visit(end)
        assert _refused(visitor, stolen) == ["revoked"]


def test_every_copy_of_it_opens_no_more(visitor: Visitor) -> None:
    copies = []
    for number in range(5):
        visitor.visit(write(user=7, n=number))
        copies.append(visitor.value)
        visitor.clock.advance(60)
    visitor.visit(Session.destroy)
    for copy in copies:
        assert _refused(visitor, copy) == ["revoked"]
        assert _refused(visitor, copy + "x") == ["revoked"]  # however it is spelled
        assert _refused(visitor, copy.removesuffix("~2")) == ["revoked"]


def test_a_revoked_session_keeps_its_cookie_until_it_is_overwritten_or_destroyed(
    visitor: Visitor, revocations: ShakyList
) -> None:
    visitor.visit(sign_in)
    revocations.revoke(_sid(visitor.value))
    assert lines(visitor.ask()) == []
    assert lines(visitor.ask(Session.destroy)) == [("s", "deleted")]
    visitor.visit(write(a=1))
    assert visitor.finds() == {"a": 1}


def test_a_late_request_with_the_cookie_of_before_the_sign_in_does_not_delete_that_of_the_sign_in(
    visitor: Visitor,
) -> None:
    visitor.visit(write(cart=[1]))
    late = dict(visitor.cookies)

    def use(session: Session) -> None:
        sign_in(session)
        session.regenerate()

    visitor.visit(use)
    assert lines(visitor.ask(cookies=late)) == []


@pytest.mark.parametrize("use", [Session.end_others, lambda session: (session.end_others(), session.save())])
@pytest.mark.parametrize("mode", ["list", "store", "both"])
def test_all_others_of_the_same_subject_can_be_ended(clock: FakeClock, mode: str, use: Use) -> None:
    options: dict[str, Any] = {"subject": "user"}
    if mode != "store":
        options["revocations"] = ShakyList(clock)
    if mode != "list":
        options |= {"storage": "store", "store": ShakyStore(clock)}
    one, another, stranger = (Visitor(clock, **options) for _ in range(3))
    one.visit(sign_in)
    another.visit(sign_in)
    stranger.visit(write(user=8))
    clock.advance(1)
    former = dict(one.cookies)
    one.visit(use)
    assert (one.finds(), another.finds(), stranger.finds()) == ({"user": 7}, {}, {"user": 8})
    assert one.finds(cookies=former) == {}


def test_nobody_has_no_others(visitor: Visitor, revocations: ShakyList) -> None:
    visitor.visit(write(a=1))
    before = dict(visitor.cookies)
    visitor.visit(Session.end_others)
    assert (visitor.cookies, len(revocations)) == (before, 0)


def test_where_nobody_knows_of_others_ending_them_is_an_error(clock: FakeClock) -> None:
    with pytest.raises(ConfigError, match="where there are revocations, or storage='store'"):
        Visitor(clock, subject="user").visit(lambda session: (sign_in(session), session.end_others()))


def test_who_was_ended_meanwhile_ends_nobody(visitor: Visitor, revocations: ShakyList) -> None:
    visitor.visit(sign_in)

    def use(session: Session) -> None:
        session.get("user")
        visitor.ask(Session.destroy)
        revocations.calls.clear()
        session.end_others()

    assert lines(visitor.visit(use)) == []
    assert "revoke_subject" not in revocations.calls


def test_a_list_that_cannot_end_all_of_somebodys_sessions_says_so(clock: FakeClock) -> None:
    class Users(Revocations):
        def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
            del sid, subject, issued_at
            return False

    with pytest.raises(NotImplementedError):
        Visitor(clock, subject="user", revocations=Users()).visit(
            lambda session: (sign_in(session), session.end_others())
        )


def test_other_sessions_live_on(visitor: Visitor, revocations: ShakyList) -> None:
    other = Visitor(visitor.clock, revocations=revocations, subject="user")
    for who in (visitor, other):
        who.visit(sign_in)
    visitor.visit(Session.destroy)
    assert other.finds() == {"user": 7}


def test_all_of_somebodys_sessions_that_began_before_a_moment_are_over(
    visitor: Visitor, revocations: ShakyList
) -> None:
    visitor.visit(sign_in)
    bert = Visitor(visitor.clock, revocations=revocations, subject="user")
    bert.visit(write(user=8))
    visitor.clock.advance(1)
    revocations.revoke_subject("7")
    assert (visitor.finds(), bert.finds()) == ({}, {"user": 8})
    visitor.visit(sign_in)  # a session that begins in the same millisecond does not
    assert visitor.finds() == {"user": 7}


def test_a_session_that_is_regenerated_after_its_subject_was_revoked_is_over(
    visitor: Visitor, revocations: ShakyList
) -> None:
    """Nobody can tell it from a thief's slow request."""
    visitor.visit(sign_in)
    visitor.clock.advance(1)

    def slow(session: Session) -> None:
        session.get("user")
        revocations.revoke_subject("7")
        session.regenerate()

    assert visitor.visit(slow).cookies == ()
    assert visitor.finds() == {}


def test_all_but_this_one_are_over_when_it_is_regenerated_and_saved_before_its_subject_is_revoked(
    visitor: Visitor, revocations: ShakyList
) -> None:
    other = Visitor(visitor.clock, revocations=revocations, subject="user")
    for who in (visitor, other):
        who.visit(sign_in)
    visitor.clock.advance(1)

    def end_all_but_this(session: Session) -> None:
        session.regenerate()
        session.save()
        revocations.revoke_subject("7", before=session.issued_at)

    assert lines(visitor.visit(end_all_but_this)) == [("s", "set")]
    assert (visitor.finds(), other.finds()) == ({"user": 7}, {})


def test_all_sessions_that_began_before_a_moment_are_over(visitor: Visitor, revocations: ShakyList) -> None:
    visitor.visit(write(cart=[]))
    revocations.revoke_all(before=NOW)
    assert visitor.finds() == {"cart": []}
    revocations.revoke_all(before=NOW + 0.001)
    assert visitor.finds() == {}


def test_of_several_cookies_one_that_was_revoked_is_passed_over(visitor: Visitor) -> None:
    visitor.visit(write(user=7))
    revoked = visitor.value
    visitor.visit(Session.destroy)
    visitor.visit(write(user=8))
    for values in ([revoked, visitor.value], [visitor.value, revoked]):
        outcome = visitor.ask(cookies={"s": values})
        assert outcome.cookies == ()
        assert visitor.finds(cookies={"s": values}) == {"user": 8}


def test_a_list_that_lost_what_it_knew_refuses_and_the_cookie_stays(visitor: Visitor) -> None:
    class Flushed(Revocations):
        def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
            del sid, subject, issued_at
            raise Refused("lost")

    visitor.visit(sign_in)
    visitor.options["revocations"] = Flushed()
    assert _refused(visitor, visitor.value) == ["lost"]
    assert visitor.visit().cookies == ()


def test_a_list_over_the_applications_own_table_needs_one_method(visitor: Visitor) -> None:
    class Users(Revocations):
        def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
            del sid
            return subject == "7" and issued_at < changed_at

    changed_at = 0.0
    visitor.options["revocations"] = Users()
    visitor.visit(sign_in)
    assert visitor.finds() == {"user": 7}
    visitor.clock.advance(5)
    visitor.visit(Session.regenerate)
    assert visitor.finds() == {"user": 7}
    visitor.visit(Session.destroy)
    visitor.visit(sign_in)
    visitor.clock.advance(5)
    changed_at = visitor.clock.now
    assert visitor.finds() == {}


# ---- sessions made in Node ----


def test_a_session_made_in_node_can_be_ended_by_its_id(visitor: Visitor, revocations: ShakyList) -> None:
    node = sealed({"user": 7}, expires_at=NOW + TTL - 100)
    assert visitor.finds(cookies={"s": node}) == {"user": 7}
    outcome = visitor.ask(Session.destroy, cookies={"s": node})
    assert lines(outcome) == [("s", "deleted")]
    assert _refused(visitor, node) == ["revoked"]
    assert _refused(visitor, node + "x") == ["revoked"]
    assert revocations.revoked == [(revocations.revoked[0][0], NOW + TTL + SKEW + MARGIN)]


def test_the_id_that_a_session_from_node_had_is_the_one_that_is_stamped(visitor: Visitor) -> None:
    node = sealed({"user": 7})
    visitor.cookies = {"s": node}
    visitor.visit(write(more=1))
    assert len(_sid(visitor.value)) == 32
    visitor.visit(Session.destroy)
    assert _refused(visitor, node) == ["revoked"]


def test_a_session_made_in_node_can_be_revoked_by_its_subject(
    visitor: Visitor, revocations: ShakyList
) -> None:
    before, after = (sealed({"user": 7}, expires_at=NOW + TTL + seconds) for seconds in (-1, 1))
    revocations.revoke_subject("7", before=NOW)
    visitor.clock.advance(2)
    assert _refused(visitor, before) == ["revoked"]
    assert visitor.finds(cookies={"s": after}) == {"user": 7}
    revocations.revoke_all()
    assert _refused(visitor, after) == ["revoked"]


def test_a_session_made_in_node_obeys_the_absolute_timeout(visitor: Visitor) -> None:
    visitor.options.update(absolute_timeout=3600)
    node = sealed({"user": 7}, expires_at=NOW + TTL)
    visitor.clock.advance(3000)
    visitor.visit(write(more=1), cookies={"s": node})
    assert ends_at(visitor.value) == NOW + 3600
    visitor.clock.advance(660)
    assert _refused(visitor, node) == ["too-old"]
    assert _refused(visitor, visitor.value) == ["expired"]


# ---- once each, and only what was a session ----


@pytest.mark.parametrize(
    "use",
    [
        Session.destroy,
        Session.clear,
        Session.regenerate,
        lambda session: session.regenerate(clear=True),
        lambda session: (session.destroy(), session.destroy(), session.save()),
        lambda session: (session.regenerate(), session.destroy()),
        lambda session: (session.regenerate(), session.clear()),
        lambda session: (session.regenerate(), session.regenerate()),
        lambda session: (session.regenerate(), session.save(), session.touch()),
        lambda session: (session.clear(), session.__exit__(None, None, None), session.destroy()),
        lambda session: (session.clear(), session.__exit__(None, None, None), session.clear()),
        lambda session: (session.clear(), session.__exit__(None, None, None), session.update(a=1)),
        lambda session: (session.update(a=1), session.save(), session.destroy()),
    ],
    ids=map(str, range(13)),
)
def test_a_session_that_ends_is_noted_once(visitor: Visitor, revocations: ShakyList, use: Use) -> None:
    visitor.visit(sign_in)
    sid = _sid(visitor.value)
    visitor.visit(use)
    assert [noted for noted, _ in revocations.revoked] == [sid]
    assert len(revocations) == 1


def test_each_id_that_was_sent_out_is_noted(visitor: Visitor, revocations: ShakyList) -> None:
    visitor.visit(sign_in)
    first = _sid(visitor.value)
    sids: list[str] = []
    visitor.visit(lambda s: (s.regenerate(), s.save(), sids.append(s.sid), s.regenerate(), s.save()))
    assert [noted for noted, _ in revocations.revoked] == [first, *sids]


def test_an_id_that_was_asked_for_and_never_sent_is_not_noted(
    visitor: Visitor, revocations: ShakyList
) -> None:
    visitor.visit(lambda session: (session.update(csrf=session.sid), session.destroy()))
    assert revocations.revoked == []
    visitor.visit(lambda session: (session.update(a=1), session.save(), session.destroy()))
    assert len(revocations.revoked) == 1  # this one was on its way


@pytest.mark.parametrize("status", [500, 503])
def test_a_regeneration_that_is_not_written_ends_nothing(
    visitor: Visitor, revocations: ShakyList, status: int
) -> None:
    visitor.visit(sign_in)
    visitor.visit(Session.regenerate, status=status)
    assert (visitor.finds(), revocations.revoked) == ({"user": 7}, [])
    visitor.visit(Session.clear, status=status)
    assert (visitor.finds(), revocations.revoked) == ({"user": 7}, [])
    visitor.visit(Session.destroy, status=status)  # spoken out
    assert len(revocations.revoked) == 1


def test_ten_thousand_who_sign_out_without_a_session_leave_nothing(
    clock: FakeClock, revocations: ShakyList
) -> None:
    """T-FLOOD."""
    engine = Engine(SessionOptions(password=PASSWORD, cookie_name="s", clock=clock, revocations=revocations))
    over = sealed({"a": 1}, expires_at=NOW - 60)
    for number in range(10_000):
        came = [{}, {"s": f"{number}"}, {"s": over}, {"s": ""}][number % 4]
        exchange = CookieExchange(engine, DictJar(came))
        session = Session(exchange)
        session["a"] = 1
        [Session.destroy, Session.clear, Session.regenerate][number % 3](session)
        assert session.state is not None
        exchange.commit(session.state)
    assert len(revocations) == 0
    assert revocations.calls.count("is_revoked") <= 1  # a server's first session meets the list
    assert set(revocations.calls) <= {"is_revoked"}


# ---- how long it is remembered ----


def _life(visitor: Visitor, revocations: ShakyList) -> float:
    """End the session, and return for how long that is noted, without the margins."""
    visitor.visit(Session.destroy)
    _, until = revocations.revoked[-1]
    assert until is not None
    return until - SKEW - MARGIN


def test_an_entry_outlives_the_last_copy_by_the_skew_and_a_day(
    visitor: Visitor, revocations: ShakyList
) -> None:
    visitor.visit(sign_in)
    stolen = visitor.value
    visitor.clock.advance(1000)
    # A slow response may still make a copy that lives a ttl.
    assert _life(visitor, revocations) == NOW + 1000 + TTL
    visitor.clock.now = NOW + TTL + SKEW - 1
    assert _refused(visitor, stolen) == ["revoked"]
    visitor.clock.advance(1)
    assert _refused(visitor, stolen) == ["expired"]
    visitor.clock.now = NOW + 1000 + TTL + SKEW + MARGIN
    assert revocations.sweep() == 1


def test_a_copy_from_a_time_when_the_session_lived_longer_stays_revoked_as_long_as_it_lives(
    visitor: Visitor, revocations: ShakyList
) -> None:
    visitor.visit(lambda session: (session.update(user=7), session.set_expiry(300 * DAY)))
    stolen = visitor.value
    for number in range(3):
        visitor.clock.advance(10)
        visitor.visit(lambda session, number=number: (session.update(n=number), session.set_expiry(60)))
        assert payload(visitor.value)["_iron"]["until"] == NOW + 300 * DAY
    # As long as a parallel request of before may have made one.
    assert _life(visitor, revocations) == NOW + 30 + 300 * DAY
    visitor.clock.now = NOW + 299 * DAY
    revocations.sweep()
    assert _refused(visitor, stolen) == ["revoked"]


def test_a_copy_that_a_parallel_request_made_for_longer_stays_revoked_as_long_as_it_lives(
    visitor: Visitor, revocations: ShakyList
) -> None:
    visitor.visit(sign_in)
    older = dict(visitor.cookies)
    visitor.visit(lambda session: session.set_expiry(100 * DAY))
    longer = visitor.value
    visitor.ask(Session.destroy, cookies=older)  # what it knows of is a session of a ttl
    for days in (0, 16, 99):
        visitor.clock.now = NOW + days * DAY
        revocations.sweep()
        assert _refused(visitor, older["s"]) in (["revoked"], ["expired"])
    visitor.clock.now = NOW + 1
    visitor.ask(Session.destroy, cookies={"s": longer})
    visitor.clock.now = NOW + 99 * DAY
    revocations.sweep()
    assert _refused(visitor, longer) == ["revoked"]


def test_a_session_that_shall_live_longer_gets_an_id_of_its_own_and_keeps_its_time_of_issue(
    visitor: Visitor,
) -> None:
    visitor.visit(sign_in)
    before = payload(visitor.value)["_iron"]
    stolen = visitor.value
    visitor.clock.advance(5)
    visitor.visit(lambda session: session.set_expiry(100 * DAY))
    after = payload(visitor.value)["_iron"]
    assert (after["iat"], after["life"]) == (before["iat"], 100 * DAY)
    assert after["sid"] != before["sid"]
    assert _refused(visitor, stolen) == ["revoked"]
    visitor.clock.advance(5)
    visitor.visit(write(n=1))
    assert payload(visitor.value)["_iron"]["sid"] == after["sid"]
    assert visitor.finds() == {"user": 7, "n": 1}


def test_of_several_sessions_that_a_browser_sends_all_end_with_the_sign_out(
    visitor: Visitor, clock: FakeClock
) -> None:
    visitor.visit(sign_in)
    one = visitor.value
    clock.advance(5)
    visitor.cookies = {}
    visitor.visit(sign_in)
    visitor.ask(Session.destroy, cookies={"s": [one, visitor.value]})
    assert [_refused(visitor, value) for value in (one, visitor.value)] == [["revoked"], ["revoked"]]


def test_the_size_counts_what_is_noted_of_longer_copies(visitor: Visitor) -> None:
    visitor.visit(sign_in)
    sizes: list[int] = []
    outcome = visitor.visit(lambda session: (session.set_expiry(300), sizes.append(session.size)))
    assert sizes == [len(outcome.cookies[0].header)]


def test_a_regenerated_session_has_no_longer_copies(visitor: Visitor) -> None:
    visitor.visit(lambda session: (session.update(user=7), session.set_expiry(300 * DAY)))
    visitor.visit(lambda session: session.set_expiry(3600))
    visitor.clock.advance(5)
    visitor.visit(Session.regenerate)
    assert payload(visitor.value)["_iron"].keys() == {"sid", "iat", "ttl"}


def test_the_same_holds_where_an_adapter_says_when_seals_end(
    clock: FakeClock, revocations: ShakyList
) -> None:
    engine = Engine(SessionOptions(password=PASSWORD, cookie_name="s", clock=clock, revocations=revocations))
    state = engine.open(DictJar({}))
    state.data["user"], state.modified = 7, True
    value = engine.commit(state, expires_at=NOW + 300 * DAY).cookies[0].value
    state = engine.open(DictJar({"s": value}))
    state.data["n"], state.modified = 1, True
    value = engine.commit(state, expires_at=NOW + 60).cookies[0].value
    engine.destroy(engine.open(DictJar({"s": value})), expires_at=NOW + 90)
    assert revocations.revoked[-1][1] == NOW + 300 * DAY + SKEW + MARGIN


def test_a_slow_response_that_would_live_longer_than_the_entry_is_stopped(
    visitor: Visitor, revocations: ShakyList
) -> None:
    visitor.visit(sign_in)

    def slow(session: Session) -> None:
        session.set_expiry(400 * DAY)
        visitor.ask(Session.destroy)

    visitor.visit(slow)
    visitor.clock.advance(20 * DAY)
    revocations.sweep()
    assert visitor.finds() == {}


def test_no_session_outlives_400_days_where_the_list_forgets_after_that(
    visitor: Visitor, revocations: ShakyList
) -> None:
    visitor.visit(lambda session: (session.update(user=7), session.set_expiry(3000 * DAY)))
    assert ends_at(visitor.value) == NOW + 400 * DAY
    revocations.revoke_subject("7", before=NOW + 1)
    visitor.clock.now = NOW + 400 * DAY + SKEW - 1
    revocations.sweep()
    assert _refused(visitor, visitor.value) == ["revoked"]
    visitor.clock.advance(1)
    assert _refused(visitor, visitor.value) == ["expired"]


@pytest.mark.parametrize("ttl", [0, 900])
def test_under_an_absolute_timeout_an_entry_lives_as_long_as_that(
    visitor: Visitor, revocations: ShakyList, ttl: float
) -> None:
    visitor.options.update(ttl=ttl, absolute_timeout=3600)
    visitor.visit(lambda session: (session.update(user=7), session.set_expiry(1800)))
    visitor.clock.advance(100)
    assert _life(visitor, revocations) == NOW + 3600


def test_a_regenerated_session_is_remembered_as_long_as_a_slow_response_can_live(
    visitor: Visitor, revocations: ShakyList
) -> None:
    visitor.visit(sign_in)
    visitor.clock.advance(100)
    visitor.visit(Session.regenerate)
    assert revocations.revoked[-1][1] == NOW + 100 + TTL + SKEW + MARGIN
    visitor.clock.advance(100)
    visitor.visit(lambda session: (session.regenerate(), session.set_expiry(30 * DAY)))
    assert revocations.revoked[-1][1] == NOW + 200 + 30 * DAY + SKEW + MARGIN


# ---- a slow response never signs back in ----

LATE: list[Any] = [
    pytest.param(write(late=1), id="change"),
    pytest.param(Session.save, id="save"),
    pytest.param(Session.touch, id="touch"),
    pytest.param(Session.regenerate, id="regenerate"),
    pytest.param(lambda session: (session.regenerate(), session.save(), session.save()), id="and save"),
    pytest.param(lambda session: (session.set_expiry(3600), session.update(a=1)), id="shorter"),
    pytest.param(lambda session: session.set_expiry(200 * DAY), id="longer"),
]


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("end", [Session.destroy, Session.clear, Session.regenerate])
def test_a_late_writer_does_not_bring_an_ended_session_back(visitor: Visitor, late: Use, end: Use) -> None:
    visitor.visit(sign_in)

    def slow(session: Session) -> None:
        session.get("user")
        visitor.ask(end)
        late(session)

    visitor.visit(slow)
    assert visitor.finds() == {}


@pytest.mark.parametrize("late", LATE[:4])
@pytest.mark.parametrize("mode", ["cookie", "store"])
def test_where_the_list_is_asked_again_at_every_write_a_late_writer_sends_no_cookie(
    clock: FakeClock, revocations: ShakyList, late: Use, mode: Any
) -> None:
    store = MemoryStore(clock=clock)
    options = SessionOptions(
        password=PASSWORD, cookie_name="s", clock=clock, revocations=revocations, storage=mode, store=store
    )
    engine = Engine(options, vault=lambda given: SealVault(given, rechecks=True))

    def ask(use: Callable[[Session], object], cookies: dict[str, Any]) -> Any:
        exchange = CookieExchange(engine, DictJar(cookies))
        session = Session(exchange)
        use(session)
        assert session.state is not None
        outcome = exchange.outcome(session.state)
        return outcome.cookies, session.state

    (cookie,), _ = ask(sign_in, {})
    came = {"s": cookie.value}

    def slow(session: Session) -> None:
        session.get("user")
        ask(Session.destroy, came)
        late(session)

    cookies, state = ask(slow, came)
    assert (cookies, state.destroyed, len(store)) == ((), True, 0)
    (cookie,), _ = ask(sign_in, {})  # a new one is not asked about
    assert ask(write(more=1), {"s": cookie.value})[0]


# ---- outages ----


@pytest.mark.parametrize("use", [Session.destroy, Session.clear, Session.regenerate])
def test_what_cannot_be_noted_is_an_outage_and_can_be_tried_again(
    visitor: Visitor, revocations: ShakyList, use: Use
) -> None:
    visitor.visit(sign_in)
    stolen = visitor.value
    revocations.down = {"revoke"}
    with pytest.raises(Unavailable):
        visitor.visit(use)
    with pytest.raises(Unavailable):
        visitor.visit(use, on_outage="accept")
    revocations.down = set()
    assert visitor.finds() == {"user": 7}
    visitor.visit(use)
    assert _refused(visitor, stolen) == ["revoked"]


def test_what_an_outage_kept_from_being_ended_is_ended_by_a_second_try_in_the_same_request(
    visitor: Visitor, revocations: ShakyList
) -> None:
    visitor.visit(sign_in)
    stolen = visitor.value

    def use(session: Session) -> None:
        session.get("user")
        revocations.down = {"revoke"}
        with pytest.raises(Unavailable):
            session.destroy()
        assert session["user"] == 7
        revocations.down = set()
        session.destroy()

    assert lines(visitor.visit(use)) == [("s", "deleted")]
    assert _refused(visitor, stolen) == ["revoked"]


def test_what_an_outage_kept_from_being_emptied_is_emptied_by_the_next_commit(
    visitor: Visitor, revocations: ShakyList
) -> None:
    visitor.visit(sign_in)
    stolen = visitor.value

    def use(session: Session) -> None:
        session.clear()
        revocations.down = {"revoke"}
        with pytest.raises(Unavailable), session:
            pass
        revocations.down = set()

    assert lines(visitor.visit(use)) == [("s", "deleted")]
    assert _refused(visitor, stolen) == ["revoked"]


def test_a_logout_that_failed_half_way_can_be_tried_again_and_reaches_every_copy(
    clock: FakeClock, revocations: ShakyList
) -> None:
    store = ShakyStore(clock)
    visitor = Visitor(clock, revocations=revocations, store=store, overflow="store")
    visitor.visit(sign_in)
    small = visitor.value
    visitor.visit(write(big="x" * 5000))
    large = visitor.value
    for part, method in ((revocations, "revoke"), (store, "delete")):
        part.down = {method}
        with pytest.raises(Unavailable):
            visitor.visit(Session.destroy)
        part.down = set()
    visitor.visit(Session.destroy)
    for stolen in (small, large):
        assert visitor.finds(cookies={"s": stolen}) == {}


def test_an_outage_is_met_before_the_session_is_believed(visitor: Visitor, revocations: ShakyList) -> None:
    visitor.visit(sign_in)
    revocations.revoke(_sid(visitor.value))
    revocations.down = {"is_revoked"}
    with pytest.raises(Unavailable):
        visitor.visit()
    assert visitor.finds(on_outage="accept") == {"user": 7}  # as that option says
    revocations.down = set()
    assert visitor.finds(on_outage="accept") == {}


def test_visitors_without_a_session_do_not_notice_an_outage(visitor: Visitor, revocations: ShakyList) -> None:
    revocations.down = {"is_revoked", "revoke"}
    assert visitor.finds() == {}
    assert lines(visitor.ask(cookies={"s": "junk"})) == [("s", "deleted")]


@pytest.mark.parametrize("is_regenerated", [False, True])
def test_the_first_session_lives_though_a_list_that_is_new_takes_its_first_question_for_its_loss(
    clock: FakeClock, *, is_regenerated: bool
) -> None:
    class New(Revocations):
        """Knows of nothing before it was first asked."""

        since: float | None = None

        def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
            del sid, subject
            if self.since is None:
                clock.advance(0.01)
                self.since = clock()
            if issued_at < self.since:
                raise Refused("lost")
            return False

    def use(session: Session) -> None:
        session["a"] = 1
        if is_regenerated:
            session.regenerate()

    visitor = Visitor(clock, revocations=New())
    visitor.visit(use)
    assert visitor.finds() == {"a": 1}


def test_the_first_session_of_a_server_is_made_when_the_list_has_answered_once(
    visitor: Visitor, revocations: ShakyList
) -> None:
    """A list that is asked for the first time may have to note since when it knows of what was revoked."""
    engine = Engine(SessionOptions(**visitor.options))

    def begin() -> Any:
        state = engine.open(DictJar({}))
        state.data["a"], state.modified = 1, True
        return engine.commit(state).cookies

    revocations.down = {"is_revoked"}
    with pytest.raises(Unavailable):
        begin()
    revocations.down = set()
    assert len(begin()) == 1
    revocations.calls.clear()
    revocations.down = {"is_revoked"}
    assert len(begin()) == 1
    assert revocations.calls == []
