"""A runner for Django's suite: writes down what became of each test, and how often our sessions served."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest import TestCase, TestSuite, TextTestResult

from django.test.runner import DiscoverRunner

if TYPE_CHECKING:
    from types import TracebackType

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType]

RANK: Final = ("passed", "skipped", "failed")
SESSIONS: Final = {"opened": 0, "sealed": 0}
"""Sessions of ours, which are counted as they serve."""


class Outcomes(TextTestResult):
    """Keeps the worst that a test and its parts came to."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.outcomes: dict[str, str] = {}
        self.messages: dict[str, str] = {}

    def _record(self, test: TestCase, outcome: str, message: str = "") -> None:
        name = getattr(test, "test_case", test).id()  # a part of a test goes by the test's name
        self.outcomes[name] = max(self.outcomes.get(name, RANK[0]), outcome, key=RANK.index)
        if outcome == "failed":
            self.messages[name] = "\n".join(filter(None, (self.messages.get(name), message)))

    def addSuccess(self, test: TestCase) -> None:  # noqa: N802 - unittest's name, as all below
        super().addSuccess(test)
        self._record(test, "passed")

    def addSkip(self, test: TestCase, reason: str) -> None:  # noqa: N802
        super().addSkip(test, reason)
        self._record(test, "skipped")

    def addFailure(self, test: TestCase, err: ExcInfo) -> None:  # noqa: N802
        super().addFailure(test, err)
        self._record(test, "failed", f"{err[0].__name__}: {err[1]}")

    def addError(self, test: TestCase, err: ExcInfo) -> None:  # noqa: N802
        super().addError(test, err)
        self._record(test, "failed", f"{err[0].__name__}: {err[1]}")

    def addSubTest(self, test: TestCase, subtest: TestCase, err: ExcInfo | None) -> None:  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err:
            self._record(test, "failed", f"{err[0].__name__}: {err[1]}")

    def addExpectedFailure(self, test: TestCase, err: ExcInfo) -> None:  # noqa: N802
        super().addExpectedFailure(test, err)
        self._record(test, "passed")

    def addUnexpectedSuccess(self, test: TestCase) -> None:  # noqa: N802
        super().addUnexpectedSuccess(test)
        self._record(test, "failed", "it passes, where the suite expects it to fail")


class Runner(DiscoverRunner):
    """Django's runner, which writes the report."""

    def get_resultclass(self) -> type[Outcomes]:
        """Keep outcomes."""
        return Outcomes

    def suite_result(self, suite: TestSuite, result: Outcomes, **options: Any) -> int:
        """Write everything down."""
        written = {"outcomes": result.outcomes, "messages": result.messages, "sessions": SESSIONS}
        for name, what in written.items():
            (Path(os.environ["SUITE_REPORT"]) / f"{name}.json").write_text(json.dumps(what))
        return super().suite_result(suite, result, **options)
