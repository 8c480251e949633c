"""Flask's own suite, and those of the extensions that live in its session, with our sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .flask_suites import FLASK_SUITES
from .verdict import examine

if TYPE_CHECKING:
    from pathlib import Path

    from .suite import Suite

pytestmark = pytest.mark.needs("registry")


@pytest.mark.parametrize("suite", FLASK_SUITES, ids=lambda suite: suite.name)
def test_a_suite_passes_with_our_sessions_but_for_what_fails_without_them(suite: Suite, ours: Path) -> None:
    result, differences = examine(suite, ours)
    assert not differences, "\n".join([str(result), *differences, result.output])
