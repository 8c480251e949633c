"""Changes of keys, and the switch to sealed sessions and back, that sign nobody out."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import TimestampSigner
from markupsafe import Markup

from iron_wsgi import ConfigError, IronSessionMiddleware, Refused, SessionOptions
from iron_wsgi.seals import seal
from iron_wsgi.sessions.state import State
from iron_wsgi.testing import FakeClock
from iron_wsgi.vaults.seal_vault import SealVault
from iron_wsgi_flask import IronSessionInterface, session_refused

from .flask_site import Site, line, lines, look_away, put
from .test_flask_serializer import Money, TagMoney
from .visitor import NEWER, NOW, PASSWORD, attributes, ends_at, payload, sealed

K1, K2, K3 = "first key", "second key", "third key"
MONTH: Final = 31 * 86400
DATA: Final[dict[str, Any]] = {
    "user": 7,
    "_permanent": True,
    "pair": (1, 2),
    "raw": b"\x00\xff",
    "html": Markup("<b>"),
    "id": uuid.UUID(int=7),
    "at": datetime(2026, 2, 3, 4, 5, 6, tzinfo=timezone.utc),
    "odd": {" t": 1},
    "cart": [{"n": 1}],
}


def signed(data: Any, key: str = K1, *, at: float = NOW, salt: str = "cookie-session") -> str:
    """A session's cookie as Flask's own interface writes it."""

    class Then(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(at)

    app = Flask("stock")
    app.secret_key = key
    interface = SecureCookieSessionInterface()
    interface.salt = salt
    serializer = interface.get_signing_serializer(app)
    assert serializer is not None
    serializer.signer = Then
    with app.app_context():
        value = serializer.dumps(data)
    assert isinstance(value, str)
    return value


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def moving(clock: FakeClock, *, config: dict[str, Any] | None = None, **options: Any) -> Site:
    """A site that was on Flask's own sessions until today."""
    interface = IronSessionInterface(clock=clock, accept=("flask",), **options)
    return Site(interface, **{"SECRET_KEY": K1, "SESSION_REFRESH_EACH_REQUEST": False, **(config or {})})


class Reasons:
    """Why cookies were refused."""

    def __init__(self, place: Site) -> None:
        self.found: list[Any] = []
        session_refused.connect(self._hear, place.app, weak=False)

    def _hear(self, _sender: object, *, event: Any) -> None:
        self.found.append(event.reason)


# Secret keys that change.


def with_keys(*keys: str, **options: Any) -> Site:
    return Site(IronSessionInterface(**options), SECRET_KEY=keys[0], SECRET_KEY_FALLBACKS=list(keys[1:]))


def test_nobody_whose_key_is_listed_is_signed_out_by_a_rotation() -> None:
    rollout = [with_keys(K1), with_keys(K2, K1), with_keys(K2), with_keys(K3, K2)]
    daily, weekly = "", ""
    for day, place in enumerate(rollout):
        place.keep(daily)
        place.visit(put(user="daily") if day == 0 else len)
        daily = place.value
        assert place.finds() == {"user": "daily"}
        if day in (0, 1, 3):
            place.keep(weekly)
            place.visit(put(user="weekly") if day == 0 else len)
            assert place.finds() == {"user": "weekly"}
            weekly = place.value
    place = with_keys(K3, K2)
    place.keep(sealed_under(K1))
    assert place.finds() == {}


def sealed_under(key: str) -> str:
    place = with_keys(key)
    place.visit(put(user=7))
    return place.value


def password_id(value: str) -> str:
    return seal.parse(value).password_id


def test_an_id_comes_from_its_key_and_never_from_its_place() -> None:
    ids = {key: password_id(sealed_under(key)) for key in (K1, K2, K3)}
    assert len(set(ids.values())) == 3
    for keys in [(K2, K1), (K1, K2), (K3, K1, K2), (K2, K3, K1)]:
        place = with_keys(*keys)
        for key in keys[1:]:
            place.keep(sealed_under(key))
            place.visit(len)
            assert password_id(place.value) == ids[keys[0]]
    assert all(number.isdigit() and 0 < int(number) < 2**31 for number in ids.values())


def test_the_newest_key_seals_whatever_the_numbers_are() -> None:
    for keys in [(K1, K2, K3), (K3, K2, K1), (K2, K1, K3)]:
        place = with_keys(*keys)
        place.visit(put(user=7))
        assert with_keys(keys[0]).send(f"session={place.value}", lambda current: str(dict(current))).text == (
            "{'user': 7}"
        )


