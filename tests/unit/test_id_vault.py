from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iron_wsgi import ConfigError, Event, IdVault, Outcome, PayloadError, Session, SessionOptions
from iron_wsgi.cookies.cookie import Cookie
from iron_wsgi.errors import Ended, Refused, SessionConflict, Unavailable
from iron_wsgi.revocation import MemoryRevocations
from iron_wsgi.sessions.state import FormerSession, State, StoredSession
from iron_wsgi.stores import MemoryStore
from iron_wsgi.testing import FakeClock

from .visitor import NOW, PASSWORD, Visitor, write

SECRET: Final = "keyboard cat of these tests"
OLDER: Final = "the secret that was before it"
DAY: Final = 86_400
TTL: Final = 14 * DAY
NAME: Final = "connect.sid"


class Shelf:
    """Keeps records as Redis does, by the tests' clock.

    Attributes:
        records: Everything, as octets.
        lives: The seconds that each record was given; None for ever.
        asked: What was asked for, in turn.
        between: Called once before something is next written, as if another process had been faster.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.records: dict[str, bytes] = {}
        self.lives: dict[str, int | None] = {}
        self.asked: list[str] = []
        self.between: Callable[[], object] | None = None
        self._ends: dict[str, float] = {}
        self._clock = clock

    def get(self, name: str) -> bytes | None:
        self.asked.append(f"get {name}")
        return self._living(name)

    def set(self, name: str, value: str, *, ex: int | None, nx: bool, xx: bool) -> bool | None:
        self.asked.append(f"set {name}")
        between, self.between = self.between, None
        if between is not None:
            between()
        is_there = self._living(name) is not None
        if (nx and is_there) or (xx and not is_there):
            return None
        assert ex is None or ex > 0  # Redis refuses all else
        self.records[name] = value.encode()
        self.lives[name] = ex
        self._ends[name] = self._clock.now + (TTL * 100 if ex is None else ex)
        return True

    def delete(self, name: str) -> int:
        self.asked.append(f"delete {name}")
        return 0 if self._living(name) is None or self.records.pop(name, None) is None else 1

    def _living(self, name: str) -> bytes | None:
        if self._ends.get(name, self._clock.now + 1) <= self._clock.now:
            self.records.pop(name, None)
        return self.records.get(name)

    def keep(self, sid: str, record: object) -> None:
        """Write as Node would, without looking."""
        self.records[f"sess:{sid}"] = record if isinstance(record, bytes) else json.dumps(record).encode()

    def change(self, sid: str, **values: Any) -> None:
        """Change a record as Node would."""
        self.keep(sid, {**self.record(sid), **values})

    def record(self, sid: str) -> dict[str, Any]:
        """Return a record as Node reads it."""
        found: dict[str, Any] = json.loads(self.records[f"sess:{sid}"])
        return found

    def lasts(self, sid: str, seconds: int) -> None:
        """Touch a record as Node would."""
        self._ends[f"sess:{sid}"] = self._clock.now + seconds

    @property
    def only(self) -> tuple[str, dict[str, Any]]:
        """The id of the only record, and what it holds."""
        (name,) = self.records
        sid = name.removeprefix("sess:")
        return sid, self.record(sid)


@pytest.fixture
def shelf(clock: FakeClock) -> Shelf:
    return Shelf(clock)


@pytest.fixture
def visitor(clock: FakeClock, shelf: Shelf) -> Visitor:
    """One whose sessions are express-session's."""
    return Visitor(clock, vault=IdVault(shelf, sign=SECRET), cookie_name=NAME)


def _signed(sid: str, secret: str = SECRET) -> str:
    """What express-session puts into the cookie."""
    mac = base64.b64encode(hmac.new(secret.encode(), sid.encode(), hashlib.sha256).digest())
    return quote(f"s:{sid}.{mac.decode().rstrip('=')}", safe="!'()*-._~")


def _bound(
    shelf: Any, clock: FakeClock, *, options: dict[str, Any] | None = None, **arguments: Any
) -> IdVault:
    given: dict[str, Any] = {"password": PASSWORD, "cookie_name": NAME, "clock": clock, **(options or {})}
    return IdVault(shelf, **{"sign": SECRET, **arguments})(SessionOptions(**given))


def _refusal(vault: IdVault, value: str) -> str:
    with pytest.raises(Refused) as caught:
        vault.load(value)
    return caught.value.reason


def _by_express(**data: Any) -> dict[str, Any]:
    """A record of express-session, with a lifetime."""
    cookie = {
        "originalMaxAge": TTL * 1000,
        "expires": _iso(NOW + TTL),
        "secure": False,
        "httpOnly": True,
        "path": "/",
    }
    return {"cookie": cookie, **data}


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + "000Z"


# ---- what is written ----


def test_an_id_is_signed_as_cookie_signature_signs(shelf: Shelf, clock: FakeClock) -> None:
    # The vector of its own suite.
    shelf.keep("hello", _by_express(user=7))
    vault = _bound(shelf, clock, sign="tobiiscool")
    value = "s:hello.DGDUkGlIkCzPz+C0B064FNgHdEjox7ch8tOBGslZ5QI"
    state = vault.load(value)
    assert state.data == {"user": 7}
    assert vault.preview(state, expires_at=None, cookie=_cookie(60)) == quote(value, safe="")


