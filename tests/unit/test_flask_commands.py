"""``flask iron revoke``, ``sessions`` and ``cleanup``: what an administrator can do to sessions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import Result
from flask import Flask

from iron_wsgi.revocation import MemoryRevocations, Revocations
from iron_wsgi.revocation.sql import SqlRevocations
from iron_wsgi.stores import MemoryStore
from iron_wsgi.stores.sql import SqlStore
from iron_wsgi.testing import FakeClock
from iron_wsgi_flask import FlaskSession, IronSessionInterface
from iron_wsgi_flask.cli import iron

from .flask_site import Site, Use
from .shaky import ShakyList, ShakyStore
from .visitor import PASSWORD

NOW: Final = "2027-01-15T08:00:00Z"
"""When the tests begin."""


class Shop(Site):
    """A site, and its administrator."""

    def __init__(self, clock: FakeClock, **options: Any) -> None:
        self.clock = clock
        super().__init__(IronSessionInterface(PASSWORD, clock=clock, **options))

    def sign_in(self, user: str = "7") -> str:
        """The cookie of somebody who has signed in."""
        use: Use = lambda current: current.update(_user_id=user)  # noqa: E731
        answer = self.send("", use)
        return answer.headers["Set-Cookie"].partition(";")[0]

    def who(self, cookie: str) -> str:
        return self.send(cookie, lambda current: str(current.get("_user_id"))).text

    def run(self, *arguments: str) -> Result:
        return self.app.test_cli_runner().invoke(iron, arguments)

    def does(self, *arguments: str) -> str:
        """What a command says that succeeds."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        assert PASSWORD not in result.output
        return result.output


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> SqlStore:
    return SqlStore.from_url(f"sqlite:///{tmp_path / 'sessions.db'}", clock=clock)


@pytest.fixture
def revocations(tmp_path: Path, clock: FakeClock) -> SqlRevocations:
    return SqlRevocations.from_url(f"sqlite:///{tmp_path / 'revoked.db'}", clock=clock)


@pytest.fixture(params=["list", "store", "store and list"])
def shop(
    request: pytest.FixtureRequest, clock: FakeClock, store: SqlStore, revocations: SqlRevocations
) -> Shop:
    options: dict[str, Any] = {}
    if "store" in request.param:
        options |= {"storage": "store", "store": store}
    if "list" in request.param:
        options |= {"revocations": revocations}
    return Shop(clock, **options)


# revoke


def test_the_sessions_of_one_user_are_ended_and_no_other(shop: Shop) -> None:
    cookies = [shop.sign_in("7"), shop.sign_in("7"), shop.sign_in("8")]
    shop.clock.advance(1)
    said = shop.does("revoke", "--subject", "7")
    assert said == "The sessions of 7 that began before 2027-01-15T08:00:01Z are over.\n"
    assert [shop.who(cookie) for cookie in cookies] == ["None", "None", "8"]
    assert shop.who(shop.sign_in("7")) == "7"


@pytest.mark.parametrize("moment", ["2027-01-16", "2027-01-16T00:00:00", "2027-01-16T01:00:00+01:00"])
def test_only_what_began_before_a_moment_is_ended(shop: Shop, moment: str) -> None:
    early = shop.sign_in()
    shop.clock.advance(86400)
    late = shop.sign_in()
    shop.clock.advance(86400)
    assert "before 2027-01-16T00:00:00Z" in shop.does("revoke", "--subject", "7", "--before", moment)
    assert [shop.who(early), shop.who(late)] == ["None", "7"]


def test_one_session_is_ended_by_its_id(shop: Shop) -> None:
    cookies = [shop.sign_in(), shop.sign_in()]
    sid = shop.send(cookies[0], lambda current: current.sid).text
    assert shop.does("revoke", "--sid", sid) == "The session is over.\n"
    assert [shop.who(cookie) for cookie in cookies] == ["None", "7"]


def test_all_sessions_are_ended_where_there_is_a_list(shop: Shop) -> None:
    cookie = shop.sign_in()
    shop.clock.advance(1)
    result = shop.run("revoke", "--all")
    if shop.app.session_interface.options(shop.app).revocations is None:  # type: ignore[attr-defined]
        assert result.exit_code == 2
        assert "set IRON_SESSION_REVOCATIONS" in result.output
        assert shop.who(cookie) == "7"
    else:
        assert result.output == "All sessions that began before 2027-01-15T08:00:01Z are over.\n"
        assert shop.who(cookie) == "None"
        assert shop.who(shop.sign_in()) == "7"


