"""The shell scripts, read by a checker."""

from __future__ import annotations

import subprocess

import pytest

from tests.parts import program

from .machine import ROOT


@pytest.mark.needs("shellcheck")
def test_shellcheck_finds_nothing_to_say() -> None:
    scripts = ["scripts/demo", "scripts/test", "scripts/_env", ".ci/run"]
    run = subprocess.run(
        [program("shellcheck"), "-x", *scripts], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.stdout + run.stderr == ""
    assert run.returncode == 0
