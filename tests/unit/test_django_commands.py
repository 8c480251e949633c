"""``manage.py iron_keygen`` and ``iron_inspect``: a password, and what a cookie proves under the site's."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from typing import Any, Final

import pytest
from django.core.management import CommandError, call_command
from django.test.utils import override_settings

from iron_wsgi import Passwords, seal_data
from iron_wsgi.testing import FakeClock
from iron_wsgi_django import sealer

from .django_project import OURS, set_up

set_up()

PASSWORD: Final = "commands-Hs7Qw2Ne9-kBvX4rTz1LcP6mJf8Yd3G"
SETTINGS: Final = {"SESSION_ENGINE": "iron_wsgi_django.backend", "MIDDLEWARE": [OURS]}
SEALED: Final = override_settings(**SETTINGS, IRON_SESSION={"password": PASSWORD})
COOKIE: Final = seal_data({"user": 7}, password=PASSWORD, ttl=3600)


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
