"""One login, two servers: iron-session in Node and a Django site under waitress, in a process of its own.

Both listen on 127.0.0.1, and the browser sends both the same cookie, as in `test_live`. Each test of what all
sites can do runs with our middleware and with Django's own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pytest

from tests.servers.django_site import CONTRIB, COOKIE, OURS, STOCK

from .forge import NEW, OLD
from .test_live import Clock
from .test_live_flask import DAY, ROTATION, SKEW, TTL, Member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .peers import Peers

pytestmark = pytest.mark.needs("node")

ROOT: Final = Path(__file__).parents[2]
WITHIN: Final = 30.0  # seconds for a site to start, or to stop
SIGNED: Final = "django.contrib.sessions.backends.signed_cookies"

Sites: TypeAlias = "Callable[..., Any]"


@dataclass
class SharedClock(Clock):
    """The time in Node, here, and in the processes that look it up in a file."""

    file: Path = Path(os.devnull)

    def move(self, seconds: float) -> None:
        """Let time pass."""
        super().move(seconds)
        self.file.write_text(repr(self()))


class Processes:
    """Sites of Django, each a process that is started when a test first asks for it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.clock = folder / "clock"
        self._folder = folder
        self._stack = stack
        self._addresses: dict[str, str] = {}

    def address(self, settings: dict[str, Any]) -> str:
        """Return where the site with these settings listens."""
        text = repr(settings)
        if text not in self._addresses:
            self._addresses[text] = self._stack.enter_context(self._served(text))
        return self._addresses[text]

    @contextmanager
    def _served(self, settings: str) -> Iterator[str]:
        log = self._folder / f"site-{len(self._addresses)}.log"
        # The socket is ours: its port is known at once, and who comes before the site waits in line.
        with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
            program = [sys.executable, "-W", "error", "-m", "tests.servers.django_site"]
            process = subprocess.Popen(
                [*program, str(listener.fileno())],
                cwd=ROOT,
                env={**os.environ, "DJANGO_SITE": settings, "CLOCK": str(self.clock)},
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
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """The sites of Django, stopped when the last of these tests is over."""
    with ExitStack() as stack:
        yield Processes(tmp_path_factory.mktemp("django"), stack)


@pytest.fixture
def sites(peers: Peers, processes: Processes) -> Iterator[Sites]:
    """What serves a site for each of its arguments, named ``node...`` or ``django...``, all with one clock.

    Sites of Django take their settings, and ``middleware``.
    """
    with ExitStack() as stack:
        clock = SharedClock(peers, file=processes.clock)
        clock.move(0)
        stack.callback(peers.value, "clock", at=None)

        def serve(peer: str = "iron-session-9", **options: dict[str, Any]) -> tuple[Member, SharedClock]:
            addresses: dict[str, str] = {}
            for name, given in options.items():
                if name.startswith("node"):
                    theirs = {
                        "cookieName": COOKIE,
                        "password": OLD,
                        "cookieOptions": {"secure": False},
                        **given,
                    }
                    port = peers.value("listen", peer=peer, options=theirs)
                    stack.callback(peers.value, "close", port=port)
                    addresses[name] = f"http://127.0.0.1:{port}"
                else:
                    ours = dict(given)
                    ours["MIDDLEWARE"] = [ours.pop("middleware", OURS), *CONTRIB]
                    addresses[name] = processes.address(ours)
            return Member(addresses), clock

        yield serve


@pytest.fixture(params=["iron-session-8", "iron-session-9"])
def peer(request: pytest.FixtureRequest) -> str:
    """The library in Node."""
    name: str = request.param
    return name


@pytest.fixture(params=[OURS, STOCK], ids=["ours", "stock"])
def django(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings of a site with either middleware."""
    return {"middleware": request.param}


@pytest.fixture(params=["json", None], ids=["json", "django's"])
def written(request: pytest.FixtureRequest, django: dict[str, Any]) -> dict[str, Any]:
    """The same with either serializer."""
    return {**django, "IRON_SESSION": {"serializer": request.param}}


# ---- signing in and out ----


def test_whom_node_signed_in_a_view_knows_and_a_look_leaves_the_cookie_as_it_is(
    sites: Sites, peer: str, written: dict[str, Any]
) -> None:
    member, _ = sites(peer, node={}, django=written)
    assert member.who("django") is None
    assert not list(member.jar)
    member.change("node", user={"id": 7, "name": "Zoë 🦊 \ud800"}, seats=2**53 - 1)
    before = member.seal
    assert member.who("django") == 7
    assert member.read("django") == {"user": {"id": 7, "name": "Zoë 🦊 \ud800"}, "seats": 2**53 - 1}
    assert member.seal == before


def test_whom_django_signed_in_node_knows(sites: Sites, peer: str, written: dict[str, Any]) -> None:
    member, _ = sites(peer, node={}, django=written)
    member.sign_in("django", 7)
    assert member.who("django") == 7
    shown = member.read("node")
    assert shown["user"] == {"id": 7}
    assert shown["_auth_user_id"] == "7"
    member.change("node", theme="dark")
    assert member.who("django") == 7
    assert member.read("django")["theme"] == "dark"


def test_django_knows_at_once_that_node_signed_in_somebody_else(
    sites: Sites, peer: str, django: dict[str, Any]
) -> None:
    member, _ = sites(peer, node={}, django=django)
    member.sign_in("django", 7)
    member.sign_in("node", 8)
    assert member.who("django") == 8


def test_signing_in_as_somebody_else_in_django_takes_nothing_of_the_first_along_to_node(
    sites: Sites, peer: str, django: dict[str, Any]
) -> None:
    member, _ = sites(peer, node={}, django=django)
    member.sign_in("django", 7)
    member.change("node", basket=[1])
    member.sign_in("django", 8)
    shown = member.read("node")
    assert shown["user"] == {"id": 8}
    assert "basket" not in shown


@pytest.mark.parametrize("comes_by", ["node", "django"])
@pytest.mark.parametrize("leaves_by", ["node", "django"])
def test_who_signs_out_of_either_is_signed_out_of_both(
    sites: Sites, peer: str, django: dict[str, Any], comes_by: str, leaves_by: str
) -> None:
    member, _ = sites(peer, node={}, django=django)
    member.sign_in(comes_by, 7)
    assert member.who("django") == 7
    member.leave(leaves_by)
    assert not list(member.jar)
    assert member.who("django") is None
    assert member.read("node") == {}


def test_who_is_signed_out_by_node_taking_the_user_away_is_not_let_in_by_djangos_own_members(
    sites: Sites, peer: str, django: dict[str, Any]
) -> None:
    member, _ = sites(peer, node={}, django=django)
    member.sign_in("django", 7)
    member.change("node", user=None, basket=[1])
    assert member.read("node")["_auth_user_id"] == "7"
    assert member.who("django") is None
    assert member.read("django")["basket"] == [1]


# ---- messages ----


def test_a_message_outlives_what_node_reads_and_writes_and_is_shown_once(
    sites: Sites, peer: str, written: dict[str, Any]
) -> None:
    member, _ = sites(peer, node={}, django=written)
    member.sign_in("node", 7)
    member.ask("django", "/messages", level=25, message="Saved, <Zoë> 🦊.")
    assert member.read("node")["user"] == {"id": 7}
    member.change("node", theme="dark")
    member.ask("django", "/messages", level=40, message="And another.")
    assert member.ask("django", "/messages") == [[25, "Saved, <Zoë> 🦊."], [40, "And another."]]
    assert member.ask("django", "/messages") == []
    assert member.read("node") == {"user": {"id": 7}, "theme": "dark"} | stamps(member)


def test_node_can_leave_a_message_for_django_to_show(
    sites: Sites, peer: str, written: dict[str, Any]
) -> None:
    member, _ = sites(peer, node={}, django=written)
    member.change("node", user={"id": 7}, _messages='[["__json_message",0,25,"Paid."]]')
    member.ask("django", "/messages", level=25, message="Sent.")
    assert member.ask("django", "/messages") == [[25, "Paid."], [25, "Sent."]]
    assert member.ask("django", "/messages") == []


def stamps(member: Member) -> dict[str, Any]:
    """What our middleware stamps, so that the session's key stays the same."""
    shown = member.read("node")
    return {"_iron": shown["_iron"]} if "_iron" in shown else {}


# ---- how long the browser keeps the cookie ----


def test_the_cookie_outlives_the_browser_whoever_wrote_it_last(
    sites: Sites, peer: str, django: dict[str, Any]
) -> None:
    member, clock = sites(peer, node={}, django=django)
    member.sign_in("node", 7)
    assert member.lasts == 14
    member.change("django", theme="dark")
    assert member.lasts == 14
    member.change("node", theme="light")
    assert member.lasts == 14
    clock.move(TTL + SKEW - 1)
    assert member.who("django") == 7
    clock.move(1)
    assert member.who("django") is None


def test_what_django_writes_ends_with_the_browser_where_it_is_set_so_and_its_seal_by_the_age(
    sites: Sites, peer: str, django: dict[str, Any]
) -> None:
    django = {**django, "SESSION_EXPIRE_AT_BROWSER_CLOSE": True, "SESSION_COOKIE_AGE": DAY}
    member, clock = sites(peer, node={}, django=django)
    member.sign_in("node", 7)
    member.change("django", theme="dark")
    assert member.lasts is None
    assert member.cookie.discard
    clock.move(DAY + SKEW - 1)
    assert member.read("node")["user"] == member.read("django")["user"] == {"id": 7}
    clock.move(1)
    assert member.read("node") == member.read("django") == {}


@pytest.mark.parametrize(
    ("expiry", "lasts", "lives"),
    [({"days": 31}, 31, 31 * DAY), ({"days": 3}, 3, 3 * DAY), ({"seconds": 0}, None, TTL)],
    ids=["longer", "shorter", "with the browser"],
)
def test_an_expiry_that_django_gave_ends_the_session_in_node_too_and_counts_again_when_django_writes(
    sites: Sites, django: dict[str, Any], expiry: dict[str, int], lasts: int | None, lives: int
) -> None:
    member, clock = sites("iron-session-9", node={}, django=django)
    member.sign_in("django", 7)
    member.ask("django", "/remember", **expiry)
    assert member.lasts == lasts
    member.change("node", theme="dark")
    assert member.lasts == 14  # Node knows only its own
    member.change("django", theme="light")
    assert member.lasts == lasts
    clock.move(lives + SKEW - 1)
    assert member.read("node")["user"] == member.read("django")["user"] == {"id": 7}
    clock.move(WITHIN)  # Django makes a date of a timedelta by the real time, which goes on
    assert member.read("node") == member.read("django") == {}


def test_saving_every_request_renews_the_cookie_and_node_goes_by_it(
    sites: Sites, peer: str, django: dict[str, Any]
) -> None:
    member, clock = sites(peer, node={}, django={**django, "SESSION_SAVE_EVERY_REQUEST": True})
    member.sign_in("node", 7)
    signed_in = member.seal
    clock.move(13 * DAY)
    assert member.who("django") == 7
    assert member.seal != signed_in
    clock.move(13 * DAY)
    assert member.read("node")["user"] == {"id": 7}


@pytest.mark.parametrize("signed_in_by", ["node", "django"])
def test_a_login_ends_in_both_at_the_same_moment_and_django_takes_the_cookie_away(
    sites: Sites, peer: str, django: dict[str, Any], signed_in_by: str
) -> None:
    member, clock = sites(peer, node={}, django=django)
    member.sign_in(signed_in_by, 7)
    clock.move(TTL + SKEW - 0.001)
    assert member.who("django") == 7
    assert member.read("node")["user"] == {"id": 7}
    clock.move(0.001)
    assert member.read("node") == {}
    assert list(member.jar)  # it was sent, and read as nothing
    assert member.who("django") is None
    assert not list(member.jar)


def test_the_absolute_timeout_that_django_is_given_ends_a_session_that_node_keeps_writing(
    sites: Sites, peer: str, django: dict[str, Any]
) -> None:
    django = {**django, "IRON_SESSION": {"absolute_timeout": 20 * DAY}}
    member, clock = sites(peer, node={}, django=django)
    member.sign_in("django", 7)
    clock.move(13 * DAY)
    member.change("node", seen=True)
    clock.move(7 * DAY + SKEW - 1)
    member.change("node", seen=False)
    assert member.who("django") == 7
    clock.move(1)
    assert member.who("django") is None
    assert not list(member.jar)


# ---- the session's key ----


def test_the_key_that_a_login_gave_outlives_what_node_writes_and_the_next_login_gives_another(
    sites: Sites, peer: str
) -> None:
    member, _ = sites(peer, node={}, django={})
    member.change("node", basket=[1])
    anonymous = member.ask("django", "/key")["session_key"]
    member.sign_in("django", 7)
    given = member.ask("django", "/key")["session_key"]
    assert given != anonymous
    member.change("node", theme="dark")
    member.change("django", theme="light")
    assert member.ask("django", "/key") == {"session_key": given, "sid": given}
    assert member.read("node")["_iron"]["sid"] == given
    assert "_iron" not in member.read("django")
    member.sign_in("django", 8)
    assert member.ask("django", "/key")["session_key"] not in (given, anonymous)


def test_a_key_that_was_told_before_anything_was_written_stays_until_the_login(
    sites: Sites, peer: str
) -> None:
    member, _ = sites(peer, node={}, django={})
    member.change("node", basket=[1])
    told = member.ask("django", "/key")["session_key"]
    member.change("django", basket=[1, 2])
    member.change("node", basket=[])
    assert member.ask("django", "/key")["session_key"] == told


def test_under_djangos_own_middleware_the_key_is_the_seal(sites: Sites, peer: str) -> None:
    member, _ = sites(peer, node={}, django={"middleware": STOCK})
    member.sign_in("node", 7)
    assert member.ask("django", "/key")["session_key"] == member.seal


# ---- a password is replaced ----


def test_a_password_is_replaced_in_django_and_node_without_signing_anybody_out(
    sites: Sites, peer: str, django: dict[str, Any]
) -> None:
    member, _ = sites(
        peer,
        node_before={"password": {1: OLD}},
        node_after={"password": ROTATION},
        django_before={**django, "IRON_SESSION": {"password": {1: OLD}}},
        django_ready={**django, "IRON_SESSION": {"password": ROTATION, "seal_with": 1}},
        django_after={**django, "IRON_SESSION": {"password": ROTATION}},
    )
    member.sign_in("node_before", 7)
    # 1. Django learns the new password, and goes on sealing with the old.
    member.change("django_ready", step=1)
    assert member.seal.startswith("Fe26.2*1*")
    assert member.read("node_before")["step"] == 1
    assert member.who("django_before") == 7
    # 2. Node learns it, and seals with it.
    member.change("node_after", step=2)
    assert member.seal.startswith("Fe26.2*2*")
    assert member.who("django_ready") == 7
    # 3. Django seals with it too.
    member.change("django_after", step=3)
    assert member.seal.startswith("Fe26.2*2*")
    assert member.read("node_after")["step"] == 3
    assert member.who("django_after") == 7


def test_a_seal_of_node_under_the_older_password_is_renewed_by_a_look_in_django(
    sites: Sites, peer: str, django: dict[str, Any]
) -> None:
    django = {**django, "IRON_SESSION": {"password": ROTATION}}
    member, _ = sites(peer, node={"password": {1: OLD}}, django=django)
    member.sign_in("node", 7)
    assert member.seal.startswith("Fe26.2*1*")
    assert member.who("django") == 7
    assert member.seal.startswith("Fe26.2*2*")
    assert member.who("django") == 7


def test_a_django_that_is_behind_in_a_rotation_leaves_the_login_to_those_who_know_the_password(
    sites: Sites, peer: str, django: dict[str, Any]
) -> None:
    member, _ = sites(
        peer,
        node={"password": ROTATION},
        django={**django, "IRON_SESSION": {"password": {1: OLD}}},
        django_after={**django, "IRON_SESSION": {"password": ROTATION}},
    )
    member.sign_in("node", 7)
    held = member.seal
    assert member.who("django") is None
    assert member.seal == held
    assert member.who("django_after") == 7
    assert member.read("node") == {"user": {"id": 7}} | stamps(member)


def test_a_password_that_nobody_knows_opens_nothing(sites: Sites, django: dict[str, Any]) -> None:
    member, _ = sites(
        "iron-session-9",
        node={"password": {1: NEW}},
        django={**django, "IRON_SESSION": {"password": {1: OLD}}},
    )
    member.sign_in("node", 7)
    assert member.who("django") is None
    assert not list(member.jar)


# ---- a site moves from Django's own sessions ----


def test_who_was_signed_in_by_djangos_signed_cookies_is_signed_in_in_node_after_the_move(
    sites: Sites, peer: str, django: dict[str, Any]
) -> None:
    member, _ = sites(
        peer,
        node={},
        django_before={"middleware": STOCK, "SESSION_ENGINE": SIGNED},
        django={**django, "IRON_SESSION": {"accept": ("signed_cookies",)}},
    )
    member.sign_in("django_before", 7)
    assert not member.seal.startswith("Fe26.2*")
    assert member.read("node") == {}
    assert member.who("django") == 7
    assert member.read("node")["user"] == {"id": 7}
    member.leave("node")
    assert member.who("django") is None


# ---- sessions of several cookies ----


def test_a_session_of_several_cookies_grows_in_django_and_shrinks_in_node_and_back(sites: Sites) -> None:
    django = {"IRON_SESSION": {"overflow": "chunk", "max_chunks": 4}}
    member, _ = sites("iron-session-9", node={"chunk": True}, django=django)
    member.sign_in("node", 7)
    member.change("django", text="x" * 7000)
    assert sorted(member.cookies) == [f"{COOKIE}.{number}" for number in range(3)]
    assert member.read("node")["text"] == "x" * 7000
    member.change("node", text="y" * 4000)
    assert member.who("django") == 7
    member.change("django", text="short")
    assert sorted(member.cookies) == [COOKIE]
    assert member.read("node")["text"] == "short"
