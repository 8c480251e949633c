"""A pytest plugin for another project's suite: writes down what became of each test."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import pytest

OUTCOMES: Final[dict[str, str]] = {}
RANK: Final = ("passed", "skipped", "failed")


def _record(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Keep the worst of what setup, the test itself and teardown came to."""
    before = OUTCOMES.get(report.nodeid, RANK[0])
    OUTCOMES[report.nodeid] = max(before, report.outcome, key=RANK.index)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _record(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    # A module that cannot be imported holds tests which nobody would miss.
    if not report.passed:
        _record(report)


def pytest_sessionfinish() -> None:
    (Path(os.environ["SUITE_REPORT"]) / "outcomes.json").write_text(json.dumps(OUTCOMES))
