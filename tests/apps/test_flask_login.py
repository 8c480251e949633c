"""A visit to the example with Flask-Login, without a browser. `tests/browser` makes it with one."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from stat import S_IRWXG, S_IRWXO
from typing import TYPE_CHECKING, Any, Final

import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from werkzeug.http import parse_date
from werkzeug.security import generate_password_hash
from werkzeug.test import Client, TestResponse

from example_projects.flask_login import demo
from example_projects.flask_login.app import create_app
from example_projects.flask_login.destination import is_local
from example_projects.flask_login.settings import IRON_SESSION_ABSOLUTE_TIMEOUT, SESSION_COOKIE_NAME
from example_projects.flask_login.users import User, Users
from iron_wsgi import Event, unseal_data
from iron_wsgi.testing import FakeClock
from iron_wsgi_flask import session_refused
from tests.unit.shaky import ShakyList

from .test_wsgi_playground import Elements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

NAME, PASSWORD = demo.ACCOUNT
pytestmark = pytest.mark.slow("visits whole pages")

SEALED_UNDER: Final = "uX7-mQ2vLr9_Tn4KcYp8WzHs3BdEaJf6GiVo1Rk0"
SIGNED_UNDER: Final = "signs the forms of these tests"
USERS: Final = Users(
    [User("1", NAME, generate_password_hash(PASSWORD)), User("2", "eve", generate_password_hash("apple"))]
)
SITE: Final = "https://example.org"
HOUR: Final = 60 * 60
DAY: Final = 24 * HOUR
SKEW: Final = 60  # seconds

FORMS: Final = {
    "/sign-in": {"name": NAME, "password": PASSWORD},
    "/sign-in/link": {"name": NAME},
    "/sign-in/link/<token>": {},
    "/sign-out": {},
    "/sign-out-everywhere-else": {},
    "/session": {"text": "bread"},
}
"""Every form of the site, filled in."""

ELSEWHERE: Final = (
    "https://evil.example/",
    "http:evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    " //evil.example",
    "\x00//evil.example",
    "javascript:alert(1)",
    "evil.example",
    "/session\r\nSet-Cookie: a=b",
    "/ä",
    "",
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def letters() -> list[str]:
    """The links that the site had sent, as paths."""
    return []


@pytest.fixture
def config(letters: list[str]) -> dict[str, Any]:
    return {
        "IRON_SESSION_PASSWORD": SEALED_UNDER,
        "SECRET_KEY": SIGNED_UNDER,
        "USERS": USERS,
        "SEND_LINK": lambda _user, path: letters.append(path),
        "TESTING": True,
    }


@pytest.fixture
def revocations(clock: FakeClock) -> ShakyList:
    return ShakyList(clock)


@pytest.fixture
def site(config: dict[str, Any], clock: FakeClock, revocations: ShakyList) -> Flask:
    """The site as production has it, but for the list, which is here."""
    return create_app(config | {"IRON_SESSION_CLOCK": clock, "IRON_SESSION_REVOCATIONS": revocations})


@pytest.fixture
def lasting_site(config: dict[str, Any], tmp_path: Path) -> Iterator[Flask]:
    """The site with its own list, in a file; by the machine's clock, as that is the list's."""
    site = create_app(config, instance_path=str(tmp_path / "instance"))
    yield site
    site.session_interface.options(site).revocations.close()  # type: ignore[attr-defined]


@pytest.fixture
def visitor(site: Flask) -> Visitor:
    return Visitor(site)


class Visitor:
    """Somebody with a browser, who comes over https."""

    def __init__(self, site: Flask) -> None:
        self._client = Client(site)
        self.page = ""

    def get(self, path: str, **headers: str) -> TestResponse:
        return self._seen(self._client.get(path, base_url=SITE, headers=headers, buffered=True))

    def post(self, path: str, *, token: str | None = None, **fields: str) -> TestResponse:
        """Fill in a form of the page that is open and send it; with its token, or another."""
        fields["csrf_token"] = self.token if token is None else token
        headers = {"Referer": f"{SITE}/"}
        return self._seen(self._client.post(path, base_url=SITE, data=fields, headers=headers, buffered=True))

    def _seen(self, response: TestResponse) -> TestResponse:
        self.page = response.text
        return response

    def sign_in(self, name: str = NAME, password: str = PASSWORD, *, remember: bool = False) -> Visitor:
        self.get("/sign-in")
        fields = {"name": name, "password": password} | ({"remember": "y"} if remember else {})
        assert self.post("/sign-in", **fields).location == "/session"
        self.get("/session")
        return self

    def ask_for_link(self, name: str = NAME) -> TestResponse:
        self.get("/sign-in/link")
        return self.post("/sign-in/link", name=name)

    def keep(self, text: str) -> TestResponse:
        """Put a note into the session and open the page that shows it."""
        self.get("/session")
        response = self.post("/session", text=text)
        assert response.status_code == 303, response.text
        self.get(response.location or "")
        return response

    @property
    def token(self) -> str:
        found = re.search(r'name="csrf_token"[^>]* value="([\w.-]+)"', self.page)
        return found[1] if found else ""

    @property
    def words(self) -> str:
        """The text of the page."""
        return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", self.page)))

    @property
    def cookie(self) -> str | None:
        found = self._client.get_cookie(SESSION_COOKIE_NAME, "example.org")
        return found.value if found else None

    @cookie.setter
    def cookie(self, value: str) -> None:
        self._client.set_cookie(SESSION_COOKIE_NAME, value, domain="example.org", secure=True)

    @property
    def is_signed_in(self) -> bool:
        return self.name == NAME

    @property
    def name(self) -> str | None:
        """Who the site takes the visitor for."""
        name: str | None = self.get("/api/me").get_json()["name"]
        return name


def payload_of(visitor: Visitor, clock: FakeClock) -> dict[str, Any]:
    """What the visitor's cookie holds."""
    assert visitor.cookie is not None
    return unseal_data(visitor.cookie, password=SEALED_UNDER, clock=clock)


