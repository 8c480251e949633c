"""``flask iron``: a password, and what a cookie proves under the application's own."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
from flask import Flask, session
from flask.cli import FlaskGroup

from iron_wsgi import Passwords, Sealer, seal_data
from iron_wsgi.testing import FakeClock
from iron_wsgi_flask import IronSessionInterface
from iron_wsgi_flask.cli import iron

PASSWORD = "Zc3kEw9Q_0yTgVnR5pXbL2mJhUaSd8Fo"
COOKIE = seal_data({"user": 7}, password=PASSWORD, ttl=3600)


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    app.session_interface = IronSessionInterface()
    app.config["IRON_SESSION_PASSWORD"] = PASSWORD
    return app


def test_flask_finds_the_command_by_its_entry_point() -> None:
    (found,) = entry_points(group="flask.commands", name="iron")
    assert found.load() is iron
    assert FlaskGroup().get_command(FlaskGroup().make_context("flask", ["routes"]), "iron") is iron


def test_keygen_prints_a_password_that_can_be_used(app: Flask) -> None:
    password = app.test_cli_runner().invoke(iron, ["keygen"]).output.strip()
    assert Passwords.parse(password).ids == ("1",)
    assert len(password) == 43


def test_keygen_prints_the_variable_that_flask_reads(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    name, _, password = app.test_cli_runner().invoke(iron, ["keygen", "--env"]).output.strip().partition("=")
    monkeypatch.setenv(name, password)
    app.config.from_prefixed_env()
    assert app.config["IRON_SESSION_PASSWORD"] == password


@pytest.mark.parametrize("how", ["argument", "header", "standard input"])
def test_inspect_opens_a_cookie_under_the_applications_password(app: Flask, how: str) -> None:
    text = {"argument": [COOKIE], "header": [f"Cookie: a=b; session={COOKIE}"], "standard input": []}[how]
    result = app.test_cli_runner().invoke(iron, ["inspect", *text], input=COOKIE)
    assert result.exit_code == 0
    assert "the MAC matches under password id 1" in result.output
    assert '"user": 7' in result.output
    assert PASSWORD not in result.output
    assert COOKIE not in result.output


def test_inspect_opens_what_is_sealed_under_a_secret_key(app: Flask) -> None:
    app.config.update(IRON_SESSION_PASSWORD=None, SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"])
    password = Passwords.from_secret_keys(["old"])
    result = app.test_cli_runner().invoke(iron, ["inspect", seal_data({"user": 8}, password=password)])
    assert result.exit_code == 0
    assert '"user": 8' in result.output


def test_inspect_opens_what_a_sealer_sealed(app: Flask) -> None:
    token = Sealer(PASSWORD, purpose="link").seal({"user": 9}, ttl=60)
    assert app.test_cli_runner().invoke(iron, ["inspect", token]).exit_code == 1
    result = app.test_cli_runner().invoke(iron, ["inspect", "--purpose", "link", token])
    assert result.exit_code == 0
    assert '"user": 9' in result.output


def test_inspect_reads_the_clock_that_the_application_has() -> None:
    app = Flask(__name__)
    clock = FakeClock()
    app.session_interface = IronSessionInterface(PASSWORD, clock=clock)
    cookie = seal_data({"user": 7}, password=PASSWORD, ttl=60, clock=clock)
    clock.advance(3600)
    assert "over since 0:59:00" in app.test_cli_runner().invoke(iron, ["inspect", cookie]).output


def test_inspect_says_that_a_foreign_cookie_does_not_open(app: Flask) -> None:
    foreign = seal_data({"user": 7}, password=PASSWORD[::-1])
    result = app.test_cli_runner().invoke(iron, ["inspect", foreign])
    assert result.exit_code == 1
    assert "opened   no" in result.output


def test_inspect_refuses_what_is_no_seal_in_one_line(app: Flask) -> None:
    result = app.test_cli_runner().invoke(iron, ["inspect", "session=eyJhIjoxfQ.aQ.c2ln"])
    assert result.exit_code == 1
    assert result.output == "Error: no seal found; its value would begin with Fe26.2*\n"


def test_inspect_says_what_the_application_lacks(app: Flask) -> None:
    app.config["IRON_SESSION_PASSWORD"] = None
    result = app.test_cli_runner().invoke(iron, ["inspect", COOKIE])
    assert result.exit_code == 2
    assert "set IRON_SESSION_PASSWORD or SECRET_KEY" in result.output
    app.session_interface = Flask.session_interface
    result = app.test_cli_runner().invoke(iron, ["inspect", COOKIE])
    assert result.exit_code == 2
    assert "not an IronSessionInterface" in result.output


def test_a_cookie_that_the_application_sets_is_inspected(app: Flask) -> None:
    @app.post("/")
    def write() -> str:
        session["when"] = (1, 2)
        return ""

    line = app.test_client().post("/").headers["Set-Cookie"]
    result = app.test_cli_runner().invoke(iron, ["inspect", f"Set-Cookie: {line}"])
    assert result.exit_code == 0
    assert '"when"' in result.output
