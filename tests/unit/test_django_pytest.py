"""The plugin for pytest, as a project uses it: pytest runs in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.slow("each starts a pytest")

OURS: Final = "iron_wsgi_django.middleware.SessionMiddleware"
STOCK: Final = "django.contrib.sessions.middleware.SessionMiddleware"

SETTINGS: Final = """
    SECRET_KEY = "a-key-of-these-tests-alone"
    ROOT_URLCONF = "site_of_the_test"
    ALLOWED_HOSTS = ["testserver"]
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
    INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "iron_wsgi_django"]
    SESSION_ENGINE = "iron_wsgi_django.backend"
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    MIDDLEWARE = ["%s", "django.contrib.auth.middleware.AuthenticationMiddleware"]
"""

SITE: Final = """
    from django.http import JsonResponse
    from django.urls import path


    def show(request):
        return JsonResponse({"cart": request.session.get("cart"), "user": request.user.get_username()})


    urlpatterns = [path("", show)]
"""

TESTS: Final = """
    import asyncio

    import pytest


    def test_client(client, db):
        session = client.session
        session["cart"] = [7]
        session.save()
        assert client.get("/").json() == {"cart": [7], "user": ""}


    def test_admin_client(admin_client):
        session = admin_client.session
        session["cart"] = [8]
        session.save()
        assert admin_client.get("/").json() == {"cart": [8], "user": "admin"}


    def test_both(client, admin_client):
        assert client.get("/").json()["user"] == ""
        assert admin_client.get("/").json()["user"] == "admin"


    @pytest.mark.django_db(transaction=True)
    def test_async_client(async_client):
        async def visit():
            session = await async_client.asession()
            await session.aset("cart", [9])
            await session.asave()
            return (await async_client.get("/")).json()

        assert asyncio.run(visit()) == {"cart": [9], "user": ""}
"""

ASYNC_ADMIN: Final = """
    import asyncio

    import pytest


    @pytest.mark.django_db(transaction=True)
    def test_async_admin_client(async_admin_client):
        async def visit():
            session = await async_admin_client.asession()
            await session.aset("cart", [10])
            await session.asave()
            return (await async_admin_client.get("/")).json()

        assert asyncio.run(visit()) == {"cart": [10], "user": "admin"}
"""

CONFTEST: Final = 'pytest_plugins = ["iron_wsgi_django.pytest"]\n'


def project(folder: Path, middleware: str = OURS, **files: str) -> Path:
    """A project of a few lines, with a test module of each name in *files*."""
    files = {"settings_of_the_test": SETTINGS % middleware, "site_of_the_test": SITE, **files}
    for name, text in files.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
    return folder


def run(folder: Path, *arguments: str, settings: bool = True) -> dict[str, int]:
    """Run pytest there; return how many tests passed, failed and so on."""
    chosen = ["--ds", "settings_of_the_test"] if settings else []
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    done = subprocess.run(
        [*command, "--rootdir", str(folder), *chosen, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1:] or [done.stderr]
    counts = {name: int(count) for count, name in re.findall(r"(\d+) (\w+)", last[0])}
    assert counts, done.stdout + done.stderr
    return {
        name: count for name, count in counts.items() if name in ("passed", "failed", "errors", "skipped")
    }


@pytest.mark.parametrize("middleware", [OURS, STOCK], ids=["ours", "stock"])
def test_with_the_plugin_every_client_of_pytest_django_writes_its_session_back(
    tmp_path: Path, middleware: str
) -> None:
    folder = project(tmp_path, middleware, test_it=TESTS, test_async_admin=ASYNC_ADMIN, conftest=CONFTEST)
    assert run(folder) == {"passed": 5}


def test_the_plugin_wins_over_pytest_django_also_when_it_is_loaded_before_it(tmp_path: Path) -> None:
    folder = project(tmp_path, test_it=TESTS, test_async_admin=ASYNC_ADMIN)
    assert run(folder, "-p", "iron_wsgi_django.pytest") == {"passed": 5}


def test_without_the_plugin_a_session_does_not_reach_the_cookies(tmp_path: Path) -> None:
    # What the plugin is for; and a package that is merely installed changes nobody's fixtures.
    folder = project(tmp_path, STOCK, test_it=TESTS)
    assert run(folder) == {"passed": 1, "failed": 3}


def test_a_project_keeps_the_last_word_on_its_fixtures(tmp_path: Path) -> None:
    conftest = f"""
    import pytest

    {CONFTEST}

    @pytest.fixture
    def client():
        return "the project's own"
    """
    tests = """
    def test_client(client):
        assert client == "the project's own"
    """
    assert run(project(tmp_path, conftest=conftest, test_it=tests)) == {"passed": 1}


def test_tests_are_skipped_where_no_settings_are(tmp_path: Path) -> None:
    tests = """
    def test_client(client):
        raise AssertionError


    def test_async_client(async_client):
        raise AssertionError
    """
    (tmp_path / "test_it.py").write_text(textwrap.dedent(tests), encoding="utf-8")
    assert run(tmp_path, "-p", "iron_wsgi_django.pytest", settings=False) == {"skipped": 2}