def copy(visitor: Visitor, site: Flask) -> Visitor:
    """Somebody who has copied the visitor's cookie."""
    thief = Visitor(site)
    assert visitor.cookie is not None
    thief.cookie = visitor.cookie
    return thief


def every_page(visitor: Visitor, letters: list[str]) -> dict[str, str]:
    """Every page that the site can show."""
    pages = {"start": visitor.get("/").text, "form": visitor.get("/sign-in").text}
    pages["wrong"] = visitor.post("/sign-in", name="mallory", password="guess").text
    pages["link form"] = visitor.get("/sign-in/link").text
    pages["no name"] = visitor.post("/sign-in/link", name="").text
    pages["link sent"] = visitor.ask_for_link().text
    pages["link"] = visitor.get(letters[-1]).text
    pages["broken link"] = visitor.get(letters[-1][:-9]).text
    visitor.sign_in().keep("bread")
    pages["session"] = visitor.page
    pages["too long"] = visitor.post("/session", text="x" * 201).text
    pages["missing"] = visitor.get("/nowhere").text
    return pages


# The page that is the same for everybody.


def test_the_public_page_may_be_kept_by_any_cache_whoever_asks_for_it(
    visitor: Visitor, site: Flask, clock: FakeClock
) -> None:
    signed_in, forged = Visitor(site).sign_in(remember=True), Visitor(site)
    forged.cookie = "Fe26.2*1*forged"
    clock.advance(HOUR / 2)  # this session is due to be sealed anew, but not by a page that does not use it
    pages = set()
    for somebody in (visitor, signed_in, forged):
        response = somebody.get("/")
        assert response.status_code == 200
        assert "Vary" not in response.headers
        assert "Set-Cookie" not in response.headers
        assert response.cache_control.public
        assert response.cache_control.max_age == 300
        pages.add(response.text)
    assert len(pages) == 1
    assert "Set-Cookie" in signed_in.get("/api/me").headers


def test_nothing_is_opened_for_the_public_page_and_its_files(visitor: Visitor, site: Flask) -> None:
    opened: list[str] = []

    def refused(_app: Flask, event: Event) -> None:
        opened.append(event.cookie_name)

    visitor.cookie = "Fe26.2*1*forged"
    with session_refused.connected_to(refused, site):
        for path in ("/", "/static/style.css", "/static/me.js", "/nowhere"):
            visitor.get(path)
        assert opened == []
        visitor.get("/api/me")
    assert opened == [SESSION_COOKIE_NAME]


def test_the_public_page_and_its_files_are_not_sent_twice(visitor: Visitor) -> None:
    files = ("/", "/static/style.css", "/static/me.js")
    for path in files:
        first = visitor.get(path)
        assert first.cache_control.public
        assert "Vary" not in first.headers
        again = visitor.get(path, If_None_Match=first.headers["ETag"])
        assert again.status_code == 304
        assert not again.data
    assert all(path in visitor.get("/").text for path in files)


def test_who_is_looking_is_told_to_the_script_and_kept_by_nobody(visitor: Visitor) -> None:
    assert visitor.get("/api/me").json == {"name": None}
    visitor.sign_in()
    response = visitor.get("/api/me")
    assert response.json == {"name": NAME}
    assert response.cache_control.private
    assert response.cache_control.no_store
    assert response.vary.to_header() == "Cookie"
    assert 'data-source="/api/me"' in visitor.get("/").text


# All pages.


def test_the_command_that_serves_demos_finds_what_it_serves() -> None:
    client = Client(demo.application)
    assert "The account is ada with the password lovelace." in re.sub("<[^>]*>", "", client.get("/").text)
    page = client.get("/sign-in").text
    token = re.search(r'value="([\w.-]+)"', page)
    assert token
    fields = {"name": NAME, "password": PASSWORD, "csrf_token": token[1]}
    assert client.post("/sign-in", data=fields).location == "/session"
    cookie = client.get_cookie("flask_login")
    assert cookie is not None
    assert not cookie.secure  # as Safari wants it over plain http


def test_no_cache_keeps_a_page_about_a_visitor(visitor: Visitor, letters: list[str]) -> None:
    visitor.get("/session")
    assert visitor.ask_for_link().cache_control.no_store
    paths = ("/session", "/sign-in", "/sign-in/link", letters[0], letters[0][:-9], "/nowhere")
    for path in paths:
        assert visitor.get(path).cache_control.no_store, path
    visitor.sign_in()
    for path in paths:
        assert visitor.get(path).cache_control.no_store, path
    assert visitor.get("/session").vary.to_header() == "Cookie"


