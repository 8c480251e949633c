"""A visit to the playground, without a browser. `tests/browser` makes the same visit with one."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Final
from wsgiref.validate import validator

import pytest
from werkzeug.test import Client, TestResponse

from example_projects.wsgi_playground import app as playground
from example_projects.wsgi_playground.anatomy import KINDS, cut
from example_projects.wsgi_playground.keyring import COOKIE, KEPT, Keyring
from iron_wsgi import IronSessionMiddleware, unseal_data
from iron_wsgi.testing import FakeClock

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

NAME, PASSWORD = playground.ACCOUNT
pytestmark = pytest.mark.slow("visits whole pages")

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
SKEW: Final = 60
HTTP: Final = {"wsgi.url_scheme": "http"}  # as much of an environ as the options depend on

FORMS: Final = {
    "/sign-in": {"name": NAME, "password": PASSWORD},
    "/sign-out": {},
    "/items": {"item": "bread"},
    "/apples": {},
    "/padding": {},
    "/emptying": {},
    "/rotation": {},
    "/tampering": {"part": "mac"},
}
"""Every form of the site, filled in."""

SEAL_FIELDS: Final = [kind.name for kind in KINDS if kind.name != "mark"]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def keyring(clock: FakeClock) -> Keyring:
    return Keyring(clock)


@pytest.fixture
def site(keyring: Keyring, clock: FakeClock) -> IronSessionMiddleware:
    return playground.create_application(clock, keyring)


@pytest.fixture
def visitor(site: IronSessionMiddleware) -> Visitor:
    return Visitor(site)


class Visitor:
    """Somebody with a browser, whose requests and responses are held to PEP 3333."""

    def __init__(self, site: WSGIApplication, *, https: bool = False) -> None:
        self._client = Client(validator(site))
        self._address = "https://localhost" if https else "http://localhost"
        self.page = ""

    def get(self, path: str, **headers: str) -> TestResponse:
        return self._seen(self._client.get(path, base_url=self._address, headers=headers, buffered=True))

    def post(self, path: str, *, token: str | None = None, **fields: str) -> TestResponse:
        """Fill in a form of the page that is open and send it; with its token, or another."""
        fields["csrf"] = self.token if token is None else token
        return self._seen(self._client.post(path, base_url=self._address, data=fields, buffered=True))

    def _seen(self, response: TestResponse) -> TestResponse:
        self.page = response.text
        return response

    def sign_in(self) -> Visitor:
        self.get("/sign-in")
        assert self.post("/sign-in", name=NAME, password=PASSWORD).location == "/session"
        self.get("/session")
        return self

    def do(self, path: str, **fields: str) -> str:
        """Press a button on the session's page and return what is to be read on the next one."""
        self.get("/session")
        response = self.post(path, **fields)
        assert response.status_code == 303, response.text
        self.get(response.location)
        return self.words

    def fill(self) -> tuple[str | None, TestResponse]:
        """Make the session larger until it does not fit; return the last good cookie and the refusal."""
        for _ in range(20):
            self.get("/session")
            before, response = self.cookie, self.post("/padding")
            if response.status_code != 303:
                return before, response
        pytest.fail("everything fitted")

    @property
    def token(self) -> str:
        found = re.search(r'name="csrf" value="([\w-]+)"', self.page)
        return found[1] if found else ""

    @property
    def words(self) -> str:
        """The text of the page."""
        return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", self.page)))

    @property
    def cookie(self) -> str | None:
        found = self._client.get_cookie(COOKIE)
        return found.value if found else None

    @cookie.setter
    def cookie(self, value: str) -> None:
        self._client.set_cookie(COOKIE, value)

    @property
    def is_signed_in(self) -> bool:
        return f"Signed in as {NAME}" in re.sub(r"<[^>]*>", "", self.get("/session").text)


class Elements(HTMLParser):
    """The elements of a page, in order, with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def payload_of(visitor: Visitor, keyring: Keyring) -> dict[str, Any]:
    """What the visitor's cookie holds."""
    assert visitor.cookie is not None
    options = keyring.options(HTTP)
    return unseal_data(visitor.cookie, password=options.password, clock=options.clock)


