from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import flask
import pytest
from flask import Flask, Response, copy_current_request_context, g, request, stream_with_context
from flask.globals import request_ctx
from flask.json.provider import DefaultJSONProvider
from flask.signals import request_finished
from flask.typing import ResponseReturnValue
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from iron_wsgi import HeadersAlreadySent, unseal_data
from iron_wsgi.seals import seal
from iron_wsgi_flask import FlaskSession, IronSessionInterface, session

from .flask_site import ERRORS, Site, line, lines, look_away, put
from .visitor import OTHER, PASSWORD, payload


def make_app(**config: object) -> Flask:
    app = Flask("site")
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


def test_the_interface_may_stand_on_the_class_of_all_applications(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Flask, "session_interface", IronSessionInterface())
    visit(make_app(SECRET_KEY="dev"))
    visit(make_app(SECRET_KEY="other"))


def test_a_flask_session_is_what_iron_session_reads() -> None:
    app = make_app()
    app.session_interface = IronSessionInterface(PASSWORD)
    client = app.test_client()
    client.post("/login")
    cookie = client.get_cookie("session")
    assert cookie is not None
    assert unseal_data(cookie.value, password=PASSWORD) == {"user": {"id": 7}, "_permanent": True}


def test_a_session_of_another_interface_is_refused_and_not_lost_in_silence() -> None:
    place = Site()
    theirs = flask.sessions.SecureCookieSession({"user": 7})
    with pytest.raises(TypeError, match="this is a SecureCookieSession"):
        IronSessionInterface(PASSWORD).save_session(place.app, theirs, Response("ok"))


def test_an_interface_that_sees_another_session_answers_as_flasks() -> None:
    app = Flask("site")
    interface = IronSessionInterface(PASSWORD)
    theirs = flask.sessions.SecureCookieSession()
    assert interface.get_expiration_time(app, theirs) is None
    theirs.permanent = True
    assert interface.get_expiration_time(app, theirs) is not None
    assert interface.should_set_cookie(app, theirs)


# Errors of the application.


def fail(current: FlaskSession) -> None:
    current["attempts"] = current.get("attempts", 0) + 1
    raise ValueError


def test_a_500_saves_as_in_flask() -> None:
    place = Site(**ERRORS)
    for count in (1, 2):
        assert place.visit(fail).status_code == 500
        assert place.finds() == {"attempts": count}


def test_a_500_saves_nothing_but_what_was_saved_or_ended_where_save_on_error_is_off() -> None:
    place = Site(IronSessionInterface(PASSWORD, save_on_error=False), **ERRORS)
    place.visit(put(user=7))
    response = place.visit(fail)
    assert (response.status_code, lines(response), response.headers["Vary"]) == (500, [], "Cookie")
    assert place.finds() == {"user": 7}

    def save_and_fail(current: FlaskSession) -> None:
        current["saved"] = 1
        current.save()
        fail(current)

    def destroy_and_fail(current: FlaskSession) -> None:
        current.destroy()
        raise ValueError

    place.visit(save_and_fail)
    assert place.finds() == {"user": 7, "saved": 1}
    assert place.visit(destroy_and_fail).status_code == 500
    assert place.value == ""


@pytest.mark.parametrize("status", [200, 404, 418])
def test_an_error_handler_has_the_session_and_what_it_writes_is_saved(status: int) -> None:
    place = Site()

    @place.app.errorhandler(ValueError)
    def handle(_: ValueError) -> tuple[str, int]:
        session["handled"] = True
        return "handled", status

    assert place.visit(fail).status_code == status
    assert place.finds() == {"attempts": 1, "handled": True}


def test_a_page_that_does_not_exist_has_the_session_too() -> None:
    place = Site()

    @place.app.errorhandler(405)
    def handle(_: Exception) -> tuple[str, int]:
        session["missed"] = request.method
        return "no", 405

    assert place.client.post("/").status_code == 405
    assert place.finds() == {"missed": "POST"}


def test_a_response_that_fails_after_the_session_was_saved_is_saved_once() -> None:
    place = Site(**ERRORS)
    failures = [ValueError()]

    def receive(_sender: Flask, response: Response) -> None:
        assert response
        if failures:
            raise failures.pop()

    with request_finished.connected_to(receive, place.app):
        response = place.visit(put(user=7))
    assert response.status_code == 500
    assert len(lines(response)) == 1
    assert place.finds() == {"user": 7}


# What runs around the view.


