"""One login, two servers: iron-session in Node and a Flask application with Flask-Login under waitress.

Both listen on 127.0.0.1, and the browser sends both the same cookie, as in `test_live`.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from http.cookiejar import Cookie
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError
from urllib.request import Request

import pytest
from flask.sessions import SecureCookieSessionInterface

from iron_wsgi_flask import IronSessionInterface
from tests.servers.flask_site import COOKIE, TYPED, create_app

from .forge import NEW, OLD
from .test_live import Clock, Visitor, waitress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .peers import Peers

pytestmark = pytest.mark.needs("node")

PEERS: Final = ("iron-session-8", "iron-session-9")
DAY: Final = 86_400
TTL: Final = 14 * DAY  # iron-session's default
MONTH: Final = 31 * DAY  # Flask's PERMANENT_SESSION_LIFETIME
SKEW: Final = 60
ROTATION: Final = {1: OLD, 2: NEW}


class Member(Visitor):
    """A visitor who signs in, and is told things."""

    def who(self, site: str = "flask") -> int | None:
        """Return as whom the visitor is signed in with Flask-Login."""
        try:
            identity: int = self.ask(site, "/me")["id"]
        except HTTPError as error:
            error.close()
            if error.code != 401:
                raise
            return None
        return identity

    def sign_in(self, site: str, number: int) -> None:
        """Sign in as the user with this number."""
        if site.startswith("node"):
            self.change(site, user={"id": number})
        else:
            self.ask(site, "/sign-in", id=number)

    def ask(self, site: str, page: str, **values: Any) -> Any:
        """Get a page, or post *values* to it."""
        data = json.dumps(values).encode() if values else None
        return self._fetch(Request(f"{self.sites[site]}{page}", data=data))

    @property
    def cookie(self) -> Cookie:
        """The one cookie that the browser holds."""
        (cookie,) = self.jar
        assert cookie.name == COOKIE
        return cookie

    @property
    def seal(self) -> str:
        """The value of that cookie."""
        assert self.cookie.value is not None
        return self.cookie.value

    @property
    def lasts(self) -> int | None:
        """Whole days that the browser will keep its cookie; None if it forgets it when it is closed."""
        expires = self.cookie.expires
        return None if expires is None else round((expires - time.time()) / DAY)


@contextmanager
def sites(
    peers: Peers, peer: str = "iron-session-9", **options: dict[str, Any]
) -> Iterator[tuple[Member, Clock]]:
    """Serve a site for each of *options* by its name, ``node...`` or ``flask...``, all with one clock.

    Sites of Flask take ``config`` beside the options of the interface, or ``interface`` instead of them.
    """
    clock = Clock(peers)
    clock.move(0)
    addresses: dict[str, str] = {}
    with ExitStack() as stack:
        stack.callback(peers.value, "clock", at=None)
        for name, given in options.items():
            if name.startswith("node"):
                theirs = {"cookieName": COOKIE, "password": OLD, "cookieOptions": {"secure": False}, **given}
                port = peers.value("listen", peer=peer, options=theirs)
                stack.callback(peers.value, "close", port=port)
                addresses[name] = f"http://127.0.0.1:{port}"
            else:
                ours = {"password": OLD, "clock": clock, **given}
                config = ours.pop("config", {})
                interface = ours.pop("interface", None) or IronSessionInterface(**ours)
                addresses[name] = stack.enter_context(waitress(create_app(interface, **config)))
        yield Member(addresses), clock


@pytest.fixture(params=PEERS)
def peer(request: pytest.FixtureRequest) -> str:
    """The library in Node."""
    name: str = request.param
    return name


@pytest.fixture(params=["tagged", "json"])
def serializer(request: pytest.FixtureRequest) -> str:
    """How Flask writes the session."""
    name: str = request.param
    return name


# ---- signing in and out ----


def test_whom_node_signed_in_flask_login_knows_and_a_look_leaves_the_cookie_as_it_is(
    peers: Peers, peer: str, serializer: str
) -> None:
    with sites(peers, peer, node={}, flask={"serializer": serializer}) as (member, _):
        assert member.who() is None
        assert not list(member.jar)
        member.change("node", user={"id": 7, "name": "Zoë 🦊 \ud800"}, seats=2**53 - 1)
        before = member.seal
        assert member.who() == 7
        assert member.read("flask") == {"user": {"id": 7, "name": "Zoë 🦊 \ud800"}, "seats": 2**53 - 1}
        assert member.seal == before


def test_whom_flask_signed_in_node_knows(peers: Peers, peer: str, serializer: str) -> None:
    with sites(peers, peer, node={}, flask={"serializer": serializer}) as (member, _):
        member.sign_in("flask", 7)
        assert member.who() == 7
        assert member.read("node")["user"] == {"id": 7}
        member.change("node", theme="dark")
        assert member.who() == 7
        assert member.read("flask")["theme"] == "dark"


def test_flask_knows_at_once_that_node_signed_in_somebody_else(peers: Peers, peer: str) -> None:
    with sites(peers, peer, node={}, flask={}) as (member, _):
        member.sign_in("flask", 7)
        member.sign_in("node", 8)
        assert member.who() == 8


@pytest.mark.parametrize("comes_by", ["node", "flask"])
@pytest.mark.parametrize("leaves_by", ["node", "flask"])
def test_who_signs_out_of_either_is_signed_out_of_both(
    peers: Peers, peer: str, serializer: str, comes_by: str, leaves_by: str
) -> None:
    with sites(peers, peer, node={}, flask={"serializer": serializer, "ttl": TTL}) as (member, _):
        member.sign_in(comes_by, 7)
        assert member.who() == 7
        member.leave(leaves_by)
        assert not list(member.jar)
        assert member.who() is None
        assert member.read("node") == {}


def test_who_is_signed_out_by_node_taking_the_user_away_is_not_let_in_by_flasks_own_members(
    peers: Peers, peer: str
) -> None:
    with sites(peers, peer, node={}, flask={}) as (member, _):
        member.sign_in("flask", 7)
        member.change("node", user=None, basket=[1])
        assert member.read("node")["_user_id"] == "7"  # Flask-Login's, which Node knows nothing of
        assert member.who() is None
        assert member.read("flask")["basket"] == [1]


# ---- messages ----


def test_a_message_outlives_what_node_reads_and_writes_and_is_shown_once(
    peers: Peers, peer: str, serializer: str
) -> None:
    with sites(peers, peer, node={}, flask={"serializer": serializer}) as (member, _):
        member.sign_in("node", 7)
        member.ask("flask", "/messages", message="Saved, <Zoë> 🦊.", category="good")
        assert member.read("node")["user"] == {"id": 7}
        member.change("node", theme="dark")
        member.ask("flask", "/messages", message="And another.", category="bad")
        assert member.ask("flask", "/messages") == [["good", "Saved, <Zoë> 🦊."], ["bad", "And another."]]
        assert member.ask("flask", "/messages") == []
        assert member.read("node") == {"user": {"id": 7}, "theme": "dark"}


def test_node_can_leave_a_message_for_flask_to_show(peers: Peers, peer: str, serializer: str) -> None:
    with sites(peers, peer, node={}, flask={"serializer": serializer}) as (member, _):
        member.change("node", user={"id": 7}, _flashes=[["good", "Paid."]])
        member.ask("flask", "/messages", message="Sent.", category="good")
        assert member.ask("flask", "/messages") == [["good", "Paid."], ["good", "Sent."]]
        assert member.ask("flask", "/messages") == []


@pytest.mark.parametrize(
    ("serializer", "seen"), [("tagged", [{" t": ["good", "Saved."]}]), ("json", [["good", "Saved."]])]
)
def test_node_sees_a_message_as_flask_writes_it(peers: Peers, peer: str, serializer: str, seen: Any) -> None:
    with sites(peers, peer, node={}, flask={"serializer": serializer}) as (member, _):
        member.ask("flask", "/messages", message="Saved.", category="good")
        assert member.read("node") == {"_flashes": seen}


# ---- how long the browser keeps the cookie ----


def test_where_a_ttl_is_given_the_cookie_outlives_the_browser_whoever_wrote_it_last(
    peers: Peers, peer: str
) -> None:
    flask = {"ttl": timedelta(days=14), "config": {"SESSION_REFRESH_EACH_REQUEST": False}}
    with sites(peers, peer, node={}, flask=flask) as (member, clock):
        member.sign_in("node", 7)
        assert member.lasts == 14
        signed_in = member.seal
        assert member.who() == 7
        assert member.seal == signed_in
        member.change("flask", theme="dark")
        assert member.lasts == 14
        member.change("node", theme="light")
        assert member.lasts == 14
        assert "_permanent" not in member.read("node")  # nothing had to be written for it
        clock.move(TTL + SKEW - 1)
        assert member.who() == 7
        clock.move(1)
        assert member.who() is None


def test_where_the_session_is_permanent_flasks_refresh_renews_the_cookie_and_node_goes_by_it(
    peers: Peers, peer: str
) -> None:
    with sites(peers, peer, node={}, flask={"ttl": TTL}) as (member, clock):
        member.sign_in("node", 7)
        unused = member.seal
        assert member.who() == 7
        assert member.seal == unused
        member.change("flask", _permanent=True)
        signed_in = member.seal
        clock.move(13 * DAY)
        assert member.who() == 7
        assert member.seal != signed_in
        clock.move(13 * DAY)
        assert member.read("node") == {"user": {"id": 7}, "_permanent": True}


def test_without_a_ttl_what_flask_writes_ends_with_the_browser_and_its_seal_as_flask_is_set(
    peers: Peers, peer: str
) -> None:
    with sites(peers, peer, node={}, flask={}) as (member, clock):
        member.sign_in("node", 7)
        assert member.lasts == 14
        member.change("flask", theme="dark")
        assert member.lasts is None
        assert member.cookie.discard
        clock.move(MONTH + SKEW - 1)
        assert member.read("node") == member.read("flask") == {"user": {"id": 7}, "theme": "dark"}
        clock.move(1)
        assert member.read("node") == member.read("flask") == {}
        member.sign_in("node", 7)
        assert member.lasts == 14


def test_without_a_ttl_a_session_that_node_marks_permanent_stays_so(peers: Peers, peer: str) -> None:
    with sites(peers, peer, node={}, flask={}) as (member, _):
        member.change("node", user={"id": 7}, _permanent=True)
        member.change("flask", theme="dark")
        assert member.lasts == 31


# ---- expiry ----


@pytest.mark.parametrize("signed_in_by", ["node", "flask"])
def test_a_login_ends_in_both_at_the_same_moment_and_flask_takes_the_cookie_away(
    peers: Peers, peer: str, signed_in_by: str
) -> None:
    flask = {"ttl": TTL, "config": {"SESSION_REFRESH_EACH_REQUEST": False}}
    with sites(peers, peer, node={}, flask=flask) as (member, clock):
        member.sign_in(signed_in_by, 7)
        clock.move(TTL + SKEW - 0.001)
        assert member.who() == 7
        assert member.read("node")["user"] == {"id": 7}
        clock.move(0.001)
        assert member.read("node") == {}
        assert list(member.jar)  # it was sent, and read as nothing
        assert member.who() is None
        assert not list(member.jar)


def test_the_absolute_timeout_that_flask_is_given_ends_a_session_that_node_keeps_writing(
    peers: Peers, peer: str
) -> None:
    flask = {"ttl": TTL, "absolute_timeout": timedelta(days=20)}
    with sites(peers, peer, node={}, flask=flask) as (member, clock):
        member.sign_in("flask", 7)
        clock.move(13 * DAY)
        member.change("node", seen=True)
        clock.move(7 * DAY + SKEW - 1)
        member.change("node", seen=False)
        assert member.who() == 7
        clock.move(1)
        assert member.who() is None
        assert not list(member.jar)


# ---- what the session knows of itself ----


def test_the_id_and_the_time_of_issue_that_a_login_gave_outlive_what_node_writes(
    peers: Peers, peer: str, serializer: str
) -> None:
    with sites(peers, peer, node={}, flask={"serializer": serializer}) as (member, clock):
        member.change("node", basket=[1])
        anonymous = member.ask("flask", "/stamps")["sid"]
        signed_in_at = clock()
        member.sign_in("flask", 7)
        given = member.ask("flask", "/stamps")
        assert given["sid"] != anonymous
        assert given["issued_at"] == pytest.approx(signed_in_at, abs=0.001)
        clock.move(DAY)
        member.change("node", theme="dark")
        shown = member.read("node")
        assert (shown["basket"], shown["_iron"]["sid"]) == ([1], given["sid"])
        kept = member.ask("flask", "/stamps")
        assert (kept["sid"], kept["issued_at"]) == (given["sid"], given["issued_at"])
        assert kept["expires_at"] == pytest.approx(signed_in_at + DAY + TTL, abs=0.001)
        assert "_iron" not in member.read("flask")

        member.sign_in("flask", 8)
        again = member.ask("flask", "/stamps")
        assert again["sid"] not in (given["sid"], anonymous)
        assert again["issued_at"] == pytest.approx(clock(), abs=0.001)


# ---- values of Flask's types ----


def test_values_of_flasks_types_outlive_what_node_writes_and_node_sees_them_as_plain_json(
    peers: Peers, peer: str
) -> None:
    with sites(peers, peer, node={}, flask={"serializer": "tagged"}) as (member, _):
        member.ask("flask", "/typed", names=list(TYPED))
        assert member.read("node") == {
            "when": {" d": "2026-11-21T06:30:00.123456+01:00"},
            "pair": {" t": [1, "two"]},
            "octets": {" b": "AP8="},
            "number": {" u": "6f1d3a520c6c4a529a0e2f1f9a3c7b11"},
            "html": {" m": "<b>bold</b>"},
        }
        member.change("node", theme="dark")
        assert all(member.ask("flask", "/typed").values())


def test_with_strict_json_tuples_are_arrays_and_what_json_does_not_have_leaves_the_session_as_it_was(
    peers: Peers, peer: str
) -> None:
    with sites(peers, peer, node={}, flask={"serializer": "json"}) as (member, _):
        member.sign_in("node", 7)
        member.ask("flask", "/typed", names=["pair"])
        for name in TYPED.keys() - {"pair", "html"}:
            with pytest.raises(HTTPError, match="500") as caught:
                member.ask("flask", "/typed", names=[name])
            caught.value.close()
        assert member.read("node") == {"user": {"id": 7}, "pair": [1, "two"]}
        assert member.who() == 7


def test_with_strict_json_no_object_that_node_keeps_becomes_one_of_flasks_types(
    peers: Peers, peer: str
) -> None:
    kept = {"filter": {" m": "<script>"}, "pair": {" t": [1, "two"]}, "octets": {" b": "!"}}
    with sites(peers, peer, node={}, flask={"serializer": "json"}) as (member, _):
        member.change("node", user={"id": 7}, **kept)
        assert member.who() == 7
        assert not any(member.ask("flask", "/typed").values())
        member.change("flask", theme="dark")
        assert member.read("node") == {"user": {"id": 7}, **kept, "theme": "dark"}


# ---- a password is replaced ----


def test_a_password_is_replaced_in_flask_and_node_without_signing_anybody_out(
    peers: Peers, peer: str, serializer: str
) -> None:
    flask = {"serializer": serializer}
    with sites(
        peers,
        peer,
        node_before={"password": {1: OLD}},
        node_after={"password": ROTATION},
        flask_before={**flask, "password": {1: OLD}},
        flask_ready={**flask, "password": ROTATION, "seal_with": 1},
        flask_after={**flask, "password": ROTATION},
    ) as (member, _):
        member.sign_in("node_before", 7)
        # 1. Flask learns the new password, and goes on sealing with the old.
        member.change("flask_ready", step=1)
        assert member.seal.startswith("Fe26.2*1*")
        assert member.read("node_before")["step"] == 1
        assert member.who("flask_before") == 7
        # 2. Node learns it, and seals with it.
        member.change("node_after", step=2)
        assert member.seal.startswith("Fe26.2*2*")
        assert member.who("flask_ready") == 7
        # 3. Flask seals with it too.
        member.change("flask_after", step=3)
        assert member.seal.startswith("Fe26.2*2*")
        assert member.read("node_after") == {"user": {"id": 7}, "step": 3}
        assert member.who("flask_after") == 7


def test_a_seal_of_node_under_the_older_password_is_renewed_by_a_look_in_flask(
    peers: Peers, peer: str
) -> None:
    with sites(peers, peer, node={"password": {1: OLD}}, flask={"password": ROTATION}) as (member, _):
        member.sign_in("node", 7)
        assert member.seal.startswith("Fe26.2*1*")
        assert member.who() == 7
        assert member.seal.startswith("Fe26.2*2*")
        assert member.who() == 7


def test_a_flask_that_is_behind_in_a_rotation_leaves_the_login_to_those_who_know_the_password(
    peers: Peers, peer: str
) -> None:
    with sites(
        peers,
        peer,
        node={"password": ROTATION},
        flask={"password": {1: OLD}},
        flask_after={"password": ROTATION},
    ) as (member, _):
        member.sign_in("node", 7)
        held = member.seal
        assert member.who("flask") is None
        assert member.seal == held
        assert member.who("flask_after") == 7
        assert member.read("node") == {"user": {"id": 7}}


# ---- a site moves from Flask's own session ----


def test_who_was_signed_in_by_flasks_own_session_is_signed_in_in_node_after_the_move(
    peers: Peers, peer: str, serializer: str
) -> None:
    config = {"SECRET_KEY": "a key that signs what everybody can read"}
    with sites(
        peers,
        peer,
        node={},
        flask_before={"config": config, "interface": SecureCookieSessionInterface()},
        flask={"config": config, "serializer": serializer, "accept": ("flask",)},
    ) as (member, _):
        member.sign_in("flask_before", 7)
        member.ask("flask_before", "/messages", message="Saved.", category="good")
        assert not member.seal.startswith("Fe26.2*")
        assert member.read("node") == {}
        assert member.who() == 7
        assert member.read("node")["user"] == {"id": 7}
        assert member.ask("flask", "/messages") == [["good", "Saved."]]
        member.leave("node")
        assert member.who() is None


# ---- sessions of several cookies ----


def test_a_session_of_several_cookies_grows_in_flask_and_shrinks_in_node_and_back(peers: Peers) -> None:
    flask = {"overflow": "chunk", "max_chunks": 4, "ttl": TTL}
    with sites(peers, node={"chunk": True}, flask=flask) as (member, _):
        member.sign_in("node", 7)
        member.change("flask", text="x" * 7000)
        assert sorted(member.cookies) == [f"{COOKIE}.{number}" for number in range(3)]
        assert member.read("node") == {"user": {"id": 7}, "text": "x" * 7000}
        member.change("node", text="y" * 4000)
        assert member.who() == 7
        member.change("flask", text="short")
        assert sorted(member.cookies) == [COOKIE]
        assert member.read("node") == {"user": {"id": 7}, "text": "short"}