def test_a_record_is_what_express_session_writes(visitor: Visitor, shelf: Shelf) -> None:
    visitor.visit(write(user={"id": 7, "name": "Zoë 🦊"}), cookie_options={"secure": False})
    sid, record = shelf.only
    assert record == {
        "cookie": {
            "originalMaxAge": TTL * 1000,
            "expires": _iso(NOW + TTL),
            "secure": False,
            "httpOnly": True,
            "path": "/",
            "sameSite": "lax",
            "partitioned": False,
        },
        "user": {"id": 7, "name": "Zoë 🦊"},
    }
    assert shelf.lives == {f"sess:{sid}": TTL}
    assert visitor.cookies == {NAME: _signed(sid)}


def test_a_record_is_what_next_session_writes(clock: FakeClock, shelf: Shelf) -> None:
    visitor = Visitor(clock, vault=IdVault(shelf, records="next-session"))
    visitor.visit(write(user=7), cookie_options={"domain": "example.org", "samesite": None})
    sid, record = shelf.only
    assert record == {
        "cookie": {
            "maxAge": TTL,
            "expires": _iso(NOW + TTL),
            "secure": True,
            "httpOnly": True,
            "path": "/",
            "domain": "example.org",
            "partitioned": False,
        },
        "user": 7,
    }
    assert visitor.cookies == {"s": sid}


@pytest.mark.parametrize(
    ("arguments", "lifetime"),
    [
        ({"sign": SECRET}, {"originalMaxAge": None, "expires": None}),
        ({"records": "next-session"}, {}),
    ],
    ids=["express", "next-session"],
)
def test_a_cookie_that_ends_with_the_browser_has_no_end_in_its_record_which_lives_for_the_ttl(
    clock: FakeClock, shelf: Shelf, arguments: dict[str, Any], lifetime: dict[str, None]
) -> None:
    visitor = Visitor(clock, vault=IdVault(shelf, **arguments), cookie_options={"max_age": None})
    visitor.visit(write(user=7))
    sid, record = shelf.only
    members = ("originalMaxAge", "maxAge", "expires")
    assert {name: value for name, value in record["cookie"].items() if name in members} == lifetime
    assert shelf.lives[f"sess:{sid}"] == TTL


def test_an_id_has_256_bits_unless_the_application_makes_its_own(clock: FakeClock, shelf: Shelf) -> None:
    Visitor(clock, vault=IdVault(shelf, sign=SECRET)).visit(write(a=1))
    assert len(base64.urlsafe_b64decode(shelf.only[0] + "=")) == 32
    shelf.records.clear()
    Visitor(clock, vault=IdVault(shelf, sign=SECRET), generate_id=lambda: "mine:1").visit(write(a=1))
    assert shelf.only[0] == "mine:1"


def test_the_session_knows_its_id_and_the_record_does_not(visitor: Visitor, shelf: Shelf) -> None:
    told: list[str] = []

    def use(session: Session) -> None:
        session["a"] = 1
        told.append(session.sid)

    visitor.visit(use)
    visitor.visit(lambda session: told.append(session.sid))
    sid, record = shelf.only
    assert told == [sid, sid]
    assert sid not in json.dumps(record)


def test_with_a_ttl_of_0_neither_record_nor_cookie_ends_within_what_browsers_keep(
    visitor: Visitor, shelf: Shelf
) -> None:
    visitor.visit(write(a=1), ttl=0)
    sid, record = shelf.only
    assert shelf.lives[f"sess:{sid}"] is None
    assert record["cookie"]["originalMaxAge"] == 400 * DAY * 1000
    visitor.visit(write(a=2), ttl=0)
    assert shelf.only[1]["a"] == 2


def test_the_longest_lifetime_that_can_be_given_is_written(visitor: Visitor, shelf: Shelf) -> None:
    visitor.visit(write(a=1), ttl=253_402_300_799)
    assert shelf.only[1]["cookie"]["expires"] == "9999-12-31T23:59:59.000Z"


def test_the_size_is_told_and_nothing_is_written_for_that(visitor: Visitor, shelf: Shelf) -> None:
    told: list[int] = []

    def use(session: Session) -> None:
        session["a"] = session.sid
        told.append(session.size)
        assert shelf.asked == []

    outcome = visitor.visit(use)
    assert told == [len(outcome.cookies[0].header)]
    visitor.visit(lambda session: told.append(session.size))
    assert told[1] == told[0]


# ---- what is read ----


def test_what_node_has_written_is_read_and_left_alone(visitor: Visitor, shelf: Shelf) -> None:
    shelf.keep("from-node", _by_express(user={"id": 7}, nested={"cookie": {"cookie": 1}}))
    before = dict(shelf.records)
    visitor.cookies = {NAME: _signed("from-node")}
    read: list[dict[str, Any]] = []
    outcome = visitor.visit(lambda session: read.append(session.copy()))
    assert read == [{"user": {"id": 7}, "nested": {"cookie": {"cookie": 1}}}]
    assert (outcome.cookies, shelf.records) == ((), before)


def test_what_node_keeps_beside_the_data_is_kept(visitor: Visitor, shelf: Shelf) -> None:
    record = _by_express(user=7, _iron={"future": 1})
    record["cookie"] |= {"priority": "high", "sameSite": True, "x": [1], "domain": "a.example"}
    shelf.keep("from-node", record)
    visitor.cookies = {NAME: _signed("from-node")}
    visitor.visit(write(seen=True))
    assert shelf.record("from-node") == {**record, "seen": True}


def test_a_nested_change_is_noticed_and_written(visitor: Visitor, shelf: Shelf) -> None:
    shelf.keep("from-node", _by_express(cart=[1]))
    visitor.cookies = {NAME: _signed("from-node")}
    visitor.visit(lambda session: session["cart"].append(2))
    assert shelf.record("from-node")["cart"] == [1, 2]