def test_all_hooks_of_a_request_see_one_session() -> None:
    place = Site()
    seen: list[Any] = []

    @place.app.before_request
    def before() -> None:
        session["before"] = 1

    @place.app.after_request
    def after(response: Response) -> Response:
        session["after"] = session["view"] + 1
        return response

    @place.app.teardown_request
    def teardown(_: BaseException | None) -> None:
        seen.append(dict(session))

    place.visit(lambda current: current.__setitem__("view", current["before"] + 1))
    assert place.finds() == seen[0] == {"before": 1, "view": 2, "after": 3}


@pytest.mark.parametrize("how", ["save", "destroy"])
def test_a_save_or_an_end_after_the_response_was_made_is_refused(how: str) -> None:
    place = Site()
    failures: list[BaseException] = []

    @place.app.teardown_request
    def teardown(_: BaseException | None) -> None:
        try:
            getattr(session, how)()
        except HeadersAlreadySent as error:
            failures.append(error)

    place.visit(put(user=7))
    assert len(failures) == 1
    assert place.finds() == {"user": 7}


def test_an_asynchronous_view_has_the_session() -> None:
    place = Site()

    @place.app.get("/async")
    async def view() -> str:
        session["user"] = session.get("user", 0) + 1
        return str(session["user"])

    assert [place.client.get("/async").text for _ in range(3)] == ["1", "2", "3"]


def test_a_copied_request_context_shares_the_session() -> None:
    place = Site()
    place.visit(put(user=7))

    def use(current: FlaskSession) -> str:
        found: list[Any] = []

        @copy_current_request_context
        def work() -> None:
            found.append(session["user"])
            session["thread"] = 1

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(30)
        return f"{found} {current['thread']}"

    assert place.visit(use).text == "[7] 1"
    assert place.finds() == {"user": 7, "thread": 1}


def test_a_streamed_body_reads_the_session() -> None:
    place = Site()
    place.visit(put(name="Ada"))

    def use(current: FlaskSession) -> Response:
        def body() -> Iterator[str]:
            yield "Hello "
            yield session["name"]

        assert current["name"] == "Ada"
        return Response(stream_with_context(body()))

    assert place.visit(use).text == "Hello Ada"


def test_open_session_may_look_at_the_request_and_its_route() -> None:
    class ByEndpoint(IronSessionInterface):
        def open_session(self, app: Flask, request: flask.Request) -> FlaskSession | None:
            request_ctx.match_request()
            g.endpoint = request.endpoint
            return super().open_session(app, request)

    place = Site(ByEndpoint(PASSWORD))
    assert place.visit(lambda _: g.endpoint).text == "page"


# Applications within applications.


def test_a_view_may_visit_another_application() -> None:
    inner, outer = Site(IronSessionInterface(OTHER)), Site()
    outer.app.json = Spelling(outer.app)

    def use(current: FlaskSession) -> str:
        current["who"] = "outer"
        with inner.client.session_transaction() as other:
            other["before"] = 1
            assert dict(other) == {"before": 1}
        inner.visit(put(who="inner"))
        with inner.client.session_transaction() as other:
            return str(dict(other))

    assert outer.visit(use).text == "{'before': 1, 'who': 'inner'}"
    assert outer.finds() == {"who": "outer"}
    assert inner.finds() == {"before": 1, "who": "inner"}


def test_two_mounted_applications_share_one_cookie_under_one_password() -> None:
    main, api = Site(), Site()
    main.app.wsgi_app = DispatcherMiddleware(main.app.wsgi_app, {"/api": api.app})  # type: ignore[method-assign]
    main.visit(put(user=7))
    api._use = lambda current: current.setdefault("seen", str(current["user"]))
    response = main.client.get("/api/me")
    assert response.text == "7"
    assert line(response).endswith("Path=/")
    assert main.visit(lambda current: str(dict(current))).text == "{'seen': '7', 'user': 7}"


# Tests of applications.


class Spelling(DefaultJSONProvider):
    """Writes a type that Flask's own provider would refuse."""

    @staticmethod
    def default(o: Any) -> Any:
        return {"re": o.real} if isinstance(o, complex) else DefaultJSONProvider.default(o)


@pytest.mark.parametrize("how", ["changed", "saved", "destroyed", "read", "emptied"])
def test_a_session_transaction_ends_as_a_request_would(how: str) -> None:
    place = Site()
    place.visit(put(user=7))
    held = place.value
    with place.client.session_transaction() as current:
        assert isinstance(current, FlaskSession)
        assert current["user"] == 7
        if how in ("changed", "saved"):
            current["user"] = 8
        if how == "saved":
            current.save()
        if how == "destroyed":
            current.destroy()
        if how == "emptied":
            current.clear()
    assert place.visit(lambda current: str(current.get("user"))).text == {
        "changed": "8",
        "saved": "8",
        "read": "7",
    }.get(how, "None")
    assert (place.value == held) is (how == "read")


