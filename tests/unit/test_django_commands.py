"""The commands of ``manage.py``: a password, what a cookie proves, and sessions listed, ended and cleared."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import pytest
from django.core.management import CommandError, call_command
from django.test.utils import override_settings

from iron_wsgi import Passwords, seal_data
from iron_wsgi.revocation import MemoryRevocations, Revocations
from iron_wsgi.servers.ids import key_of, subject_key_of
from iron_wsgi.stores import MemoryStore, Record
from iron_wsgi.testing import FakeClock
from iron_wsgi_django import sealer
from iron_wsgi_django.databases.store import DatabaseStore

from .django_project import OURS, set_up
from .django_site import Site, put
from .visitor import payload

set_up()

PASSWORD: Final = "commands-Hs7Qw2Ne9-kBvX4rTz1LcP6mJf8Yd3G"
SETTINGS: Final = {"SESSION_ENGINE": "iron_wsgi_django.backend", "MIDDLEWARE": [OURS]}
SEALED: Final = override_settings(**SETTINGS, IRON_SESSION={"password": PASSWORD})
COOKIE: Final = seal_data({"user": 7}, password=PASSWORD, ttl=3600)


class DownRevocations(Revocations):
    """A list that does not answer."""

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        raise ConnectionError(sid, subject, issued_at)

    def revoke_subject(self, subject: str, *, before: float | None = None) -> None:
        raise ConnectionError(subject, before)

    def revoke_all(self, *, before: float | None = None) -> None:
        raise ConnectionError(before)


def printed(*arguments: Any, **options: Any) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, **options)
    return out.getvalue().removesuffix("\n")


def test_keygen_prints_a_password_that_can_be_used() -> None:
    password = printed("iron_keygen")
    assert Passwords.parse(password).ids == ("1",)
    assert len(password) == 43
    assert printed("iron_keygen") != password


def test_keygen_prints_a_line_for_the_environment() -> None:
    name, _, password = printed("iron_keygen", "--env").partition("=")
    assert name == "IRON_SESSION_PASSWORD"
    assert Passwords.parse(password).ids == ("1",)


@SEALED
@pytest.mark.parametrize("how", ["argument", "header", "standard input"])
def test_inspect_opens_a_cookie_under_the_sites_password(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(COOKIE))
    text = {"argument": [COOKIE], "header": [f"Cookie: a=b; sessionid={COOKIE}"], "standard input": []}[how]
    report = printed("iron_inspect", *text)
    assert "the MAC matches under password id 1" in report
    assert '"user": 7' in report
    assert PASSWORD not in report
    assert COOKIE not in report


@override_settings(**SETTINGS, IRON_SESSION={}, SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"])
def test_inspect_opens_what_is_sealed_under_an_old_secret_key() -> None:
    assert '"user": 8' in printed(
        "iron_inspect", seal_data({"user": 8}, password=Passwords.from_secret_keys(["old"]))
    )


@SEALED
def test_inspect_opens_what_a_sealer_sealed_for_its_purpose() -> None:
    token = sealer("link").seal({"user": 9}, ttl=60)
    assert '"user": 9' in printed("iron_inspect", token, purpose="link")
    with pytest.raises(CommandError) as failed:
        printed("iron_inspect", token)
    assert failed.value.returncode == 1


def test_inspect_reads_the_clock_that_the_site_has() -> None:
    clock = FakeClock()
    cookie = seal_data({"user": 7}, password=PASSWORD, ttl=60, clock=clock)
    clock.advance(3600)
    with override_settings(**SETTINGS, IRON_SESSION={"password": PASSWORD, "clock": clock}):
        assert "over since 0:59:00" in printed("iron_inspect", cookie)


@SEALED
def test_inspect_shows_what_everybody_can_read_of_a_foreign_cookie_and_fails() -> None:
    out = io.StringIO()
    with pytest.raises(CommandError, match="could not be opened") as failed:
        call_command("iron_inspect", seal_data({"user": 7}, password=PASSWORD[::-1]), stdout=out)
    assert failed.value.returncode == 1
    assert "opened   no" in out.getvalue()


@SEALED
def test_inspect_refuses_what_is_no_seal() -> None:
    with pytest.raises(CommandError, match="no seal found") as failed:
        printed("iron_inspect", "sessionid=eyJhIjoxfQ:1tX:c2ln")
    assert failed.value.returncode == 1


@SEALED
def test_inspect_refuses_an_empty_purpose() -> None:
    with pytest.raises(CommandError, match="a purpose must not be empty") as failed:
        printed("iron_inspect", COOKIE, purpose="")
    assert failed.value.returncode == 2


@override_settings(**SETTINGS, IRON_SESSION={"password": "short"})
def test_inspect_says_which_setting_is_unusable() -> None:
    with pytest.raises(CommandError, match="needs at least 32") as failed:
        printed("iron_inspect", COOKIE)
    assert failed.value.returncode == 2


PROGRAM: Final = """
import os

