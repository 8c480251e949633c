from __future__ import annotations

from datetime import datetime, timezone
from itertools import pairwise, permutations
from typing import Any

import pytest

from iron_wsgi import (
    ConfigError,
    Cookie,
    CookieOptions,
    CookieTooLarge,
    Outcome,
    PayloadError,
    Session,
    SessionOptions,
)
from iron_wsgi.engine.engine import Engine
from iron_wsgi.sessions.state import FormerSession, State
from iron_wsgi.testing import DictJar, FakeClock

from .visitor import (
    NEWER,
    NOW,
    OTHER,
    PASSWORD,
    Visitor,
    attributes,
    ends_at,
    lines,
    payload,
    sealed,
    sign_in,
    write,
)

DAY = 86_400
TTL = 14 * DAY

READ = Outcome(vary=True, name="s")
"""What a request asks of the response that only read its session."""


def _password_id(value: str) -> str:
    return value.split("*")[1]


# ---- when a cookie goes out ----


def test_an_untouched_session_asks_nothing_of_the_response(visitor: Visitor) -> None:
    visitor.visit(sign_in)
    assert visitor.ask(lambda _: None) == Outcome()


def test_a_session_that_was_read_makes_the_response_vary_and_sets_no_cookie(visitor: Visitor) -> None:
    assert visitor.ask() == READ
    visitor.visit(sign_in)
    assert visitor.ask() == READ


def test_a_session_that_was_written_sets_one_cookie_and_is_private(visitor: Visitor) -> None:
    outcome = visitor.visit(sign_in)
    assert (lines(outcome), outcome.vary, outcome.private) == ([("s", "set")], True, True)
    assert visitor.finds() == {"user": 7}


def test_each_write_is_sealed_anew(visitor: Visitor) -> None:
    values = []
    for number in range(3):
        visitor.visit(write(n=number))
        values.append(visitor.value)
    assert len(set(values)) == 3


def test_a_nested_change_is_written(visitor: Visitor) -> None:
    visitor.visit(write(cart=[{"n": 1}]))
    visitor.visit(lambda session: session["cart"][0].update(n=2))
    assert visitor.finds() == {"cart": [{"n": 2}]}
    visitor.visit(lambda session: session["cart"].append(True))
    visitor.visit(lambda session: session["cart"].__setitem__(1, 1))
    assert visitor.finds()["cart"][1] is not True


def test_a_nested_value_changed_and_changed_back_is_not_written(visitor: Visitor) -> None:
    visitor.visit(write(cart=[1]))
    assert visitor.ask(lambda session: (session["cart"].append(2), session["cart"].pop())).cookies == ()


# ---- Max-Age ----


@pytest.mark.parametrize(
    ("ttl", "max_age"),
    [(30, 30), (60, 60), (61, 1), (1_209_600, 1_209_540), (0, 34_560_000), (40 * 365 * DAY, 34_560_000)],
)
def test_max_age_is_a_minute_less_than_the_ttl_as_in_iron_session(
    visitor: Visitor, ttl: int, max_age: int
) -> None:
    outcome = visitor.visit(sign_in, ttl=ttl)
    assert attributes(outcome.cookies[0].header)["max-age"] == str(max_age)
    assert ends_at(visitor.value) == (NOW + ttl if ttl else None)


def test_with_ttl_0_the_seal_never_expires(clock: FakeClock) -> None:
    visitor = Visitor(clock, ttl=0)
    visitor.visit(sign_in)
    clock.advance(50 * 365 * DAY)
    assert visitor.finds() == {"user": 7}


def test_a_max_age_of_ones_own_leaves_the_seal_its_ttl(visitor: Visitor) -> None:
    outcome = visitor.visit(sign_in, cookie_options={"max_age": 77})
    assert attributes(outcome.cookies[0].header)["max-age"] == "77"
    assert ends_at(visitor.value) == NOW + TTL


