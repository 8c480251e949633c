from __future__ import annotations

from flask import Flask, session
from flask.typing import ResponseReturnValue

from iron_wsgi import seal, unseal_data
from iron_wsgi_flask import IronSessionInterface

PASSWORD = "flask-T9xLkq2Wv7-rMzE4uYcHs0bAa8Dn1Gf"


def make_app(**config: object) -> Flask:
    app = Flask(__name__)
    app.config.update(SESSION_REFRESH_EACH_REQUEST=False)
    app.config.update(config)

    @app.post("/login")
    def login() -> ResponseReturnValue:
        session["user"] = {"id": 7}
        session.permanent = True
        return "in"

    @app.get("/")
    def home() -> ResponseReturnValue:
        return str(session.get("user"))

    @app.post("/logout")
    def logout() -> ResponseReturnValue:
        session.clear()
        return "out"

    @app.get("/public")
    def public() -> ResponseReturnValue:
        return "public"

    return app


def visit(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/public").headers.getlist("Vary") == []
    signed_in = client.post("/login")
    assert "Fe26.2*" in signed_in.headers["Set-Cookie"]
    assert signed_in.headers["Cache-Control"] == "private, no-store"
    shown = client.get("/")
    assert shown.text == "{'id': 7}"
    assert shown.headers["Vary"] == "Cookie"
    assert "Set-Cookie" not in shown.headers
    assert "session=;" in client.post("/logout").headers["Set-Cookie"]
    assert client.get("/").text == "None"


def test_one_line_gives_a_flask_application_sealed_sessions() -> None:
    app = make_app()
    app.session_interface = IronSessionInterface(PASSWORD)
    visit(app)


def test_without_a_password_flask_sessions_are_sealed_under_the_secret_key() -> None:
    app = make_app(SECRET_KEY="dev")
    app.session_interface = IronSessionInterface()
    visit(app)


def test_a_flask_session_is_what_iron_session_reads() -> None:
    app = make_app()
    app.session_interface = IronSessionInterface(PASSWORD)
    client = app.test_client()
    client.post("/login")
    cookie = client.get_cookie("session")
    assert cookie is not None
    assert unseal_data(cookie.value, password=PASSWORD) == {"user": {"id": 7}, "_permanent": True}


def test_without_any_key_flask_says_that_the_session_is_unavailable() -> None:
    app = make_app()
    app.session_interface = IronSessionInterface()
    response = app.test_client().post("/login")
    assert response.status_code == 500


def test_a_destroyed_or_saved_flask_session_has_the_scope_that_flask_gives_its_cookie() -> None:
    app = make_app(
        SESSION_COOKIE_PATH="/shop", SESSION_COOKIE_DOMAIN="example.com", SESSION_COOKIE_SECURE=True
    )
    app.session_interface = IronSessionInterface(PASSWORD)

    @app.post("/shop/save")
    def save() -> ResponseReturnValue:
        session["user"] = {"id": 7}
        session.save()  # type: ignore[attr-defined]
        return "saved"

    @app.post("/shop/leave")
    def leave() -> ResponseReturnValue:
        session.destroy()  # type: ignore[attr-defined]
        return "gone"

    client = app.test_client()
    for path in ("/shop/save", "/shop/leave"):
        line = client.post(path, base_url="https://example.com").headers["Set-Cookie"]
        assert "; Domain=example.com" in line
        assert "; Path=/shop" in line
        assert "SameSite" not in line
    assert "Max-Age=0" in line


def test_a_lifetime_of_zero_never_makes_an_eternal_seal() -> None:
    app = make_app(PERMANENT_SESSION_LIFETIME=0)
    app.session_interface = IronSessionInterface(PASSWORD)

    @app.post("/write")
    def write() -> ResponseReturnValue:
        session["user"] = 1
        return "written"

    value = app.test_client().post("/write").headers["Set-Cookie"].partition("=")[2]
    assert seal.parse(value).expiration != b""
