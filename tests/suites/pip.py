"""pip: it fetches, and it installs into the environments of suites."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WITHIN = 300  # seconds


class PipFailed(Exception):
    """The message ends with pip's last lines."""


def pip(*arguments: str, python: Path | None = None) -> None:
    """Run pip.

    Args:
        arguments: What to tell it.
        python: An environment's; without it pip works on the one that the tests run in. An environment that
            has no pip is served by the tests' own.

    Raises:
        PipFailed: It says no, or does not come to an end.
    """
    start = [sys.executable, "-m", "pip"]
    if python is not None:
        start = (
            [str(python), "-m", "pip"]
            if python.with_name("pip").exists()
            else [*start, "--python", str(python)]
        )
    command = [*start, "--quiet", "--disable-pip-version-check", "--no-input", *arguments]
    try:
        run = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=WITHIN,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PipFailed(f"pip {' '.join(arguments)} took over {WITHIN} s") from error
    if run.returncode:
        raise PipFailed("\n".join([f"pip {' '.join(arguments)}", *run.stdout.strip().splitlines()[-10:]]))
