"""Applications of others that keep the session's key: django-allauth's usersessions, and django-hitcount."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
COLUMN: Final = 40  # characters that both have for the key
WITHIN: Final = 60  # seconds for the visits


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What was seen at the site under our middleware."""
    program = [sys.executable, "-m", "tests.apps.third_parties"]
    run = subprocess.run(
        [*program, "iron_wsgi_django.middleware.SessionMiddleware"],
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


def test_allauth_signs_in_and_out(seen: dict[str, Any]) -> None:
    assert seen["user"] == seen["still in"] == "ada"
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


def test_allauths_list_comes_out_empty_since_it_opens_other_sessions_by_their_keys(
    seen: dict[str, Any],
) -> None:
    # It deletes the rows of sessions whose data it cannot load; they are in the browsers of others.
    assert seen["list"] == [200, 0]


def test_hitcount_counts_a_visitor_once_also_after_the_session_was_written(seen: dict[str, Any]) -> None:
    assert seen["counted"] == [[True, True], [200, 200], [False, False]]
    assert seen["hits"] == seen["visitors"]
    assert all(len(key) <= COLUMN for key in seen["hits"])
