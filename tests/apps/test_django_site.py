"""A visit to the example with Django, by WSGI and by ASGI; in `tests/browser` a real browser makes it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from html import unescape
from typing import TYPE_CHECKING, Any, Final

import pytest
from werkzeug.http import parse_date
from werkzeug.test import Client, TestResponse

from iron_wsgi import seal_data, unseal_data
from iron_wsgi.testing import FakeClock

from .django_site import PROJECT, ROOT, SEALED_UNDER, SIGNED_UNDER, USERS, Site, environment
from .test_wsgi_playground import Elements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME, PASSWORD = next(iter(USERS.items()))
pytestmark = pytest.mark.slow("visits whole pages")

SITE: Final = "https://example.org"
COOKIE: Final = "__Host-mysite"
HOUR: Final = 60 * 60
DAY: Final = 24 * HOUR
SKEW: Final = 60  # seconds

FORMS: Final = {
    "/sign-in": {"username": NAME, "password": PASSWORD},
    "/sign-out": {},
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
    "\x00//evil.example",
    "javascript:alert(1)",
    "",
)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Site]]:
    """Starts the site of a kind, once."""
    with ExitStack() as ends:
        running: dict[str, Site] = {}

        def started(kind: str) -> Site:
            if kind not in running:
                running[kind] = ends.enter_context(Site(kind, tmp_path_factory.mktemp(kind)))
            return running[kind]

        yield started


@pytest.fixture(params=["wsgi", "asgi"])
def site(request: pytest.FixtureRequest, start: Callable[[str], Site]) -> Site:
    """The site as production has it."""
    running = start(request.param)
    running.clock = FakeClock()
    return running


@pytest.fixture
def clock(site: Site) -> FakeClock:
    return site.clock


@pytest.fixture
def visitor(site: Site) -> Visitor:
    return Visitor(site)


class Visitor:
    """Somebody with a browser, who comes over https."""

    def __init__(self, site: Site, base: str = SITE) -> None:
        self.client = Client(site)
        self.page = ""
        self._base = base

    def get(self, path: str, **headers: str) -> TestResponse:
        return self._seen(self.client.get(path, base_url=self._base, headers=headers, buffered=True))

    def post(self, path: str, *, token: str | None = None, **fields: str) -> TestResponse:
        """Fill in a form of the page that is open and send it; with its token, or another."""
        fields["csrfmiddlewaretoken"] = self.token if token is None else token
        headers = {"Referer": f"{self._base}/"}
        answer = self.client.post(path, base_url=self._base, data=fields, headers=headers, buffered=True)
        return self._seen(answer)

    def _seen(self, response: TestResponse) -> TestResponse:
        self.page = response.text
        return response

    def sign_in(self, name: str = NAME, *, remember: bool = False) -> Visitor:
        self.get("/sign-in")
        fields = {"username": name, "password": USERS[name]} | ({"remember": "on"} if remember else {})
        assert self.post("/sign-in", **fields).location == "/session"
        self.get("/session")
        return self

    def keep(self, text: str) -> TestResponse:
        """Put a note into the session and open the page that shows it."""
        self.get("/session")
        response = self.post("/session", text=text)
        assert response.status_code == 302, response.text
        self.get(response.location or "")
        return response

    @property
    def token(self) -> str:
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.page)
        return found[1] if found else ""

    @property
    def words(self) -> str:
        """The text of the page."""
        return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", self.page)))

    @property
    def cookie(self) -> str | None:
        found = self.client.get_cookie(COOKIE, "example.org")
        return found.value if found else None

    @cookie.setter
    def cookie(self, value: str) -> None:
        self.client.set_cookie(COOKIE, value, domain="example.org", secure=True)

    @property
    def key(self) -> str:
        """The session's key, as the page shows it."""
        self.get("/session")
        found = re.search(r"Key (\S+)", self.words)
        assert found, self.words
        return found[1]

    @property
    def is_signed_in(self) -> bool:
        return self.get("/api/me").json == {"name": NAME}


def payload_of(visitor: Visitor, clock: FakeClock) -> dict[str, Any]:
    """What the visitor's cookie holds."""
    assert visitor.cookie is not None
    return unseal_data(visitor.cookie, password=SEALED_UNDER, clock=clock)