def every_page(visitor: Visitor) -> dict[str, str]:
    """Every page that the site can show."""
    pages = {"start": visitor.get("/").text, "form": visitor.get("/sign-in").text}
    pages["wrong"] = visitor.post("/sign-in", name="eve", password="guess").text
    visitor.sign_in()
    visitor.do("/items", item="bread")
    visitor.do("/rotation")
    pages["session"] = visitor.page
    visitor.fill()
    pages["too large"] = visitor.page
    visitor.do("/tampering", part="mac")
    pages["refused"] = visitor.page
    pages["anonymous"] = visitor.get("/session").text
    pages["missing"] = visitor.get("/nowhere").text
    return pages


# The pages.


def test_the_command_that_serves_demos_finds_what_it_serves() -> None:
    assert Client(playground.application).get("/").status_code == 200
    assert len(playground.ACCOUNT) == 2


def test_the_start_page_leaves_the_session_alone(visitor: Visitor) -> None:
    visitor.sign_in()
    response = visitor.get("/")
    assert response.status_code == 200
    assert "Vary" not in response.headers
    assert "Set-Cookie" not in response.headers


def test_the_style_sheet_may_be_kept_and_is_not_sent_twice(visitor: Visitor) -> None:
    first = visitor.get("/style.css")
    assert first.mimetype == "text/css"
    assert first.cache_control.public
    assert first.cache_control.max_age == HOUR
    assert "Vary" not in first.headers
    again = visitor.get("/style.css", If_None_Match=first.headers["ETag"])
    assert again.status_code == 304
    assert not again.data


def test_no_cache_keeps_a_page_about_a_visitor(visitor: Visitor) -> None:
    visitor.sign_in()
    for path in ("/session", "/nowhere"):
        assert visitor.get(path).cache_control.no_store
    assert visitor.get("/session").vary.to_header() == "Cookie"


def test_nothing_on_a_page_runs_or_comes_from_elsewhere(visitor: Visitor) -> None:
    assert "default-src 'none'; style-src 'self'" in visitor.get("/").headers["Content-Security-Policy"]
    for name, page in every_page(visitor).items():
        elements = Elements(page)
        assert not elements.named("script"), name
        for tag, attributes in elements.found:
            assert not [attribute for attribute in attributes if attribute.startswith("on")], (name, tag)
            assert "style" not in attributes, (name, tag)
            for address in (attributes.get(key) for key in ("href", "src", "action")):
                assert address is None or re.match(r"/(?!/)|data:", address), (name, tag)


def test_every_page_has_a_language_one_heading_and_a_label_for_each_field(visitor: Visitor) -> None:
    pages = every_page(visitor)
    assert sum(len(Elements(page).named("input")) for page in pages.values()) > 10
    for name, page in pages.items():
        elements = Elements(page)
        assert elements.named("html") == [{"lang": "en"}], name
        assert len(elements.named("h1")) == 1, name
        assert elements.named("main"), name
        labelled = [label["for"] for label in elements.named("label")]
        fields = [field for field in elements.named("input") if field.get("type") != "hidden"]
        assert [field["id"] for field in fields] == labelled, name


def test_what_does_not_exist_is_said_on_a_page_too(visitor: Visitor) -> None:
    response = visitor.get("/nowhere")
    assert response.status_code == 404
    assert "Not Found" in visitor.words
    assert "Set-Cookie" not in response.headers


def test_plain_http_explains_why_secure_is_off(visitor: Visitor) -> None:
    assert "Why Secure is off" in " ".join(re.sub("<[^>]*>", "", visitor.get("/").text).split())
    assert "; Secure" not in visitor.get("/sign-in").headers["Set-Cookie"]


def test_https_switches_secure_on(site: IronSessionMiddleware) -> None:
    visitor = Visitor(site, https=True)
    assert "Why <code>Secure</code> is on" in visitor.get("/").text
    assert "; Secure" in visitor.get("/sign-in").headers["Set-Cookie"]
    assert visitor.sign_in().is_signed_in


