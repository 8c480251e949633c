"""The whole programs of the README and docs/ do what the pages say they do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pytest
from werkzeug.test import Client

from iron_wsgi import Sealer
from tests.docs.pages import ROOT, snippet, snippets
from tests.docs.test_snippets import PASSWORD, WITHIN
from tests.parts import INTEROP, program

SITE: Final = "https://shop.example"


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRON_SESSION_PASSWORD", PASSWORD)


def load(page: str, title: str) -> Any:
    """Return the WSGI application `app` of a program."""
    one = snippet(page, title)
    namespace: dict[str, Any] = {"__name__": "program"}
    exec(compile(one.code, one.page, "exec", dont_inherit=True), namespace)  # noqa: S102 - it is a page's program
    return namespace["app"]


def test_a_program_that_is_shown_twice_is_the_same_program() -> None:
    def title(one: Any) -> str:
        return str(one.title)

    for _, group in groupby(sorted(snippets("python", "js"), key=title), key=title):
        *shorter, longest = sorted((one.code for one in group if one.title), key=len) or [""]
        assert [code for code in shorter if not longest.startswith(code)] == []


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md", "docs/index.md"])
def test_the_smallest_wsgi_program_counts_visits(page: str) -> None:
    browser = Client(load(page, "visits.py"))
    assert browser.get("/", base_url=SITE).text == "Visit number 1"
    assert browser.get("/", base_url=SITE).text == "Visit number 2"
    assert Client(browser.application).get("/", base_url=SITE).text == "Visit number 1"


def test_the_smallest_flask_program_counts_visits() -> None:
    app = load("README.md", "visits_flask.py")
    browser = app.test_client()
    assert browser.get("/", base_url=SITE).text == "Visit number 1"
    assert browser.get("/", base_url=SITE).text == "Visit number 2"
    assert browser.get_cookie("session", domain="shop.example").value.startswith("Fe26.2*")


def test_the_smallest_django_program_counts_visits(tmp_path: Path) -> None:
    code = snippet("README.md", "visits_django.py").code
    (tmp_path / "visits_django.py").write_text(code, encoding="utf-8")
    visit = (
        "import django, visits_django; django.setup()\n"
        "from django.test import Client; browser = Client()\n"
        "print(browser.get('/', headers={'host': 'localhost'}).text)\n"
        "print(browser.get('/', headers={'host': 'localhost'}).text)\n"
        "print(browser.cookies['sessionid'].value[:7])\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", visit],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["Visit number 1", "Visit number 2", "Fe26.2*"]


def test_the_program_with_an_account_signs_in_and_out() -> None:
    browser = Client(load("docs/quickstart.md", "account.py"))
    assert browser.get("/", base_url=SITE).text == "Not signed in"
    assert browser.post("/in", base_url=SITE, data={"user": "ada", "password": "no"}).status_code == 403
    answer = browser.post("/in", base_url=SITE, data={"user": "ada", "password": "correct horse"})
    assert answer.text == "Signed in as ada"
    assert "Secure" in answer.headers["Set-Cookie"]
    assert browser.get("/", base_url=SITE).text == "Signed in as ada"
    browser.post("/out", base_url=SITE)
    assert browser.get("/", base_url=SITE).text == "Not signed in"
    assert browser.get_cookie("__Host-session", domain="shop.example") is None


@contextmanager
def served_by_node(page: str, title: str, folder: Path) -> Iterator[int]:
    """Serve a page's Node program on a free port of this machine, and yield the port."""
    script = node_script(page, title, folder)
    with subprocess.Popen(
        [program("node"), script], env={**os.environ, "PORT": "0"}, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline())
        finally:
            server.terminate()


def node_script(page: str, title: str, folder: Path) -> Path:
    """Write a page's Node program beside the packages that it imports."""
    modules = folder / "node_modules"
    modules.mkdir()
    (modules / "iron-session").symlink_to(INTEROP / "node_modules" / "iron-session-9")
    script = folder / title
    script.write_text(snippet(page, title).code, encoding="utf-8")
    return script


@pytest.mark.needs("node")
@pytest.mark.servers
@pytest.mark.parametrize("page", ["README.md", "docs/javascript.md"])
def test_the_python_and_the_node_program_count_on_where_the_other_stopped(page: str, tmp_path: Path) -> None:
    browser = Client(load("README.md", "visits.py"))
    with served_by_node(page, "visits.mjs", tmp_path) as port:
        for count in range(1, 7, 2):
            assert browser.get("/", base_url="https://localhost").text == f"Visit number {count}"
            cookie = browser.get_cookie("session")
            assert cookie is not None
            with closing(HTTPConnection("localhost", port, timeout=WITHIN)) as connection:
                connection.request("GET", "/", headers={"Cookie": f"session={cookie.value}"})
                answer = connection.getresponse()
                assert answer.read().decode() == f"Visit number {count + 1}, says Node"
            value = answer.headers["Set-Cookie"].partition(";")[0].removeprefix("session=")
            browser.set_cookie("session", value)


@pytest.mark.needs("node")
def test_node_opens_a_link_with_the_derived_password(tmp_path: Path) -> None:
    script = node_script("docs/javascript.md", "open_link.mjs", tmp_path)
    for purpose, shown in [("confirm-address", "{ user_id: 7 }"), ("reset-password", "{}")]:
        token = Sealer(PASSWORD, purpose=purpose).seal({"user_id": 7}, ttl=900)
        run = subprocess.run(
            [program("node"), script, token], capture_output=True, text=True, timeout=WITHIN, check=True
        )
        assert run.stdout.strip() == shown
