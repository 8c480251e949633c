"""One run of a suite, and whether it came out as the table says."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .archive import download, unpack
from .environment import Interpreter, environment, interpreter
from .suite import Suite

# Beside what the tests themselves are run with: it goes when that goes.
KEPT: Final = Path(sys.prefix) / "suites"
PLUGINS: Final = Path(__file__).parent / "plugins"
WITHIN: Final = 270  # seconds
FOREIGN: Final = ("PYTHON", "PYTEST_", "FLASK_", "DJANGO_", "IRON_", "COV_", "COVERAGE_")
"""Variables that begin so speak to the tests that are running, not to those that are about to be run."""


class SuiteBroke(Exception):
    """The suite did not run to its end; the message is what it printed last."""


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    outcomes: Mapping[str, str]  # by the test's name: passed, skipped or failed
    messages: Mapping[str, str] = field(default_factory=dict)  # by the test's name: what its failure says
    opened: int = 0  # sessions of ours
    sealed: int = 0  # responses that set a seal of ours
    python: tuple[int, int] = sys.version_info[:2]  # it ran on
    output: str = ""

    def having(self, outcome: str) -> set[str]:
        """The names of the tests with that outcome."""
        return {name for name, one in self.outcomes.items() if one == outcome}

    def __str__(self) -> str:
        """In one line."""
        counts = ", ".join(f"{len(self.having(one))} {one}" for one in ("passed", "skipped", "failed"))
        return f"{counts}; {self.opened} sessions of ours opened, {self.sealed} sealed"


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process at a time fill the folder of what is kept."""
    KEPT.mkdir(exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prepare(suite: Suite) -> tuple[Interpreter, Path]:
    """Return the Python of an environment for *suite*, and the archive. Only the first call takes time.

    Raises:
        NoPython: No interpreter here is new enough for the suite.
        PipFailed: What the suite needs cannot be had.
    """
    base = interpreter(suite.oldest_python)
    with _alone():
        python = environment(KEPT / f"{suite.project}-{suite.version}", base, suite.requirements)
        return python, download(suite, KEPT, python.path)


def run(suite: Suite, ours: Path | None, *, only: Iterable[str] = ()) -> Result:
    """Run a suite.

    Args:
        suite: Which.
        ours: Where our package is installed; None runs the suite as it was published, without our sessions.
        only: The tests to run, all where it is empty.

    Raises:
        NoPython: No interpreter here is new enough for the suite.
        PipFailed: What the suite needs cannot be had.
        WrongArchive: What was had is not what the table says.
        SuiteBroke: It did not come to an end.
    """
    python, archive = prepare(suite)
    with tempfile.TemporaryDirectory() as scratch:
        # Unpacked anew each time, so no run can change what the next one tests.
        folder = unpack(archive, suite.sha256, Path(scratch) / "source")
        report = Path(scratch) / "report"
        report.mkdir()
        variables = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
        path = [str(PLUGINS), *([str(ours)] if ours else [])]
        variables |= {"PYTHONPATH": os.pathsep.join(path), "SUITE_REPORT": str(report)}
        tests = sorted(only) or (*suite.tests, *(suite.added if ours else ()))
        command = [str(python.path), *suite.command, *(suite.ours if ours else ()), *tests]
        return _result(report, _output(command, folder, variables), python.version)


def _output(command: list[str], folder: Path, variables: Mapping[str, str]) -> str:
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=WITHIN,
            check=False,
        ).stdout
    except subprocess.TimeoutExpired as error:
        raise SuiteBroke(f"it took over {WITHIN} s") from error


def _result(report: Path, output: str, python: tuple[int, int]) -> Result:
    outcomes, messages, sessions = (
        json.loads(file.read_text()) if (file := report / f"{name}.json").exists() else {}
        for name in ("outcomes", "messages", "sessions")
    )
    if not outcomes:
        raise SuiteBroke(output[-3000:])
    return Result(outcomes, messages, **sessions, python=python, output=output)
