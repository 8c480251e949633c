"""A session that is over, is over: whoever has a copy of its cookie, and whatever was under way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import pytest
from flask import Flask
from flask.sessions import SessionMixin
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from werkzeug.test import TestResponse

from iron_wsgi.revocation import MemoryRevocations, Revocations
from iron_wsgi.stores import MemoryStore
from iron_wsgi.testing import FakeClock
from iron_wsgi_flask import FlaskSession, IronSessionInterface, session

from .flask_site import Site, Use, lines, look_away, put
from .visitor import PASSWORD, payload

# Flask-Login 0.6.3 asks the time in a way that Python 3.12 deprecates.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:datetime\.datetime\.utcnow\(\):DeprecationWarning:flask_login"
)

DAY: Final = 86400
LARGE: Final = "x" * 5000


class User(UserMixin):
    def __init__(self, number: str) -> None:
        self.id = number


@dataclass(frozen=True)
class Mode:
    """Where a site keeps its sessions, and what of theirs is in a session that is worth a test."""

    has_list: bool
    has_store: bool = False
    storage: str = "cookie"
    overflow: str = "raise"
    cart: str = "tea"


MODES: Final = {
    "cookie": Mode(has_list=True),
    "store": Mode(has_list=False, has_store=True, storage="store"),
    "store and list": Mode(has_list=True, has_store=True, storage="store"),
    "overflow, large": Mode(has_list=True, has_store=True, overflow="store", cart=LARGE),
    "overflow, small": Mode(has_list=True, has_store=True, overflow="store"),
    "overflow without a list, large": Mode(has_list=False, has_store=True, overflow="store", cart=LARGE),
}


class Shop(Site):
    """A site with Flask-Login, at which a visitor has filled a cart."""

    def __init__(
        self, mode: Mode, kind: type[IronSessionInterface] = IronSessionInterface, **config: Any
    ) -> None:
        self.clock = FakeClock()
        self.cart = mode.cart
        self.revocations = MemoryRevocations(clock=self.clock)
        self.store = MemoryStore(clock=self.clock)
        interface = kind(
            PASSWORD,
            clock=self.clock,
            storage=mode.storage,  # type: ignore[arg-type]
            overflow=mode.overflow,  # type: ignore[arg-type]
            store=self.store if mode.has_store else None,
            revocations=self.revocations if mode.has_list else None,
        )
        super().__init__(interface, SECRET_KEY="signs the remember cookie", **config)
        LoginManager(self.app).user_loader(User)
        self.visit(put(cart=mode.cart))

    def visit(self, use: Use = look_away, path: str = "/", **request: Any) -> TestResponse:
        self.clock.advance(1)
        return super().visit(use, path, **request)

    def who(self, value: str) -> str:
        """Who comes with this session's cookie alone."""
        return self.send(f"session={value}", lambda _: str(current_user.get_id())).text


def sign_in(_: FlaskSession) -> None:
    login_user(User("7"))


def sign_in_and_be_remembered(_: FlaskSession) -> None:
    login_user(User("7"), remember=True)


def sign_out(_: FlaskSession) -> None:
    logout_user()


def sign_out_and_forget(current: FlaskSession) -> None:
    current.regenerate(clear=True)
    logout_user()


def sign_out_and_destroy(current: FlaskSession) -> None:
    logout_user()
    current.destroy()


def destroy_and_sign_out(current: FlaskSession) -> None:
    current.destroy()
    logout_user()


def remove_everything(current: FlaskSession) -> None:
    for key in list(current):
        del current[key]


ENDINGS: Final[dict[str, Use]] = {
    "logout_user": sign_out,
    "regenerate(clear=True), logout_user": sign_out_and_forget,
    "logout_user, destroy": sign_out_and_destroy,
    "destroy, logout_user": destroy_and_sign_out,
    "destroy": lambda current: current.destroy(),
    "clear": lambda current: current.clear(),
    "every key": remove_everything,
}


@pytest.fixture(params=MODES)
def shop(request: pytest.FixtureRequest) -> Shop:
    return Shop(MODES[request.param])


@pytest.mark.parametrize("enter", [sign_in, sign_in_and_be_remembered])
@pytest.mark.parametrize("ending", ENDINGS)
def test_every_copy_of_the_cookie_is_dead_once_the_visitor_has_signed_out(
    shop: Shop, ending: str, enter: Use
) -> None:
    shop.visit(enter)
    copies = [shop.value]
    for number in range(3):
        shop.visit(put(seen=number))
        copies.append(shop.value)
    assert {shop.who(copy) for copy in copies} == {"7"}
    shop.visit(ENDINGS[ending])
    for copy in copies:
        assert shop.who(copy) == "None"
        assert shop.send(f"session={copy}", lambda current: str(dict(current))).text == "{}"