def test_nothing_on_a_page_runs_or_comes_from_elsewhere(visitor: Visitor, letters: list[str]) -> None:
    visitor.ask_for_link()
    linked = (letters[0], letters[0][:-9])  # whose addresses must reach no other site
    for path in (
        "/",
        "/sign-in",
        "/session",
        "/api/me",
        "/nowhere",
        "/static/me.js",
        "/sign-in/link",
        *linked,
    ):
        headers = visitor.get(path).headers
        assert "default-src 'none'; script-src 'self'" in headers["Content-Security-Policy"], path
        assert "unsafe" not in headers["Content-Security-Policy"], path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "same-origin", path
    for name, page in every_page(visitor, letters).items():
        elements = Elements(page)
        scripts = [script.get("src") for script in elements.named("script")]
        assert scripts == (["/static/me.js"] if name == "start" else []), name
        for tag, attributes in elements.found:
            assert not [attribute for attribute in attributes if attribute.startswith("on")], (name, tag)
            assert "style" not in attributes, (name, tag)
            for address in (attributes.get(key) for key in ("href", "src", "action")):
                assert address is None or re.match(r"/(?!/)|data:", address), (name, tag)


def test_every_page_has_a_language_one_heading_and_a_label_for_each_field(
    visitor: Visitor, letters: list[str]
) -> None:
    pages = every_page(visitor, letters)
    assert sum(len(Elements(page).named("input")) for page in pages.values()) > 10
    for name, page in pages.items():
        elements = Elements(page)
        assert elements.named("html") == [{"lang": "en"}], name
        assert len(elements.named("h1")) == 1, name
        assert elements.named("main"), name
        labelled = [label["for"] for label in elements.named("label")]
        fields = [field for field in elements.named("input") if field.get("type") != "hidden"]
        assert [field["id"] for field in fields] == labelled, name


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><b x="', "{{ config }}", "&amp;"])
def test_what_a_visitor_typed_is_text(visitor: Visitor, text: str) -> None:
    visitor.get("/sign-in")
    visitor.post("/sign-in", name=text, password="guess")
    names = [field.get("value") for field in Elements(visitor.page).named("input") if field["id"] == "name"]
    assert names == [text]
    tags = [tag for tag, _ in Elements(visitor.sign_in().page).found]
    visitor.keep("plain")
    plain = [tag for tag, _ in Elements(visitor.page).found]
    visitor.keep(text)
    assert len(plain) > len(tags)
    assert [tag for tag, _ in Elements(visitor.page).found] == plain


# Signing in.


def test_the_account_signs_in(visitor: Visitor) -> None:
    assert not visitor.is_signed_in
    assert "Signed in as ada" in visitor.sign_in().words
    assert visitor.is_signed_in


@pytest.mark.parametrize(
    ("name", "password"), [("mallory", PASSWORD), (NAME, "guess"), (NAME, "apple"), ("", ""), (NAME, "")]
)
def test_a_wrong_name_and_a_wrong_password_are_refused_in_the_same_words(
    visitor: Visitor, name: str, password: str
) -> None:
    visitor.get("/sign-in")
    response = visitor.post("/sign-in", name=name, password=password)
    assert response.status_code == 403
    assert "No account has this name and this password." in visitor.words
    assert password not in visitor.words.split() or not password
    assert not visitor.is_signed_in


def test_a_name_that_does_not_exist_takes_as_long_as_a_wrong_password() -> None:
    durations: dict[str, list[float]] = {"mallory": [], NAME: []}
    for _ in range(5):
        for name, measured in durations.items():
            began = time.perf_counter()
            assert USERS.authenticate(name, "guess") is None
            measured.append(time.perf_counter() - began)
    # Without the hash the one takes a thousandth of the other.
    assert 0.5 < min(durations["mallory"]) / min(durations[NAME]) < 2


def test_nobodys_password_signs_nobody_in() -> None:
    assert Users().authenticate("", "") is None
    assert Users().authenticate("mallory", "") is None


def test_the_session_holds_who_signed_in_and_no_hash(visitor: Visitor, clock: FakeClock) -> None:
    visitor.sign_in()
    payload = payload_of(visitor, clock)
    assert payload["_user_id"] == "1"
    assert PASSWORD not in repr(payload)
    assert not re.search(r"scrypt|pbkdf2", repr(payload) + visitor.page)


def test_a_session_from_before_the_sign_in_stays_anonymous(visitor: Visitor, site: Flask) -> None:
    visitor.get("/sign-in")
    planted = visitor.cookie
    visitor.sign_in()
    other = Visitor(site)
    assert planted is not None
    other.cookie = planted
    assert not other.is_signed_in


def test_signing_in_begins_another_session_without_what_the_former_held(
    visitor: Visitor, clock: FakeClock
) -> None:
    visitor.get("/session")
    visitor.get("/sign-in")
    former, token = payload_of(visitor, clock), visitor.token
    clock.advance(30)
    visitor.post("/sign-in", name=NAME, password=PASSWORD)
    visitor.get("/session")
    latter = payload_of(visitor, clock)
    assert latter["_iron"]["sid"] != former["_iron"].get("sid")
    assert latter["_iron"]["iat"] == clock.now
    assert latter["csrf_token"] != former["csrf_token"]
    assert visitor.post("/session", token=token, text="bread").status_code == 400


def test_who_is_signed_in_needs_no_form(visitor: Visitor) -> None:
    assert visitor.sign_in().get("/sign-in").location == "/session"


