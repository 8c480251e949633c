"""One login, two servers, one Redis: express-session or next-session in Node, and here an `IdVault`.

Node's stores are connect-redis. Both listen on 127.0.0.1, and the browser sends both the same cookie, as in
`test_live`. Redis reckons with the real time, whatever the servers are told.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote
from urllib.request import Request

import pytest
from redis import Redis

from iron_wsgi import IdVault, IronSessionMiddleware, get_iron_session, session_from
from iron_wsgi.testing import DictJar
from iron_wsgi_flask import IronSessionInterface
from tests.parts import program
from tests.servers.django_site import CONTRIB, STOCK
from tests.servers.flask_site import create_app
from tests.services.redis import RedisServer

from .forge import OLD
from .peers import FOLDER, Peers
from .test_live import pages, waitress
from .test_live_django import SharedClock
from .test_live_flask import DAY, TTL, Member
from .visits import COOKIE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

pytest_plugins = ("tests.services.redis",)
pytestmark = [pytest.mark.needs("node"), pytest.mark.needs("redis")]

ROOT: Final = Path(__file__).parents[2]
WITHIN: Final = 30.0  # seconds for a site to stop
SECRET: Final = "what express-session was given"
NEWER: Final = "what it was given later"
UNITS: Final = {"express": 1000, "next-session": 1}  # of cookie.maxAge, in a second
AGES: Final = {"express": "originalMaxAge", "next-session": "maxAge"}
USER: Final = {"id": 7}
OTHER: Final = {"id": 8}
NAME: Final = {"id": 7, "name": "Zoë 🦊 \ud800", "cookie": {"cookie": {"expires": "never"}}}


class Records:
    """What is in Redis, as Node keeps it there."""

    def __init__(self, client: Redis) -> None:
        self.client = client

    def __len__(self) -> int:
        return len(self.client.keys("*"))

    @property
    def key(self) -> str:
        """The key of the only record."""
        (name,) = self.client.keys("*")
        assert isinstance(name, bytes)
        return name.decode()

    @property
    def only(self) -> dict[str, Any]:
        """The only record."""
        found: dict[str, Any] = json.loads(self.client.get(self.key) or b"")
        return found

    @property
    def cookie(self) -> dict[str, Any]:
        """What it says of its cookie."""
        found: dict[str, Any] = self.only["cookie"]
        return found

    @property
    def lasts(self) -> int:
        """Seconds that Redis will keep it."""
        return int(self.client.ttl(self.key))


@dataclass
class Scene:
    """A visitor, the time, and the records of the sites that he goes to."""

    member: Member
    clock: SharedClock
    records: Records

    def post(self, site: str, page: str, **values: Any) -> Any:
        """Post to a page, also where there is nothing to say."""
        return self.member._fetch(
            Request(f"{self.member.sites[site]}{page}", data=json.dumps(values).encode())
        )

    def give(self, value: str) -> None:
        """Put another value into the browser's cookie."""
        self.member.cookie.value = value


Serve = Callable[..., Scene]