@pytest.mark.parametrize("as_text", [str, lambda value: value], ids=["decoded", "as it came"])
def test_a_client_may_decode_its_answers(
    clock: FakeClock, shelf: Shelf, as_text: Callable[[Any], Any]
) -> None:
    class Decoding(Shelf):
        def get(self, name: str) -> Any:
            found = shelf.get(name)
            return found.decode() if found is not None and as_text is str else found

    shelf.keep("a", _by_express(user="Zoë 🦊"))
    assert _bound(Decoding(clock), clock).load(_signed("a")).data == {"user": "Zoë 🦊"}


NO_IDS: Final = [
    *(
        "",
        "s:",
        "garbage",
        "s:a.b",
        f"x:{_signed('a')}",
        unquote(_signed("a"))[2:],
        "s:a" + "." * 44,
        "é" * 9,
    ),
    *("%ff" * 9, "\x00", _signed("a") + "=", _signed("a")[:-1], _signed(" "), _signed("a b"), _signed("a\n")),
    *(_signed("a\x7f"), _signed("é"), _signed(""), _signed("a" * 129), "s" * 5000),
]


@pytest.mark.parametrize("value", NO_IDS)
def test_what_cannot_be_an_id_is_refused_and_never_reaches_the_store(
    clock: FakeClock, shelf: Shelf, value: str
) -> None:
    assert _refusal(_bound(shelf, clock), value) == "invalid"
    assert shelf.asked == []


@pytest.mark.parametrize("value", ["", " ", "a b", "a\nb", "é", "\x00", "a" * 129, "%00", "%0a", "%C3%A9"])
def test_what_cannot_be_a_plain_id_is_refused_and_never_reaches_the_store(
    clock: FakeClock, shelf: Shelf, value: str
) -> None:
    assert _refusal(_bound(shelf, clock, sign=None, records="next-session"), value) == "invalid"
    assert shelf.asked == []


def test_an_id_that_is_signed_with_no_secret_of_ours_is_refused_and_its_cookie_stays(
    visitor: Visitor, shelf: Shelf
) -> None:
    shelf.keep("a", _by_express(user=7))
    visitor.cookies = {NAME: _signed("a", "another")}
    outcome = visitor.visit(lambda session: session.get("user"))
    assert (outcome.cookies, shelf.asked) == ((), [])  # Node may have been given a new secret first
    assert _refusal(IdVault(shelf, sign=SECRET)(SessionOptions(**visitor.options)), _signed("a", "x")) == (
        "unknown-password"
    )


@pytest.mark.parametrize("flipped", [2, 3, -1])
def test_an_id_or_a_signature_of_which_one_character_was_changed_is_refused(
    clock: FakeClock, shelf: Shelf, flipped: int
) -> None:
    value = list(unquote(_signed("abc")))
    value[flipped] = "B" if value[flipped] != "B" else "C"
    for sid in ("abc", "Bbc", "aBc"):
        shelf.keep(sid, _by_express(user=7))
    assert _refusal(_bound(shelf, clock), "".join(value)) == "unknown-password"
    assert shelf.asked == []


def test_an_id_without_a_record_is_given_to_nobody(visitor: Visitor, shelf: Shelf) -> None:
    visitor.cookies = {NAME: _signed("chosen-by-somebody")}
    outcome = visitor.visit(lambda session: session.get("user"))
    assert outcome.cookies == ()  # Redis may have lost it, and find it again
    visitor.visit(write(user=7))
    sid, _ = shelf.only
    assert sid != "chosen-by-somebody"
    assert visitor.cookies == {NAME: _signed(sid)}


MALFORMED: Final = [
    *(b"", b" ", b"{", b"[]", b'"x"', b"1", b"null", b"{}", b'{"cookie":1}', b'{"cookie":null}', b"\xff\xfe"),
    *(b'{"cookie":{},"_iron":1}', b'{"cookie":{},"_iron":{"iat":"x"}}', b'{"cookie":{}}x', b"[" * 100_000),
    *(b'{"cookie":{},"a":NaN}', b'{"cookie":{},"a":1e999}', b'{"cookie":' * 10_000),
]


@pytest.mark.parametrize("record", MALFORMED)
def test_a_record_that_is_none_is_refused_and_never_an_error(
    clock: FakeClock, shelf: Shelf, record: bytes
) -> None:
    shelf.keep("a", record)
    assert _refusal(_bound(shelf, clock), _signed("a")) == "invalid"


def test_a_record_that_a_client_cannot_decode_is_refused_and_never_an_error(clock: FakeClock) -> None:
    class Decoding(Shelf):
        def get(self, name: str) -> Any:
            del name
            return b"\xff".decode()

    assert _refusal(_bound(Decoding(clock), clock), _signed("a")) == "invalid"


@pytest.mark.parametrize("age", [None, "1", 0, -1, 1e300, 10**400, True, [], {}])
@pytest.mark.parametrize(
    "end", [None, 0, "", "soon", "2026", "9999-99-99", "+275760-09-13T00:00:00.000Z", [], {}]
)
def test_a_lifetime_that_is_none_is_no_lifetime(clock: FakeClock, shelf: Shelf, age: Any, end: Any) -> None:
    shelf.keep("a", {"cookie": {"originalMaxAge": age, "expires": end}, "user": 7})
    state = _bound(shelf, clock, options={"serializer": _AnyJSON()}).load(_signed("a"))
    assert state.data == {"user": 7}
    assert state.issued_at == NOW