def test_a_page_for_those_who_signed_in_sends_others_to_the_form_and_back(visitor: Visitor) -> None:
    response = visitor.get("/session")
    assert response.location == "/sign-in?next=%2Fsession"
    visitor.get(response.location)
    assert "Sign in to see your session." in visitor.words
    assert visitor.post(response.location, name=NAME, password=PASSWORD).location == "/session"


@pytest.mark.parametrize("address", ["/", "/session?a=b&c=%2F%5C", "/api/me#x"])
def test_after_signing_in_the_visitor_goes_where_he_wanted_to(visitor: Visitor, address: str) -> None:
    assert is_local(address)
    form = "/sign-in?" + _query(address)
    visitor.get(form)
    assert visitor.post(form, name=NAME, password=PASSWORD).location == address
    assert visitor.get(form).location == address


@pytest.mark.parametrize("address", ELSEWHERE)
def test_signing_in_leads_to_no_other_site(visitor: Visitor, address: str) -> None:
    assert not is_local(address)
    form = "/sign-in?" + _query(address)
    visitor.get(form)
    assert visitor.post(form, name=NAME, password=PASSWORD).location == "/session"
    assert visitor.get(form).location == "/session"


def _query(address: str) -> str:
    return "next=" + "".join(f"%{octet:02X}" for octet in address.encode())


# Forms from elsewhere.


def test_every_form_is_tried_here(site: Flask) -> None:
    forms = {rule.rule for rule in site.url_map.iter_rules() if "POST" in (rule.methods or ())}
    assert forms == FORMS.keys()


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("token", ["", "A" * 22, "ä"])
def test_a_form_without_the_sessions_token_does_nothing(
    visitor: Visitor, clock: FakeClock, path: str, token: str
) -> None:
    visitor.sign_in()
    before = payload_of(visitor, clock)
    response = visitor.post(path, token=token, **FORMS[path])
    assert response.status_code == 400
    assert "nothing was done" in visitor.words
    assert "Set-Cookie" not in response.headers
    assert payload_of(visitor, clock) == before


def test_a_form_that_was_left_open_for_a_day_is_good_while_its_session_is(
    visitor: Visitor, clock: FakeClock
) -> None:
    class Yesterday(TimestampSigner):
        def get_timestamp(self) -> int:
            return super().get_timestamp() - DAY

    visitor.sign_in(remember=True)
    raw = payload_of(visitor, clock)["csrf_token"]
    token = URLSafeTimedSerializer(SIGNED_UNDER, salt="wtf-csrf-token", signer=Yesterday).dumps(raw)
    assert visitor.post("/session", token=str(token), text="bread").status_code == 303


@pytest.mark.parametrize("path", FORMS)
def test_another_visitors_token_is_no_token(visitor: Visitor, site: Flask, path: str) -> None:
    stranger = Visitor(site).sign_in()
    assert visitor.sign_in().post(path, token=stranger.token, **FORMS[path]).status_code == 400
    assert visitor.is_signed_in


@pytest.mark.parametrize("path", FORMS)
def test_a_form_without_a_session_does_nothing(visitor: Visitor, site: Flask, path: str) -> None:
    token = Visitor(site).sign_in().token
    assert visitor.post(path, token=token, **FORMS[path]).status_code == 400
    assert visitor.cookie is None


def test_a_form_of_a_megabyte_is_refused(visitor: Visitor) -> None:
    assert visitor.sign_in().post("/session", text="x" * 2**20).status_code == 413


# Signing out.


def test_signing_out_deletes_the_cookie(visitor: Visitor) -> None:
    visitor.sign_in(remember=True)
    response = visitor.post("/sign-out")
    assert response.location == "/"
    (line,) = response.headers.getlist("Set-Cookie")
    assert line.startswith(f"{SESSION_COOKIE_NAME}=;")
    assert "; Secure" in line
    assert visitor.cookie is None
    assert not visitor.is_signed_in
    assert visitor.get("/session").location == "/sign-in?next=%2Fsession"


def test_a_link_does_not_sign_out(visitor: Visitor) -> None:
    response = visitor.sign_in().get("/sign-out")
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert visitor.is_signed_in


def test_a_copied_cookie_is_worth_nothing_after_signing_out(
    visitor: Visitor, site: Flask, clock: FakeClock
) -> None:
    visitor.sign_in(remember=True)
    copies = [copy(visitor, site)]
    clock.advance(5 * 60)
    visitor.keep("bread")
    copies.append(copy(visitor, site))
    assert [thief.name for thief in copies] == [NAME, NAME]
    copies += [copy(visitor, site), copy(visitor, site)]
    visitor.post("/sign-out")
    for thief in copies:
        assert thief.name is None
        assert thief.get("/session").location == "/sign-in?next=%2Fsession"
    clock.advance(60 * DAY)
    assert copy(visitor.sign_in(), site).name == NAME
    assert [thief.name for thief in copies] == [None] * 4


def test_signing_out_leaves_the_users_other_sessions(visitor: Visitor, site: Flask) -> None:
    other = Visitor(site).sign_in()
    visitor.sign_in().post("/sign-out")
    assert other.is_signed_in