def test_a_browser_session_cookie_has_no_max_age_and_its_seal_still_expires(visitor: Visitor) -> None:
    outcome = visitor.visit(sign_in, cookie_options={"max_age": None})
    assert not {"max-age", "expires"} & attributes(outcome.cookies[0].header).keys()
    assert ends_at(visitor.value) == NOW + TTL


def test_a_remembered_session_outlives_the_browser_where_others_do_not(clock: FakeClock) -> None:
    visitor = Visitor(clock, cookie_options={"max_age": None})
    outcome = visitor.visit(lambda session: (session.update(user=7), session.set_expiry(30 * DAY)))
    assert attributes(outcome.cookies[0].header)["max-age"] == str(30 * DAY - 60)
    outcome = visitor.visit(write(n=1))
    assert attributes(outcome.cookies[0].header)["max-age"] == str(30 * DAY - 60)


def test_expires_stands_in_place_of_max_age(visitor: Visitor) -> None:
    moment = datetime.fromtimestamp(NOW + DAY, timezone.utc)
    outcome = visitor.visit(sign_in, cookie_options={"expires": moment})
    found = attributes(outcome.cookies[0].header)
    assert "max-age" not in found
    assert found["expires"] == "Sat, 16 Jan 2027 08:00:00 GMT"


def test_an_expires_that_has_passed_is_an_error_when_it_would_be_sent_and_not_before(
    visitor: Visitor,
) -> None:
    options = {"cookie_options": {"expires": NOW}}
    visitor.cookies["s"] = sealed({"a": 1})
    assert visitor.finds(**options) == {"a": 1}
    with pytest.raises(ConfigError, match="expires has passed"):
        visitor.ask(sign_in, **options)


# ---- timeouts ----


def test_a_session_lives_for_its_ttl_after_the_last_write_and_a_minute_of_skew(clock: FakeClock) -> None:
    visitor = Visitor(clock, ttl=900)
    visitor.visit(sign_in)
    clock.advance(600)
    visitor.visit(write(n=1))
    clock.advance(959)
    assert visitor.finds() == {"user": 7, "n": 1}
    clock.advance(1)
    assert visitor.finds() == {}


def test_a_session_that_is_only_read_is_not_renewed_by_default(clock: FakeClock) -> None:
    visitor = Visitor(clock, ttl=900)
    visitor.visit(sign_in)
    for _ in range(9):
        clock.advance(100)
        assert visitor.visit().cookies == ()
    clock.advance(60)
    assert visitor.finds() == {}


def test_with_refresh_after_a_used_session_is_renewed_once_it_is_older_than_that(clock: FakeClock) -> None:
    visitor = Visitor(clock, ttl=900, refresh_after=300)
    visitor.visit(sign_in)
    clock.advance(299)
    assert visitor.visit().cookies == ()
    clock.advance(1)
    outcome = visitor.visit()
    assert (lines(outcome), outcome.vary, outcome.private) == ([("s", "set")], True, True)
    assert ends_at(visitor.value) == NOW + 300 + 900
    assert visitor.visit().cookies == ()


def test_with_refresh_after_a_session_ends_when_it_was_idle_for_its_ttl(clock: FakeClock) -> None:
    visitor = Visitor(clock, ttl=900, refresh_after=300)
    visitor.visit(sign_in)
    for _ in range(20):
        clock.advance(600)
        visitor.visit()
    assert visitor.finds() == {"user": 7}
    clock.advance(960)
    assert visitor.finds() == {}


def test_with_refresh_after_a_session_is_as_old_as_the_expiry_it_would_be_given_says(
    clock: FakeClock,
) -> None:
    engine = Engine(SessionOptions(password=PASSWORD, cookie_name="s", clock=clock, refresh_after=60))
    cookies = {"s": sealed({"user": 7}, expires_at=NOW + 600)}
    for expires_at, is_due in [(NOW + 659, False), (NOW + 660, True), (None, True)]:
        state = engine.open(DictJar(cookies))
        state.accessed = True
        assert engine.is_idle(state, expires_at=expires_at) is not is_due
        outcome = engine.commit(state, expires_at=expires_at)
        assert bool(outcome.cookies) is is_due
        if expires_at is not None and is_due:
            assert ends_at(outcome.cookies[0].value) == expires_at