# Signing in and out.


def test_the_account_signs_in(visitor: Visitor) -> None:
    assert not visitor.is_signed_in
    assert "Signed in as ada" in visitor.sign_in().words


@pytest.mark.parametrize(("name", "password"), [("eve", PASSWORD), (NAME, "guess"), ("", ""), (NAME, "")])
def test_a_wrong_name_and_a_wrong_password_are_refused_in_the_same_words(
    visitor: Visitor, name: str, password: str
) -> None:
    visitor.get("/sign-in")
    response = visitor.post("/sign-in", name=name, password=password)
    assert response.status_code == 403
    assert "No account has this name and this password." in visitor.words
    assert not visitor.is_signed_in


def test_a_session_from_before_the_sign_in_stays_anonymous(
    visitor: Visitor, site: IronSessionMiddleware
) -> None:
    visitor.get("/sign-in")
    planted = visitor.cookie
    visitor.sign_in()
    other = Visitor(site)
    assert planted is not None
    other.cookie = planted
    assert not other.is_signed_in


def test_signing_in_begins_another_session_without_what_the_former_held(
    visitor: Visitor, keyring: Keyring, clock: FakeClock
) -> None:
    visitor.sign_in()
    visitor.do("/padding")
    former = payload_of(visitor, keyring)
    clock.advance(30)
    visitor.post("/sign-in", name=NAME, password=PASSWORD)
    visitor.get("/session")
    latter = payload_of(visitor, keyring)
    assert latter["_iron"]["sid"] != former["_iron"]["sid"]
    assert latter["_iron"]["iat"] == former["_iron"]["iat"] + 30
    assert latter["csrf"] != former["csrf"]
    assert "padding" in former
    assert "padding" not in latter


def test_who_is_signed_in_needs_no_form(visitor: Visitor) -> None:
    assert visitor.sign_in().get("/sign-in").location == "/session"


def test_signing_out_deletes_the_cookie(visitor: Visitor) -> None:
    visitor.sign_in()
    response = visitor.post("/sign-out")
    assert "Max-Age=0" in response.headers["Set-Cookie"]
    assert visitor.cookie is None
    visitor.get(response.location)
    assert "You are signed out" in visitor.words
    assert not visitor.is_signed_in


def test_a_link_does_not_sign_out(visitor: Visitor) -> None:
    response = visitor.sign_in().get("/sign-out")
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert visitor.is_signed_in


# Forms from elsewhere.


def test_every_form_is_tried_here(site: IronSessionMiddleware) -> None:
    routes = site.app._routes.iter_rules()  # type: ignore[attr-defined]
    assert {rule.rule for rule in routes if rule.methods == {"POST"}} == FORMS.keys()


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("token", ["", "A" * 22, "ä"])
def test_a_form_without_the_sessions_token_does_nothing(
    visitor: Visitor, keyring: Keyring, path: str, token: str
) -> None:
    visitor.sign_in()
    before = payload_of(visitor, keyring)
    response = visitor.post(path, token=token, **FORMS[path])
    assert response.status_code == 403
    assert "nothing was done" in visitor.words
    assert "Set-Cookie" not in response.headers
    assert payload_of(visitor, keyring) == before
    assert keyring.options(HTTP).password.ids == ("1",)


@pytest.mark.parametrize("path", FORMS)
def test_a_form_without_a_session_does_nothing(visitor: Visitor, keyring: Keyring, path: str) -> None:
    assert visitor.post(path, token="", **FORMS[path]).status_code == 403
    assert visitor.cookie is None
    assert keyring.options(HTTP).password.ids == ("1",)


@pytest.mark.parametrize("path", [path for path in FORMS if path != "/sign-in"])
def test_a_visitor_who_is_not_signed_in_can_only_sign_in(visitor: Visitor, path: str) -> None:
    visitor.get("/sign-in")
    assert visitor.post(path, **FORMS[path]).status_code == 403
    assert "Sign in first." in visitor.words


