"""Applications of others that keep the session's key: django-allauth's usersessions, and django-hitcount."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

pytestmark = pytest.mark.slow("starts programs")

ROOT: Final = Path(__file__).parents[2]
COLUMN: Final = 40  # characters that both have for the key
WITHIN: Final = 60  # seconds for the visits


STATELESS: Final[dict[str, Any]] = {}
STORE: Final = {"storage": "store", "store": "django-db:default"}
CACHE: Final = {"storage": "store", "store": "django-cache:default"}
LIST: Final = {"revocations": "django-db:default"}


@functools.cache
def visited(options: str) -> dict[str, Any]:
    program = [sys.executable, "-m", "tests.apps.third_parties"]
    run = subprocess.run(
        [*program, "iron_wsgi_django.middleware.SessionMiddleware", options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def seen_with(options: dict[str, Any]) -> dict[str, Any]:
    """What was seen at the site under our middleware with these options."""
    return visited(json.dumps(options))


@pytest.fixture(params=[STATELESS, STORE, CACHE, LIST], ids=["cookies", "store", "cache", "list"])
def seen(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What was seen, whatever the options."""
    return seen_with(request.param)


def test_allauth_signs_in_and_out(seen: dict[str, Any]) -> None:
    assert seen["user"] == "ada"
    assert seen["before the end"] == ["ada"] * 3
    assert seen["signed out"] == ""


def test_a_session_that_allauth_keeps_has_a_short_key_that_stays_while_it_is_written(
    seen: dict[str, Any],
) -> None:
    for keys in seen["keys"]:
        assert len(keys) == 4
        assert len(set(keys)) == 1
        assert len(keys[0]) <= COLUMN


def test_allauth_keeps_one_row_for_each_session_of_a_user(seen: dict[str, Any]) -> None:
    assert seen["rows"] == sorted(keys[0] for keys in seen["keys"])


def test_a_key_that_allauth_keeps_is_no_cookie(seen: dict[str, Any]) -> None:
    assert seen["liar"] == ""


@pytest.mark.parametrize("options", [STORE, CACHE], ids=["store", "cache"])
def test_with_a_store_allauth_lists_the_sessions_of_other_devices(options: dict[str, Any]) -> None:
    assert seen_with(options)["list"] == [200, 2]


@pytest.mark.parametrize("options", [STATELESS, LIST], ids=["cookies", "list"])
def test_without_a_store_allauths_list_comes_out_empty(options: dict[str, Any]) -> None:
    # It deletes the rows of sessions whose data it cannot load; they are in the browsers of others.
    assert seen_with(options)["list"] == [200, 0]


@pytest.mark.parametrize("options", [STORE, CACHE, LIST], ids=["store", "cache", "list"])
def test_allauth_ends_the_sessions_of_other_devices_and_all_copies(options: dict[str, Any]) -> None:
    seen = seen_with(options)
    assert seen["end"] == 302
    assert seen["after the end"] == ["ada", "", ""]
    assert seen["thief"] == ""


def test_without_a_server_that_knows_allauth_ends_none() -> None:
    assert seen_with(STATELESS)["after the end"] == ["ada"] * 3


def test_hitcount_counts_a_visitor_once_also_after_the_session_was_written(seen: dict[str, Any]) -> None:
    assert seen["counted"] == [[True, True], [200, 200], [False, False]]
    assert seen["hits"] == seen["visitors"]
    assert all(len(key) <= COLUMN for key in seen["hits"])