def test_with_refresh_after_0_every_request_that_uses_the_session_renews_it(clock: FakeClock) -> None:
    visitor = Visitor(clock, refresh_after=0)
    visitor.visit(sign_in)
    assert lines(visitor.visit()) == [("s", "set")]
    clock.advance(0.5)
    assert lines(visitor.visit()) == [("s", "set")]
    assert ends_at(visitor.value) == NOW + 0.5 + TTL


def test_an_untouched_session_is_never_renewed(clock: FakeClock) -> None:
    visitor = Visitor(clock, refresh_after=0)
    visitor.visit(sign_in)
    clock.advance(DAY)
    assert visitor.visit(lambda _: None) == Outcome()


def test_a_visitor_without_a_session_gets_none_by_being_renewed(clock: FakeClock) -> None:
    assert Visitor(clock, refresh_after=0).visit() == READ


def test_a_304_does_not_renew_and_still_carries_a_change(clock: FakeClock) -> None:
    visitor = Visitor(clock, refresh_after=0)
    visitor.visit(sign_in)
    assert visitor.visit(status=304) == READ
    assert visitor.visit(status=304, password={2: NEWER, 1: PASSWORD}) == READ
    assert lines(visitor.visit(write(n=1), status=304)) == [("s", "set")]


def test_the_absolute_timeout_ends_a_session_however_much_it_is_used(clock: FakeClock) -> None:
    visitor = Visitor(clock, ttl=900, refresh_after=0, absolute_timeout=3600)
    visitor.visit(sign_in)
    for step in range(1, 8):
        clock.advance(500)
        visitor.visit(write(n=step))
        assert ends_at(visitor.value) == NOW + min(step * 500 + 900, 3600)
    clock.advance(100 + 60)
    assert visitor.finds() == {}


def test_the_absolute_timeout_ends_sessions_that_would_never_expire(clock: FakeClock) -> None:
    visitor = Visitor(clock, ttl=0, absolute_timeout=3600)
    outcome = visitor.visit(sign_in)
    assert ends_at(visitor.value) == NOW + 3600
    assert attributes(outcome.cookies[0].header)["max-age"] == "3540"
    clock.advance(3660)
    assert visitor.finds() == {}


def test_the_absolute_timeout_caps_an_expiry_that_an_adapter_gives(clock: FakeClock) -> None:
    engine = Engine(SessionOptions(password=PASSWORD, cookie_name="s", clock=clock, absolute_timeout=3600))
    for given, end in ((NOW + DAY, NOW + 3600), (NOW + 60, NOW + 60)):
        state = State(data={"a": 1}, issued_at=NOW, modified=True)
        outcome = engine.commit(state, expires_at=given)
        assert ends_at(outcome.cookies[0].value) == state.expires_at == end


def test_an_absolute_timeout_that_was_just_switched_on_counts_from_what_the_seal_says(
    clock: FakeClock,
) -> None:
    visitor = Visitor(clock, ttl=900)
    visitor.visit(sign_in)
    clock.advance(500)
    visitor.visit(write(n=1), absolute_timeout=3600)
    assert payload(visitor.value)["_iron"] == {"iat": NOW}


def test_regenerate_starts_the_absolute_timeout_again(clock: FakeClock) -> None:
    visitor = Visitor(clock, absolute_timeout=3600)
    visitor.visit(sign_in)
    clock.advance(3000)
    visitor.visit(Session.regenerate)
    clock.advance(3000)
    assert visitor.finds() == {"user": 7}


def test_touch_renews_without_a_change(clock: FakeClock) -> None:
    visitor = Visitor(clock, ttl=900)
    visitor.visit(sign_in)
    clock.advance(800)
    visitor.visit(Session.touch)
    assert ends_at(visitor.value) == NOW + 800 + 900
    assert visitor.finds() == {"user": 7}