def test_with_overflow_too_a_user_is_out_wherever_the_sessions_are(
    clock: FakeClock, store: SqlStore, revocations: SqlRevocations
) -> None:
    shop = Shop(clock, overflow="store", store=store, revocations=revocations)
    small = shop.sign_in()
    answer = shop.send("", lambda current: current.update(_user_id="7", cart="x" * 6000))
    large = answer.headers["Set-Cookie"].partition(";")[0]
    clock.advance(1)
    shop.does("revoke", "--subject", "7")
    assert [shop.who(small), shop.who(large)] == ["None", "None"]
    assert store.sessions_of("7") == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "one of --subject, --sid and --all"),
        (["--subject", "7", "--all"], "one of --subject, --sid and --all"),
        (["--sid", "x", "--before", "2027-01-01"], "--before goes with"),
        (["--subject", "7", "--before", "2027-01-16"], "in the future"),
        (["--subject", "7", "--before", "yesterday"], "does not match"),
    ],
)
def test_what_makes_no_sense_is_refused(shop: Shop, arguments: list[str], says: str) -> None:
    cookie = shop.sign_in()
    result = shop.run("revoke", *arguments)
    assert result.exit_code == 2
    assert says in result.output
    assert shop.who(cookie) == "7"


class Users(Revocations):
    """What an application has that asks its table of users."""

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:  # noqa: ARG002
        return False


@pytest.mark.parametrize("which", [["--subject", "7"], ["--all"], ["--sid", "x"]])
def test_an_application_that_ends_sessions_in_its_own_way_is_named(
    clock: FakeClock, store: SqlStore, which: list[str]
) -> None:
    result = Shop(clock, revocations=Users()).run("revoke", *which)
    assert result.exit_code == 2
    assert "Users has a way of its own" in result.output
    shop = Shop(clock, revocations=Users(), storage="store", store=store)
    result = shop.run("revoke", *which)
    assert result.exit_code == (0 if "--sid" in which else 2)


@pytest.mark.parametrize("which", [["--subject", "7"], ["--all"], ["--sid", "x"]])
def test_without_a_list_what_is_missing_is_said(clock: FakeClock, store: SqlStore, which: list[str]) -> None:
    for shop in (Shop(clock), Shop(clock, overflow="store", store=store)):
        result = shop.run("revoke", *which)
        assert result.exit_code == 2
        assert "set IRON_SESSION_REVOCATIONS" in result.output


# sessions


def test_somebodys_sessions_are_listed_the_latest_first(clock: FakeClock, store: SqlStore) -> None:
    shop = Shop(clock, storage="store", store=store, absolute_timeout=86400)
    first = shop.sign_in()
    clock.advance(60)
    shop.sign_in()
    shop.sign_in("8")
    clock.advance(60)
    shop.send(first, lambda current: current.update(seen=1))
    head, *rows = shop.does("sessions", "7").splitlines()
    assert head.split() == ["handle", "began", "last", "written", "expires"]
    assert [row.split()[1:3] for row in rows] == [
        ["2027-01-15T08:01:00Z", "2027-01-15T08:01:00Z"],
        ["2027-01-15T08:00:00Z", "2027-01-15T08:02:00Z"],
    ]
    assert {row.split()[3][:10] for row in rows} == {"2027-01-16"}
    assert shop.does("sessions", "9") == "There are none.\n"


def test_one_of_them_is_ended_by_its_handle(clock: FakeClock, store: SqlStore) -> None:
    shop = Shop(clock, storage="store", store=store, ttl=0)
    cookie = shop.sign_in()
    handle = shop.does("sessions", "7").splitlines()[1].split()[0]
    other = shop.sign_in()
    assert "never" in shop.does("sessions", "7")
    assert shop.run("sessions", "8", "--end", handle).exit_code == 1
    assert shop.who(cookie) == "7"
    assert shop.does("sessions", "7", "--end", handle) == "The session is over.\n"
    assert [shop.who(cookie), shop.who(other)] == ["None", "7"]
    missing = shop.run("sessions", "7", "--end", handle)
    assert missing.exit_code == 1
    assert "no session has a handle" in missing.output