@pytest.mark.parametrize("how", ["len", "clear", "pop"])
def test_a_server_behind_in_a_rotation_deletes_no_cookie(how: str) -> None:
    behind = with_keys(K1)
    reasons = Reasons(behind)
    assert (
        lines(
            behind.send(
                f"session={sealed_under(K2)}",
                {
                    "len": len,
                    "clear": lambda current: current.clear(),
                    "pop": lambda current: current.pop("user", None),
                }[how],
            )
        )
        == []
    )
    assert reasons.found == ["unknown-password"]


def test_keys_may_be_octets_and_of_any_length() -> None:
    short, octets = with_keys("k"), Site(IronSessionInterface(), SECRET_KEY=b"k")
    short.visit(put(user=7))
    octets.keep(short.value)
    assert octets.finds() == {"user": 7}


# From secret keys to a password, and back.


def test_the_move_to_a_password_signs_nobody_out_where_secret_key_is_accepted() -> None:
    old = with_keys(K2, K1)
    old.visit(put(user=7))
    values = [old.value, sealed_under(K1)]
    for value in values:
        place = Site(
            IronSessionInterface(PASSWORD, accept=("secret-key",)), SECRET_KEY=K2, SECRET_KEY_FALLBACKS=[K1]
        )
        place.keep(value)
        assert len(lines(place.visit(len))) == 1
        assert password_id(place.value) == "1"
        assert payload(place.value) == {"user": 7}
        # Once everybody has come by, the switch is no longer needed.
        done = Site(IronSessionInterface(PASSWORD), SECRET_KEY=K2)
        done.keep(place.value)
        assert done.finds() == {"user": 7}


def test_without_that_switch_seals_under_the_secret_key_are_unknown_and_stay() -> None:
    place = Site(IronSessionInterface(PASSWORD), SECRET_KEY=K1)
    reasons = Reasons(place)
    assert lines(place.send(f"session={sealed_under(K1)}", len)) == []
    assert reasons.found == ["unknown-password"]


def test_the_way_back_to_the_secret_key_deletes_no_cookie_either() -> None:
    moved = Site(IronSessionInterface(PASSWORD, accept=("secret-key",)), SECRET_KEY=K1)
    moved.visit(put(user=7))
    back = with_keys(K1)
    assert lines(back.send(f"session={moved.value}", len)) == []
    assert moved.finds() == {"user": 7}


@pytest.mark.parametrize(
    "options", [{"password": {2: NEWER, 1: PASSWORD}}, {"password": PASSWORD, "seal_with": 1}]
)
def test_a_password_with_ids_goes_together_with_secret_keys(options: dict[str, Any]) -> None:
    place = Site(IronSessionInterface(accept=("secret-key",), **options), SECRET_KEY=K1)
    place.keep(sealed_under(K1))
    place.visit(len)
    assert password_id(place.value) in ("1", "2")
    assert place.finds() == {"user": 7}


@pytest.mark.parametrize("config", [{}, {"SECRET_KEY": K1}])
def test_accepting_the_secret_key_without_a_password_or_without_a_key_changes_nothing(config: Any) -> None:
    password = None if config else PASSWORD
    place = Site(IronSessionInterface(password, accept=("secret-key",)), **config)
    place.visit(put(user=7))
    assert place.finds() == {"user": 7}


def test_a_password_from_the_configuration_wins_over_the_secret_key() -> None:
    place = Site(IronSessionInterface(), SECRET_KEY=K1, IRON_SESSION_PASSWORD=PASSWORD)
    place.visit(put(user=7))
    assert payload(place.value) == {"user": 7}


def test_seal_with_lets_a_new_password_be_read_before_it_seals() -> None:
    rollout = [
        Site(IronSessionInterface({2: NEWER, 1: PASSWORD}, seal_with=1)),
        Site(IronSessionInterface({2: NEWER, 1: PASSWORD})),
    ]
    for place in rollout:
        place.visit(put(user=7))
    assert [password_id(place.value) for place in rollout] == ["1", "2"]
    rollout[0].keep(rollout[1].value)
    assert rollout[0].finds() == {"user": 7}


# From Flask's own cookie.


def test_flasks_cookie_is_read_once_and_written_back_as_a_seal(clock: FakeClock) -> None:
    place = moving(clock)
    place.keep(signed(DATA, at=NOW - 100))
    assert lines(place.visit()) == []
    seen: list[Any] = []
    response = place.visit(lambda current: seen.append(dict(current)))
    assert seen == [DATA]
    assert {key: type(value) for key, value in seen[0].items()} == {key: type(DATA[key]) for key in DATA}
    assert place.value.startswith("Fe26.2*")
    assert "expires" in attributes(line(response))
    assert response.headers["Cache-Control"] == "private, no-store"
    assert ends_at(place.value) == NOW + MONTH
    assert place.finds() == DATA
    after = Site(IronSessionInterface(clock=clock), SECRET_KEY=K1)
    after.keep(place.value)
    assert after.finds() == DATA