@pytest.mark.parametrize("hours", [-24, -1, 1])
def test_a_clock_that_is_set_signs_nobody_out_within_the_ttl(clock: FakeClock, hours: int) -> None:
    visitor = Visitor(clock)
    visitor.visit(sign_in)
    clock.advance(hours * 3600)
    visitor.visit(write(n=1))
    assert visitor.finds() == {"user": 7, "n": 1}


# ---- rotation ----


def test_a_session_under_an_older_password_is_sealed_anew_when_it_is_used(visitor: Visitor) -> None:
    visitor.visit(sign_in)
    both = {2: NEWER, 1: PASSWORD}
    assert visitor.visit(lambda _: None, password=both).cookies == ()
    assert lines(visitor.visit(password=both)) == [("s", "set")]
    assert _password_id(visitor.value) == "2"
    assert visitor.visit(password=both).cookies == ()
    assert visitor.finds(password={2: NEWER}) == {"user": 7}


def test_a_rolling_deploy_signs_nobody_out(visitor: Visitor) -> None:
    steps: list[dict[str, Any]] = [
        {"password": {1: PASSWORD}},
        {"password": {2: NEWER, 1: PASSWORD}, "seal_with": 1},  # every server learns the new password,
        {"password": {2: NEWER, 1: PASSWORD}},  # then seals with it,
        {"password": {2: NEWER}},  # and at last forgets the old one
    ]
    visitor.visit(sign_in, **steps[0])
    for before, after in pairwise(steps):
        # While the step is under way the visitor meets servers of both kinds, in any order.
        for server in (before, after, before, after, after):
            visitor.visit(write(n=1), **server)
            assert visitor.finds(**before) == visitor.finds(**after) == {"user": 7, "n": 1}


def test_without_seal_with_a_server_that_is_behind_neither_reads_nor_deletes_a_newer_session(
    visitor: Visitor,
) -> None:
    visitor.visit(sign_in, password={2: NEWER, 1: PASSWORD})
    assert visitor.visit(password={1: PASSWORD}) == READ
    assert visitor.finds(password={2: NEWER, 1: PASSWORD}) == {"user": 7}


def test_a_password_that_was_replaced_without_an_id_ends_all_sessions(visitor: Visitor) -> None:
    visitor.visit(sign_in)
    assert lines(visitor.visit(password=NEWER)) == [("s", "deleted")]


def test_a_session_of_next_iron_session_is_written_back_as_a_seal_of_ours(clock: FakeClock) -> None:
    visitor = Visitor(clock, accept=("next-iron-session",))
    visitor.cookies["s"] = sealed({"persistent": {"user": 7}, "flash": {}}).removesuffix("~2")
    assert lines(visitor.visit()) == [("s", "set")]
    assert payload(visitor.value) == {"user": 7}
    assert visitor.finds(accept=()) == {"user": 7}


# ---- refused cookies ----


@pytest.mark.parametrize(
    "value",
    [
        "garbage",
        sealed({}, password=OTHER),
        sealed({}, expires_at=NOW - 60),
        sealed({"_iron": "x"}),
        sealed([]),
    ],
)
def test_a_cookie_that_nobody_will_accept_is_deleted_once_when_it_is_looked_at(
    visitor: Visitor, value: str
) -> None:
    visitor.cookies["s"] = value
    assert visitor.visit(lambda _: None) == Outcome()
    outcome = visitor.visit()
    assert (lines(outcome), outcome.vary, outcome.private) == ([("s", "deleted")], True, True)
    assert visitor.visit() == READ


def test_a_session_past_its_absolute_timeout_is_deleted_when_it_is_looked_at(clock: FakeClock) -> None:
    visitor = Visitor(clock, absolute_timeout=60)
    visitor.cookies["s"] = sealed({"_iron": {"iat": NOW - 120}})
    assert lines(visitor.visit()) == [("s", "deleted")]


KEPT = [
    sealed({"user": 7}, password_id="9"),
    sealed({"user": 7}, password_id=""),
    sealed({"user": 7}, expires_at=None),
]


