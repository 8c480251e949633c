"""The visit of `tests/apps` to the example with Flask-Login once more, in a real browser."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from werkzeug.serving import make_server

from example_projects.flask_login import demo
from example_projects.flask_login.app import create_app
from example_projects.flask_login.settings import SESSION_COOKIE_NAME
from tests.parts import program

from .chromium import Chromium, Tab
from .test_wsgi_playground import NARROW, PALE, READABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

NAME, PASSWORD = demo.ACCOUNT
DAY: Final = 24 * 60 * 60
SCRIPT: Final = "<script>document.title = 'taken'</script>"

# What the public page's script says once it knows.
SAID: Final = """
new Promise(resolve => {
  const line = document.getElementById("me");
  const look = () => /signed in/i.test(line.textContent) && resolve(line.textContent);
  new MutationObserver(look).observe(line, {childList: true});
  look();
})
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(program("chromium"), tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@contextmanager
def _served(application: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, application, threaded=True)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@pytest.fixture
def site() -> Iterator[str]:
    """The address of the demo, on this machine."""
    with _served(demo.application) as address:
        yield address


@pytest.fixture
def tab(chromium: Chromium) -> Iterator[Tab]:
    """A visitor's tab; neither the browser nor a script may have complained of any page when it is left."""
    visitor = chromium.tab()
    visitor.call("Runtime.enable")
    yield visitor
    assert visitor.complaints == []
    for complaint in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
        assert chromium.events(complaint, visitor._identity) == []


def said(tab: Tab) -> str:
    """What the public page says of the visitor."""
    answer = tab.call("Runtime.evaluate", expression=SAID, awaitPromise=True, returnByValue=True)
    text: str = answer["result"]["value"]
    return text


def sign_in(tab: Tab, site: str, *, remember: bool = False) -> None:
    tab.open(site + "/")
    said(tab)  # which may be shorter than what stood there, so that all below it moves
    tab.press('main a[href="/sign-in"]')
    tab.type("#name", NAME)
    tab.type("#password", PASSWORD)
    if remember:
        tab.click("#remember")
    tab.press("main form button")
    assert tab.path == "/session"


def visit_every_page(tab: Tab, site: str) -> Iterator[str]:
    """Open one page after another and name each."""
    tab.open(site + "/")
    said(tab)
    yield "start"
    tab.open(site + "/session")
    assert tab.path == "/sign-in?next=%2Fsession"
    yield "sent to the form"
    tab.type("#name", "mallory")
    tab.type("#password", "guess")
    tab.press("main form button")
    yield "a wrong password"
    tab.open(site + "/sign-in/link")
    yield "a form for a link"
    tab.type("#name", NAME)
    tab.press("main form button")
    yield "a link"
    tab.press("#link")
    yield "a link opened"
    tab.open(f"{site}{tab.path[:-9]}")
    yield "a link cut off"
    tab.open(site + "/nowhere")
    yield "missing"
    sign_in(tab, site)
    yield "session"
    tab.type("#text", "bread")
    tab.press("button:not(.quiet)")
    yield "noted"
    tab.press("button.quiet")
    said(tab)
    yield "signed out"


def cookie(tab: Tab, name: str) -> dict[str, Any]:
    """The one cookie that the browser holds."""
    assert list(tab.cookies) == [name]
    return tab.cookies[name]


def test_a_visitor_signs_in_sees_the_session_and_signs_out(tab: Tab, site: str) -> None:
    tab.open(site + "/")
    assert said(tab) == "Nobody is signed in."
    sign_in(tab, site)
    assert "Signed in as ada" in tab.text
    assert "Welcome." in tab.text
    assert "_user_id" in tab.text
    tab.press('nav a[href="/"]')
    assert said(tab) == "Signed in as ada."
    tab.press('nav a[href="/session"]')
    assert "Welcome." not in tab.text
    tab.press("button.quiet")
    assert tab.path == "/"
    assert said(tab) == "Nobody is signed in."
    assert tab.cookies == {}


def test_a_cookie_that_was_copied_is_worth_nothing_after_signing_out(
    chromium: Chromium, tab: Tab, site: str
) -> None:
    thief = chromium.tab()
    sign_in(tab, site)
    stolen = cookie(tab, "flask_login")["value"]
    thief.call("Network.setCookie", name="flask_login", value=stolen, url=site, httpOnly=True)
    thief.open(site + "/session")
    assert "Signed in as ada" in thief.text
    tab.press("button.quiet")
    thief.open(site + "/session")
    assert thief.path == "/sign-in?next=%2Fsession"


def test_signing_out_everywhere_else_leaves_this_browser_signed_in(
    chromium: Chromium, tab: Tab, site: str
) -> None:
    others = [chromium.tab(), chromium.tab()]
    for visitor in (*others, tab):
        sign_in(visitor, site)
    tab.press('form[action="/sign-out-everywhere-else"] button')
    assert tab.path == "/session"
    assert "You are signed out everywhere else." in tab.text
    for other in others:
        other.open(site + "/session")
        assert other.path == "/sign-in?next=%2Fsession"
    tab.open(site + "/session")
    assert "Signed in as ada" in tab.text
    sign_in(others[0], site)


def test_a_link_signs_in_by_its_button_in_one_browser_alone(chromium: Chromium, tab: Tab, site: str) -> None:
    other = chromium.tab()
    tab.open(site + "/sign-in")
    tab.press('main a[href="/sign-in/link"]')
    tab.type("#name", NAME)
    tab.press("main form button")
    assert "This demo sends no mail." in tab.text
    tab.press("#link")
    link = tab.path
    for _ in range(3):
        other.open(site + link)
        assert "Sign in as ada?" in other.text
    tab.press("main form button")
    assert tab.path == "/session"
    assert "Signed in as ada" in tab.text
    other.press("main form button")
    assert "This link has been used" in other.text
    other.open(site + "/session")
    assert other.path == "/sign-in?next=%2Fsession"
    other.open(site + link)
    other.press('main a[href="/sign-in/link"]')
    other.type("#name", NAME)
    other.press("main form button")
    other.press("#link")
    other.press("main form button")
    assert "Signed in as ada" in other.text


def test_the_cookie_is_out_of_every_scripts_sight(tab: Tab, site: str) -> None:
    sign_in(tab, site)
    held = cookie(tab, "flask_login")
    assert (held["httpOnly"], held["sameSite"], held["secure"]) == (True, "Lax", False)
    assert tab.evaluate("document.cookie") == ""


def test_the_browser_forgets_the_session_unless_it_is_to_be_remembered(chromium: Chromium, site: str) -> None:
    forgetful, remembering = chromium.tab(), chromium.tab()
    sign_in(forgetful, site)
    assert cookie(forgetful, "flask_login")["session"]
    sign_in(remembering, site, remember=True)
    held = cookie(remembering, "flask_login")
    assert not held["session"]
    assert held["expires"] - time.time() == pytest.approx(30 * DAY, abs=300)


def test_chromium_takes_the_cookie_of_production_from_this_machine(tab: Tab) -> None:
    names = ("IRON_SESSION_PASSWORD", "IRON_SESSION_REVOCATIONS", "SECRET_KEY", "USERS")
    config = {name: demo.application.config[name] for name in names}
    with _served(create_app(config)) as site:
        sign_in(tab, site)
        assert "Signed in as ada" in tab.text
        assert SESSION_COOKIE_NAME.startswith("__Host-")
        assert cookie(tab, SESSION_COOKIE_NAME)["secure"]


def test_a_script_that_was_typed_is_text(tab: Tab, site: str) -> None:
    sign_in(tab, site)
    tab.type("#text", SCRIPT)
    tab.press("button:not(.quiet)")
    assert SCRIPT in tab.text.replace('\\"', '"')
    assert tab.evaluate("document.title") == "Your session · iron_wsgi with Flask"


def test_a_script_that_got_into_a_page_would_not_run(chromium: Chromium, site: str) -> None:
    tab = chromium.tab()
    tab.open(site + "/")
    said(tab)
    assert tab.complaints == []
    tab.evaluate(
        "document.head.append(Object.assign(document.createElement('script'), "
        "{textContent: \"document.title = 'taken'\"}))"
    )
    assert tab.evaluate("document.title") == "Start · iron_wsgi with Flask"
    assert "Content Security Policy" in "".join(tab.complaints)


def test_back_shows_no_session_after_signing_out(tab: Tab, site: str, chromium: Chromium) -> None:
    sign_in(tab, site)
    tab.press("button.quiet")
    chromium.events("Page.loadEventFired", tab._identity)
    tab.evaluate("history.back()")
    chromium.wait_for("Page.loadEventFired", tab._identity)
    assert "Signed in as ada" not in tab.text
    assert tab.path == "/sign-in?next=%2Fsession"


def test_nothing_is_wider_than_a_small_telephone(chromium: Chromium, site: str) -> None:
    tab = chromium.tab()
    tab.resize(NARROW)
    for page in visit_every_page(tab, site):
        assert tab.evaluate("document.documentElement.scrollWidth") <= NARROW, page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_background(chromium: Chromium, site: str, scheme: str) -> None:
    tab = chromium.tab()
    tab.prefer(scheme)
    for page in visit_every_page(tab, site):
        assert tab.evaluate(f"{PALE}(22)"), f"{page}: nothing was measured"
        assert tab.evaluate(f"{PALE}({READABLE})") == [], page


def test_a_screen_reader_can_name_whatever_can_be_used(chromium: Chromium, site: str) -> None:
    tab = chromium.tab()
    for page in visit_every_page(tab, site):
        names = tab.names_of("button", "textbox", "link", "checkbox")
        assert names, page
        assert all(names), page
        buttons = tab.names_of("button")
        assert len(buttons) == len(set(buttons)), f"two buttons have the same name: {page}"