def more_pages(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """The pages of `test_live`, and two that Node has here."""
    if environ["PATH_INFO"] == "/regenerate":
        session_from(environ).regenerate()
    elif environ["PATH_INFO"] == "/expiry":
        session_from(environ).set_expiry(json.loads(environ["wsgi.input"].read())["seconds"])
    else:
        return pages(environ, start_response)
    return pages({**environ, "REQUEST_METHOD": "GET", "PATH_INFO": "/"}, start_response)


@contextmanager
def django_process(
    folder: Path, redis: int, vault: dict[str, Any], settings: dict[str, Any]
) -> Iterator[str]:
    """Serve the Django site in a process of its own, and yield its address."""
    log = folder / f"site-{len(list(folder.iterdir()))}.log"
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
        command = [sys.executable, "-W", "error", "-m", "tests.interop.ids_django"]
        process = subprocess.Popen(
            [*command, str(listener.fileno()), str(redis), repr(vault)],
            cwd=ROOT,
            env={**os.environ, "DJANGO_SITE": repr(settings), "CLOCK": str(folder / "clock")},
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            assert process.poll() is None, log.read_text()
        finally:
            process.terminate()
            try:
                process.wait(WITHIN)
            finally:
                process.kill()
                process.wait()
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def node() -> Iterator[Peers]:
    """The libraries in Node."""
    with Peers(program("node"), program=FOLDER / "ids.mjs") as running:
        yield running


@pytest.fixture(scope="module")
def django(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Returns the address of a Django site, started when it is first asked for; with the file of its time."""
    folder = tmp_path_factory.mktemp("django")
    addresses: dict[str, str] = {}
    with ExitStack() as stack:

        def address(*given: Any) -> str:
            text = repr(given)
            if text not in addresses:
                addresses[text] = stack.enter_context(django_process(folder, *given))
            return addresses[text]

        address.folder = folder  # type: ignore[attr-defined]
        yield address


@pytest.fixture
def serve(node: Peers, django: Any, redis_server: RedisServer) -> Iterator[Serve]:
    """What serves a site for each of its arguments: ``node...``, ``wsgi...``, ``flask...``, ``django...``.

    They are options of the libraries; ``vault`` among them holds arguments of `IdVault`, and ``config`` what
    Flask's configuration or Django's settings say.
    """
    with ExitStack() as stack:
        clock = SharedClock(node, file=django.folder / "clock")
        clock.move(0)
        stack.callback(node.value, "clock", at=None)
        client = stack.enter_context(redis_server.client())

        def address(library: str, site: str, given: dict[str, Any]) -> str:
            if site.startswith("node"):
                cookie = {"maxAge": TTL * UNITS[library], "secure": False, **given.pop("cookie", {})}
                options = {"secrets": [SECRET], "name": COOKIE, "cookie": cookie, **given}
                port = node.value("listen", library=library, redis=redis_server.port, **options)
                stack.callback(node.value, "close", port=port)
                return f"http://127.0.0.1:{port}"
            chosen = {"sign": SECRET, "records": library, **given.pop("vault", {})}
            config = given.pop("config", {})
            if site.startswith("django"):
                settings = {**config, "IRON_SESSION": {"password": OLD, **given}}
                return str(django(redis_server.port, chosen, settings))
            common = {"password": OLD, "clock": clock, "vault": IdVault(client, **chosen)}
            if site.startswith("flask"):
                ours = {"ttl": TTL, **common, **given}
                interface = IronSessionInterface(
                    **{name: one for name, one in ours.items() if one is not None}
                )
                return stack.enter_context(waitress(create_app(interface, **config)))
            attributes = {"secure": False, **given.pop("cookie_options", {})}
            named = {"cookie_name": COOKIE, "cookie_options": attributes, **common, **given}
            return stack.enter_context(waitress(IronSessionMiddleware(more_pages, **named)))

        def serving(library: str, **options: dict[str, Any]) -> Scene:
            sites = {name: address(library, name, dict(given)) for name, given in options.items()}
            return Scene(Member(sites), clock, Records(client))

        yield serving


@pytest.fixture(params=["express", "next-session"])
def library(request: pytest.FixtureRequest) -> str:
    """The library in Node."""
    name: str = request.param
    return name


@pytest.fixture(params=["wsgi", "flask", "django"])
def here(request: pytest.FixtureRequest) -> str:
    """The site on this side."""
    name: str = request.param
    return name


def own(data: dict[str, Any]) -> dict[str, Any]:
    """What the test put into a session, without what Flask-Login and Django's auth keep there."""
    return {key: value for key, value in data.items() if not key.startswith("_")}


# ---- signing in and out ----


def test_whom_node_signed_in_is_signed_in_here_and_a_look_leaves_record_and_cookie_as_they_are(
    serve: Serve, library: str, here: str
) -> None:
    scene = serve(library, node={}, **{here: {}})
    member = scene.member
    assert member.read(here) == {}
    assert not list(member.jar)
    assert len(scene.records) == 0
    member.change("node", user=NAME, seats=2**53 - 1)
    held, record = member.seal, scene.records.only
    assert member.read(here) == {"user": NAME, "seats": 2**53 - 1}
    assert (member.seal, scene.records.only) == (held, record)


def test_whom_we_signed_in_node_knows_and_what_either_changes_both_see_under_the_same_id(
    serve: Serve, library: str, here: str
) -> None:
    scene = serve(library, node={}, **{here: {}})
    member = scene.member
    member.change(here, user=NAME, theme="dark", count=1)
    key, held = scene.records.key, member.seal
    assert member.read("node") == {"user": NAME, "theme": "dark", "count": 1}
    member.change("node", theme=None, cart=[{"n": 1}])
    assert member.read(here) == {"user": NAME, "count": 1, "cart": [{"n": 1}]}
    member.change(here, cart=[{"n": 2}], count=None)
    assert member.read("node") == {"user": NAME, "cart": [{"n": 2}]}
    assert (scene.records.key, member.seal) == (key, held)
    assert unquote(held).startswith(f"s:{key.removeprefix('sess:')}.")


@pytest.mark.parametrize("comes_by", ["node", "here"])
@pytest.mark.parametrize("leaves_by", ["node", "here"])
def test_who_signs_out_on_either_side_is_signed_out_on_both_and_so_is_every_copy_of_the_cookie(
    serve: Serve, library: str, here: str, comes_by: str, leaves_by: str
) -> None:
    scene = serve(library, node={}, **{here: {}})
    member = scene.member
    names = {"node": "node", "here": here}
    member.change(names[comes_by], user=USER)
    held = member.seal
    assert member.read("node") == member.read(here) == {"user": USER}
    member.leave(names[leaves_by])
    assert len(scene.records) == 0
    assert not list(member.jar) or library == "express"  # which leaves the browser its cookie
    thief = Member(member.sites)
    for site in ("node", here):
        request = Request(f"{member.sites[site]}/", headers={"Cookie": f"{COOKIE}={held}"})
        assert thief._fetch(request) == member.read(site) == {}
    assert len(scene.records) == 0


def test_a_session_gets_another_id_on_either_side_and_the_former_opens_nothing(serve: Serve) -> None:
    scene = serve("express", node={}, wsgi={})
    member = scene.member
    member.change("node", user=USER)
    for site in ("wsgi", "node"):
        former, key = member.seal, scene.records.key
        assert own(scene.post(site, "/regenerate")) == {"user": USER}
        assert member.seal != former
        assert scene.records.key != key
        assert own(member.read("node")) == own(member.read("wsgi")) == {"user": USER}
        renewed = member.seal
        scene.give(former)
        assert member.read("node") == member.read("wsgi") == {}
        scene.give(renewed)


def test_a_login_in_django_gives_another_id_which_is_the_sessions_key(serve: Serve, library: str) -> None:
    scene = serve(library, node={}, django={})
    member = scene.member
    member.change("node", basket=[1])
    former = scene.records.key
    member.sign_in("django", 7)
    assert member.who("django") == 7
    assert scene.records.key != former
    assert member.read("node")["user"] == {"id": 7}
    assert scene.records.key == "sess:" + member.ask("django", "/key")["session_key"]


def test_under_djangos_own_middleware_sessions_are_shared_too_and_the_key_is_the_cookies_value(
    serve: Serve, library: str
) -> None:
    scene = serve(library, node={}, django={"config": {"MIDDLEWARE": [STOCK, *CONTRIB]}})
    member = scene.member
    member.change("node", user=USER)
    held = member.seal
    assert member.read("django") == {"user": USER}
    member.change("django", theme="dark")
    assert member.read("node") == {"user": USER, "theme": "dark"}
    assert member.seal == held == member.ask("django", "/key")["session_key"]
    member.sign_in("django", 8)
    assert member.seal != held
    assert member.read("node")["user"] == OTHER
    assert len(scene.records) == 1
    member.leave("django")
    assert len(scene.records) == 0
    assert not list(member.jar)


def test_an_id_that_node_does_not_know_is_not_taken_from_the_visitor(
    serve: Serve, node: Peers, library: str, here: str
) -> None:
    scene = serve(library, node={}, **{here: {}})
    member = scene.member
    member.change(here, user=USER)
    scene.records.client.flushall()
    chosen = node.value("sign", value="chosen", secret=SECRET)
    scene.give(chosen)
    assert member.read(here) == {}
    assert member.seal == chosen  # Redis may come to its senses
    member.change(here, user=OTHER)
    assert member.read("node") == {"user": OTHER}
    assert scene.records.key != "sess:chosen"


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b"{}", b"\xff", b'{"cookie":7}', b"[" * 9999])
@pytest.mark.parametrize("decodes", [False, True])
def test_a_record_that_is_none_makes_an_anonymous_visitor_and_no_error(
    redis_server: RedisServer, node: Peers, record: bytes, *, decodes: bool
) -> None:
    with redis_server.client(decode_responses=decodes) as client:
        client.set("sess:a", record)
        jar = DictJar({COOKIE: node.value("sign", value="a", secret=SECRET)})
        vault = IdVault(client, sign=SECRET)
        with get_iron_session(jar, password=OLD, cookie_name=COOKIE, vault=vault) as session:
            assert session.copy() == {}
        assert jar.outcome.cookies[0].is_deletion


# ---- lifetimes ----


def test_node_touches_what_was_written_here(serve: Serve, library: str, here: str) -> None:
    options = {"touchAfter": 0} if library == "next-session" else {"rolling": True}
    scene = serve(library, node=options, **{here: {}})
    member, records = scene.member, scene.records
    member.change(here, user=USER)
    held = member.seal
    member.cookie.expires = None  # so that the new one is seen
    records.client.expire(records.key, 1000)
    scene.clock.move(100)
    assert member.read("node") == {"user": USER}
    assert records.lasts in range(TTL - 60, TTL + 1)
    assert (member.lasts, member.seal) == (14, held)
    assert member.read(here) == {"user": USER}


def test_we_touch_what_was_written_in_node(serve: Serve, library: str) -> None:
    scene = serve(library, node={}, wsgi={"refresh_after": 100})
    member, records = scene.member, scene.records
    member.change("node", user=USER)
    before = records.cookie
    records.client.expire(records.key, 1000)
    scene.clock.move(99)
    member.read("wsgi")
    assert (records.lasts <= 1000, records.cookie) == (True, before)
    scene.clock.move(1)
    assert member.read("wsgi") == {"user": USER}
    assert records.lasts in range(TTL - 60, TTL + 1)
    assert records.cookie["expires"] > before["expires"]
    assert {**records.cookie, "expires": before["expires"]} == before
    assert member.read("node") == {"user": USER}


def test_a_touch_of_node_which_does_not_write_keeps_a_session_alive_here(serve: Serve, here: str) -> None:
    scene = serve("express", node={}, **{here: {}})
    member, records = scene.member, scene.records
    member.change(here, user=USER)
    scene.clock.move(TTL + DAY)  # by the record its time is over; by Redis it is not
    assert member.read("node") == {"user": USER}
    assert member.read(here) == {"user": USER}
    records.client.delete(records.key)
    assert member.read("node") == member.read(here) == {}


@pytest.mark.parametrize("first", ["node", "here"])
def test_a_cookie_that_ends_with_the_browser_is_one_on_both_sides(
    serve: Serve, library: str, here: str, first: str
) -> None:
    ours: dict[str, dict[str, Any]] = {
        "wsgi": {"cookie_options": {"max_age": None}},
        "flask": {"ttl": None},
        "django": {"config": {"SESSION_EXPIRE_AT_BROWSER_CLOSE": True}},
    }
    theirs = {"cookie": {"maxAge": None}} if library == "express" else {"cookie": {"maxAge": 0}}
    scene = serve(library, node=theirs, **{here: ours[here]})
    member, records = scene.member, scene.records
    for site in ("node", here) if first == "node" else (here, "node"):
        member.change(site, user=USER, **{site: 1})
        assert member.lasts is None
        assert records.cookie.get(AGES[library]) is None
        assert records.cookie.get("expires") is None
        assert records.lasts > 0
    assert member.read("node") == member.read(here) == {"user": USER, "node": 1, here: 1}


@pytest.mark.parametrize("here", ["wsgi", "flask"])
def test_a_session_that_node_remembers_for_longer_is_remembered_as_long_here(
    serve: Serve, library: str, here: str
) -> None:
    scene = serve(library, node={}, **{here: {}})
    member, records = scene.member, scene.records
    member.change("node", user=USER)
    scene.post("node", "/lifetime", maxAge=30 * DAY * UNITS[library])
    assert member.lasts == 30
    member.change(here, seen=True)
    assert member.lasts == 30
    assert records.lasts in range(30 * DAY - 60, 30 * DAY + 1)
    assert round(records.cookie[AGES[library]] / UNITS[library] / DAY, 3) == 30
    member.change("node", seen=False)
    assert round(records.lasts / DAY) == 30


def test_a_session_that_is_remembered_here_is_remembered_as_long_in_node(serve: Serve, library: str) -> None:
    scene = serve(library, node={}, wsgi={})
    member, records = scene.member, scene.records
    member.change("wsgi", user=USER)
    scene.post("wsgi", "/expiry", seconds=30 * DAY)
    assert records.cookie[AGES[library]] == 30 * DAY * UNITS[library]
    member.change("node", seen=True)
    assert records.cookie[AGES[library]] == 30 * DAY * UNITS[library]
    assert round(records.lasts / DAY) == 30
    assert member.ask("node", "/cookie")[AGES[library]] == 30 * DAY * UNITS[library]


def test_what_node_says_of_the_cookie_is_kept_and_what_we_say_is_what_node_sends(
    serve: Serve, library: str
) -> None:
    theirs = {"cookie": {"sameSite": "strict", "path": "/", "httpOnly": False}}
    scene = serve(library, node=theirs, wsgi={"cookie_options": {"samesite": "Strict", "httponly": False}})
    member, records = scene.member, scene.records
    member.change("node", user=USER)
    before = records.cookie
    member.change("wsgi", seen=True)
    assert {**records.cookie, "expires": ""} == {**before, "expires": ""}
    member.leave("wsgi")
    member.change("wsgi", user=OTHER)
    made = records.cookie
    member.change("node", seen=True)
    assert {**records.cookie, "expires": ""} == {**made, "expires": ""}
    assert {name: made[name] for name in before if name != "expires"} == {
        name: before[name] for name in before if name != "expires"
    }


def test_the_absolute_timeout_ends_a_session_that_node_keeps_alive(
    serve: Serve, library: str, here: str
) -> None:
    scene = serve(library, node={}, **{here: {"absolute_timeout": 20 * DAY}})
    member = scene.member
    member.change("node", user=USER)
    assert member.read(here) == {"user": USER}
    for _ in range(2):
        scene.clock.move(10 * DAY)
        member.change("node", seen=True)
        member.cookie.expires = None
    assert member.read(here)["user"] == USER
    scene.clock.move(60)
    assert member.read("node")["user"] == USER
    assert member.read(here) == {}


# ---- secrets ----


def test_a_secret_is_replaced_without_signing_anybody_out(serve: Serve, library: str, here: str) -> None:
    vaults = {"before": SECRET, "ready": [SECRET, NEWER], "after": [NEWER, SECRET]}
    ours = {f"{here}_{name}": {"vault": {"sign": sign}} for name, sign in vaults.items()}
    both = {"node_before": {"secrets": [SECRET]}, "node_after": {"secrets": [NEWER, SECRET]}}
    scene = serve(library, **both, **ours)
    member = scene.member
    member.change("node_before", user=USER)
    first = member.seal
    assert member.read(f"{here}_ready") == {"user": USER}
    assert member.seal == first
    assert member.read(f"{here}_after") == {"user": USER}
    second = member.seal
    assert second != first
    assert member.read("node_after") == member.read(f"{here}_ready") == {"user": USER}
    scene.give(second)
    assert member.read(f"{here}_before") == {}
    assert member.seal == second  # it may be good elsewhere, and is
    assert member.read(f"{here}_after") == {"user": USER}
    assert member.read("node_before") == {}


@pytest.mark.parametrize("value", ["a", "a.b.c", "x" * 100, "!#$%&'()*+,/:;<=>?@[]^`{|}~"])
def test_signatures_are_those_of_cookie_signature(redis_server: RedisServer, node: Peers, value: str) -> None:
    with redis_server.client() as client:
        jar = DictJar()
        vault = IdVault(client, sign=[NEWER, SECRET])
        options: dict[str, Any] = {"password": OLD, "cookie_name": COOKIE, "vault": vault}
        with get_iron_session(jar, generate_id=lambda: value, **options) as session:
            session["user"] = USER
        written = jar.outcome.cookies[0].value
        assert unquote(written) == node.value("sign", value=value, secret=NEWER)
        for secret in (NEWER, SECRET):
            session = get_iron_session(
                DictJar({COOKIE: node.value("sign", value=value, secret=secret)}), **options
            )
            assert session["user"] == USER


def test_next_sessions_ids_may_be_plain(serve: Serve, here: str) -> None:
    scene = serve("next-session", node={"secrets": None}, **{here: {"vault": {"sign": None}}})
    member = scene.member
    member.change("node", user=USER)
    assert member.read(here) == {"user": USER}
    assert scene.records.key == f"sess:{member.seal}"
    member.leave(here)
    member.change(here, user=OTHER)
    assert member.read("node") == {"user": OTHER}
    assert scene.records.key == f"sess:{member.seal}"


# ---- what the libraries take for themselves ----


def taken(library: str) -> list[str]:
    """The names that an `IdVault` refuses."""
    methods = ["touch", "destroy", "id"]
    if library == "next-session":
        return [*methods, "commit"]
    named = [
        *methods,
        "req",
        "save",
        "reload",
        "regenerate",
        "resetMaxAge",
        "constructor",
        "toString",
        "valueOf",
    ]
    return [*named, "hasOwnProperty", "isPrototypeOf", "toLocaleString", "__proto__", "__defineGetter__"]


def test_the_names_that_are_refused_are_those_that_node_loses(serve: Serve, library: str) -> None:
    scene = serve(library, node={}, wsgi={})
    member, records = scene.member, scene.records
    member.change("node", user=USER)
    names = [*taken(library), "name", "commits", "cookies"]
    record = {**records.only, **dict.fromkeys(names, "kept")}
    records.client.set(records.key, json.dumps(record))
    shown = member.read("node")
    assert {name for name in names if shown.get(name) == "kept"} == {"name", "commits", "cookies"}


# ---- parallel writers ----


def test_a_slow_request_does_not_bring_back_a_session_that_node_has_ended(serve: Serve, library: str) -> None:
    scene = serve(library, node={}, wsgi={})
    member, records = scene.member, scene.records
    for use in ("change", "save", "touch", "regenerate"):
        member.change("node", user=USER)
        jar = DictJar({COOKIE: member.seal})
        vault = IdVault(records.client, sign=SECRET, records=library)  # type: ignore[arg-type]
        with get_iron_session(jar, password=OLD, cookie_name=COOKIE, vault=vault) as session:
            assert session["user"] == USER
            member.leave("node")
            assert len(records) == 0
            if use == "change":
                session["slow"] = True
            else:
                getattr(session, use)()
        assert len(records) == 0
        assert jar.outcome.cookies == ()
        member.jar.clear()


def test_what_node_wrote_meanwhile_is_kept(serve: Serve, library: str) -> None:
    scene = serve(library, node={}, wsgi={})
    member, records = scene.member, scene.records
    member.change("node", user=USER, seats=1)
    jar = DictJar({COOKIE: member.seal})
    vault = IdVault(records.client, sign=SECRET, records=library)  # type: ignore[arg-type]
    with get_iron_session(jar, password=OLD, cookie_name=COOKIE, vault=vault) as session:
        session["slow"] = True
        member.change("node", seats=2, cart=[1])
    assert member.read("node") == {"user": USER, "seats": 2, "cart": [1], "slow": True}