def every_page(visitor: Visitor) -> dict[str, str]:
    """Every page that the site can show, but the admin's."""
    pages = {"start": visitor.get("/").text, "form": visitor.get("/sign-in?next=/session").text}
    pages["wrong"] = visitor.post("/sign-in", username="mallory", password="guess").text
    pages["empty"] = visitor.post("/sign-in").text
    visitor.sign_in().keep("bread")
    pages["session"] = visitor.page
    pages["too long"] = visitor.post("/session", text="x" * 201).text
    pages["missing"] = visitor.get("/nowhere").text
    pages["stale"] = visitor.post("/session", token="A" * 32).text
    return pages


# The page that is the same for everybody.


def test_the_public_page_may_be_kept_by_any_cache_whoever_asks_for_it(
    visitor: Visitor, site: Site, clock: FakeClock
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
    assert "Set-Cookie" in forged.get("/api/me").headers


def test_the_public_page_is_not_sent_twice(visitor: Visitor) -> None:
    first = visitor.get("/")
    again = visitor.get("/", If_None_Match=first.headers["ETag"])
    assert again.status_code == 304
    assert not again.data
    assert again.cache_control.public
    assert "Vary" not in again.headers


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


def test_no_cache_keeps_a_page_about_a_visitor(visitor: Visitor) -> None:
    paths = ("/session", "/sign-in", "/api/me", "/admin/", "/nowhere")
    for path in paths:
        assert visitor.get(path).cache_control.no_store, path
    visitor.sign_in()
    for path in paths:
        assert visitor.get(path).cache_control.no_store, path
    assert visitor.get("/session").vary.to_header() == "Cookie"


def test_a_look_at_a_page_that_does_not_exist_uses_no_session(visitor: Visitor) -> None:
    visitor.cookie = "Fe26.2*1*forged"
    response = visitor.get("/nowhere")
    assert response.status_code == 404
    assert "There is no such page here." in visitor.words
    assert "Set-Cookie" not in response.headers
    assert "Vary" not in response.headers


def test_nothing_on_a_page_runs_or_comes_from_elsewhere(visitor: Visitor) -> None:
    for path in ("/", "/sign-in", "/session", "/api/me", "/nowhere", "/admin/login/"):
        headers = visitor.get(path).headers
        own, policy = "default-src 'none'; script-src 'self'", headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self';" if "admin" in path else own), path
        assert "unsafe" not in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "same-origin", path
        assert headers["Strict-Transport-Security"].startswith("max-age=3600"), path
    for name, page in every_page(visitor).items():
        elements = Elements(page)
        scripts = [script.get("src") for script in elements.named("script")]
        assert scripts == (["/static/mysite/me.js"] if name == "start" else []), name
        for tag, attributes in elements.found:
            assert not [attribute for attribute in attributes if attribute.startswith("on")], (name, tag)
            assert "style" not in attributes, (name, tag)
            for address in (attributes.get(key) for key in ("href", "src", "action")):
                assert address is None or re.match(r"/(?!/)|data:", address), (name, tag)


def test_every_page_has_a_language_one_heading_a_token_in_each_form_and_a_label_for_each_field(
    visitor: Visitor,
) -> None:
    pages = every_page(visitor)
    assert sum(len(Elements(page).named("input")) for page in pages.values()) > 10
    for name, page in pages.items():
        elements = Elements(page)
        assert elements.named("html") == [{"lang": "en"}], name
        assert len(elements.named("h1")) == 1, name
        assert elements.named("main"), name
        tokens = [field for field in elements.named("input") if field["name"] == "csrfmiddlewaretoken"]
        assert len(tokens) == len(elements.named("form")), name
        labelled = [label["for"] for label in elements.named("label")]
        fields = [field for field in elements.named("input") if field.get("type") != "hidden"]
        assert [field["id"] for field in fields] == labelled, name
        present = {attributes.get("id") for _, attributes in elements.found}
        for field in fields:
            assert {field.get("aria-describedby")} <= present | {None}, name


def test_over_plain_http_there_is_nothing_but_the_way_to_https(site: Site) -> None:
    response = Visitor(site, "http://example.org").get("/sign-in")
    assert (response.status_code, response.location) == (301, "https://example.org/sign-in")
    assert "Set-Cookie" not in response.headers


def test_another_host_is_not_served(site: Site) -> None:
    assert Visitor(site, "https://evil.example").get("/session").status_code == 400


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><b x="', "{{ settings }}", "&amp;"])
def test_what_a_visitor_typed_is_text(visitor: Visitor, text: str) -> None:
    visitor.get("/sign-in")
    visitor.post("/sign-in", username=text, password="guess")
    fields = {field.get("name"): field.get("value") for field in Elements(visitor.page).named("input")}
    assert fields["username"] == text
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
    ("name", "password"), [("mallory", PASSWORD), (NAME, "guess"), (NAME, USERS["eve"]), ("", ""), (NAME, "")]
)
def test_a_wrong_name_and_a_wrong_password_are_refused_in_the_same_words(
    visitor: Visitor, name: str, password: str
) -> None:
    visitor.get("/sign-in")
    response = visitor.post("/sign-in", username=name, password=password)
    assert response.location is None
    wanted = "No account has this name and this password." if name and password else "required"
    assert wanted in visitor.words
    assert password not in visitor.page or not password
    assert visitor.cookie is None
    assert not visitor.is_signed_in


