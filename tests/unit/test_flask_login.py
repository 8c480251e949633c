from __future__ import annotations

import subprocess
import sys
from typing import Any, Final

import pytest
from flask import Flask, session
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

from iron_wsgi import SessionDestroyed
from iron_wsgi_flask import FlaskSession, IronSessionInterface

from .flask_site import lines
from .visitor import PASSWORD, payload

# Flask-Login 0.6.3 asks the time in a way that Python 3.12 deprecates.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:datetime\.datetime\.utcnow\(\):DeprecationWarning:flask_login"
)

KEY: Final = "for the remember cookie"


class User(UserMixin):
    def __init__(self, number: str) -> None:
        self.id = number


def flask_session() -> FlaskSession:
    current = session._get_current_object()  # type: ignore[attr-defined]
    assert isinstance(current, FlaskSession)
    return current


def make_app(interface: IronSessionInterface | None = None, *, manager: bool = True, **config: Any) -> Flask:
    app = Flask("site")
    app.config.update(TESTING=True, SECRET_KEY=KEY, **config)
    app.session_interface = interface or IronSessionInterface(PASSWORD)
    if manager:
        add_manager(app)

    @app.get("/fill")
    def fill() -> str:
        session["cart"] = [1]
        return flask_session().sid

    @app.get("/login")
    def sign_in() -> str:
        login_user(User("7"), remember=True)
        return "in"

    @app.get("/logout")
    def sign_out() -> str:
        logout_user()
        return "out"

    @app.get("/logout-and-destroy")
    def sign_out_and_destroy() -> str:
        logout_user()
        flask_session().destroy()
        return "out"

    @app.get("/destroy-and-logout")
    def destroy_and_sign_out() -> str:
        flask_session().destroy()
        logout_user()
        return "out"

    @app.get("/clear-and-logout")
    def clear_and_sign_out() -> str:
        flask_session().regenerate(clear=True)
        logout_user()
        return "out"

    @app.get("/")
    def who() -> str:
        return f"{current_user.get_id()} {session.get('cart')}"

    @app.get("/sid")
    def sid() -> str:
        return flask_session().sid

    return app


def add_manager(app: Flask) -> None:
    manager = LoginManager(app)
    manager.user_loader(User)


def value(client: FlaskClient) -> str:
    cookie = client.get_cookie("session")
    assert cookie is not None
    return cookie.value


def stamped(client: FlaskClient) -> str:
    """The id that the session's cookie carries."""
    sid = payload(value(client))["_iron"]["sid"]
    assert isinstance(sid, str)
    return sid


def test_signing_in_and_out_gives_the_session_a_new_id_and_keeps_its_data() -> None:
    client = make_app().test_client()
    ids = [client.get("/fill").text]
    assert stamped(client) == ids[0]
    for path in ("/login", "/logout"):
        line = lines(client.get(path))[-1]
        assert line.startswith("session=Fe26.2*")
        ids.append(stamped(client))
        assert payload(value(client))["cart"] == [1]
        assert client.get("/sid").text == ids[-1]
    assert len(set(ids)) == 3
    assert client.get("/").text == "None [1]"


def test_signing_in_stamps_a_session_that_had_no_id() -> None:
    client = make_app().test_client()
    client.get("/login")
    assert client.get("/").text == "7 None"
    assert len(stamped(client)) >= 43


def test_the_remember_cookie_signs_in_under_a_new_id() -> None:
    client = make_app().test_client()
    client.get("/login")
    before = stamped(client)
    client.delete_cookie("session")
    assert client.get("/").text == "7 None"
    assert stamped(client) != before
    after = stamped(client)
    assert client.get("/").text == "7 None"
    assert stamped(client) == after


def test_a_remembered_visitor_with_a_session_keeps_its_data() -> None:
    client = make_app().test_client()
    client.get("/login")
    client.delete_cookie("session")
    app = make_app()
    stranger = app.test_client()
    stranger.get("/fill")
    before = stamped(stranger)
    remembered = client.get_cookie("remember_token")
    assert remembered is not None
    stranger.set_cookie("remember_token", remembered.value)
    assert stranger.get("/").text == "7 [1]"
    assert stamped(stranger) != before