def test_a_session_transaction_uses_the_applications_json() -> None:
    place = Site()
    place.app.json = Spelling(place.app)
    with place.client.session_transaction() as current:
        assert isinstance(current, FlaskSession)
        current["z"] = 2j + 1
        assert current.size > 100
        current.save()
        assert current.modified is False
    with place.client.session_transaction() as current:
        assert current["z"] == {"re": 1.0}


def test_a_session_transaction_may_have_a_name_by_request() -> None:
    class ByPath(IronSessionInterface):
        def get_cookie_name(self, app: Flask) -> str:
            return super().get_cookie_name(app) + request.path.replace("/", "_")

    place = Site(ByPath(PASSWORD))
    with place.client.session_transaction("/a") as current:
        current["user"] = "a"
    assert place.visit(lambda current: current["user"], path="/a").text == "a"
    assert place.visit(lambda current: str(current.get("user")), path="/b").text == "None"


def test_a_session_transaction_keeps_the_outer_context() -> None:
    place = Site()
    with place.client, place.app.app_context():
        g.mark = 1
        with place.client.session_transaction() as current:
            current["price"] = Decimal("1.5")
        assert g.mark == 1
    assert place.finds() == {"price": "1.5"}


def test_a_client_that_keeps_the_context_sees_the_session_as_it_was_left() -> None:
    place = Site()
    with place.client:
        place.visit(put(user=7))
        assert session["user"] == 7
        assert session.modified
        assert session.accessed
        place.visit(len)
        assert not session.modified
        assert session["user"] == 7


def test_a_test_request_context_has_a_session() -> None:
    place = Site()
    place.visit(put(user=7))
    with place.app.test_request_context(headers={"Cookie": f"session={place.value}"}):
        assert session["user"] == 7
    with place.app.test_request_context():
        assert session.new
        session["user"] = 8
        response = place.app.process_response(Response("ok"))
    assert payload(response.headers["Set-Cookie"].partition("=")[2].partition(";")[0]) == {"user": 8}


# What is left behind.

USES: Final[dict[str, Any]] = {
    "untouched": look_away,
    "read": len,
    "written": put(user=8, cart=[[1]]),
    "nested": lambda current: current["cart"].append(1),
    "saved": lambda current: current.save(),
    "destroyed": lambda current: current.destroy(),
    "streamed": lambda current: Response(stream_with_context(str(len(current)) for _ in range(2))),
}


@pytest.mark.parametrize("coming", ["session", "nothing", "junk"])
@pytest.mark.parametrize("use", USES)
def test_a_request_leaves_nothing_of_ours_to_the_garbage_collector(use: str, coming: str) -> None:
    if use == "nested" and coming != "session":
        coming = "session"
    place = Site()
    place.visit(put(user=7, cart=[], _permanent=True))
    cookie = {"session": f"session={place.value}", "nothing": "", "junk": "session=junk"}[coming]
    environ = flask.testing.EnvironBuilder(place.app, headers={"Cookie": cookie}).get_environ()
    place._use = USES[use]

    def serve() -> None:
        body = place.app(dict(environ), lambda *_: None)  # type: ignore[arg-type,return-value]
        list(body)
        body.close()  # type: ignore[attr-defined]

    serve()
    gc.collect()
    gc.disable()
    try:
        gc.set_debug(gc.DEBUG_SAVEALL)
        serve()
        gc.collect()
        left = [kind for kind in map(type, gc.garbage) if kind.__module__.startswith("iron_wsgi")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == []


def test_an_untouched_request_without_a_cookie_calls_nothing_of_the_core() -> None:
    place = Site(IronSessionInterface(PASSWORD, clock=lambda: pytest.fail("the clock was asked")))
    assert place.visit().status_code == 200
    assert place.send("theme=dark; other=1").status_code == 200


def test_an_untouched_session_is_opened_once_to_learn_that_it_is_not_permanent() -> None:
    asked: list[float] = []

    def clock() -> float:
        asked.append(1)
        return 1_800_000_000.0

    place = Site(IronSessionInterface(PASSWORD, clock=clock))
    place.visit(put(user=7))
    place.visit()
    asked.clear()
    for _ in range(3):
        place.visit()
    assert asked == []
    assert place.visit(lambda current: str(current["user"])).text == "7"
    assert asked
    place.visit(lambda current: setattr(current, "permanent", True))
    assert len(lines(place.visit())) == 1


def test_a_seal_of_a_session_always_ends() -> None:
    place = Site(PERMANENT_SESSION_LIFETIME=0)
    place.visit(put(user=7))
    assert seal.parse(place.value).expiration != b""