def test_the_session_holds_who_signed_in_and_no_hash_of_a_password(
    visitor: Visitor, clock: FakeClock
) -> None:
    visitor.sign_in()
    payload = payload_of(visitor, clock)
    assert payload["_auth_user_id"] == "1"
    assert PASSWORD not in repr(payload)
    assert not re.search(r"md5\$|pbkdf2", repr(payload) + visitor.page)


def test_a_session_from_before_the_sign_in_stays_anonymous_and_its_data_go_along(
    visitor: Visitor, site: Site, clock: FakeClock
) -> None:
    planted = seal_data({"note": "bread"}, password=SEALED_UNDER, ttl=HOUR, clock=clock)
    visitor.cookie = planted
    visitor.sign_in()
    assert payload_of(visitor, clock)["note"] == "bread"
    other = Visitor(site)
    other.cookie = planted
    assert other.get("/api/me").json == {"name": None}


def test_signing_in_gives_the_session_another_key_and_nothing_else_does(
    visitor: Visitor, clock: FakeClock
) -> None:
    visitor.cookie = seal_data({"_iron": {"sid": "planted"}}, password=SEALED_UNDER, ttl=HOUR, clock=clock)
    key, cookies = visitor.sign_in().key, {visitor.cookie}
    assert len(key) == 32
    assert key != "planted"
    for text in ("bread", "salt"):
        visitor.keep(text)
        clock.advance(HOUR / 2)
        assert visitor.key == key
        cookies.add(visitor.cookie)
    assert len(cookies) == 3
    visitor.post("/sign-out")
    assert visitor.sign_in().key != key


def test_who_is_signed_in_needs_no_form(visitor: Visitor) -> None:
    assert visitor.sign_in().get("/sign-in").location == "/session"


def test_a_page_for_those_who_signed_in_sends_others_to_the_form_and_back(visitor: Visitor) -> None:
    response = visitor.get("/session")
    assert response.location == "/sign-in?next=/session"
    visitor.get(response.location)
    assert "Sign in to see this page." in visitor.words
    assert visitor.post(response.location, **FORMS["/sign-in"]).location == "/session"


@pytest.mark.parametrize("address", ["/", "/session?a=b&c=%2F%5C", "/api/me#x"])
def test_after_signing_in_the_visitor_goes_where_he_wanted_to(visitor: Visitor, address: str) -> None:
    form = "/sign-in?" + _query(address)
    visitor.get(form)
    assert visitor.post(form, **FORMS["/sign-in"]).location == address
    assert visitor.get(form).location == address


@pytest.mark.parametrize("address", ELSEWHERE)
def test_signing_in_and_out_leads_to_no_other_site(visitor: Visitor, address: str) -> None:
    form = "/sign-in?" + _query(address)
    visitor.get(form)
    assert visitor.post(form, **FORMS["/sign-in"]).location == "/session"
    assert visitor.get(form).location == "/session"
    visitor.get("/session")
    assert visitor.post("/sign-out?" + _query(address)).location == "/"


def _query(address: str) -> str:
    return "next=" + "".join(f"%{octet:02X}" for octet in address.encode())


# Forms from elsewhere.


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("token", ["", "A" * 32, "ä"])
def test_a_form_without_the_visitors_token_does_nothing(
    visitor: Visitor, clock: FakeClock, path: str, token: str
) -> None:
    visitor.sign_in()
    before = payload_of(visitor, clock)
    response = visitor.post(path, token=token, **FORMS[path])
    assert response.status_code == 403
    assert "nothing was done" in visitor.words
    assert "Set-Cookie" not in response.headers
    assert payload_of(visitor, clock) == before