@pytest.mark.parametrize("value", KEPT)
@pytest.mark.parametrize(
    "use",
    [
        bool,
        Session.touch,
        Session.clear,
        Session.regenerate,
        lambda session: session.set_expiry(60),
        lambda session: session.pop_flash("x"),
        lambda session: (session.update(n=1), session.clear()),
    ],
    ids=["read", "touch", "clear", "regenerate", "set_expiry", "pop_flash", "write and clear"],
)
def test_a_cookie_that_another_server_may_accept_is_never_deleted_by_the_way(
    visitor: Visitor, value: str, use: Any
) -> None:
    visitor.cookies["s"] = value
    assert visitor.visit(use).cookies == ()


@pytest.mark.parametrize("value", KEPT)
def test_a_cookie_that_another_server_may_accept_is_deleted_by_a_destroy(
    visitor: Visitor, value: str
) -> None:
    visitor.cookies["s"] = value
    assert lines(visitor.visit(Session.destroy)) == [("s", "deleted")]


def test_a_session_written_over_a_kept_cookie_and_emptied_is_gone(visitor: Visitor) -> None:
    visitor.cookies["s"] = KEPT[0]
    visitor.visit(lambda session: (session.update(user=8), session.save(), session.clear()))
    assert visitor.cookies == {}


def test_with_a_kept_cookie_among_several_refused_none_is_deleted(visitor: Visitor) -> None:
    for values in permutations(["garbage", KEPT[0]]):
        assert visitor.ask(cookies={"s": list(values)}) == READ


def test_a_visitor_with_a_refused_cookie_can_sign_in(visitor: Visitor) -> None:
    visitor.cookies["s"] = "garbage"
    assert lines(visitor.visit(sign_in)) == [("s", "set")]
    assert visitor.finds() == {"user": 7}


# ---- several cookies of one name ----


def test_of_several_cookies_the_one_that_opens_wins_wherever_it_stands(visitor: Visitor) -> None:
    good = sealed({"user": 7})
    for values in permutations([good, "garbage", sealed({}, password=OTHER), KEPT[0]]):
        outcome = visitor.ask(lambda session: session["user"], cookies={"s": list(values)})
        assert outcome == READ


def test_of_several_that_open_the_one_that_ends_last_wins_and_nothing_is_deleted(visitor: Visitor) -> None:
    early, late = sealed({"who": "early"}, expires_at=NOW + 50), sealed({"who": "late"}, expires_at=NOW + 60)
    for values in permutations([early, late, "garbage"]):
        visitor.cookies["s"] = list(values)
        assert visitor.finds() == {"who": "late"}
        assert visitor.visit() == READ


def test_a_session_without_end_outlives_every_other(clock: FakeClock) -> None:
    visitor = Visitor(clock, ttl=0)
    for values in permutations([sealed({"n": 1}), sealed({"n": 2}, expires_at=None)]):
        visitor.cookies["s"] = list(values)
        assert visitor.finds() == {"n": 2}


def test_of_two_that_end_together_the_first_sent_wins(visitor: Visitor) -> None:
    visitor.cookies["s"] = [sealed({"n": 1}), sealed({"n": 2})]
    assert visitor.finds() == {"n": 1}


def test_four_candidates_are_tried_and_no_more(visitor: Visitor) -> None:
    good = sealed({"user": 7})
    junk = [sealed({}, password=OTHER) for _ in range(500)]
    visitor.cookies["s"] = [*junk[:3], good, *junk]
    assert visitor.finds() == {"user": 7}
    visitor.cookies["s"] = [*junk[:4], good]
    assert visitor.finds() == {}


def test_repetitions_and_empty_values_are_no_candidates(visitor: Visitor) -> None:
    visitor.cookies["s"] = ["garbage", "", "garbage", "", "garbage", "garbage", sealed({"user": 7})]
    assert visitor.finds() == {"user": 7}


def test_an_empty_cookie_is_no_cookie(visitor: Visitor) -> None:
    visitor.cookies["s"] = ""
    assert visitor.visit() == READ
    assert visitor.visit(Session.destroy).cookies == ()


# ---- errors of the application ----


