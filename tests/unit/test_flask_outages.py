"""A store or a list of revocations that does not answer: 503 inside Flask, and never a cookie."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from flask import (
    Flask,
    Response,
    after_this_request,
    make_response,
    render_template_string,
    request,
    send_file,
    stream_with_context,
)
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from werkzeug.exceptions import HTTPException, ServiceUnavailable
from werkzeug.test import TestResponse

from iron_wsgi import Unavailable
from iron_wsgi.servers.outages import RETRY_AFTER
from iron_wsgi.testing import FakeClock
from iron_wsgi_flask import FlaskSession, IronSessionInterface

from .flask_site import ERRORS, Site, Use, lines, look_away, put
from .shaky import ShakyList, ShakyStore
from .visitor import PASSWORD

# Flask-Login 0.6.3 asks the time in a way that Python 3.12 deprecates.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:datetime\.datetime\.utcnow\(\):DeprecationWarning:flask_login"
)

READS: Final = ("is_revoked", "load")
WRITES: Final = ("create", "save", "touch", "delete", "revoke")


class Shop(Site):
    """A site whose store and list fail when they are told to; its visitor has a session."""

    def __init__(self, *, permanent: bool = False, **config: Any) -> None:
        self.clock = FakeClock()
        self.store, self.revocations = ShakyStore(self.clock), ShakyList(self.clock)
        interface = IronSessionInterface(
            PASSWORD, clock=self.clock, storage="store", store=self.store, revocations=self.revocations
        )
        super().__init__(interface, SECRET_KEY="signs the remember cookie", **config)
        self.before = ""  # the visitor's cookie
        self.begin: Use = put(user=7, **({"_permanent": True} if permanent else {}))

    def fail(self, *methods: str) -> None:
        """Fail at these methods, and at no other, now that the visitor has a session."""
        if not self.before:
            self.visit(self.begin)
            self.before = self.value
            self.store.calls.clear()
            self.revocations.calls.clear()
        self.store.down = self.revocations.down = set(methods)

    @property
    def asked(self) -> list[str]:
        """What was asked since the visitor has a session."""
        return [*self.store.calls, *self.revocations.calls]


@pytest.fixture
def shop() -> Shop:
    return Shop()


def check_refused(answer: TestResponse, shop: Shop, text: str | None = None) -> None:
    """A 503 that says when to come back, sets no cookie and is kept by no cache; and all is as it was."""
    assert answer.status_code == 503
    assert lines(answer) == []
    if text is None:
        assert answer.headers["Retry-After"] == str(RETRY_AFTER)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Sessions cannot be reached" in answer.text
        assert answer.headers["Content-Length"] == str(len(answer.data))
    else:
        assert answer.text == text
    assert shop.value == shop.before
    shop.fail()
    assert shop.finds()["user"] == 7


# In a view.


USES: Final[dict[str, Use]] = {
    "read": lambda current: current.get("user"),
    "in": lambda current: str("user" in current),
    "len": lambda current: str(len(current)),
    "permanent": lambda current: str(current.permanent),
    "sid": lambda current: current.sid,
    "write": put(user=8),
    "delete": lambda current: current.pop("user"),
    "clear": lambda current: current.clear(),
    "save": lambda current: current.save(),
    "destroy": lambda current: current.destroy(),
    "regenerate": lambda current: current.regenerate(),
    "size": lambda current: str(current.size),
    "template": lambda _: render_template_string("{{ session.user }}"),
}


@pytest.mark.parametrize("method", READS)
@pytest.mark.parametrize("use", USES)
def test_a_view_that_uses_the_session_is_a_503(shop: Shop, use: str, method: str) -> None:
    shop.fail(method)
    check_refused(shop.visit(USES[use]), shop)


def test_a_list_that_is_asked_only_where_it_answers_lets_in_where_the_application_says_so() -> None:
    shop = Shop(IRON_SESSION_ON_OUTAGE="accept")
    shop.fail("is_revoked")
    assert shop.visit(lambda current: str(current["user"])).text == "7"
    shop.fail("load")
    check_refused(shop.visit(USES["read"]), shop)
    shop.fail("revoke")
    check_refused(shop.visit(USES["destroy"]), shop)


def test_it_is_a_503_of_werkzeugs_and_an_error_of_ours() -> None:
    shop = Shop()
    shop.fail("load")
    with shop.app.test_request_context(headers={"Cookie": f"session={shop.value}"}):
        from flask import session  # noqa: PLC0415 - the proxy of this very context

        with pytest.raises(ServiceUnavailable) as failure:
            session.get("user")
    assert isinstance(failure.value, Unavailable)
    assert failure.value.retry_after == RETRY_AFTER
    assert shop.value not in repr(failure.value)


@pytest.mark.parametrize("kind", [503, ServiceUnavailable, Unavailable, HTTPException])
def test_the_applications_own_page_for_a_503_is_shown(shop: Shop, kind: Any) -> None:
    @shop.app.errorhandler(kind)
    def show(error: ServiceUnavailable) -> tuple[str, int, dict[str, str]]:
        return "We will be back.", 503, {"Retry-After": str(error.retry_after)}

    shop.fail("load")
    answer = shop.visit(USES["read"])
    assert answer.headers["Retry-After"] == str(RETRY_AFTER)
    assert answer.headers["Vary"] == "Cookie"
    check_refused(answer, shop, "We will be back.")


def test_the_servers_are_asked_once_however_often_the_session_is(shop: Shop) -> None:
    @shop.app.errorhandler(503)
    def show(_: Exception) -> tuple[str, int]:
        return render_template_string("{{ session.get('user', 'nobody') }}"), 503

    @shop.app.after_request
    def look(response: Response) -> Response:
        if response.status_code == 503:
            with pytest.raises(Unavailable):
                USES["write"](flask_session())
        return response

    shop.fail("load")
    answer = shop.visit(USES["read"])
    assert shop.asked == ["load"]
    check_refused(answer, shop, "nobody")


def flask_session() -> FlaskSession:
    from flask import session  # noqa: PLC0415

    current = session._get_current_object()  # type: ignore[attr-defined]
    assert isinstance(current, FlaskSession)
    return current


ENDINGS: Final[dict[str, Callable[[FlaskSession], object]]] = {
    "write": put(user=8),
    "save": lambda current: current.save(),
    "destroy": lambda current: current.destroy(),
    "regenerate": lambda current: current.regenerate(),
    "touch": lambda current: current.touch(),
    "modified": lambda current: setattr(current, "modified", True),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_view_that_shrugs_an_outage_off_can_neither_write_nor_end_anything(shop: Shop, ending: str) -> None:
    def shrug(current: FlaskSession) -> str:
        with pytest.raises(ServiceUnavailable):
            current.get("user")
        assert current.get("user") is None
        with pytest.raises(ServiceUnavailable):
            ENDINGS[ending](current)
        return "as nobody"

    shop.fail("load")
    answer = shop.visit(shrug)
    assert (answer.status_code, answer.text, answer.headers["Vary"]) == (200, "as nobody", "Cookie")
    assert lines(answer) == []
    assert shop.value == shop.before
    shop.fail()
    assert shop.finds() == {"user": 7}


def test_a_destroyed_session_says_so_all_the_same(shop: Shop) -> None:
    def write_into_it(current: FlaskSession) -> None:
        current.destroy()
        with pytest.raises(RuntimeError, match="destroyed"):
            current["user"] = 8

    assert shop.visit(write_into_it).status_code == 200


# At the end of a request.


def stream(_: FlaskSession) -> Response:
    return Response(iter(["a", "b"]))


LATE: Final[dict[str, tuple[Use, str]]] = {
    "write": (put(user=8), "save"),
    "nothing but a renewal": (lambda current: current.touch(), "touch"),
    "emptied, store": (lambda current: current.clear(), "delete"),
    "emptied, list": (lambda current: current.clear(), "revoke"),
    "regenerated, new record": (lambda current: current.regenerate(), "create"),
    "regenerated, old record": (lambda current: current.regenerate(), "delete"),
    "regenerated, list": (lambda current: current.regenerate(), "revoke"),
    "redirect": (
        lambda current: (current.update(user=8), make_response("", 302, {"Location": "/x"}))[1],
        "save",
    ),
    "streamed": (lambda current: (current.update(user=8), stream(current))[1], "save"),
    "another cookie": (
        lambda current: (current.update(user=8), cookie_of_another("a"))[1],
        "save",
    ),
}


OVER: Final = {"emptied, store", "regenerated, old record"}
"""Where the list was told before the store failed: better signed out than half signed out."""


def cookie_of_another(name: str) -> Response:
    response = make_response("hello")
    response.set_cookie(name, "1")
    response.headers["X-Signed-In"] = "7"
    return response


@pytest.mark.parametrize("case", LATE)
def test_what_cannot_be_written_is_a_503_in_place_of_the_answer(case: str) -> None:
    shop = Shop()
    use, method = LATE[case]
    shop.fail(method)
    answer = shop.visit(use)
    assert "X-Signed-In" not in answer.headers
    assert "Location" not in answer.headers
    assert answer.headers["Vary"] == "Cookie"
    if case in OVER:
        assert (answer.status_code, lines(answer)) == (503, [])
        shop.fail()
        assert shop.finds() == {}
    else:
        check_refused(answer, shop)


def test_a_body_that_is_not_shown_is_closed_and_its_context_with_it(shop: Shop) -> None:
    closed: list[str] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            yield b"never seen"

        def close(self) -> None:
            closed.append("closed")

    def answer(current: FlaskSession) -> Response:
        current["user"] = 8
        response = Response(Body())
        response.direct_passthrough = True
        return response

    shop.fail("save")
    refused = shop.visit(answer)
    assert "never" not in refused.text
    assert closed == ["closed"]
    check_refused(refused, shop)


def test_a_file_and_a_stream_with_the_requests_context_are_refused_too(shop: Shop) -> None:
    def generate() -> Iterator[str]:
        yield request.path

    def a_stream(current: FlaskSession) -> Response:
        current["user"] = 8
        return Response(stream_with_context(generate()))

    def a_file(current: FlaskSession) -> Response:
        current["user"] = 8
        return send_file(io.BytesIO(b"never seen"), mimetype="text/plain")

    for use in (a_stream, a_file):
        shop.fail("save")
        check_refused(shop.visit(use), shop)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_a_refusal_has_no_body_where_none_belongs(shop: Shop, method: str) -> None:
    shop.fail("save")
    shop._use = put(user=8)
    answer = shop.client.open("/", method=method, buffered=True)
    if method == "HEAD":
        assert (answer.status_code, answer.data) == (503, b"")
        assert answer.headers["Retry-After"] == str(RETRY_AFTER)
    else:
        assert answer.status_code == 200  # Flask answers it without the view
    assert lines(answer) == []


def test_a_save_that_failed_shows_the_applications_page_and_is_not_tried_in_vain_again(shop: Shop) -> None:
    @shop.app.errorhandler(503)
    def show(_: Exception) -> tuple[str, int]:
        return "We will be back.", 503

    def save(current: FlaskSession) -> None:
        current["user"] = 8
        current.save()

    shop.fail("save")
    check_refused(shop.visit(save), shop, "We will be back.")


def test_a_save_that_failed_for_a_moment_is_made_up_for_at_the_end(shop: Shop) -> None:
    shop.fail()

    def save_twice(current: FlaskSession) -> None:
        current["user"] = 8
        shop.fail("save")
        with pytest.raises(ServiceUnavailable):
            current.save()
        shop.fail()

    assert shop.visit(save_twice).status_code == 200
    assert shop.finds() == {"user": 8}


def test_signing_out_that_cannot_be_noted_is_not_said_to_have_happened(shop: Shop) -> None:
    shop.fail("revoke")
    check_refused(shop.visit(lambda current: current.destroy()), shop)
    shop.fail()
    shop.visit(lambda current: current.destroy())
    assert shop.value == ""


# What does without the session.


@pytest.mark.parametrize("permanent", [False, True])
def test_a_page_that_leaves_the_session_alone_is_shown(
    permanent: bool,  # noqa: FBT001
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop = Shop(permanent=permanent)
    for methods in (READS, WRITES, (*READS, *WRITES)):
        shop.fail(*methods)
        answer = shop.visit(look_away)
        assert (answer.status_code, answer.text, lines(answer)) == (200, "ok", [])
        assert "Vary" not in answer.headers
    for methods in (READS, WRITES):
        shop.fail(*methods)
        streamed = shop.visit(stream)
        assert (streamed.status_code, streamed.text, lines(streamed)) == (200, "ab", [])
    assert "first read after" not in caplog.text


def test_a_page_that_holds_the_session_and_reads_nothing_is_shown(shop: Shop) -> None:
    shop.fail(*READS)
    answer = shop.visit(lambda _: str(flask_session().is_untouched))
    assert (answer.status_code, lines(answer)) == (200, [])


def test_who_has_no_cookie_may_read_and_does_not_even_ask(shop: Shop) -> None:
    shop.fail(*READS, *WRITES)
    assert shop.send("", lambda current: str(dict(current))).text == "{}"
    assert shop.asked == []
    assert shop.send("", put(user=8)).status_code == 503


@pytest.mark.parametrize("down", [READS, WRITES])
def test_a_fault_of_the_application_is_a_500_as_ever(down: tuple[str, ...]) -> None:
    shop = Shop(**ERRORS)
    shop.fail(*down)
    answer = shop.visit(lambda _: 1 / 0)
    assert answer.status_code == 500
    assert lines(answer) == []


def test_an_errors_page_that_fails_for_the_same_reason_is_a_503_too() -> None:
    shop = Shop(**ERRORS)

    @shop.app.errorhandler(503)
    def show(_: Exception) -> None:
        flask_session()["visits"] = 1

    shop.fail("load")
    check_refused(shop.visit(USES["read"]), shop)


def test_what_runs_after_each_request_may_be_the_first_to_ask() -> None:
    shop = Shop(**ERRORS)

    @shop.app.after_request
    def greet(response: Response) -> Response:
        response.headers["X-User"] = str(flask_session().get("user"))
        return response

    shop.fail("load")
    check_refused(shop.visit(look_away), shop)


def test_a_function_for_this_request_alone_is_no_exception() -> None:
    shop = Shop(**ERRORS)

    def look_later(_: FlaskSession) -> None:
        @after_this_request
        def look(response: Response) -> Response:
            flask_session().get("user")
            return response

    shop.fail("load")
    check_refused(shop.visit(look_later), shop)


# With Flask-Login.


class User(UserMixin):
    def __init__(self, number: str) -> None:
        self.id = number


def login_shop(**config: Any) -> Shop:
    shop = Shop(**config)
    LoginManager(shop.app).user_loader(User)
    shop.begin = lambda current: (current.update(user=7), login_user(User("7"), remember=True))
    return shop


@pytest.mark.parametrize("refresh", [False, True])
def test_with_flask_login_a_public_page_is_shown_and_no_other(refresh: bool) -> None:  # noqa: FBT001
    shop = login_shop(REMEMBER_COOKIE_REFRESH_EACH_REQUEST=refresh)
    shop.fail(*READS)
    answer = shop.visit(look_away)
    assert (answer.status_code, answer.text, lines(answer)) == (200, "ok", [])
    check_refused(shop.visit(lambda _: str(current_user.get_id())), shop)


def test_with_flask_login_the_page_for_a_503_may_be_a_template_for_nobody() -> None:
    shop = login_shop()

    @shop.app.errorhandler(503)
    def show(_: Exception) -> tuple[str, int]:
        return render_template_string("{{ current_user.is_authenticated }}"), 503

    shop.fail("load")
    shop.client.delete_cookie("remember_token")  # which needs no session to sign in
    check_refused(shop.visit(lambda _: str(current_user.get_id())), shop, "False")


@pytest.mark.parametrize("method", ["is_revoked", "load", "create", "delete", "revoke"])
def test_with_flask_login_nobody_is_signed_in_or_out_by_halves(method: str) -> None:
    for use in (lambda _: login_user(User("8"), remember=True), lambda _: logout_user()):
        shop = login_shop()
        shop.fail(method)
        remembered = shop.client.get_cookie("remember_token")
        assert remembered is not None
        answer = shop.visit(use)
        assert (answer.status_code, lines(answer)) == (503, [])
        assert shop.client.get_cookie("remember_token") == remembered
        assert shop.value == shop.before


# In tests, and elsewhere without a visitor.


@pytest.mark.parametrize("method", [*READS, "save"])
def test_a_transaction_of_a_test_fails_with_a_word_about_sessions(shop: Shop, method: str) -> None:
    shop.fail(method)
    with (
        pytest.raises(ServiceUnavailable, match="Sessions cannot be reached"),
        shop.client.session_transaction() as current,
    ):
        current["user"] = 8
    shop.fail()
    assert shop.finds() == {"user": 7}


def test_a_session_that_is_saved_by_hand_fails_with_the_same(shop: Shop) -> None:
    shop.fail()
    app: Flask = shop.app
    interface = app.session_interface
    with app.test_request_context(headers={"Cookie": f"session={shop.value}"}) as context:
        session = interface.open_session(app, context.request)
    assert isinstance(session, FlaskSession)
    session["user"] = 8
    shop.fail("save")
    with pytest.raises(ServiceUnavailable):
        interface.save_session(app, session, Response())
