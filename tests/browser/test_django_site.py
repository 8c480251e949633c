"""The visit of `tests/apps` to the example with Django once more, in a real browser."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.apps.django_site import ROOT, Process
from tests.parts import program

from .chromium import Chromium, Tab
from .test_wsgi_playground import NARROW, PALE, READABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

NAME, PASSWORD = "ada", "lovelace"
COOKIE: Final = "django_site"
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


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of the demo, on this machine."""
    command = [sys.executable, "-W", "error", "example_projects/serve.py", "django", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1
    )
    try:
        assert process.stdout
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, f"it ended after saying: {said}"
            said += line
        address = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert address, said
        yield address[0]
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


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
    tab.press('main a[href="/sign-in"]')
    tab.type("#id_username", NAME)
    tab.type("#id_password", PASSWORD)
    if remember:
        tab.click("#id_remember")
    tab.press("main form button")
    assert tab.path == "/session"


def visit_every_page(tab: Tab, site: str) -> Iterator[str]:
    """Open one page after another and name each."""
    tab.open(site + "/")
    said(tab)
    yield "start"
    tab.open(site + "/session")
    assert tab.path == "/sign-in?next=/session"
    yield "sent to the form"
    tab.type("#id_username", "mallory")
    tab.type("#id_password", "guess")
    tab.press("main form button")
    yield "a wrong password"
    tab.open(site + "/nowhere")
    yield "missing"
    sign_in(tab, site)
    yield "session"
    tab.type("#id_text", "bread")
    tab.press("button:not(.quiet)")
    yield "noted"
    tab.press("button.quiet")
    said(tab)
    yield "signed out"


def cookie(tab: Tab, name: str, forms: str = f"{COOKIE}_csrf") -> dict[str, Any]:
    """The cookie of the session; there is one other, for the forms."""
    assert sorted(tab.cookies) == sorted([name, forms])
    return tab.cookies[name]


def test_a_visitor_signs_in_sees_the_session_and_signs_out(tab: Tab, site: str) -> None:
    tab.open(site + "/")
    assert said(tab) == "Nobody is signed in."
    sign_in(tab, site)
    assert "Signed in as ada" in tab.text
    assert "Welcome." in tab.text
    assert "_auth_user_id" in tab.text
    tab.press('nav a[href="/"]')
    assert said(tab) == "Signed in as ada."
    tab.press('nav a[href="/session"]')
    assert "Welcome." not in tab.text
    tab.press("button.quiet")
    assert tab.path == "/"
    assert said(tab) == "Nobody is signed in."
    assert COOKIE not in tab.cookies


def test_the_cookie_is_out_of_every_scripts_sight(tab: Tab, site: str) -> None:
    sign_in(tab, site)
    held = cookie(tab, COOKIE)
    assert (held["httpOnly"], held["sameSite"], held["secure"]) == (True, "Lax", False)
    assert tab.evaluate("document.cookie") == ""


def test_the_browser_forgets_the_session_unless_it_is_to_be_remembered(chromium: Chromium, site: str) -> None:
    forgetful, remembering = chromium.tab(), chromium.tab()
    sign_in(forgetful, site)
    assert cookie(forgetful, COOKIE)["session"]
    sign_in(remembering, site, remember=True)
    held = cookie(remembering, COOKIE)
    assert not held["session"]
    assert held["expires"] - time.time() == pytest.approx(30 * DAY, abs=300)


def test_the_site_of_production_works_over_https(tab: Tab, tmp_path: Path) -> None:
    with Process("https", tmp_path) as process:
        tab.call("Security.setIgnoreCertificateErrors", ignore=True)  # the certificate is its own
        sign_in(tab, process.said)
        assert "Signed in as ada" in tab.text
        held = cookie(tab, "__Host-mysite", "__Host-csrf")
        assert (held["httpOnly"], held["sameSite"], held["secure"]) == (True, "Lax", True)
        assert tab.cookies["__Host-csrf"]["secure"]
        tab.press("button.quiet")
        assert "__Host-mysite" not in tab.cookies


def test_the_admin_works_without_anything_inline(tab: Tab, site: str) -> None:
    tab.open(site + "/admin/")
    assert tab.path == "/admin/login/?next=/admin/"
    tab.type("#id_username", NAME)
    tab.type("#id_password", PASSWORD)
    tab.press("input[type=submit]")
    assert tab.path == "/admin/"
    tab.press("a[href='/admin/auth/user/']")
    tab.press("#result_list tbody th a")
    tab.type("#id_first_name", "Augusta")
    tab.press("input[name=_save]")
    assert "was changed successfully" in tab.text
    assert "Augusta" in tab.text
    tab.press("a[href='/']")
    assert said(tab) == "Signed in as ada."
    # Django's admin has no icon, and browsers ask for /favicon.ico; of the policy they have nothing to say.
    assert all("404" in complaint for complaint in tab.complaints)


def test_a_script_that_was_typed_is_text(tab: Tab, site: str) -> None:
    sign_in(tab, site)
    tab.type("#id_text", SCRIPT)
    tab.press("button:not(.quiet)")
    assert SCRIPT in tab.text.replace('\\"', '"')
    assert tab.evaluate("document.title") == "Your session · iron_wsgi with Django"


def test_a_script_that_got_into_a_page_would_not_run(chromium: Chromium, site: str) -> None:
    tab = chromium.tab()
    tab.open(site + "/")
    said(tab)
    assert tab.complaints == []
    tab.evaluate(
        "document.head.append(Object.assign(document.createElement('script'), "
        "{textContent: \"document.title = 'taken'\"}))"
    )
    assert tab.evaluate("document.title") == "Start · iron_wsgi with Django"
    assert "Content Security Policy" in "".join(tab.complaints)


def test_back_shows_no_session_after_signing_out(tab: Tab, site: str, chromium: Chromium) -> None:
    sign_in(tab, site)
    tab.press("button.quiet")
    chromium.events("Page.loadEventFired", tab._identity)
    tab.evaluate("history.back()")
    chromium.wait_for("Page.loadEventFired", tab._identity)
    assert "Signed in as ada" not in tab.text
    assert tab.path == "/sign-in?next=/session"


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