@pytest.mark.parametrize("status", [500, 502, 599])
def test_a_failed_request_changes_nothing(visitor: Visitor, status: int) -> None:
    visitor.visit(sign_in)
    assert visitor.visit(write(n=1), status=status) == READ
    assert visitor.visit(Session.clear, status=status) == READ
    assert visitor.finds() == {"user": 7}


@pytest.mark.parametrize("status", [200, 204, 302, 400, 403, 404, 499])
def test_any_other_status_saves(visitor: Visitor, status: int) -> None:
    assert lines(visitor.visit(sign_in, status=status)) == [("s", "set")]


def test_an_explicit_save_and_a_destroy_go_out_with_an_error(visitor: Visitor) -> None:
    visitor.visit(lambda session: (session.update(user=7), session.save(), session.update(n=1)), status=500)
    assert visitor.finds() == {"user": 7}
    assert lines(visitor.visit(Session.destroy, status=500)) == [("s", "deleted")]


def test_with_save_on_error_a_failed_request_saves(visitor: Visitor) -> None:
    visitor.visit(sign_in, status=500, save_on_error=True)
    assert visitor.finds() == {"user": 7}


def test_a_failed_request_does_not_renew_and_deletes_no_refused_cookie(visitor: Visitor) -> None:
    visitor.cookies["s"] = sealed({"user": 7})
    assert visitor.visit(status=500, refresh_after=0) == READ
    visitor.cookies["s"] = "garbage"
    assert visitor.visit(status=500) == READ


# ---- auto_commit ----


def test_without_auto_commit_only_an_explicit_save_writes(clock: FakeClock) -> None:
    visitor = Visitor(clock, auto_commit=False, refresh_after=0)
    assert visitor.visit(sign_in) == READ
    visitor.visit(lambda session: (session.update(user=7), session.save(), session.update(n=1)))
    assert visitor.finds() == {"user": 7}
    assert visitor.visit() == READ
    assert visitor.visit(Session.clear) == READ
    assert visitor.visit(password={2: NEWER, 1: PASSWORD}) == READ
    visitor.visit(Session.destroy)
    assert visitor.cookies == {}


# ---- what cannot be written ----


def test_what_cannot_be_written_is_an_error_at_the_commit(visitor: Visitor) -> None:
    with pytest.raises(PayloadError, match=r"session\.when\[0\] is an object"):
        visitor.visit(write(when=[object()]))
    assert visitor.cookies == {}


@pytest.mark.parametrize(
    ("data", "problem"),
    [({"__proto__": {"a": 1}}, "has the key '__proto__'"), ({"text": "x" * 5000}, "4096 is the limit")],
)
def test_what_only_node_can_write_is_read_and_a_renewal_leaves_it_as_it_is(
    visitor: Visitor, caplog: pytest.LogCaptureFixture, data: dict[str, Any], problem: str
) -> None:
    visitor.cookies["s"] = sealed(data)
    assert visitor.finds() == data
    for _ in range(2):
        assert visitor.visit(refresh_after=0) == READ
    (line,) = [line for line in caplog.messages if "it was not renewed" in line]
    assert problem in line
    with pytest.raises((PayloadError, CookieTooLarge)):
        visitor.visit(Session.save)


@pytest.mark.parametrize("made", ["", "x" * 129, "é", None, 7, b"x"])
def test_an_id_that_the_next_request_would_refuse_is_an_error_when_it_is_made(
    visitor: Visitor, made: Any
) -> None:
    for use in (Session.regenerate, lambda session: session.sid):
        with pytest.raises(
            ConfigError, match="generate_id must return a string of 1 to 128 ASCII characters"
        ):
            visitor.visit(use, generate_id=lambda: made)


# ---- one intent per name ----


def test_a_response_carries_one_line_per_name_and_the_last_intent_wins(visitor: Visitor) -> None:
    visitor.visit(sign_in)

    def use(session: Session) -> None:
        session["n"] = 1
        session.save()
        session.save()
        session["n"] = 2

    outcome = visitor.visit(use, refresh_after=0)
    assert lines(outcome) == [("s", "set")]
    assert visitor.finds() == {"user": 7, "n": 2}