def test_the_list_is_a_file_of_the_site_that_tells_nothing_and_that_nobody_else_may_write(
    lasting_site: Flask, tmp_path: Path
) -> None:
    visitor = Visitor(lasting_site).sign_in()
    thief = copy(visitor, lasting_site)
    visitor.get("/session")
    assert visitor.cookie is not None
    sid = unseal_data(visitor.cookie, password=SEALED_UNDER)["_iron"]["sid"]
    visitor.post("/sign-out")
    assert thief.name is None
    folder = tmp_path / "instance"
    assert folder.stat().st_mode & (S_IRWXG | S_IRWXO) == 0
    assert (folder / "revocations.sqlite3").exists()
    assert sid.encode() not in b"".join(file.read_bytes() for file in folder.iterdir())


# Signing out everywhere else.


def test_signing_out_everywhere_else_ends_every_session_but_this_one(
    visitor: Visitor, site: Flask, clock: FakeClock
) -> None:
    others = [Visitor(site).sign_in(), Visitor(site).sign_in(remember=True)]
    stranger = Visitor(site).sign_in("eve", "apple")
    visitor.sign_in(remember=True).keep("bread")
    others.append(copy(visitor, site))
    clock.advance(1)
    before = payload_of(visitor, clock)
    visitor.get("/session")
    assert visitor.post("/sign-out-everywhere-else").location == "/session"
    assert [other.name for other in others] == [None] * 3
    assert stranger.name == "eve"
    visitor.get("/session")
    assert "You are signed out everywhere else." in visitor.words
    assert '"bread"' in visitor.words
    after = payload_of(visitor, clock)
    assert after["_iron"]["sid"] != before["_iron"]["sid"]
    assert after["_iron"]["ttl"] == before["_iron"]["ttl"]  # it is still remembered
    assert others[0].sign_in().is_signed_in
    assert visitor.is_signed_in


def test_signing_out_everywhere_else_is_for_those_who_are_signed_in(visitor: Visitor) -> None:
    visitor.get("/sign-in")
    location = visitor.post("/sign-out-everywhere-else").location
    assert location is not None
    assert location.startswith("/sign-in?next=")
    assert visitor.get("/sign-out-everywhere-else").status_code == 405


# Signing in by a link.


def test_a_link_and_its_button_sign_in(visitor: Visitor, letters: list[str]) -> None:
    visitor.get("/sign-in")
    assert 'href="/sign-in/link"' in visitor.page
    assert visitor.ask_for_link().status_code == 200
    (link,) = letters
    visitor.get(link)
    assert "Sign in as ada?" in visitor.words
    assert visitor.post(link).location == "/session"
    visitor.get("/session")
    assert "Signed in as ada" in visitor.words
    assert "The link that you came by is of no use any more." in visitor.words


def test_opening_a_link_changes_nothing_however_often_it_is_done(
    visitor: Visitor, site: Flask, letters: list[str]
) -> None:
    visitor.ask_for_link()
    programs = [Client(site) for _ in range(5)]
    for program in programs:
        for method in ("HEAD", "GET", "GET"):
            assert program.open(letters[0], method=method, base_url=SITE).status_code == 200
        assert program.get("/api/me", base_url=SITE).json == {"name": None}
    for _ in range(5):
        assert visitor.get(letters[0]).status_code == 200
        assert not visitor.is_signed_in
    visitor.get(letters[0])
    assert visitor.post(letters[0]).status_code == 303
    assert visitor.is_signed_in


def test_a_link_signs_in_once(visitor: Visitor, site: Flask, letters: list[str]) -> None:
    visitor.ask_for_link()
    late = Visitor(site)
    late.get(letters[0])
    visitor.get(letters[0])
    assert visitor.post(letters[0]).status_code == 303
    for response in (late.post(letters[0]), late.get(letters[0])):
        assert response.status_code == 410
        assert "This link has been used" in late.words
        assert 'href="/sign-in/link"' in late.page
    assert not late.is_signed_in
    assert visitor.is_signed_in
    visitor.post("/sign-out")
    assert visitor.get(letters[0]).status_code == 410


