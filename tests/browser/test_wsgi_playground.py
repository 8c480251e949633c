"""The visit of `tests/apps` once more, in a real browser and over a real connection."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import pytest
from werkzeug.serving import make_server

from example_projects.wsgi_playground.anatomy import cut
from example_projects.wsgi_playground.app import ACCOUNT, create_application
from example_projects.wsgi_playground.keyring import COOKIE
from tests.parts import program

from .chromium import Chromium, Tab

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

NAME, PASSWORD = ACCOUNT
NARROW: Final = 380  # CSS pixels: a small telephone
READABLE: Final = 4.5  # contrast, by WCAG 2.2, 1.4.3

# Every piece of text whose contrast with what is behind it is less than `least`.
PALE: Final = """
(least => {
  const part = octet => (octet /= 255) <= 0.04045 ? octet / 12.92 : ((octet + 0.055) / 1.055) ** 2.4;
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = numbers(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), pale = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), element = walker.currentNode.parentElement;
    if (!text) continue;
    const [dark, light] = [numbers(getComputedStyle(element).color), behind(element)]
      .map(luminance).sort((a, b) => a - b);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < least) pale.push(`${text.slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return pale;
})
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(program("chromium"), tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def site() -> Iterator[str]:
    """The address of a playground that runs on this machine."""
    server = make_server("127.0.0.1", 0, create_application(), threaded=True)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@pytest.fixture
def tab(chromium: Chromium) -> Tab:
    """A visitor's tab, in which no page may run a script."""
    visitor = chromium.tab()
    visitor.without_scripts()
    return visitor


def sign_in(tab: Tab, site: str) -> None:
    tab.open(site + "/")
    tab.press('main a[href="/sign-in"]')
    tab.type("#name", NAME)
    tab.type("#password", PASSWORD)
    tab.press("main form button")
    assert tab.path == "/session"


def press(tab: Tab, action: str) -> None:
    tab.press(f'form[action="{action}"] button')


def fill(tab: Tab) -> None:
    """Press until it does not fit."""
    for _ in range(10):
        press(tab, "/padding")
        if "That does not fit" in tab.text:
            return
    pytest.fail("everything fitted")


def visit_every_page(tab: Tab, site: str) -> Iterator[str]:
    """Open one page after another and name each."""
    tab.open(site + "/")
    yield "start"
    tab.open(site + "/session")
    yield "anonymous"
    tab.open(site + "/sign-in")
    tab.type("#name", "eve")
    tab.type("#password", "guess")
    tab.press("main form button")
    yield "a wrong password"
    sign_in(tab, site)
    yield "session"
    press(tab, "/rotation")
    yield "rotated"
    fill(tab)
    yield "too large"
    tab.open(site + "/session")
    yield "crowded"
    tab.press('button[value="mac"]')
    yield "refused"


def test_a_visitor_signs_in_and_the_browser_keeps_one_cookie_that_scripts_cannot_read(
    tab: Tab, site: str
) -> None:
    tab.open(site + "/")
    assert tab.cookies == {}
    sign_in(tab, site)
    assert "Signed in as ada" in tab.text
    cookie = tab.cookies[COOKIE]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Lax", False)
    assert tab.evaluate("document.cookie") == ""
    assert len(tab.cookies) == 1
    assert tab.complaints == []


def test_changes_survive_from_page_to_page(tab: Tab, site: str) -> None:
    sign_in(tab, site)
    tab.type("#item", "<script>document.title = 'taken'</script>")
    press(tab, "/items")
    press(tab, "/apples")
    press(tab, "/apples")
    tab.open(site + "/session")
    assert '"apples": 2' in tab.text
    assert "\"<script>document.title = 'taken'</script>\"" in tab.text
    assert tab.evaluate("document.title") == "Your session · iron_wsgi playground"
    assert tab.complaints == []


def test_what_was_typed_does_not_run_even_where_scripts_are_on(chromium: Chromium, site: str) -> None:
    tab = chromium.tab()
    sign_in(tab, site)
    tab.type("#item", "<script>document.title = 'taken'</script>")
    press(tab, "/items")
    assert tab.evaluate("document.title") == "Your session · iron_wsgi playground"


def test_a_rotation_leaves_the_visitor_signed_in(tab: Tab, site: str) -> None:
    sign_in(tab, site)
    press(tab, "/rotation")
    assert "the newest is 2" in tab.text
    assert cut(tab.cookies[COOKIE]["value"])[1].text == "2"
    tab.open(site + "/session")
    assert "sealed by password 2, the newest" in tab.text


def test_a_cookie_with_one_changed_byte_signs_out_and_says_why(tab: Tab, site: str) -> None:
    sign_in(tab, site)
    tab.press('button[value="ciphertext"]')
    assert "Nobody is signed in" in tab.text
    assert "The cookie was refused: invalid" in tab.text
    assert "You changed one byte of the Data" in tab.text
    assert tab.cookies == {}


def test_a_cookie_that_names_an_unknown_password_stays_in_the_browser(tab: Tab, site: str) -> None:
    sign_in(tab, site)
    tab.press('button[value="password-id"]')
    assert "The cookie was refused: unknown-password" in tab.text
    assert cut(tab.cookies[COOKIE]["value"])[1].text == "9"


def test_the_browser_keeps_its_cookie_where_a_larger_one_did_not_fit(tab: Tab, site: str) -> None:
    sign_in(tab, site)
    fill(tab)
    kept = tab.cookies[COOKIE]
    assert 3000 < kept["size"] <= 4096
    tab.press("main a.button")
    assert "Signed in as ada" in tab.text
    assert tab.cookies[COOKIE]["value"] == kept["value"]


def test_signing_out_leaves_no_cookie(tab: Tab, site: str) -> None:
    sign_in(tab, site)
    press(tab, "/sign-out")
    assert "You are signed out" in tab.text
    assert tab.cookies == {}
    tab.open(site + "/session")
    assert "Nobody is signed in" in tab.text


def test_nothing_is_wider_than_a_small_telephone(tab: Tab, site: str) -> None:
    tab.resize(NARROW)
    for page in visit_every_page(tab, site):
        assert tab.evaluate("document.documentElement.scrollWidth") <= NARROW, page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_background(tab: Tab, site: str, scheme: str) -> None:
    tab.prefer(scheme)
    dark = tab.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert dark == (scheme == "dark")
    for page in visit_every_page(tab, site):
        assert tab.evaluate(f"{PALE}(22)"), f"{page}: nothing was measured"
        assert tab.evaluate(f"{PALE}({READABLE})") == [], page


def test_a_screen_reader_can_name_whatever_can_be_used(tab: Tab, site: str) -> None:
    for page in visit_every_page(tab, site):
        names = tab.names_of("button", "textbox", "link", "image", "group")
        assert names, page
        assert all(names), page
    sign_in(tab, site)
    buttons = tab.names_of("button")
    assert len(buttons) == len(set(buttons)), "two buttons have the same name"