@pytest.mark.parametrize(
    "path", ["/logout", "/logout-and-destroy", "/destroy-and-logout", "/clear-and-logout"]
)
def test_every_way_of_signing_out_forgets_the_remember_cookie_too(path: str) -> None:
    client = make_app().test_client()
    client.get("/login")
    assert client.get("/").text == "7 None"
    response = client.get(path)
    assert response.status_code == 200
    assert client.get("/").text == "None None"
    assert client.get_cookie("remember_token") is None
    if path != "/logout":
        assert client.get_cookie("session") is None


def test_a_destroyed_session_takes_flask_logins_notes_and_nothing_else() -> None:
    app = make_app()
    with app.test_request_context():
        current = flask_session()
        current["_remember"] = "clear"
        current["_remember_seconds"] = 60
        current.destroy()
        assert dict(current) == {"_remember": "clear"}
        assert current.pop("_remember") == "clear"
        current["_remember"] = "clear"
        assert dict(current) == {"_remember": "clear"}
        del current["_remember"]
        with pytest.raises(RuntimeError, match="destroyed"):
            current["user"] = 7
        with pytest.raises(KeyError):
            del current["user"]
        assert dict(current) == {}


def test_each_signing_in_regenerates_once_however_often_the_configuration_changed() -> None:
    made: list[str] = []

    def make_id() -> str:
        made.append(f"id-{len(made)}")
        return made[-1]

    app = make_app(IronSessionInterface(PASSWORD, generate_id=make_id))
    client = app.test_client()
    for number in range(3):
        app.config["IRON_SESSION_TTL"] = 1000 + number
        client.get("/fill")
    made.clear()
    client.get("/login")
    assert len(made) == 1


def test_applications_do_not_regenerate_each_others_sessions() -> None:
    ours, theirs = make_app().test_client(), make_app().test_client()
    ours.get("/fill")
    theirs.get("/fill")
    before = stamped(ours)
    theirs.get("/login")
    assert stamped(ours) == before


def test_a_login_manager_that_comes_after_a_session_was_opened_is_followed() -> None:
    app = make_app(manager=False)
    client = app.test_client()
    with client.session_transaction() as current:
        current["cart"] = [1]
        before = current.sid  # type: ignore[attr-defined]
    add_manager(app)
    client.get("/login")
    assert stamped(client) != before


def test_a_view_that_signs_in_is_told_with_the_new_id() -> None:
    app = make_app()
    ids: list[str] = []

    @app.get("/both")
    def both() -> str:
        ids.append(flask_session().sid)
        login_user(User("7"))
        ids.append(flask_session().sid)
        return "in"

    client = app.test_client()
    client.get("/both")
    assert ids[0] != ids[1] == stamped(client)


def test_an_application_that_went_back_to_flasks_own_sessions_signs_in_as_before() -> None:
    app = make_app()
    app.test_client().get("/fill")
    app.session_interface = SecureCookieSessionInterface()
    client = app.test_client()
    client.get("/login")
    assert client.get("/").text == "7 None"
    assert not value(client).startswith("Fe26")


def test_a_login_manager_of_another_kind_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flask_login", None)  # as where it is not installed
    app = make_app(manager=False)
    app.login_manager = object()  # type: ignore[attr-defined]
    client = app.test_client()
    for _ in range(2):
        assert client.get("/fill").status_code == 200


def test_an_application_without_flask_login_imports_nothing_of_it() -> None:
    program = (
        "import sys\n"
        "from flask import Flask, session\n"
        "from iron_wsgi_flask import IronSessionInterface\n"
        "app = Flask('site')\n"
        f"app.session_interface = IronSessionInterface({PASSWORD!r})\n"
        "app.add_url_rule('/', 'page', lambda: str(session.setdefault('user', 7)))\n"
        "assert app.test_client().get('/').text == '7'\n"
        "print(sorted({'flask_login', 'asgiref', 'django', 'redis', 'sqlalchemy'} & set(sys.modules)))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert found.stdout.strip() == "[]"


def test_signing_in_on_a_destroyed_session_is_an_error_and_not_a_silence() -> None:
    app = make_app()

    @app.get("/again")
    def again() -> str:
        flask_session().destroy()
        login_user(User("7"))
        return "in"

    with pytest.raises(SessionDestroyed):
        app.test_client().get("/again")