def test_who_signs_out_keeps_the_cart_under_another_id(shop: Shop) -> None:
    shop.visit(sign_in)
    before = shop.visit(lambda current: current.sid).text
    shop.visit(sign_out)
    assert shop.visit(lambda current: current["cart"]).text == shop.cart
    assert shop.visit(lambda current: current.sid).text != before


def test_nothing_stays_in_the_store_of_who_has_left(shop: Shop) -> None:
    shop.visit(sign_in)
    shop.visit(lambda current: current.destroy())
    assert len(shop.store) == 0


@pytest.mark.parametrize("enter", [sign_in, sign_in_and_be_remembered])
def test_a_cookie_that_was_planted_is_dead_once_the_visitor_has_signed_in(shop: Shop, enter: Use) -> None:
    planted = shop.value
    assert shop.send(f"session={planted}", lambda current: current["cart"]).text == shop.cart
    shop.visit(enter)
    assert shop.who(shop.value) == "7"
    assert shop.send(f"session={planted}", lambda current: str(dict(current))).text == "{}"


def test_a_cookie_that_was_planted_is_dead_once_the_remember_cookie_has_signed_in(shop: Shop) -> None:
    shop.visit(sign_in_and_be_remembered)
    shop.client.delete_cookie("session")
    stranger = shop.app.test_client()
    with stranger.session_transaction() as current:
        current["cart"] = shop.cart
    planted = stranger.get_cookie("session")
    assert planted is not None
    shop.keep(planted.value)
    assert shop.visit(lambda _: str(current_user.get_id())).text == "7"
    assert shop.who(shop.value) == "7"
    assert shop.send(f"session={planted.value}", lambda current: str(dict(current))).text == "{}"


def test_flask_sessions_name_for_it_ends_the_old_id_too(shop: Shop) -> None:
    interface = shop.app.session_interface
    assert isinstance(interface, IronSessionInterface)
    former, sid = shop.value, shop.visit(lambda current: current.sid).text
    shop.visit(interface.regenerate)
    assert shop.visit(lambda current: current["cart"]).text == shop.cart
    assert shop.visit(lambda current: current.sid).text != sid
    assert shop.send(f"session={former}", lambda current: str(dict(current))).text == "{}"


# What was under way.


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_slow_response_never_signs_anybody_back_in(shop: Shop, ending: str) -> None:
    shop.visit(sign_in)
    stolen = shop.value

    def write_slowly(current: FlaskSession) -> None:
        current["seen"] = 1
        shop.send(f"session={stolen}", ENDINGS[ending])

    late = lines(shop.visit(write_slowly))
    if shop.cart == LARGE or payload(stolen)["_iron"].get("ref"):
        assert late == []  # the record is gone, and it is not brought back
    for line in late:
        assert shop.who(line.partition("=")[2].partition(";")[0]) == "None"
    assert shop.who(stolen) == "None"


RENEWALS: Final[dict[str, Use]] = {
    "nothing": look_away,
    "len": len,
    "touch": lambda current: current.touch(),
    "save": lambda current: current.save(),
}


@pytest.mark.parametrize("name", RENEWALS)
def test_a_slow_response_that_only_renews_signs_nobody_in_either(shop: Shop, name: str) -> None:
    use = RENEWALS[name]
    shop.visit(lambda current: (login_user(User("7")), setattr(current, "permanent", True)))
    stolen = shop.value

    def renew_slowly(current: FlaskSession) -> None:
        use(current)
        shop.send(f"session={stolen}", sign_out_and_forget)

    for line in lines(shop.visit(renew_slowly)):
        assert shop.who(line.partition("=")[2].partition(";")[0]) == "None"
    assert shop.who(stolen) == "None"


def test_a_slow_response_of_before_the_sign_in_does_not_bring_the_planted_cookie_back(shop: Shop) -> None:
    planted = shop.value

    def write_slowly(current: FlaskSession) -> None:
        current["seen"] = 1
        shop.send(f"session={planted}", sign_in)

    shop.visit(write_slowly)
    found = shop.send(f"session={planted}", lambda current: str(dict(current))).text
    assert found == "{}"


# How long it is remembered.