def test_destroy_beats_renewal_and_reseal(visitor: Visitor) -> None:
    visitor.visit(sign_in)
    outcome = visitor.visit(Session.destroy, refresh_after=0, password={2: NEWER, 1: PASSWORD})
    assert lines(outcome) == [("s", "deleted")]


def test_a_deletion_has_every_attribute_of_the_cookie(clock: FakeClock) -> None:
    options = {"path": "/", "samesite": "Strict", "partitioned": True}
    visitor = Visitor(clock, cookie_name="__Host-s", cookie_options=options)
    (written,) = visitor.visit(sign_in).cookies
    (gone,) = visitor.visit(Session.destroy).cookies
    assert gone.name == "__Host-s"
    changed = {"max-age", "expires"}
    assert {name: value for name, value in attributes(gone.header).items() if name not in changed} == {
        name: value for name, value in attributes(written.header).items() if name not in changed
    }


def test_two_sessions_of_two_names_do_not_meet(clock: FakeClock) -> None:
    jar = DictJar({"a": sealed({"n": 1}), "b": sealed({"n": 2})})
    for name, number in (("a", 1), ("b", 2)):
        engine = Engine(SessionOptions(password=PASSWORD, cookie_name=name, clock=clock))
        assert engine.open(jar).data == {"n": number}


# ---- what adapters give ----


def test_an_adapter_can_give_other_attributes_and_another_end(clock: FakeClock) -> None:
    engine = Engine(SessionOptions(password=PASSWORD, cookie_name="s", clock=clock))
    state = State(data={"a": 1}, modified=True)
    attributes_given = CookieOptions(path="/app", max_age=None)
    (cookie,) = engine.commit(state, cookie=attributes_given, expires_at=NOW + 60).cookies
    assert attributes(cookie.header)["path"] == "/app"
    assert ends_at(cookie.value) == NOW + 60
    (gone,) = engine.destroy(state, cookie=attributes_given).cookies
    assert attributes(gone.header)["path"] == "/app"


def test_an_adapter_can_renew_a_session_that_nobody_changed(clock: FakeClock) -> None:
    engine = Engine(SessionOptions(password=PASSWORD, cookie_name="s", clock=clock, auto_commit=False))
    for status, expected in ((200, 1), (500, 1), (304, 0)):
        state = engine.open(DictJar({"s": sealed({"a": 1})}))
        assert len(engine.commit(state, renew=True, status=status).cookies) == expected


def test_another_vault_decides_what_a_value_is(clock: FakeClock) -> None:
    class PlainVault:
        def load(self, value: str, /) -> State:
            return State(data={"value": value}, is_new=False)

        def peek(self, value: str, /) -> State:
            return self.load(value)

        def dump(self, state: State, /, *, expires_at: float | None, cookie: Cookie) -> str:
            return f"{cookie.name}-{state.data['value']}-{expires_at}"

        def preview(self, state: State, /, *, expires_at: float | None, cookie: Cookie) -> str:
            return self.dump(state, expires_at=expires_at, cookie=cookie)

        def release(self, state: State, /) -> None:
            settled.append(state.sid)

        def end(self, over: FormerSession, /) -> bool:
            ended.append(over.sid)
            return True

    options = SessionOptions(password=PASSWORD, cookie_name="s", clock=clock, ttl=60)
    ended: list[str] = []
    settled: list[str] = []
    given = options.replace(vault=lambda _options: PlainVault())
    for engine in (Engine(options, vault=lambda _options: PlainVault()), Engine(given)):
        state = engine.open(DictJar({"s": "abc"}))
        assert state.data == {"value": "abc"}
        state.modified = True
        state.meta["sid"] = "id"
        size = engine.size(state)
        cookie = engine.commit(state).cookies[0]
        assert (cookie.value, len(cookie.header)) == (f"s-abc-{NOW + 60}", size)
        engine.destroy(state)
    assert settled == ["id", "id"]
    assert ended == ["id"]  # with the defaults there is nobody to tell
