"""Django's own suite with our sessions: under our middleware and under Django's own, at two versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .django_suites import DJANGO_SUITES
from .environment import NoPython, interpreter
from .run import prepare
from .verdict import examine

if TYPE_CHECKING:
    from pathlib import Path

    from .suite import Suite

pytestmark = [
    pytest.mark.needs("registry"),
    pytest.mark.long("the suites of Django take up to a minute each"),
]


@pytest.fixture(params=DJANGO_SUITES, ids=lambda suite: suite.name)
def suite(request: pytest.FixtureRequest) -> Suite:
    """Return each suite for which there is a Python."""
    found: Suite = request.param
    try:
        interpreter(found.oldest_python)
    except NoPython as missing:
        pytest.skip(f"{found.name}: {missing}")
    return found


# A test of its own, since a test's time is limited, and a suite's too.
@pytest.mark.parametrize(
    "suite",
    {suite.version: suite for suite in DJANGO_SUITES}.values(),
    ids=lambda suite: suite.version,
    indirect=True,
)
def test_what_a_suite_needs_can_be_had(suite: Suite) -> None:
    python, archive = prepare(suite)
    assert python.path.exists()
    assert archive.exists()


def test_a_suite_passes_with_our_sessions_but_for_what_only_sessions_in_a_database_can_do(
    suite: Suite, ours: Path
) -> None:
    result, differences = examine(suite, ours)
    assert not differences, "\n".join([str(result), *differences, result.output])