class LongLived(IronSessionInterface):
    """Permanent sessions live for a hundred days, whatever the ttl is."""

    def get_expiration_time(self, app: Flask, session: SessionMixin) -> datetime | None:
        if not session.permanent:
            return super().get_expiration_time(app, session)
        assert isinstance(session, FlaskSession)
        return datetime.fromtimestamp(session.exchange.now(), timezone.utc) + timedelta(days=100)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_thief_who_kept_his_copy_fresh_has_nothing_of_it(ending: str) -> None:
    shop = Shop(MODES["cookie"], LongLived, PERMANENT_SESSION_LIFETIME=DAY)
    shop.visit(lambda current: (login_user(User("7")), setattr(current, "permanent", True)))
    stolen = shop.value
    shop.clock.advance(90 * DAY)
    (renewed,) = lines(shop.send(f"session={stolen}", len))
    fresh = renewed.partition("=")[2].partition(";")[0]
    assert shop.who(fresh) == "7"
    shop.visit(ENDINGS[ending])
    for days in (0, 11, 20, 68):  # the visitor's own copy would end after ten
        shop.clock.advance(days * DAY)
        shop.revocations.sweep()
        assert shop.who(fresh) == "None"


# Everywhere, and elsewhere.


def other_device(shop: Shop) -> str:
    """The cookie of somebody who signs in with another browser."""
    answer = shop.send("", lambda current: (login_user(User("7")), current.update(cart=shop.cart)))
    return lines(answer)[-1].partition("=")[2].partition(";")[0]


def from_everywhere_but_here(revocations: Revocations) -> Use:
    def use(current: FlaskSession) -> None:
        current.regenerate()
        current.save()
        revocations.revoke_subject(current_user.get_id(), before=current.issued_at)

    return use


@pytest.mark.parametrize("name", [name for name, mode in MODES.items() if mode.has_list])
def test_somebody_is_signed_out_everywhere_but_here(name: str) -> None:
    shop = Shop(MODES[name])
    shop.visit(sign_in)
    here, elsewhere = shop.value, other_device(shop)
    stranger = lines(shop.send("", lambda _: login_user(User("8"))))[-1].partition("=")[2].partition(";")[0]
    assert [shop.who(cookie) for cookie in (here, elsewhere, stranger)] == ["7", "7", "8"]
    shop.visit(from_everywhere_but_here(shop.revocations))
    assert [shop.who(cookie) for cookie in (here, elsewhere, stranger)] == ["None", "None", "8"]
    assert shop.who(shop.value) == "7"


@pytest.mark.parametrize("name", [name for name, mode in MODES.items() if mode.storage == "store"])
def test_somebody_sees_the_own_devices_and_ends_one_of_them(name: str) -> None:
    shop = Shop(MODES[name])
    shop.visit(sign_in)
    elsewhere = other_device(shop)
    keys: list[tuple[str, bool]] = []

    def look(current: FlaskSession) -> None:
        found = shop.store.sessions_of(current_user.get_id(), current=current.sid)
        keys.extend((session.key, session.is_current) for session in found)

    shop.visit(look)
    assert sorted(is_current for _, is_current in keys) == [False, True]
    for key, is_current in keys:
        if not is_current:
            shop.store.delete(key)
    assert shop.who(elsewhere) == "None"
    assert shop.who(shop.value) == "7"


# What Flask-Login does beside.


def test_a_list_that_the_application_answers_from_its_table_of_users_ends_sessions() -> None:
    changed_at: dict[str, float] = {}

    class Users(Revocations):
        def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:  # noqa: ARG002
            return subject is not None and issued_at < changed_at.get(subject, 0)

    clock = FakeClock()
    site = Site(IronSessionInterface(PASSWORD, clock=clock, revocations=Users()), SECRET_KEY="x")
    LoginManager(site.app).user_loader(User)
    site.visit(sign_in)
    assert site.visit(lambda _: str(current_user.get_id())).text == "7"
    changed_at["7"] = clock() + 1
    assert site.visit(lambda _: str(current_user.get_id())).text == "None"


@pytest.mark.parametrize("name", [name for name, mode in MODES.items() if mode.has_list])
def test_one_call_signs_out_everywhere_but_here(name: str) -> None:
    shop = Shop(MODES[name])
    shop.visit(sign_in)
    here, elsewhere = shop.value, other_device(shop)
    shop.visit(lambda session: session.end_others())
    assert [shop.who(cookie) for cookie in (here, elsewhere)] == ["None", "None"]
    assert shop.who(shop.value) == "7"


def test_others_that_cannot_be_ended_are_a_503_and_this_one_was_saved() -> None:
    class Down(Revocations):
        def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
            return not (sid is not None and issued_at and subject != "nobody")

        def revoke_subject(self, subject: str, *, before: float | None = None) -> None:
            raise ConnectionError(subject, before)

    app = Flask(__name__)
    app.session_interface = IronSessionInterface(PASSWORD, revocations=Down())

    @app.post("/")
    def end() -> str:
        session["_user_id"] = "7"
        session.end_others()
        return "done"

    response = app.test_client().post("/")
    (cookie,) = response.headers.getlist("Set-Cookie")
    assert response.status_code == 503
    assert cookie.startswith("session=Fe26.2*")