class _AnyJSON:
    """A serializer that reads and writes whatever Python takes for JSON."""

    def dumps(self, data: dict[str, Any]) -> bytes:
        return json.dumps(data).encode()

    def loads(self, payload: bytes) -> Any:
        return json.loads(payload)


@given(value=st.text() | st.from_regex(r"s:[ -~]{0,200}\.[A-Za-z0-9+/]{43}"), record=st.binary())
def test_no_cookie_and_no_record_is_ever_an_error(value: str, record: bytes) -> None:
    clock = FakeClock()
    shelf = Shelf(clock)
    shelf.keep("a", record)
    vault = _bound(shelf, clock)
    for text in (value, _signed("a")):
        with contextlib.suppress(Refused):
            vault.load(text)


# ---- the application's own pair ----


def test_ids_may_be_written_by_functions_of_the_application(clock: FakeClock, shelf: Shelf) -> None:
    pair = (lambda sid: f"<{sid}>é", lambda text: text[1:-2] if text.endswith(">é") else None)
    visitor = Visitor(
        clock, vault=IdVault(shelf, sign=pair, records="next-session"), generate_id=lambda: "a+b/c"
    )
    visitor.visit(write(user=7))
    assert visitor.cookies == {"s": "%3Ca%2Bb%2Fc%3E%C3%A9"}  # as next-session encodes it
    read: list[Any] = []
    visitor.visit(lambda session: read.append(session["user"]))
    assert read == [7]


@pytest.mark.parametrize("decoded", [None, "", 7, b"a", "a b"])
def test_what_the_applications_function_does_not_know_is_refused(
    clock: FakeClock, shelf: Shelf, decoded: Any
) -> None:
    vault = _bound(shelf, clock, sign=(str, lambda _: decoded))
    assert _refusal(vault, "x") == "invalid"
    assert shelf.asked == []


def test_what_the_applications_function_cannot_read_is_refused(clock: FakeClock, shelf: Shelf) -> None:
    assert _refusal(_bound(shelf, clock, sign=(str, lambda text: text[99])), "x") == "invalid"


def test_a_value_longer_than_browsers_keep_is_shown_to_no_function_of_the_application(
    clock: FakeClock, shelf: Shelf
) -> None:
    shown: list[str] = []
    vault = _bound(shelf, clock, sign=(str, shown.append))
    assert _refusal(vault, "x" * 4097) == "invalid"
    assert shown == []
    assert _refusal(vault, "x" * 4096) == "invalid"
    assert shown == ["x" * 4096]


def test_an_id_that_is_encoded_differently_each_time_is_not_written_at_every_reading(
    clock: FakeClock, shelf: Shelf
) -> None:
    numbers = iter(range(99))
    pair = (lambda sid: f"{next(numbers)}.{sid}", lambda text: text.partition(".")[2])
    visitor = Visitor(clock, vault=IdVault(shelf, sign=pair))
    visitor.visit(write(a=1))
    assert visitor.visit(lambda session: session["a"]).cookies == ()


# ---- secrets are replaced ----


def test_an_id_that_is_signed_with_an_older_secret_is_signed_anew_when_it_is_used(
    clock: FakeClock, shelf: Shelf
) -> None:
    visitor = Visitor(clock, vault=IdVault(shelf, sign=OLDER))
    visitor.visit(write(user=7))
    sid, record = shelf.only
    visitor.options["vault"] = IdVault(shelf, sign=[SECRET, OLDER])
    visitor.visit(lambda session: session["user"])
    assert visitor.cookies == {"s": _signed(sid)}
    assert shelf.only == (sid, record)
    assert visitor.visit(lambda session: session["user"]).cookies == ()


# ---- the end ----


def test_a_destroyed_session_has_no_record_and_no_cookie(visitor: Visitor, shelf: Shelf) -> None:
    visitor.visit(write(user=7))
    visitor.visit(lambda session: session.destroy())
    assert (visitor.cookies, shelf.records) == ({}, {})


def test_an_emptied_session_has_no_record_and_no_cookie(visitor: Visitor, shelf: Shelf) -> None:
    visitor.visit(write(user=7))
    visitor.visit(lambda session: session.clear())
    assert (visitor.cookies, shelf.records) == ({}, {})


def test_a_session_that_was_saved_and_destroyed_in_one_request_leaves_no_record(
    visitor: Visitor, shelf: Shelf
) -> None:
    def use(session: Session) -> None:
        session["user"] = 7
        session.save()
        session.destroy()

    visitor.visit(use)
    assert (visitor.cookies, shelf.records) == ({}, {})


@pytest.mark.parametrize("change", [write(a=2), Session.save, Session.touch], ids=["change", "save", "touch"])
@pytest.mark.parametrize("is_late", [False, True])
def test_a_late_writer_does_not_bring_a_deleted_session_back(
    visitor: Visitor, shelf: Shelf, change: Callable[[Session], object], *, is_late: bool
) -> None:
    visitor.visit(write(a=1))

    def slow(session: Session) -> None:
        assert session["a"] == 1
        if is_late:  # after it was asked for once more
            shelf.between = shelf.records.clear
        else:
            shelf.records.clear()
        change(session)

    outcome = visitor.ask(slow)
    assert (shelf.records, outcome.cookies) == ({}, ())


def test_a_regenerated_session_has_another_id_and_the_former_record_is_gone(
    visitor: Visitor, shelf: Shelf
) -> None:
    visitor.visit(write(user=7))
    former, _ = shelf.only
    visitor.visit(lambda session: session.regenerate())
    sid, record = shelf.only
    assert sid != former
    assert record["user"] == 7
    assert visitor.cookies == {NAME: _signed(sid)}