def test_where_flask_renews_permanent_sessions_an_untouched_one_becomes_a_seal_too(clock: FakeClock) -> None:
    place = moving(clock, config={"SESSION_REFRESH_EACH_REQUEST": True})
    place.keep(signed({"user": 7}))
    assert lines(place.visit()) == []
    place.keep(signed({"user": 7, "_permanent": True}))
    place.visit()
    assert place.value.startswith("Fe26.2*")
    assert place.finds() == {"user": 7, "_permanent": True}


def test_a_large_session_that_flask_compressed_is_read(clock: FakeClock) -> None:
    value = signed({"text": "x" * 2000})
    assert value.startswith(".")
    place = moving(clock)
    place.keep(value)
    assert place.finds() == {"text": "x" * 2000}


@pytest.mark.skipif("SECRET_KEY_FALLBACKS" not in Flask("x").config, reason="this Flask has no fallbacks")
def test_a_cookie_signed_under_a_fallback_is_read(clock: FakeClock) -> None:
    place = moving(clock, config={"SECRET_KEY": K2, "SECRET_KEY_FALLBACKS": [K1]})
    place.keep(signed({"user": 7}, K1))
    place.visit(len)
    assert with_keys(K2).send(f"session={place.value}", lambda current: str(current["user"])).text == "7"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (signed({"user": 7}, K2), "invalid"),
        (signed({"user": 7}, salt="another"), "invalid"),
        (signed({"user": 7})[:-1], "invalid"),
        ("x" + signed({"user": 7}), "invalid"),
        (signed({"user": 7}).rpartition(".")[0], "invalid"),
        (signed([1, 2]), "invalid"),
        (signed("text"), "invalid"),
        (signed({"user": 7}, at=NOW + 3600), "invalid"),
        (signed({"user": 7}, at=NOW - MONTH - 1), "expired"),
        ("{'user':7}", "invalid"),
        ("eyJ1c2VyIjo3fQ", "invalid"),
        ("eyJ1c2VyIjo3fQ.AAAA.AAAA", "invalid"),
        ("....", "invalid"),
        ("é", "invalid"),
        ("%ff%fe", "invalid"),
        ("fe26.2*1", "invalid"),
    ],
)
def test_what_flask_would_not_read_is_refused_and_deleted(clock: FakeClock, value: str, reason: str) -> None:
    place = moving(clock)
    reasons = Reasons(place)
    response = place.send(f"session={value}", lambda current: str(dict(current)))
    assert (response.status_code, response.text) == (200, "{}")
    assert reasons.found == [reason]
    assert "Max-Age=0" in line(response)


def test_flasks_lifetime_counts_to_the_second(clock: FakeClock) -> None:
    place = moving(clock, config={"PERMANENT_SESSION_LIFETIME": timedelta(hours=1)})
    for age, found in [(3600, "7"), (3601, "None")]:
        value = signed({"user": 7}, at=NOW - age)
        assert place.send(f"session={value}", lambda current: str(current.get("user"))).text == found


def test_the_absolute_timeout_counts_from_when_flask_signed(clock: FakeClock) -> None:
    place = moving(clock, absolute_timeout=3600)
    reasons = Reasons(place)
    place.keep(signed({"user": 7}, at=NOW - 3000))
    place.visit(len)
    assert ends_at(place.value) == NOW + 600
    assert payload_of(place)["_iron"]["iat"] == NOW - 3000
    place.send(f"session={signed({'user': 7}, at=NOW - 3700)}", len)
    assert reasons.found == ["too-old"]


def payload_of(place: Site) -> dict[str, Any]:
    interface = place.app.session_interface
    assert isinstance(interface, IronSessionInterface)
    engine = interface.engine(place.app, "session")
    found: dict[str, Any] = payload(place.value, engine.options.password.sealing)
    return found


def test_stamps_in_a_signed_cookie_count_for_nothing(clock: FakeClock) -> None:
    place = moving(clock)
    place.keep(signed({"user": 7, "_iron": {"sid": "chosen", "iat": 1, "exp": 1}}))
    seen: list[Any] = []
    place.visit(lambda current: seen.extend([dict(current), current.sid, current.issued_at]))
    assert seen[0] == {"user": 7}
    assert seen[1] != "chosen"
    assert seen[2] == NOW