@pytest.mark.parametrize("path", FORMS)
def test_another_visitors_token_is_no_token(visitor: Visitor, site: Site, path: str) -> None:
    stranger = Visitor(site).sign_in("eve")
    assert visitor.sign_in().post(path, token=stranger.token, **FORMS[path]).status_code == 403
    assert visitor.is_signed_in


@pytest.mark.parametrize("path", FORMS)
def test_a_form_without_a_cookie_does_nothing(visitor: Visitor, site: Site, path: str) -> None:
    token = Visitor(site).sign_in().token
    assert visitor.post(path, token=token, **FORMS[path]).status_code == 403
    assert visitor.cookie is None


def test_the_cookie_of_the_forms_is_no_session_and_as_well_kept(visitor: Visitor) -> None:
    (line,) = visitor.get("/sign-in").headers.getlist("Set-Cookie")
    assert line.strip().startswith("__Host-csrf=")
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert f"; {attribute}" in line
    assert "Domain" not in line
    assert lifetime_of(line, 0) is None


# Signing out.


def test_signing_out_deletes_the_cookie(visitor: Visitor) -> None:
    visitor.sign_in(remember=True)
    response = visitor.post("/sign-out")
    assert response.location == "/"
    (line,) = response.headers.getlist("Set-Cookie")
    assert line.strip().startswith(f'{COOKIE}="";')
    assert "; Secure" in line
    assert "Max-Age=0" in line
    assert visitor.cookie is None
    assert not visitor.is_signed_in
    assert visitor.get("/session").location == "/sign-in?next=/session"


def test_a_link_does_not_sign_out(visitor: Visitor) -> None:
    response = visitor.sign_in().get("/sign-out")
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert visitor.is_signed_in


# How long a session lives.


def line_of(response: TestResponse) -> str:
    """The one session cookie that a response sets."""
    lines = [line.strip() for line in response.headers.getlist("Set-Cookie")]
    (line,) = (line for line in lines if not line.startswith("__Host-csrf="))
    assert line.startswith(f"{COOKIE}=Fe26.2*")
    return line


def lifetime_of(line: str, now: float) -> float | None:
    """Seconds for which the browser keeps a cookie; None for as long as it runs."""
    moment = re.search(r"; expires=([^;]+)", line, re.IGNORECASE)
    age = re.search(r"; Max-Age=(\d+)", line)
    if moment is None or age is None:
        assert (moment, age) == (None, None), line
        return None
    end = parse_date(moment[1])
    assert end is not None
    assert end.timestamp() - now == pytest.approx(int(age[1]), abs=1)
    return int(age[1])


def test_the_cookie_is_for_this_host_alone_and_for_no_script(visitor: Visitor) -> None:
    visitor.get("/sign-in")
    line = line_of(visitor.post("/sign-in", **FORMS["/sign-in"]))
    assert line.startswith("__Host-")
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert f"; {attribute}" in line
    assert "Domain" not in line


def test_without_remember_me_the_browser_forgets_the_session_when_it_closes(
    visitor: Visitor, clock: FakeClock
) -> None:
    visitor.get("/sign-in")
    line = line_of(visitor.post("/sign-in", **FORMS["/sign-in"]))
    assert lifetime_of(line, clock.now) is None
    assert lifetime_of(line_of(visitor.keep("bread")), clock.now) is None


def test_remember_me_lasts_thirty_days_and_survives_later_writes(visitor: Visitor, clock: FakeClock) -> None:
    visitor.get("/sign-in")
    signed_in = line_of(visitor.post("/sign-in", **FORMS["/sign-in"], remember="on"))
    assert lifetime_of(signed_in, clock.now) == pytest.approx(30 * DAY, abs=120)
    clock.advance(20 * DAY)
    assert visitor.is_signed_in
    written = line_of(visitor.keep("bread"))
    assert lifetime_of(written, clock.now) == pytest.approx(30 * DAY, abs=120)
    clock.advance(29 * DAY)
    assert visitor.is_signed_in
    clock.advance(30 * DAY + SKEW)
    assert not visitor.is_signed_in


def test_the_next_to_sign_in_is_not_remembered_unless_asked(visitor: Visitor, clock: FakeClock) -> None:
    visitor.sign_in(remember=True)
    visitor.post("/sign-out")
    visitor.get("/sign-in")
    line = line_of(visitor.post("/sign-in", **FORMS["/sign-in"]))
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
    end = clock.now + 90 * DAY
    while clock.now + 10 * DAY < end:
        clock.advance(10 * DAY)
        assert visitor.is_signed_in
    clock.now = end + SKEW
    assert not visitor.is_signed_in