def test_a_late_regeneration_does_not_bring_a_deleted_session_back(visitor: Visitor, shelf: Shelf) -> None:
    visitor.visit(write(user=7))

    def slow(session: Session) -> None:
        session["seen"] = True
        shelf.records.clear()
        session.regenerate()

    assert visitor.ask(slow).cookies == ()
    assert shelf.records == {}


def test_a_new_session_may_be_regenerated_before_it_is_written(visitor: Visitor, shelf: Shelf) -> None:
    def use(session: Session) -> None:
        session["user"] = 7
        session.regenerate()
        session.regenerate()

    visitor.visit(use)
    assert shelf.only[1]["user"] == 7


def test_a_session_may_be_regenerated_between_two_saves(visitor: Visitor, shelf: Shelf) -> None:
    def use(session: Session) -> None:
        for number in range(3):
            session["number"] = number
            session.save()
            session.regenerate()

    visitor.visit(use)
    visitor.visit(lambda session: session["number"])
    assert shelf.only[1]["number"] == 2
    assert visitor.cookies == {NAME: _signed(shelf.only[0])}


def test_an_id_that_somebody_has_is_given_to_nobody_else(clock: FakeClock, shelf: Shelf) -> None:
    ids = iter(["taken", "free"])
    shelf.keep("taken", _by_express(user=1))
    before = shelf.records["sess:taken"]
    visitor = Visitor(clock, vault=IdVault(shelf, sign=SECRET), generate_id=lambda: next(ids))
    visitor.visit(write(user=2))
    assert shelf.records["sess:taken"] == before
    assert visitor.cookies == {"s": _signed("free")}


@pytest.mark.parametrize("sid", ["taken", "a b", "a\n"])
def test_a_generate_id_that_makes_no_new_ids_is_an_error(clock: FakeClock, shelf: Shelf, sid: str) -> None:
    shelf.keep("taken", _by_express(user=1))
    before = dict(shelf.records)
    visitor = Visitor(clock, vault=IdVault(shelf, sign=SECRET), generate_id=lambda: sid)
    with pytest.raises(ConfigError, match="generate_id must return a new id"):
        visitor.visit(write(user=2))
    assert shelf.records == before


def test_a_record_that_was_replaced_by_something_else_is_not_written_over(
    visitor: Visitor, shelf: Shelf
) -> None:
    visitor.visit(write(a=1))
    sid, _ = shelf.only

    def use(session: Session) -> None:
        session["a"] = 2
        shelf.keep(sid, b"something else")

    assert visitor.ask(use).cookies == ()
    assert shelf.records == {f"sess:{sid}": b"something else"}


# ---- parallel writers ----


def test_of_parallel_changes_to_different_keys_both_are_kept(visitor: Visitor, shelf: Shelf) -> None:
    visitor.visit(write(a=1, b=1, c=1))
    sid, _ = shelf.only

    def slow(session: Session) -> None:
        session["a"] = 2
        del session["c"]
        shelf.change(sid, b=2, d=[2])

    visitor.visit(slow)
    data = shelf.record(sid)
    del data["cookie"]
    assert data == {"a": 2, "b": 2, "d": [2]}


def test_of_parallel_changes_to_one_key_ours_is_kept_and_counted(clock: FakeClock, shelf: Shelf) -> None:
    events: list[Event] = []
    visitor = Visitor(clock, vault=IdVault(shelf, sign=SECRET), on_event=events.append)
    visitor.visit(write(a=1, b=1))
    sid, _ = shelf.only

    def slow(session: Session) -> None:
        session["a"] = 2
        shelf.change(sid, a=3)

    visitor.visit(slow)
    assert shelf.record(sid)["a"] == 2
    assert [event.key for event in events if event.kind == "conflict"] == ["a"]


def test_parallel_changes_to_one_key_are_an_error_where_that_was_asked_for(
    clock: FakeClock, shelf: Shelf
) -> None:
    visitor = Visitor(clock, vault=IdVault(shelf, sign=SECRET), on_conflict="raise")
    visitor.visit(write(a=1))
    sid, _ = shelf.only

    def slow(session: Session) -> None:
        session["a"] = 2
        shelf.change(sid, a=3)

    with pytest.raises(SessionConflict, match=r"a$"):
        visitor.ask(slow)
    assert shelf.record(sid)["a"] == 3


def test_a_mere_renewal_leaves_what_somebody_else_has_just_written(
    visitor: Visitor, shelf: Shelf, clock: FakeClock
) -> None:
    visitor.visit(write(a=1))
    sid, _ = shelf.only
    clock.advance(100)

    def slow(session: Session) -> None:
        assert session["a"] == 1
        shelf.change(sid, a=3)

    outcome = visitor.visit(slow, refresh_after=50)
    assert len(outcome.cookies) == 1
    assert shelf.record(sid)["a"] == 3
    assert shelf.record(sid)["cookie"]["expires"] == _iso(NOW + 100 + TTL)


def test_a_merge_is_not_taken_for_a_conflict_when_a_write_that_failed_is_tried_again(
    clock: FakeClock, shelf: Shelf
) -> None:
    events: list[Event] = []
    visitor = Visitor(clock, vault=IdVault(shelf, sign=SECRET), on_event=events.append)
    visitor.visit(write(a=1, b=1))
    sid, _ = shelf.only

    def slow(session: Session) -> None:
        session["when"] = clock
        shelf.change(sid, b=2)
        with pytest.raises(PayloadError):
            session.save()
        del session["when"]
        session["a"] = 2

    visitor.visit(slow)
    assert (shelf.record(sid)["a"], shelf.record(sid)["b"]) == (2, 2)
    assert [event.key for event in events if event.kind == "conflict"] == []