def test_a_taught_type_is_read_from_flasks_cookie_too(clock: FakeClock) -> None:
    place = moving(clock)
    place.app.session_interface.serializer.register(TagMoney)  # type: ignore[attr-defined]
    place.keep(signed({"price": {" di": {"x": 1}}, "user": 7}))
    assert place.finds()["user"] == 7
    place.visit(put(price=Money("1")))
    assert place.finds()["price"] == Money("1")


def test_the_strict_serializer_keeps_what_it_can_and_leaves_the_rest_as_it_was(clock: FakeClock) -> None:
    place = moving(clock, serializer="json")
    place.keep(signed({"user": 7, "_flashes": [("message", "hi")]}))
    place.visit(len)
    assert place.finds() == {"user": 7, "_flashes": [["message", "hi"]]}
    value = signed({"id": uuid.UUID(int=7)})
    place.keep(value)
    assert lines(place.visit(len)) == []
    assert place.value == value


def test_flasks_cookie_is_off_by_default(clock: FakeClock) -> None:
    place = Site(IronSessionInterface(clock=clock), SECRET_KEY=K1)
    response = place.send(f"session={signed({'user': 7})}", lambda current: str(dict(current)))
    assert response.text == "{}"
    assert "Max-Age=0" in line(response)


def test_without_a_secret_key_no_signed_cookie_is_read(clock: FakeClock) -> None:
    place = Site(IronSessionInterface(PASSWORD, clock=clock, accept=("flask",)))
    assert place.send(f"session={signed({'user': 7})}", lambda current: str(dict(current))).text == "{}"


class Recorder:
    """A reader that notes what it is given."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def read(self, value: str, /, *, at: float) -> State:
        self.given.append(value)
        raise Refused("invalid" if at else "expired")


@pytest.mark.parametrize(
    "value",
    [
        "Fe26.2*1*junk",
        "Fe26.",
        "%46e26.2*1*junk",
        "Fe26%2e2*1*junk",
        "Fe26.1*1*a*b*c*d*e*f",
        sealed({"user": 7}, password=NEWER),
        sealed({"user": 7}, password_id="9"),
        sealed({"user": 7}, expires_at=NOW - 1000),
    ],
)
def test_a_seal_is_never_handed_to_the_older_reader(value: str) -> None:
    reader = Recorder()
    options = SessionOptions(password=PASSWORD, cookie_name="session", accept=("flask",), clock=lambda: NOW)
    vault = SealVault(options, readers={"flask": reader})
    with pytest.raises(Refused):
        vault.load(value)
    assert reader.given == []
    with pytest.raises(Refused):
        vault.load("anything else")
    assert reader.given == ["anything else"]


# What is refused.


@pytest.mark.parametrize(
    ("name", "whose"),
    [("flask", "Flask"), ("secret-key", "Flask and Django"), ("signed_cookies", "Django"), ("db", "Django")],
)
def test_frameworks_cookies_are_refused_by_the_plain_middleware(name: Any, whose: str) -> None:
    with pytest.raises(ConfigError, match=f"'{name}' is for {whose}, and cannot be read here"):
        IronSessionMiddleware(look_away, password=PASSWORD, cookie_name="s", accept=(name,))  # type: ignore[arg-type]


@pytest.mark.parametrize("accept", [("signed_cookies",), ("db",), ("unknown",), "flask", None, 7])
def test_what_flask_cannot_accept_is_refused_at_once(accept: Any) -> None:
    with pytest.raises(
        ConfigError, match="accept must be a tuple of 'next-iron-session', 'flask', 'secret-key'"
    ):
        IronSessionInterface(PASSWORD, accept=accept)


@pytest.mark.parametrize("accept", [("signed_cookies",), ("unknown",), "flask", "secret-key"])
def test_what_flask_cannot_accept_is_refused_in_the_configuration_too(accept: Any) -> None:
    with pytest.raises(ConfigError, match="accept"):
        Site(IRON_SESSION_ACCEPT=accept).visit(len)


def test_what_is_accepted_may_stand_in_the_configuration(clock: FakeClock) -> None:
    place = Site(
        IronSessionInterface(clock=clock), SECRET_KEY=K1, IRON_SESSION_ACCEPT=["flask", "secret-key"]
    )
    place.keep(signed({"user": 7}))
    assert place.finds() == {"user": 7}


def test_next_iron_sessions_cookie_is_read_and_written_back(clock: FakeClock) -> None:
    place = Site(IronSessionInterface(PASSWORD, clock=clock, accept=("next-iron-session",)))
    place.keep(sealed({"persistent": {"user": 7}, "flash": {}}))
    assert len(lines(place.visit(len))) == 1
    assert payload(place.value) == {"user": 7}