def test_another_visitors_token_is_no_token(visitor: Visitor, site: IronSessionMiddleware) -> None:
    stranger = Visitor(site).sign_in()
    assert visitor.sign_in().post("/apples", token=stranger.token).status_code == 403


def test_a_form_of_a_megabyte_is_refused(visitor: Visitor) -> None:
    visitor.sign_in()
    assert visitor.post("/items", item="x" * 2**20).status_code == 413


# Changing the session.


def test_changes_inside_a_list_and_a_mapping_are_kept(visitor: Visitor, keyring: Keyring) -> None:
    visitor.sign_in()
    visitor.do("/items", item="bread")
    visitor.do("/items", item=" salt ")
    visitor.do("/apples")
    visitor.do("/apples")
    data = payload_of(visitor, keyring)
    assert data["items"] == ["bread", "salt"]
    assert data["cart"] == {"apples": 2}


def test_emptying_takes_out_what_was_put_in_and_nothing_else(visitor: Visitor, keyring: Keyring) -> None:
    visitor.sign_in()
    before = payload_of(visitor, keyring)
    for path in ("/items", "/apples", "/padding"):
        visitor.do(path, **FORMS[path])
    assert payload_of(visitor, keyring) != before
    visitor.do("/emptying")
    assert payload_of(visitor, keyring) == before


def test_an_empty_item_is_refused(visitor: Visitor) -> None:
    visitor.sign_in()
    assert visitor.post("/items", item="  ").status_code == 400


def test_a_message_is_shown_once(visitor: Visitor) -> None:
    visitor.sign_in()
    assert (
        visitor.do("/apples").count("Apples in the cart: 1.") == 2
    )  # the message, and the payload it came in
    visitor.get("/session")
    assert "Apples in the cart" not in visitor.words


def tags_of(visitor: Visitor, path: str, **fields: str) -> list[str]:
    """The elements of the page that answers a form."""
    visitor.get("/session" if path == "/items" else path)
    response = visitor.post(path, **fields)
    if response.location is not None:
        visitor.get(response.location)
    assert any(text in visitor.words for text in fields.values())
    return [tag for tag, _ in Elements(visitor.page).found]


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><b x="', "{token}", "&amp;", "</code>"])
def test_what_a_visitor_typed_is_text(visitor: Visitor, text: str) -> None:
    assert tags_of(visitor, "/sign-in", name=text) == tags_of(visitor, "/sign-in", name="plain")
    visitor.sign_in()
    plain = tags_of(visitor, "/items", item="plain")
    visitor.do("/emptying")
    assert tags_of(visitor, "/items", item=text) == plain
    assert f"“{text}” was added" in unescape(visitor.page)


def test_a_session_that_does_not_fit_is_explained_and_the_old_one_stands(
    visitor: Visitor, keyring: Keyring
) -> None:
    visitor.sign_in()
    before, response = visitor.fill()
    assert response.status_code == 409
    assert "Set-Cookie" not in response.headers
    assert "4,096 is the limit" in visitor.words
    assert re.search(r"The largest keys padding 3,\d{3} octets", visitor.words)
    assert visitor.cookie == before
    assert visitor.is_signed_in
    assert len(payload_of(visitor, keyring)["padding"]) % playground.PADDING == 0
    visitor.do("/emptying")
    assert "padding" not in payload_of(visitor, keyring)


# The cookie, taken apart.


def test_the_page_shows_each_part_of_the_cookie_that_came(visitor: Visitor) -> None:
    visitor.sign_in()
    came = visitor.cookie
    visitor.get("/session")
    assert came is not None
    shown = re.findall(r'<p class="text"><code>(.*?)</code>', visitor.page)
    assert [part.text for part in cut(came) if part.kind.name != "ciphertext"] == shown[:4] + shown[5:]
    start, end = cut(came)[4].text[:120], cut(came)[4].text[-40:]
    assert shown[4].startswith(start)
    assert shown[4].endswith(end)


