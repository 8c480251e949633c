from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
API: Final = "tests/typing/api.py"
WRONG: Final = "tests/typing/wrong.py"

pytestmark = pytest.mark.slow("starts type checkers")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "-m", *command]
    return subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


def _mypy(*arguments: str) -> subprocess.CompletedProcess[str]:
    return _run("mypy", "--strict", "--no-error-summary", "--hide-error-context", *arguments)


def _pyright(*paths: str) -> list[str]:
    """The lines with errors, as pyright sees the paths; all of the configured packages for none."""
    run = _run("pyright", "--outputjson", *paths)
    errors = [one for one in json.loads(run.stdout)["generalDiagnostics"] if one["severity"] == "error"]
    return [
        f"{Path(one['file']).name}:{one['range']['start']['line'] + 1}: {one['message']}" for one in errors
    ]


def _marked() -> set[int]:
    lines = (ROOT / WRONG).read_text("utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("  # wrong")}


def test_mypy_is_content_with_the_packages() -> None:
    assert _mypy().stdout == ""


def test_mypy_understands_what_users_write() -> None:
    assert _mypy(API).stdout == ""


def test_mypy_sees_every_mistake_and_no_other() -> None:
    seen = re.findall(r"^[^:\n]*wrong\.py:(\d+): error: ", _mypy(WRONG).stdout, re.MULTILINE)
    assert {int(line) for line in seen} == _marked()
    assert len(_marked()) > 40


@pytest.mark.needs("pyright")
def test_pyright_is_content_with_the_packages() -> None:
    assert _pyright() == []


@pytest.mark.needs("pyright")
def test_pyright_understands_what_users_write() -> None:
    assert _pyright(API) == []


@pytest.mark.needs("pyright")
def test_pyright_sees_every_mistake_and_no_other() -> None:
    lines = {int(error.split(":")[1]) for error in _pyright(WRONG)}
    assert lines == _marked()