def test_a_handle_that_means_several_ends_none(clock: FakeClock, store: SqlStore) -> None:
    shop = Shop(clock, storage="store", store=store)
    cookies = [shop.sign_in() for _ in range(17)]  # two of them begin with the same digit
    digits = Counter(session.key[0] for session in store.sessions_of("7"))
    result = shop.run("sessions", "7", "--end", digits.most_common(1)[0][0])
    assert result.exit_code == 1
    assert "several sessions" in result.output
    assert {shop.who(cookie) for cookie in cookies} == {"7"}


def test_a_handle_that_is_empty_ends_none(clock: FakeClock, store: SqlStore) -> None:
    shop = Shop(clock, storage="store", store=store)
    cookie = shop.sign_in()
    result = shop.run("sessions", "7", "--end", "")
    assert result.exit_code == 2
    assert shop.who(cookie) == "7"


def test_without_a_store_nothing_can_be_listed(clock: FakeClock, revocations: SqlRevocations) -> None:
    result = Shop(clock, revocations=revocations).run("sessions", "7")
    assert result.exit_code == 2
    assert "set IRON_SESSION_STORE" in result.output


# cleanup


def test_cleanup_removes_what_has_expired_and_says_how_much(
    clock: FakeClock, store: SqlStore, revocations: SqlRevocations
) -> None:
    shop = Shop(clock, storage="store", store=store, revocations=revocations, ttl=60)
    cookies = [shop.sign_in() for _ in range(3)]
    shop.send(cookies[0], FlaskSession.destroy)
    nothing = "The store: 0 removed.\nThe list of revocations: 0 removed.\n"
    assert shop.does("cleanup") == nothing
    clock.advance(3 * 86400)
    living = shop.sign_in()
    assert shop.does("cleanup") == "The store: 2 removed.\nThe list of revocations: 1 removed.\n"
    assert shop.does("cleanup") == nothing
    assert shop.who(living) == "7"


def test_cleanup_cleans_what_there_is(clock: FakeClock, store: SqlStore, revocations: SqlRevocations) -> None:
    assert Shop(clock, store=store).does("cleanup") == "The store: 0 removed.\n"
    assert Shop(clock, revocations=revocations).does("cleanup") == "The list of revocations: 0 removed.\n"
    result = Shop(clock).run("cleanup")
    assert result.exit_code == 2
    assert "nothing to clean" in result.output


# All of them.

COMMANDS: Final = [["revoke", "--subject", "7"], ["revoke", "--sid", "x"], ["sessions", "7"], ["cleanup"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("part", [MemoryStore, MemoryRevocations])
def test_a_command_says_that_it_cannot_reach_another_process_memory(
    clock: FakeClock, store: SqlStore, part: Callable[[], Any], command: list[str]
) -> None:
    in_memory = {"store": part()} if part is MemoryStore else {"store": store, "revocations": part()}
    result = Shop(clock, storage="store", **in_memory).run(*command)
    if command[0] == "sessions" and part is MemoryRevocations:
        assert result.exit_code == 0
    else:
        assert result.exit_code == 2
        assert "in the memory of each process" in result.output or "in each process's memory" in result.output


@pytest.mark.parametrize(
    "command", [*COMMANDS, ["revoke", "--all"], ["sessions", "7", "--end", "x"]], ids=" ".join
)
def test_a_command_that_meets_an_outage_says_so_in_one_line(
    clock: FakeClock, command: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    store, revocations = ShakyStore(clock), ShakyList(clock)
    shop = Shop(clock, storage="store", store=store, revocations=revocations)
    store.down = {"load", "delete", "list_subject", "sweep"}
    revocations.down = {"revoke", "revoke_subject", "revoke_all", "sweep"}
    store.sweep = lambda: store._ask("sweep")  # type: ignore[method-assign]
    result = shop.run(*command)
    assert result.exit_code == 1
    assert "Error: the sessions' " in result.output
    assert "does not answer" in result.output
    assert "Traceback" not in result.output + capfd.readouterr().err


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_says_what_the_application_lacks(command: list[str]) -> None:
    app = Flask(__name__)
    runner = app.test_cli_runner()
    result = runner.invoke(iron, command)
    assert result.exit_code == 2
    assert "not an IronSessionInterface" in result.output
    app.session_interface = IronSessionInterface()
    result = runner.invoke(iron, command)
    assert result.exit_code == 2
    assert "set IRON_SESSION_PASSWORD or SECRET_KEY" in result.output
    app.config.update(SECRET_KEY="x", IRON_SESSION_STORAGE="disk")
    result = runner.invoke(iron, command)
    assert result.exit_code == 1
    assert "storage must be" in result.output