def test_a_list_that_the_application_holds_stays_the_sessions_own_when_something_is_merged(
    visitor: Visitor, shelf: Shelf
) -> None:
    visitor.visit(write(cart=[1]))
    sid, _ = shelf.only

    def slow(session: Session) -> None:
        cart = session["cart"]
        shelf.change(sid, b=2)
        session.save()
        cart.append(2)

    visitor.visit(slow)
    assert (shelf.record(sid)["cart"], shelf.record(sid)["b"]) == ([1, 2], 2)


def test_what_was_merged_stands_in_the_dict_that_the_application_holds(
    shelf: Shelf, clock: FakeClock
) -> None:
    shelf.keep("a", _by_express(a=1))
    vault = _bound(shelf, clock)
    state = vault.load(_signed("a"))
    held = state.data
    held["c"] = 3
    shelf.change("a", b=2)
    vault.dump(state, expires_at=NOW + 60, cookie=_cookie(60))
    assert held is state.data
    assert held == {"a": 1, "b": 2, "c": 3}


def test_what_somebody_else_wrote_survives_a_second_save_in_the_same_request(
    visitor: Visitor, shelf: Shelf
) -> None:
    visitor.visit(write(a=1))
    sid, _ = shelf.only

    def slow(session: Session) -> None:
        session["a"] = 2
        shelf.change(sid, b=2)
        session.save()
        session["a"] = 3

    visitor.visit(slow)
    assert (shelf.record(sid)["a"], shelf.record(sid)["b"]) == (3, 2)


# ---- lifetimes ----


def test_a_session_with_a_lifetime_of_its_own_keeps_it_whoever_gave_it(
    visitor: Visitor, shelf: Shelf
) -> None:
    record = _by_express(user=7)
    record["cookie"] |= {"originalMaxAge": 30 * DAY * 1000, "expires": _iso(NOW + 30 * DAY)}
    shelf.keep("a", record)
    visitor.cookies = {NAME: _signed("a")}
    outcome = visitor.visit(write(seen=True))
    assert outcome.cookies[0].max_age == 30 * DAY - 60
    assert shelf.record("a")["cookie"] == record["cookie"]
    assert shelf.lives["sess:a"] == 30 * DAY
    visitor.visit(lambda session: session.set_expiry(timedelta(days=2)))
    assert shelf.record("a")["cookie"]["originalMaxAge"] == 2 * DAY * 1000
    visitor.visit(lambda session: session.set_expiry(None))
    assert shelf.record("a")["cookie"]["originalMaxAge"] == TTL * 1000


def test_a_fixed_end_is_kept_though_node_writes_the_record_and_counts_from_then_on(
    visitor: Visitor, shelf: Shelf, clock: FakeClock
) -> None:
    end = datetime.fromtimestamp(NOW + DAY, timezone.utc)

    def use(session: Session) -> None:
        session["user"] = 7
        session.set_expiry(end)

    visitor.visit(use)
    sid, record = shelf.only
    assert record["cookie"]["expires"] == _iso(NOW + DAY)
    assert record["_iron"] == {"exp": NOW + DAY}
    assert shelf.lives[f"sess:{sid}"] == DAY
    shelf.keep(sid, {**record, "cookie": {**record["cookie"], "expires": _iso(NOW + 2 * DAY)}})
    shelf.lasts(sid, 2 * DAY)
    clock.advance(DAY + 59)
    assert visitor.finds() == {"user": 7}
    clock.advance(1)
    assert visitor.finds() == {}
    assert _refusal(_bound(shelf, clock), _signed(sid)) == "expired"


@pytest.mark.parametrize(
    ("age", "end", "began"),
    [
        (DAY, NOW + DAY - 60, NOW - 60),
        (60, NOW + DAY, NOW),
        (None, NOW + TTL - 60, NOW - 60),
        (None, None, NOW),
    ],
)
def test_a_session_of_node_began_as_late_as_its_record_allows_and_not_in_the_future(
    shelf: Shelf, clock: FakeClock, age: int | None, end: float | None, began: float
) -> None:
    lifetime = {"originalMaxAge": age and age * 1000, "expires": None if end is None else _iso(end)}
    shelf.keep("a", {"cookie": lifetime})
    state = _bound(shelf, clock).load(_signed("a"))
    assert (state.issued_at, state.expires_at) == (began, NOW if end is None else end)


@pytest.mark.parametrize("lifetime", [{"originalMaxAge": None, "expires": None}, {}])
def test_a_session_that_is_to_end_with_the_browser_still_does_where_the_options_leave_it_at_that(
    visitor: Visitor, shelf: Shelf, lifetime: dict[str, None]
) -> None:
    shelf.keep("a", {"cookie": {"path": "/", **lifetime}, "user": 7})
    visitor.cookies = {NAME: _signed("a")}
    outcome = visitor.visit(write(seen=True), cookie_options={"max_age": None})
    assert outcome.cookies[0].max_age is None
    assert shelf.record("a")["cookie"] == {"path": "/", "originalMaxAge": None, "expires": None}