from django.conf import settings
from django.core.management import execute_from_command_line

settings.configure(
    INSTALLED_APPS=["iron_wsgi_django"],
    SECRET_KEY="a-key-of-this-program-alone",
    MIDDLEWARE=["iron_wsgi_django.middleware.SessionMiddleware"] * 2,  # which is a check's error
    SESSION_ENGINE="iron_wsgi_django.backend",
    IRON_SESSION={"password": os.environ.get("IRON_SESSION_PASSWORD")},
)
execute_from_command_line()
"""


def manage(*arguments: str, typed: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py` of a site whose settings are wrong."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, *arguments],
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environ},
    )


def test_the_commands_work_where_the_checks_fail_so_that_they_can_help() -> None:
    assert manage("check").returncode == 1
    line = manage("iron_keygen", "--env").stdout.strip()
    name, _, password = line.partition("=")
    cookie = seal_data({"user": 7}, password=password)
    run = manage("iron_inspect", typed=cookie, **{name: password})
    assert run.returncode == 0, run.stderr
    assert '"user": 7' in run.stdout


def test_without_a_password_inspect_says_so_in_one_line_and_exits_with_2() -> None:
    run = manage("iron_inspect", COOKIE)
    assert run.returncode == 2
    assert run.stderr.startswith("CommandError: ")
    assert "password" in run.stderr
    assert "Traceback" not in run.stderr


# Ending and listing sessions.


@pytest.fixture
def ada(clock: FakeClock) -> Iterator[Site]:
    """A browser in which the user 7 has signed in, at a site with a store and a list."""
    store, revocations = MemoryStore(clock=clock), MemoryRevocations(clock=clock)
    site = Site(clock, IRON_SESSION={"storage": "store", "store": store, "revocations": revocations})
    site.visit(put(_auth_user_id="7"))
    clock.advance(60)
    with site.holds():
        yield site


def without(site: Site, *names: str) -> override_settings:
    kept = {name: value for name, value in site.settings["IRON_SESSION"].items() if name not in names}
    return override_settings(**{**site.settings, "IRON_SESSION": kept})


def test_revoke_ends_the_sessions_of_a_user(ada: Site) -> None:
    assert printed("iron_revoke", "--user", "8") == "The user's sessions are over. 0 removed from the store."
    assert ada.finds() == {"_auth_user_id": "7"}
    assert printed("iron_revoke", user="7") == "The user's sessions are over. 1 removed from the store."
    assert ada.finds() == {}


def test_revoke_ends_what_the_store_alone_has(ada: Site) -> None:
    with without(ada, "revocations"):
        said = printed("iron_revoke", "--user", "7")
        assert said == "The user's sessions that the store has are over. 1 removed from the store."
        with pytest.raises(CommandError, match="IRON_SESSION names no list of revocations"):
            call_command("iron_revoke", "--all")


def test_revoke_ends_what_is_in_cookies_by_the_list_alone(clock: FakeClock) -> None:
    site = Site(clock, IRON_SESSION={"revocations": MemoryRevocations(clock=clock)})
    site.visit(put(_auth_user_id="7"))
    clock.advance(1)
    with site.holds():
        assert printed("iron_revoke", "--user", "7") == "The user's sessions are over."
    assert site.finds() == {}


@pytest.mark.parametrize("kind", ["id", "cookie", "listed"])
def test_revoke_ends_one_session(ada: Site, kind: str) -> None:
    listed = printed("iron_sessions", "7").split()[-1]
    key = {"id": payload(ada.value)["_iron"]["sid"], "cookie": ada.value, "listed": listed}[kind]
    assert printed("iron_revoke", "--session", key) == "The session is over."
    assert ada.finds() == {}
    assert printed("iron_sessions", "7") == ""


def test_an_id_may_look_as_a_listed_session_does(ada: Site, clock: FakeClock) -> None:
    options = {**ada.settings["IRON_SESSION"], "generate_id": lambda: "a" * 64}
    other = Site(clock, IRON_SESSION=options)
    other.visit(put(_auth_user_id="9"))
    assert printed("iron_revoke", "--session", "a" * 64) == "The session is over."
    assert other.finds() == {}


@pytest.mark.parametrize("arguments", [{"all": True}, {"user": "7"}], ids=["all", "user"])
def test_revoke_ends_what_began_before_a_moment(
    ada: Site, clock: FakeClock, arguments: dict[str, Any]
) -> None:
    def at(moment: float) -> str:
        return datetime.fromtimestamp(moment, timezone.utc).isoformat()

    flags = ["--all"] if "all" in arguments else ["--user", "7"]
    printed("iron_revoke", *flags, "--before", at(clock() - 61))
    assert ada.finds() == {"_auth_user_id": "7"}
    printed("iron_revoke", *flags, "--before", at(clock() - 59))
    assert ada.finds() == {}


def test_a_moment_without_a_zone_is_the_sites_own(ada: Site, clock: FakeClock) -> None:
    local = datetime.fromtimestamp(clock() - 59, timezone(timedelta(hours=5, minutes=30)))
    with override_settings(TIME_ZONE="Asia/Kolkata"):
        printed("iron_revoke", "--all", "--before", local.replace(tzinfo=None).isoformat())
    assert ada.finds() == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "one of the arguments --user --session --all is required"),
        (["--user", "7", "--all"], "not allowed with argument"),
        (["--session", "x", "--before", "2026-01-01T00:00Z"], "--before is for --user and --all"),
        (["--all", "--before", "2126-01-01T00:00Z"], "--before is in the future"),
        (["--user", ""], "The argument is empty"),
        (["--session", ""], "The argument is empty"),
        (["--all", "--before", "yesterday"], "argument --before: invalid"),
        (["--all", "--before", "2026-13-01T00:00Z"], "argument --before: invalid"),
    ],
)
def test_revoke_says_how_it_is_used(ada: Site, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("iron_revoke", *arguments)
    assert ada.finds() == {"_auth_user_id": "7"}


@pytest.mark.parametrize("arguments", [["--user", "7"], ["--session", "a" * 32], ["--all"]])
def test_revoke_says_that_nobody_would_remember(ada: Site, arguments: list[str]) -> None:
    with without(ada, "revocations", "store", "storage"), pytest.raises(CommandError) as refused:
        call_command("iron_revoke", *arguments)
    assert refused.value.returncode == 2
    assert str(refused.value).startswith("IRON_SESSION names no list of revocations")


def test_sessions_lists_a_users_sessions_the_latest_first(ada: Site, clock: FakeClock) -> None:
    first = payload(ada.value)["_iron"]["sid"]
    ada.client.cookies.clear()
    ada.visit(put(_auth_user_id="7"))
    second = payload(ada.value)["_iron"]["sid"]
    rows = [line.split("  ") for line in printed("iron_sessions", "7").splitlines()]
    assert [row[-1] for row in rows] == [key_of(second), key_of(first)]
    began = datetime.fromtimestamp(clock(), timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    assert rows[0][:2] == [began, began]
    assert first not in printed("iron_sessions", "7")
    with without(ada, "store", "storage"), pytest.raises(CommandError, match="names no store"):
        call_command("iron_sessions", "7")


def test_sessions_without_an_end_are_listed_so(ada: Site) -> None:
    record = Record(
        value="x", version=1, subject=subject_key_of("9"), created_at=1, written_at=1, expires_at=None
    )
    ada.settings["IRON_SESSION"]["store"].create(key_of("endless"), record)
    assert printed("iron_sessions", "9").split("  ")[2].strip() == "never"


def test_clear_sessions_removes_what_has_expired(ada: Site, clock: FakeClock) -> None:
    printed("iron_revoke", "--session", "a" * 32)
    said = "0 sessions and 0 revocations have expired, and are removed."
    assert printed("iron_clear_sessions") == said
    clock.advance(40_000_000)
    said = "1 sessions and 1 revocations have expired, and are removed."
    assert printed("iron_clear_sessions") == said
    with without(ada, "revocations", "store", "storage"):
        assert printed("iron_clear_sessions").startswith("0 sessions and 0 revocations")


@pytest.mark.parametrize(
    "command",
    [
        ["iron_revoke", "--user", "7"],
        ["iron_revoke", "--all"],
        ["iron_sessions", "7"],
        ["iron_clear_sessions"],
    ],
)
def test_a_server_that_does_not_answer_fails_the_command(ada: Site, command: list[str]) -> None:
    options = {
        **ada.settings["IRON_SESSION"],
        "store": DatabaseStore("gone"),
        "revocations": DownRevocations(),
    }
    with override_settings(IRON_SESSION=options), pytest.raises(CommandError, match="does not answer"):
        call_command(*command)
