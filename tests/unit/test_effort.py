"""What `--fast` and `--all` leave out, and how often they repeat (`tests/effort.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .test_parts import SHELLCHECK, Run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow("each starts a pytest of its own")

TESTS = """
import pytest
from tests.effort import repetitions

def test_plain():
    assert repetitions(2, 50) == 2

def test_plain_full():
    assert repetitions(2, 50) == 50

@pytest.mark.MARK
def test_marked():
    pass
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(tmp_path)
    made.add("shellcheck", SHELLCHECK)
    return made


def closing_line(run: Run, mark: str, *arguments: str) -> str:
    run.tests.write_text(TESTS.replace("MARK", mark))
    _, said = run(*arguments)
    return said.splitlines()[-1]


@pytest.mark.parametrize("mark", ['slow("why")', 'long("why")', "browser", "servers", 'needs("shellcheck")'])
def test_fast_leaves_out_whatever_takes_more_than_a_moment(run: Run, mark: str) -> None:
    assert "1 failed, 1 passed, 1 deselected" in closing_line(run, mark, "--fast")


@pytest.mark.parametrize(
    ("mark", "outcome"), [('long("why")', "1 passed, 1 deselected"), ('slow("why")', "2 passed")]
)
def test_what_is_long_alone_is_left_out_by_default(run: Run, mark: str, outcome: str) -> None:
    assert f"1 failed, {outcome} in" in closing_line(run, mark)


@pytest.mark.parametrize("processes", ["0", "2"])
def test_all_leaves_nothing_out_and_repeats_in_full(run: Run, processes: str) -> None:
    outcome = closing_line(run, 'long("why")', "--all", "-n", processes)
    assert "1 failed, 2 passed in" in outcome


def test_fast_and_all_together_make_no_sense(run: Run) -> None:
    code, said = run("--fast", "--all")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "either --fast or --all" in said


@pytest.mark.parametrize("mark", ["slow", "long"])
def test_a_test_that_is_left_out_says_why(run: Run, mark: str) -> None:
    run.tests.write_text(TESTS.replace("MARK", mark))
    code, said = run()
    assert code == pytest.ExitCode.USAGE_ERROR
    assert f"test_it.py::test_marked does not say why it is {mark}" in said