def test_of_two_who_press_the_button_at_once_one_is_signed_in(
    lasting_site: Flask, letters: list[str]
) -> None:
    both = Visitor(lasting_site), Visitor(lasting_site)
    for _ in range(20):
        both[0].ask_for_link()
        for visitor in both:
            visitor.get(letters[-1])
        start = threading.Barrier(2)
        statuses: list[int] = []

        def press(visitor: Visitor, link: str, start: threading.Barrier, statuses: list[int]) -> None:
            start.wait(10)
            statuses.append(visitor.post(link).status_code)

        threads = [
            threading.Thread(target=press, args=(visitor, letters[-1], start, statuses)) for visitor in both
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(statuses) == [303, 410]
        assert sorted(visitor.is_signed_in for visitor in both) == [False, True]
        for visitor in both:
            if visitor.is_signed_in:
                visitor.get("/session")
                visitor.post("/sign-out")


def test_a_link_is_good_for_a_quarter_of_an_hour(
    visitor: Visitor, letters: list[str], clock: FakeClock
) -> None:
    visitor.ask_for_link()
    clock.advance(15 * 60)
    assert visitor.get(letters[0]).status_code == 200
    clock.advance(SKEW + 1)
    for response in (visitor.post(letters[0]), visitor.get(letters[0])):
        assert response.status_code == 410
        assert "This link has expired" in visitor.words
    assert not visitor.is_signed_in


@pytest.mark.parametrize("change", ["cut", "altered", "a session", "another secret's", "junk"])
def test_what_is_no_link_of_the_sites_is_refused_and_another_is_offered(
    visitor: Visitor, site: Flask, letters: list[str], config: dict[str, Any], change: str
) -> None:
    visitor.ask_for_link()
    link = letters[0]
    other_config = {
        "IRON_SESSION_REVOCATIONS": "memory:",
        "IRON_SESSION_PASSWORD": {2: SEALED_UNDER[::-1], 1: SEALED_UNDER},
    }
    Visitor(create_app(config | other_config)).ask_for_link()
    place = link.index("*", link.index("Fe26") + 40) + 2
    session = Visitor(site).sign_in().cookie
    changed = {
        "cut": link[:-20],
        "altered": link[:place] + ("A" if link[place] != "A" else "B") + link[place + 1 :],
        "a session": f"/sign-in/link/{session}",
        "another secret's": letters[1],
        "junk": "/sign-in/link/junk",
    }[change]
    visitor.get(link)
    for response in (visitor.post(changed), visitor.get(changed)):
        assert response.status_code == 403
        assert "This link is not whole" in visitor.words
        assert 'href="/sign-in/link"' in visitor.page
    assert not visitor.is_signed_in
    assert visitor.get(link).status_code == 200


def test_a_link_is_no_session(visitor: Visitor, site: Flask, letters: list[str]) -> None:
    visitor.ask_for_link()
    thief = Visitor(site)
    thief.cookie = letters[0].rpartition("/")[2]
    assert thief.name is None


def test_a_link_whose_user_is_gone_signs_nobody_in(visitor: Visitor, site: Flask, letters: list[str]) -> None:
    visitor.ask_for_link()
    visitor.get(letters[0])
    site.config["USERS"] = Users()
    for response in (visitor.post(letters[0]), visitor.get(letters[0])):
        assert response.status_code == 410
    assert visitor.name is None


def test_the_answer_does_not_tell_whether_there_is_such_a_user(
    visitor: Visitor, site: Flask, letters: list[str]
) -> None:
    answers = []
    for name in (NAME, "mallory"):
        visitor.get("/sign-in/link")
        answers.append(visitor.post("/sign-in/link", name=name))
    one, other = answers
    assert (one.status_code, one.data, one.headers) == (other.status_code, other.data, other.headers)
    assert NAME not in visitor.words.split()
    assert len(letters) == 1
    assert letters[0].startswith("/sign-in/link/Fe26.2*")  # no host, which whoever asks could choose
    assert letters[0] not in one.text
    assert Client(site).get(letters[0], base_url=SITE).status_code == 200


def test_a_link_for_no_name_is_asked_for_again(visitor: Visitor, letters: list[str]) -> None:
    for name in ("", " ", "x" * 101):
        assert visitor.ask_for_link(name).status_code == 400
        assert "note bad" in visitor.page
    assert letters == []


def test_a_link_ends_the_session_that_it_finds_with_all_that_it_held(
    visitor: Visitor, site: Flask, letters: list[str], clock: FakeClock
) -> None:
    Visitor(site).ask_for_link()
    visitor.sign_in("eve", "apple", remember=True).keep("bread")
    former, token = copy(visitor, site), visitor.token
    visitor.get(letters[0])
    line = line_of(visitor.post(letters[0]))
    assert lifetime_of(line, clock.now) is None
    assert visitor.name == NAME
    assert former.name is None
    visitor.get("/session")
    assert "bread" not in visitor.words
    assert visitor.post("/session", token=token, text="bread").status_code == 400


def test_a_link_that_another_site_sends_off_is_not_used_up(visitor: Visitor, letters: list[str]) -> None:
    visitor.ask_for_link()
    visitor.get("/sign-in")
    assert visitor.post(letters[0], token="").status_code == 400
    assert "nothing was done" in visitor.words
    assert not visitor.is_signed_in
    visitor.get(letters[0])
    assert visitor.post(letters[0]).status_code == 303


def test_the_demo_shows_the_link_and_says_that_a_site_must_not() -> None:
    client = Client(demo.application)
    pages = []
    for name in (NAME, "mallory"):
        token = re.search(r'value="([\w.-]+)"', client.get("/sign-in/link").text)
        assert token
        pages.append(client.post("/sign-in/link", data={"name": name, "csrf_token": token[1]}).text)
    shown = re.search(r'href="(/sign-in/link/Fe26[^"]*)"', pages[0])
    assert shown
    assert "a real site must not show" in pages[0]
    assert client.get(shown[1]).status_code == 200
    assert "Fe26" not in pages[1]


# When the list of revocations does not answer.


def check_outage(response: TestResponse, visitor: Visitor) -> None:
    """The site's own page, which sets and deletes no cookie."""
    assert response.status_code == 503
    assert "it signs nobody in and nobody out" in visitor.words
    assert 'href="/static/style.css"' in visitor.page
    assert response.headers["Retry-After"] == "5"
    assert response.cache_control.no_store
    assert "Content-Security-Policy" in response.headers
    assert "Set-Cookie" not in response.headers


def test_an_outage_is_a_page_of_the_sites_and_public_pages_go_on(
    visitor: Visitor, revocations: ShakyList
) -> None:
    visitor.sign_in()
    revocations.down = {"is_revoked"}
    for path in ("/session", "/sign-in", "/sign-in/link", "/api/me"):
        check_outage(visitor.get(path), visitor)
    for path in ("/", "/static/style.css"):
        assert visitor.get(path).status_code == 200
    revocations.down = set()
    assert visitor.is_signed_in


def test_who_cannot_be_signed_out_is_told(visitor: Visitor, revocations: ShakyList) -> None:
    visitor.sign_in()
    for down in ({"revoke"}, {"is_revoked"}, {"revoke", "is_revoked"}):
        visitor.get("/session")
        revocations.down = down
        check_outage(visitor.post("/sign-out"), visitor)
        revocations.down = set()
        assert visitor.is_signed_in
    visitor.get("/session")
    visitor.post("/sign-out")
    assert not visitor.is_signed_in


def test_who_cannot_be_signed_in_is_told(visitor: Visitor, revocations: ShakyList) -> None:
    visitor.get("/sign-in")
    revocations.down = {"revoke"}
    check_outage(visitor.post("/sign-in", name=NAME, password=PASSWORD), visitor)
    revocations.down = set()
    assert not visitor.is_signed_in


@pytest.mark.parametrize("method", ["is_revoked", "revoke"])
def test_a_link_that_cannot_be_used_is_as_good_as_before(
    visitor: Visitor, site: Flask, letters: list[str], revocations: ShakyList, method: str
) -> None:
    Visitor(site).ask_for_link()
    visitor.get(letters[0])
    revocations.down = {method}
    check_outage(visitor.post(letters[0]), visitor)
    revocations.down = set()
    assert not visitor.is_signed_in
    visitor.get(letters[0])
    assert visitor.post(letters[0]).status_code == 303


def test_who_cannot_be_signed_out_elsewhere_is_told_and_stays_signed_in_here(
    visitor: Visitor, site: Flask, revocations: ShakyList, clock: FakeClock
) -> None:
    other = Visitor(site).sign_in()
    visitor.sign_in()
    clock.advance(1)
    revocations.down = {"revoke_subject"}
    response = visitor.post("/sign-out-everywhere-else")
    assert response.status_code == 503
    assert "please try again" in visitor.words
    assert visitor.is_signed_in
    assert other.is_signed_in
    revocations.down = set()
    visitor.get("/session")
    assert "You are signed out everywhere else." not in visitor.words
    visitor.post("/sign-out-everywhere-else")
    assert visitor.is_signed_in
    assert not other.is_signed_in


# How long a session lives.


def line_of(response: TestResponse) -> str:
    """The one cookie that a response sets."""
    (line,) = response.headers.getlist("Set-Cookie")
    assert line.startswith(f"{SESSION_COOKIE_NAME}=Fe26.2*")
    return line


def lifetime_of(line: str, now: float) -> float | None:
    """Seconds for which the browser keeps a cookie; None for as long as it runs."""
    if age := re.search(r"; Max-Age=(\d+)", line):
        return int(age[1])
    moment = re.search(r"; Expires=([^;]+)", line)
    end = parse_date(moment[1]) if moment else None
    return end.timestamp() - now if isinstance(end, datetime) else None


def test_the_cookie_is_for_this_host_alone_and_for_no_script(visitor: Visitor) -> None:
    visitor.get("/sign-in")
    line = line_of(visitor.post("/sign-in", name=NAME, password=PASSWORD))
    assert line.startswith("__Host-")
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert f"; {attribute}" in line
    assert "Domain" not in line


def test_without_remember_me_the_browser_forgets_the_session_when_it_closes(
    visitor: Visitor, clock: FakeClock
) -> None:
    visitor.get("/sign-in")
    line = line_of(visitor.post("/sign-in", name=NAME, password=PASSWORD))
    assert lifetime_of(line, clock.now) is None
    assert lifetime_of(line_of(visitor.keep("bread")), clock.now) is None


def test_remember_me_lasts_thirty_days_and_survives_later_writes(visitor: Visitor, clock: FakeClock) -> None:
    visitor.get("/sign-in")
    signed_in = line_of(visitor.post("/sign-in", name=NAME, password=PASSWORD, remember="y"))
    assert lifetime_of(signed_in, clock.now) == pytest.approx(30 * DAY, abs=120)
    clock.advance(20 * DAY)
    assert visitor.is_signed_in
    written = line_of(visitor.keep("bread"))
    assert lifetime_of(written, clock.now) == pytest.approx(30 * DAY, abs=120)
    clock.advance(29 * DAY)
    assert visitor.is_signed_in
    clock.advance(30 * DAY + SKEW)
    assert not visitor.is_signed_in


def test_remembering_takes_no_second_cookie(visitor: Visitor) -> None:
    visitor.get("/sign-in")
    response = visitor.post("/sign-in", name=NAME, password=PASSWORD, remember="y")
    assert len(response.headers.getlist("Set-Cookie")) == 1
    assert not visitor.get("/session").headers.getlist("Set-Cookie")[1:]


def test_the_next_to_sign_in_is_not_remembered_unless_asked(visitor: Visitor, clock: FakeClock) -> None:
    visitor.sign_in(remember=True)
    visitor.post("/sign-out")
    visitor.get("/sign-in")
    line = line_of(visitor.post("/sign-in", name=NAME, password=PASSWORD))
    assert lifetime_of(line, clock.now) is None
    clock.advance(HOUR + SKEW)
    assert not visitor.is_signed_in


def test_a_session_that_is_not_used_for_an_hour_is_over(visitor: Visitor, clock: FakeClock) -> None:
    visitor.sign_in()
    for _ in range(5):
        clock.advance(HOUR - 1)
        assert visitor.is_signed_in
    clock.advance(HOUR + SKEW)
    assert not visitor.is_signed_in


def test_a_remembered_session_ends_after_ninety_days_however_much_it_is_used(
    visitor: Visitor, clock: FakeClock
) -> None:
    visitor.sign_in(remember=True)
    end = clock.now + IRON_SESSION_ABSOLUTE_TIMEOUT / timedelta(seconds=1)
    while clock.now + 10 * DAY < end:
        clock.advance(10 * DAY)
        assert visitor.is_signed_in
    clock.now = end + SKEW
    assert not visitor.is_signed_in


def test_a_forged_cookie_is_an_anonymous_visitor_and_is_deleted_once(visitor: Visitor) -> None:
    visitor.sign_in()
    assert visitor.cookie is not None
    head, _, tail = visitor.cookie.rpartition("*")
    visitor.cookie = f"{head}*{'A' if tail[0] != 'A' else 'B'}{tail[1:]}"
    response = visitor.get("/api/me")
    assert response.json == {"name": None}
    (line,) = response.headers.getlist("Set-Cookie")
    assert line.startswith(f"{SESSION_COOKIE_NAME}=;")
    assert visitor.cookie is None
    assert "Set-Cookie" not in visitor.get("/api/me").headers


# What the session holds.


def test_a_message_is_shown_once(visitor: Visitor) -> None:
    visitor.sign_in()
    assert 'role="status">Welcome.' in visitor.page
    visitor.get("/session")
    assert "Welcome." not in visitor.words


def test_the_session_page_shows_who_and_until_when_and_what_the_cookie_holds(
    visitor: Visitor, clock: FakeClock
) -> None:
    clock.now = 1_800_000_000
    visitor.sign_in().keep("bread & salt")
    visitor.get("/session")
    assert "Signed in as ada" in visitor.words
    assert "Began 2027-01-15 08:00:00 UTC" in visitor.words
    assert "Ends unused 2027-01-15 09:00:00 UTC" in visitor.words
    assert "Ends in any case 2027-04-15 08:00:00 UTC" in visitor.words
    assert '"bread & salt"' in visitor.words
    keys = re.findall(r'<th scope="row"><code>(.*?)</code>', visitor.page)
    assert keys == sorted(payload_of(visitor, clock).keys() - {"_iron"})
    assert {"_user_id", "csrf_token", "note"} <= set(keys)


def test_the_size_that_is_shown_is_that_of_the_cookie(visitor: Visitor) -> None:
    visitor.sign_in().keep("bread")
    visitor.get("/session")
    shown = re.search(r"Size (\d+) of 4,096 octets", visitor.words)
    line = line_of(visitor.post("/session", text="salts"))  # a flash message more than what is shown
    assert shown
    assert 0 < len(line) - int(shown[1]) < 300


def test_the_page_says_which_values_javascript_reads_otherwise(visitor: Visitor) -> None:
    visitor.sign_in()
    rows = dict(re.findall(r"<code>(\w+)</code></th>.*?<td>([^<]*)</td></tr>", visitor.page))
    assert rows["_user_id"] == "the same"
    assert rows["_flashes"] == "tagged"


@pytest.mark.parametrize("text", ["", " ", "x" * 201])
def test_a_note_that_is_no_note_is_refused(visitor: Visitor, clock: FakeClock, text: str) -> None:
    visitor.sign_in()
    assert visitor.post("/session", text=text).status_code == 400
    assert "note bad" in visitor.page
    assert "note" not in payload_of(visitor, clock)


# Being set up.


@pytest.mark.parametrize("missing", ["IRON_SESSION_PASSWORD", "SECRET_KEY"])
def test_without_a_secret_it_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str
) -> None:
    for name in ("IRON_SESSION_PASSWORD", "SECRET_KEY"):
        monkeypatch.setenv(name, SEALED_UNDER)
    assert create_app(instance_path=str(tmp_path)).config["SESSION_COOKIE_SECURE"] is True
    monkeypatch.delenv(missing)
    with pytest.raises(RuntimeError, match=missing):
        create_app(instance_path=str(tmp_path))


def test_without_users_of_its_own_nobody_signs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IRON_SESSION_PASSWORD", "SECRET_KEY"):
        monkeypatch.setenv(name, SEALED_UNDER)
    visitor = Visitor(create_app({"IRON_SESSION_REVOCATIONS": "memory:"}))
    visitor.get("/sign-in")
    assert "by a link" not in visitor.words
    assert visitor.post("/sign-in", name=NAME, password=PASSWORD).status_code == 403
    assert "The account is" not in visitor.get("/").text


def test_without_a_way_to_send_links_there_are_none(config: dict[str, Any]) -> None:
    del config["SEND_LINK"]
    visitor = Visitor(create_app(config | {"IRON_SESSION_REVOCATIONS": "memory:"}))
    for path in ("/sign-in/link", "/sign-in/link/Fe26.2*1*"):
        assert visitor.get(path).status_code == 404


def test_mypy_is_content_with_the_example() -> None:
    root = Path(__file__).parents[2]
    mypy = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "-p",
        "example_projects.flask_login",
    ]
    run = subprocess.run(mypy, cwd=root, capture_output=True, text=True, check=False, timeout=300)
    assert run.stdout + run.stderr == ""
