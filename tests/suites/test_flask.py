"""Flask's own suite, and those of the extensions that live in its session, with our sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .table import FLASK_SESSIONS, SUITES
from .verdict import examine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.needs("registry")]


@pytest.mark.parametrize("name", [name for name, suite in SUITES.items() if suite.ours == FLASK_SESSIONS])
def test_a_suite_passes_with_our_sessions_but_for_what_fails_without_them(name: str, ours: Path) -> None:
    result, differences = examine(SUITES[name], ours)
    assert not differences, "\n".join([str(result), *differences, result.output])