def test_a_session_in_use_is_sealed_anew_once_a_minute_and_not_more_often(
    visitor: Visitor, clock: FakeClock
) -> None:
    visitor.sign_in()
    visitor.get("/session")
    clock.advance(30)
    assert "Set-Cookie" not in visitor.get("/api/me").headers
    clock.advance(31)
    assert "Set-Cookie" in visitor.get("/api/me").headers
    assert "Set-Cookie" not in visitor.get("/api/me").headers


def test_a_forged_cookie_is_an_anonymous_visitor_and_is_deleted_once(visitor: Visitor) -> None:
    visitor.sign_in()
    assert visitor.cookie is not None
    head, _, tail = visitor.cookie.rpartition("*")
    visitor.cookie = f"{head}*{'A' if tail[0] != 'A' else 'B'}{tail[1:]}"
    response = visitor.get("/api/me")
    assert response.json == {"name": None}
    (line,) = response.headers.getlist("Set-Cookie")
    assert line.strip().startswith(f'{COOKIE}="";')
    assert visitor.cookie is None
    assert "Set-Cookie" not in visitor.get("/api/me").headers


# What the session holds.


def test_a_message_is_shown_once(visitor: Visitor) -> None:
    visitor.sign_in()
    assert 'role="status">Welcome.' in visitor.page
    visitor.get("/session")
    assert "Welcome." not in visitor.words


def test_messages_are_in_the_session_and_in_no_cookie_that_can_be_read(visitor: Visitor) -> None:
    visitor.get("/sign-in")
    response = visitor.post("/sign-in", **FORMS["/sign-in"])
    names = {line.strip().partition("=")[0] for line in response.headers.getlist("Set-Cookie")}
    assert names == {COOKIE, "__Host-csrf"}


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
    assert {"_auth_user_id", "note"} <= set(keys)


def test_the_size_that_is_shown_is_that_of_the_cookie_that_came(visitor: Visitor) -> None:
    visitor.sign_in().keep("bread")
    came = f"{COOKIE}={visitor.cookie}"
    visitor.get("/session")
    assert f"Size {len(came)} octets" in visitor.words


@pytest.mark.parametrize("text", ["", " ", "x" * 201])
def test_a_note_that_is_no_note_is_refused(visitor: Visitor, clock: FakeClock, text: str) -> None:
    visitor.sign_in()
    assert visitor.post("/session", text=text).status_code == 400
    assert "note bad" in visitor.page
    assert "note" not in payload_of(visitor, clock)


# The admin.


def test_the_admin_signs_in_and_adds_a_user(visitor: Visitor, site: Site) -> None:
    assert visitor.get("/admin/").location == "/admin/login/?next=/admin/"
    visitor.get("/admin/login/")
    form = "/admin/login/?next=/admin/"
    assert visitor.post(form, username=NAME, password=PASSWORD, next="/admin/").location == "/admin/"
    assert "Site administration" in visitor.get("/admin/").text
    visitor.get("/admin/auth/user/add/")
    fields = {"password1": "a horse of staples", "password2": "a horse of staples", "usable_password": "true"}
    assert visitor.post("/admin/auth/user/add/", username="barbara", **fields).status_code == 302
    visitor.get("/admin/auth/user/")
    assert "was added successfully" in visitor.words
    assert "barbara" in visitor.words
    barbara = Visitor(site)
    barbara.get("/sign-in")
    barbara.post("/sign-in", username="barbara", password="a horse of staples")
    assert barbara.get("/api/me").json == {"name": "barbara"}


def test_the_admin_is_closed_to_who_may_not_use_it(visitor: Visitor) -> None:
    visitor.sign_in("eve")
    assert visitor.get("/admin/").status_code == 302
    assert visitor.get("/admin/auth/user/").status_code == 302


def test_changing_the_password_ends_the_other_sessions_and_not_this_one(visitor: Visitor, site: Site) -> None:
    elsewhere = Visitor(site).sign_in("grace")
    key = visitor.sign_in("grace").key
    visitor.get("/admin/password_change/")
    fields = {"new_password1": "a horse of staples", "new_password2": "a horse of staples"}
    response = visitor.post("/admin/password_change/", old_password=USERS["grace"], **fields)
    assert response.location == "/admin/password_change/done/"
    assert visitor.get("/api/me").json == {"name": "grace"}
    assert visitor.key != key
    assert elsewhere.get("/api/me").json == {"name": None}
    assert elsewhere.cookie is None


