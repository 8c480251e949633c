"""A visit to the example with Flask-Login, without a browser. `tests/browser` makes it with one."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
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

from .test_wsgi_playground import Elements

if TYPE_CHECKING:
    from flask import Flask

NAME, PASSWORD = demo.ACCOUNT
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
def site(clock: FakeClock) -> Flask:
    """The site as production has it."""
    return create_app(
        {
            "IRON_SESSION_PASSWORD": SEALED_UNDER,
            "IRON_SESSION_CLOCK": clock,
            "SECRET_KEY": SIGNED_UNDER,
            "USERS": USERS,
            "TESTING": True,
        }
    )


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

    def sign_in(self, *, remember: bool = False) -> Visitor:
        self.get("/sign-in")
        fields = FORMS["/sign-in"] | ({"remember": "y"} if remember else {})
        assert self.post("/sign-in", **fields).location == "/session"
        self.get("/session")
        return self

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
        return self.get("/api/me").json == {"name": NAME}


def payload_of(visitor: Visitor, clock: FakeClock) -> dict[str, Any]:
    """What the visitor's cookie holds."""
    assert visitor.cookie is not None
    return unseal_data(visitor.cookie, password=SEALED_UNDER, clock=clock)


def every_page(visitor: Visitor) -> dict[str, str]:
    """Every page that the site can show."""
    pages = {"start": visitor.get("/").text, "form": visitor.get("/sign-in").text}
    pages["wrong"] = visitor.post("/sign-in", name="mallory", password="guess").text
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


def test_no_cache_keeps_a_page_about_a_visitor(visitor: Visitor) -> None:
    visitor.get("/session")
    for path in ("/session", "/sign-in", "/nowhere"):
        assert visitor.get(path).cache_control.no_store, path
    visitor.sign_in()
    for path in ("/session", "/sign-in", "/nowhere"):
        assert visitor.get(path).cache_control.no_store, path
    assert visitor.get("/session").vary.to_header() == "Cookie"


def test_nothing_on_a_page_runs_or_comes_from_elsewhere(visitor: Visitor) -> None:
    for path in ("/", "/sign-in", "/session", "/api/me", "/nowhere", "/static/me.js"):
        headers = visitor.get(path).headers
        assert "default-src 'none'; script-src 'self'" in headers["Content-Security-Policy"], path
        assert "unsafe" not in headers["Content-Security-Policy"], path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "same-origin", path
    for name, page in every_page(visitor).items():
        elements = Elements(page)
        scripts = [script.get("src") for script in elements.named("script")]
        assert scripts == (["/static/me.js"] if name == "start" else []), name
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
def test_without_a_secret_it_does_not_start(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name in ("IRON_SESSION_PASSWORD", "SECRET_KEY"):
        monkeypatch.setenv(name, SEALED_UNDER)
    assert create_app().config["SESSION_COOKIE_SECURE"] is True
    monkeypatch.delenv(missing)
    with pytest.raises(RuntimeError, match=missing):
        create_app()


def test_without_users_of_its_own_nobody_signs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IRON_SESSION_PASSWORD", "SECRET_KEY"):
        monkeypatch.setenv(name, SEALED_UNDER)
    visitor = Visitor(create_app())
    visitor.get("/sign-in")
    assert visitor.post("/sign-in", name=NAME, password=PASSWORD).status_code == 403
    assert "The account is" not in visitor.get("/").text


@pytest.mark.slow
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