def test_a_session_is_alive_as_long_as_its_record_though_node_touched_it_without_writing(
    visitor: Visitor, shelf: Shelf, clock: FakeClock
) -> None:
    shelf.keep("a", _by_express(user=7))
    visitor.cookies = {NAME: _signed("a")}
    clock.advance(TTL + DAY)
    told: list[Any] = []
    visitor.visit(lambda session: told.append((session["user"], session.expires_at)))
    assert told == [(7, clock.now)]


def test_a_session_without_an_end_is_renewed_when_it_is_used(visitor: Visitor, shelf: Shelf) -> None:
    shelf.keep("a", {"cookie": {"path": "/"}, "user": 7})
    visitor.cookies = {NAME: _signed("a")}
    visitor.visit(lambda session: session["user"], refresh_after=60, cookie_options={"max_age": None})
    assert shelf.lives["sess:a"] == TTL


def _cookie(max_age: int | None) -> Cookie:
    """What the engine hands down."""
    options = SessionOptions(password=PASSWORD, cookie_name=NAME).cookie_options
    return Cookie(name=NAME, value="", options=options, max_age=max_age)


def test_a_session_whose_time_is_over_when_it_is_written_has_no_record(
    shelf: Shelf, clock: FakeClock
) -> None:
    vault = _bound(shelf, clock)
    vault.dump(State(data={"a": 1}), expires_at=NOW, cookie=_cookie(0))
    assert shelf.records == {}
    shelf.keep("a", _by_express(a=1))
    vault.dump(vault.load(_signed("a")), expires_at=NOW - 1, cookie=_cookie(0))
    assert shelf.records == {}


def test_a_record_outlives_its_session_by_less_than_a_second(shelf: Shelf, clock: FakeClock) -> None:
    _bound(shelf, clock).dump(State(data={"a": 1}), expires_at=NOW + 1.5, cookie=_cookie(1))
    assert list(shelf.lives.values()) == [2]


def test_a_lifetime_does_not_shrink_by_the_time_that_writing_takes(shelf: Shelf, clock: FakeClock) -> None:
    clock.advance(0.25)
    _bound(shelf, clock).dump(State(data={"a": 1}), expires_at=NOW + TTL, cookie=_cookie(TTL - 60))
    assert shelf.only[1]["cookie"]["originalMaxAge"] == TTL * 1000


def test_a_session_that_is_from_now_on_to_end_with_the_browser_has_no_end_in_its_record(
    shelf: Shelf, clock: FakeClock
) -> None:
    shelf.keep("a", {"cookie": {"path": "/", "maxAge": 60, "expires": _iso(NOW + 60)}})
    vault = _bound(shelf, clock, records="next-session")
    vault.dump(vault.load(_signed("a")), expires_at=NOW + TTL, cookie=_cookie(None))
    assert shelf.record("a") == {"cookie": {"path": "/"}}


def test_the_absolute_timeout_ends_a_session_that_node_made_and_goes_on_writing(
    visitor: Visitor, shelf: Shelf, clock: FakeClock
) -> None:
    visitor.options["absolute_timeout"] = 2 * DAY
    shelf.keep("a", {"cookie": {"path": "/"}, "user": 7})
    visitor.cookies = {NAME: _signed("a")}
    visitor.visit(lambda session: session["user"])  # to read it is enough
    assert shelf.record("a")["_iron"] == {"iat": NOW}
    shelf.lasts("a", 9 * DAY)
    clock.advance(2 * DAY + 59)
    read: list[Any] = []
    visitor.ask(lambda session: read.append(session.get("user")))
    clock.advance(1)
    visitor.ask(lambda session: read.append(session.get("user")))
    assert read == [7, None]
    assert _refusal(_bound(shelf, clock, options={"absolute_timeout": 2 * DAY}), _signed("a")) == "too-old"


def test_a_record_from_the_future_is_refused(shelf: Shelf, clock: FakeClock) -> None:
    shelf.keep("a", _by_express(_iron={"iat": NOW + 61}))
    assert _refusal(_bound(shelf, clock), _signed("a")) == "invalid"


# ---- what cannot be shared ----


@pytest.mark.parametrize(
    ("records", "key"),
    [
        *(
            ("express", key)
            for key in ("cookie", "id", "req", "save", "destroy", "touch", "regenerate", "reload")
        ),
        *(
            ("express", key)
            for key in ("resetMaxAge", "constructor", "toString", "toLocaleString", "valueOf")
        ),
        *(
            ("express", key)
            for key in ("hasOwnProperty", "__proto__", "__defineGetter__", "__lookupSetter__")
        ),
        *(("next-session", key) for key in ("cookie", "id", "commit", "touch", "destroy")),
    ],
)
def test_a_name_that_the_library_in_node_takes_is_refused_when_it_is_written(
    clock: FakeClock, shelf: Shelf, records: Any, key: str
) -> None:
    visitor = Visitor(clock, vault=IdVault(shelf, sign=SECRET, records=records))
    with pytest.raises(PayloadError) as caught:
        visitor.visit(write(**{key: "a value"}))
    assert caught.value.path == f"session.{key}"
    assert "a value" not in str(caught.value)
    assert shelf.records == {}


@pytest.mark.parametrize("key", ["cookies", "ids", "user", "commit", "tostring", "save!"])
def test_other_names_are_not(visitor: Visitor, shelf: Shelf, key: str) -> None:
    visitor.visit(write(**{key: 1}))
    assert shelf.only[1][key] == 1


def test_what_is_no_json_is_refused(visitor: Visitor, shelf: Shelf) -> None:
    with pytest.raises(PayloadError, match=r"session\.when"):
        visitor.visit(write(when=datetime.now(timezone.utc)))
    assert shelf.records == {}