# Being set up.


def manage(folder: Path, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run one of Django's commands on the site, with the environment of production but what is *changed*."""
    variables = environment(folder) | changed
    return subprocess.run(
        [sys.executable, "-W", "error", "manage.py", *arguments],
        cwd=PROJECT,
        env={name: value for name, value in variables.items() if value},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_before_deployment_django_and_we_have_nothing_to_say_against_the_settings(tmp_path: Path) -> None:
    run = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING")
    assert run.returncode == 0, run.stderr
    assert run.stdout == "System check identified no issues (0 silenced).\n"


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("IRON_SESSION_PASSWORD", "There is no password to seal sessions with."),
        ("SECRET_KEY", "SECRET_KEY"),
        ("ALLOWED_HOSTS", "ALLOWED_HOSTS must not be empty"),
    ],
)
def test_what_the_environment_lacks_is_named(tmp_path: Path, missing: str, said: str) -> None:
    run = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **{missing: ""})
    assert run.returncode == 1
    assert said in run.stderr


def test_a_password_can_be_made_before_there_is_one(tmp_path: Path) -> None:
    run = manage(tmp_path, "iron_keygen", IRON_SESSION_PASSWORD="", SECRET_KEY="")
    assert run.returncode == 0, run.stderr
    password = run.stdout.strip()
    assert manage(tmp_path, "check", "--deploy", IRON_SESSION_PASSWORD=password).returncode == 0


def test_the_sites_own_command_shows_what_a_visitors_cookie_holds(
    tmp_path: Path, visitor: Visitor, clock: FakeClock
) -> None:
    clock.now = time.time()  # which the command goes by
    visitor.sign_in().keep("bread")
    run = manage(tmp_path, "iron_inspect", f"{COOKIE}={visitor.cookie}")
    assert run.returncode == 0, run.stderr
    assert '"note": "bread"' in run.stdout


def test_no_migration_is_missing(tmp_path: Path) -> None:
    assert manage(tmp_path, "makemigrations", "--check", "--dry-run").returncode == 0


def test_the_users_are_all_that_the_database_has(tmp_path: Path) -> None:
    assert manage(tmp_path, "migrate", "--verbosity", "0").returncode == 0
    program = "from django.db import connection as c; print(*c.introspection.table_names())"
    tables = manage(tmp_path, "shell", "-v", "0", "-c", program).stdout.split()
    assert "auth_user" in tables
    assert "django_session" not in tables


def test_the_command_that_serves_demos_finds_what_it_serves(start: Callable[[str], Site]) -> None:
    visitor = Visitor(start("demo"), "http://127.0.0.1")
    visitor.get("/")
    assert "The account is ada with the password lovelace ." in visitor.words
    assert visitor.get("/static/mysite/me.js").status_code == 200
    visitor.sign_in()
    cookie = visitor.client.get_cookie("django_site", "127.0.0.1")
    assert cookie is not None
    assert not cookie.secure  # as Safari wants it over plain http
    assert "Site administration" in visitor.get("/admin/").text
    assert visitor.get("/static/admin/css/base.css").status_code == 200


def test_the_demo_leaves_no_file(tmp_path: Path) -> None:
    before = {path for path in PROJECT.rglob("*") if "__pycache__" not in path.parts}
    run = subprocess.run(
        [sys.executable, "-W", "error", "example_projects/serve.py", "django", "--check", "--port", "0"],
        cwd=ROOT,
        env=environment(tmp_path) | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "GET / answered 200 OK: text/html" in run.stdout
    assert list(tmp_path.iterdir()) == []
    assert {path for path in PROJECT.rglob("*") if "__pycache__" not in path.parts} == before


def test_its_secrets_are_in_no_page_and_no_log(visitor: Visitor, site: Site) -> None:
    pages = "".join(every_page(visitor).values())
    assert "bread" in pages
    for secret in (SEALED_UNDER, SIGNED_UNDER, PASSWORD, visitor.cookie or ""):
        assert secret
        assert secret not in pages + site.log


def test_mypy_is_content_with_the_example() -> None:
    mypy = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary"]
    run = subprocess.run(
        [*mypy, "-p", "mysite", "-m", "demo", "-m", "manage"],
        cwd=ROOT,
        env=os.environ | {"MYPYPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.stdout + run.stderr == ""