def test_the_page_says_what_a_reader_without_the_password_sees(visitor: Visitor, clock: FakeClock) -> None:
    visitor.sign_in()
    clock.now = 1_800_000_000
    visitor.do("/apples")
    assert "password number 1" in visitor.words
    assert "That it ends at 2027-01-15 08:30:00 UTC." in visitor.words


def test_the_length_that_everybody_can_tell_is_right(visitor: Visitor, keyring: Keyring) -> None:
    visitor.sign_in()
    for octets in range(20):
        visitor.do("/items", item="x" * (octets + 1))
        visitor.get("/session")
        found = re.search(r"the data take (\d+) to (\d+) octets", visitor.words)
        assert found
        payload = json.dumps(payload_of(visitor, keyring), separators=(",", ":"))
        assert int(found[1]) <= len(payload) <= int(found[2])
        visitor.do("/emptying")


def test_the_gauge_shows_the_size_of_the_whole_line(visitor: Visitor) -> None:
    visitor.sign_in()
    for _ in range(3):
        visitor.post("/padding")
        line = visitor.get("/session").headers["Set-Cookie"]
        assert f'aria-label="{len(line)} of 4096 octets are used"' in visitor.page


def test_a_cookie_of_the_same_name_that_is_not_ours_disturbs_nothing(
    visitor: Visitor, site: IronSessionMiddleware
) -> None:
    visitor.sign_in()
    client = Client(site, use_cookies=False)
    cookies = f"{COOKIE}=junk; {COOKIE}={visitor.cookie}"
    response = client.get("/session", headers={"Cookie": cookies})
    assert "Signed in as" in response.text
    fields = {"csrf": visitor.token, "part": "mac"}
    assert client.post("/tampering", headers={"Cookie": cookies}, data=fields).status_code == 303


# Breaking it.


@pytest.mark.parametrize("part", SEAL_FIELDS)
def test_one_changed_byte_in_any_field_makes_the_visitor_anonymous(visitor: Visitor, part: str) -> None:
    visitor.sign_in()
    good = visitor.cookie
    response = visitor.post("/tampering", part=part)
    assert response.headers.getlist("Set-Cookie")[0].startswith(f"{COOKIE}=")
    assert len(response.headers.getlist("Set-Cookie")) == 1
    assert good is not None
    assert visitor.cookie is not None
    assert sum(old != new for old, new in zip(good, visitor.cookie, strict=True)) == 1
    refused = visitor.get(response.location)
    assert "Nobody is signed in" in visitor.words
    reason = "unknown-password" if part == "password-id" else "invalid"
    assert f"The cookie was refused: {reason}" in visitor.words
    title, temptation = next((kind.title, kind.temptation) for kind in KINDS if kind.name == part)
    assert f"You changed one byte of the {title} , hoping for {temptation}." in visitor.words
    if reason == "invalid":
        assert "this response deletes the cookie" in visitor.words
        assert "Max-Age=0" in refused.headers["Set-Cookie"]
    else:
        assert "The cookie stays" in visitor.words
        assert "Set-Cookie" not in refused.headers
    assert not visitor.is_signed_in
    assert visitor.sign_in().is_signed_in


def test_a_changed_mark_changes_nothing_since_nothing_depends_on_it(visitor: Visitor) -> None:
    visitor.sign_in()
    visitor.do("/tampering", part="mark")
    assert "You changed the mark, and you are still signed in" in visitor.words
    assert visitor.cookie is not None
    assert visitor.is_signed_in


def test_a_renewal_that_is_due_does_not_heal_the_cookie(visitor: Visitor, clock: FakeClock) -> None:
    visitor.sign_in()
    visitor.do("/rotation")
    visitor.get("/session")
    clock.advance(5 * MINUTE)
    response = visitor.post("/tampering", part="ciphertext")
    assert len(response.headers.getlist("Set-Cookie")) == 1
    visitor.get(response.location)
    assert "The cookie was refused: invalid" in visitor.words