# ---- what is asked of others ----


@pytest.mark.parametrize("method", ["get", "set", "delete"])
def test_an_error_of_the_store_is_an_outage_and_no_cookie_is_sent(
    visitor: Visitor, shelf: Shelf, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.visit(write(a=1))

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("no answer")

    monkeypatch.setattr(shelf, method, fail)
    use: Callable[[Session], object] = (
        (lambda session: session.destroy()) if method == "delete" else write(a=2)
    )
    with pytest.raises(Unavailable):
        visitor.visit(use)


def test_a_client_that_must_be_awaited_is_an_outage_and_signs_nobody_out(clock: FakeClock) -> None:
    class Awaited(Shelf):
        def get(self, name: str) -> Any:
            del name
            return object()

    with pytest.raises(Unavailable):
        _bound(Awaited(clock), clock).load(_signed("a"))


def test_a_list_of_revocations_is_asked_and_told(shelf: Shelf, clock: FakeClock) -> None:
    revocations = MemoryRevocations(clock=clock)
    clock.advance(DAY)
    visitor = Visitor(clock, vault=IdVault(shelf, sign=SECRET), revocations=revocations, subject="user")
    visitor.visit(write(user=7))
    sid, record = shelf.only
    visitor.ask(lambda session: session.destroy())
    shelf.keep(sid, record)  # by a slow writer in Node, who does not look
    read: list[Any] = []
    visitor.ask(lambda session: read.append(session.get("user")))
    assert read == [None]

    visitor = Visitor(clock, vault=visitor.options["vault"], revocations=revocations, subject="user")
    visitor.visit(write(user=8))
    clock.advance(1)
    revocations.revoke_subject("8")
    visitor.ask(lambda session: read.append(session.get("user")))
    assert read == [None, None]


def test_a_session_that_was_revoked_while_the_request_ran_is_not_written(
    shelf: Shelf, clock: FakeClock
) -> None:
    revocations = MemoryRevocations(clock=clock)
    visitor = Visitor(clock, vault=IdVault(shelf, sign=SECRET), revocations=revocations, subject="user")
    visitor.visit(write(user=7))
    clock.advance(1)

    def use(session: Session) -> None:
        session["n"] = 1
        revocations.revoke_subject("7")

    record = shelf.only
    assert visitor.ask(use).cookies == ()
    assert shelf.only == record
    revocations.revoke_subject("7", before=NOW)
    assert record[1]["_iron"]["iat"] == NOW


def test_ending_a_session_deletes_its_record(shelf: Shelf, clock: FakeClock) -> None:
    shelf.keep("a", _by_express())
    vault = _bound(shelf, clock)
    assert vault.end(FormerSession("a", None, None))
    assert shelf.records == {}
    assert not vault.end(FormerSession("a", None, None))


# ---- what is refused at once ----


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"store": object()}, "store must be"),
        ({"records": "koa"}, "records must be"),
        ({"sign": None}, "express-session accepts signed ids alone"),
        ({"sign": ""}, "sign must be"),
        ({"sign": []}, "sign must be"),
        ({"sign": ["a", ""]}, "sign must be"),
        ({"sign": [b"a"]}, "sign must be"),
        ({"sign": (str, "a")}, "sign must be"),
        ({"sign": (str,)}, "sign must be"),
        ({"sign": 7}, "sign must be"),
        ({"prefix": None}, "prefix must be"),
    ],
)
def test_an_unusable_argument_is_refused_when_it_is_given(
    shelf: Shelf, arguments: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        IdVault(**{"store": shelf, "sign": SECRET, **arguments})


class _Pickles:
    def dumps(self, data: dict[str, Any]) -> bytes:
        return repr(data).encode()

    def loads(self, payload: bytes) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"overflow": "chunk"}, "leave out"),
        ({"accept": ("next-iron-session",)}, "leave out"),
        ({"storage": "store", "store": MemoryStore()}, "leave out"),
        ({"store": MemoryStore()}, "leave out"),
        ({"serializer": _Pickles()}, "keeps JSON"),
    ],
)
def test_an_option_that_does_not_go_with_it_is_refused_when_it_is_given(
    clock: FakeClock, shelf: Shelf, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        _bound(shelf, clock, options=options)


def test_one_description_serves_several_options(shelf: Shelf, clock: FakeClock) -> None:
    chosen = IdVault(shelf, sign=SECRET)
    base: dict[str, Any] = {"password": PASSWORD, "clock": clock, "cookie_name": "s"}
    short = chosen(SessionOptions(**base, absolute_timeout=60))
    chosen(SessionOptions(**base))
    shelf.keep("a", _by_express(_iron={"iat": NOW - 120}))
    assert _refusal(short, _signed("a")) == "too-old"


def test_neither_secrets_nor_values_are_shown(visitor: Visitor, shelf: Shelf) -> None:
    outcome: Outcome = visitor.visit(write(card="4111-canary"))
    vault = visitor.options["vault"]
    shown = f"{vault!r} {vault(SessionOptions(**visitor.options))!r} {outcome!r}"
    assert SECRET not in shown
    assert "canary" not in shown
    assert shelf.only[0] not in shown
    with pytest.raises(Ended) as caught:
        vault(SessionOptions(**visitor.options)).dump(
            State(data={}, meta={"sid": "gone"}, is_new=False, stored=StoredSession(0, b"{}")),
            expires_at=NOW + 60,
            cookie=outcome.cookies[0],
        )
    assert "gone" not in str(caught.value)