@pytest.mark.parametrize("part", ["", "crumb"])
def test_a_part_that_no_cookie_has_is_refused(visitor: Visitor, part: str) -> None:
    visitor.sign_in()
    assert visitor.post("/tampering", part=part).status_code == 400
    assert visitor.is_signed_in


def test_an_address_alone_cannot_claim_that_a_cookie_was_changed(visitor: Visitor) -> None:
    visitor.get("/session?changed=mac")
    assert "You changed" not in visitor.words
    visitor.cookie = "no seal at all"
    visitor.get("/session?changed=<b>")
    assert "The cookie was refused: invalid" in visitor.words
    assert "You changed" not in visitor.words


# Rotating the password.


def test_a_rotation_keeps_everybody_signed_in_and_seals_anew(
    visitor: Visitor, site: IronSessionMiddleware
) -> None:
    other = Visitor(site).sign_in()
    visitor.sign_in()
    assert visitor.cookie is not None
    assert cut(visitor.cookie)[1].text == "1"
    visitor.do("/rotation")
    assert "Your cookie was sealed by password 1, and the newest is 2." in visitor.words
    for signed_in in (visitor, other):
        assert signed_in.is_signed_in
        assert signed_in.cookie is not None
        assert cut(signed_in.cookie)[1].text == "2"
    visitor.get("/session")
    assert "Your cookie was sealed by password 2, the newest." in visitor.words
    assert "The server also opens what was sealed by 1." in visitor.words


def test_a_session_that_nobody_used_in_many_rotations_is_refused_and_left_in_place(
    visitor: Visitor, site: IronSessionMiddleware
) -> None:
    away = Visitor(site).sign_in()
    visitor.sign_in()
    for _ in range(KEPT):
        visitor.do("/rotation")
    assert visitor.is_signed_in
    kept = away.cookie
    away.get("/session")
    assert "The cookie was refused: unknown-password" in away.words
    assert away.cookie == kept


def test_a_restart_is_told_from_nothing_and_explained(visitor: Visitor, clock: FakeClock) -> None:
    visitor.sign_in()
    assert visitor.cookie is not None
    restarted = Visitor(playground.create_application(clock))
    restarted.cookie = visitor.cookie
    restarted.get("/session")
    assert "The cookie was refused: invalid" in restarted.words
    assert "older than this server's last start" in restarted.words


def test_rotations_at_once_make_a_password_each(clock: FakeClock) -> None:
    keyring = Keyring(clock)
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda _: keyring.rotate(), range(64)))
    assert sorted(numbers) == list(range(2, 66))
    assert keyring.options(HTTP).password.ids == ("65", "64", "63", "62")


# How long it lives.


def test_a_session_ends_half_an_hour_after_it_was_used_last(visitor: Visitor, clock: FakeClock) -> None:
    visitor.sign_in()
    assert "in 30 min 0 s" in visitor.words
    clock.advance(29 * MINUTE)
    assert visitor.is_signed_in
    clock.advance(29 * MINUTE)
    assert visitor.is_signed_in
    clock.advance(30 * MINUTE + SKEW)
    visitor.get("/session")
    assert "The cookie was refused: expired" in visitor.words


def test_a_session_ends_after_eight_hours_however_much_it_is_used(visitor: Visitor, clock: FakeClock) -> None:
    visitor.sign_in()
    for _ in range(8 * 3 - 1):
        clock.advance(20 * MINUTE)
        assert visitor.is_signed_in
    clock.advance(20 * MINUTE + SKEW)
    assert not visitor.is_signed_in


def test_the_page_says_how_long_is_left(visitor: Visitor, clock: FakeClock) -> None:
    visitor.sign_in()
    clock.advance(25)
    visitor.get("/session")
    assert "in 29 min 35 s" in visitor.words
    assert "in 7 h 59 min" in visitor.words


def test_looking_again_within_a_minute_renews_nothing(visitor: Visitor, clock: FakeClock) -> None:
    visitor.sign_in()
    clock.advance(MINUTE - 1)
    assert "Set-Cookie" not in visitor.get("/session").headers
    clock.advance(1)
    assert "Set-Cookie" in visitor.get("/session").headers
