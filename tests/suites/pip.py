"""pip, the one that belongs to the tests: it fetches, and it installs into other environments."""

from __future__ import annotations

import subprocess
import sys

WITHIN = 300  # seconds


class PipFailed(Exception):
    """The message ends with pip's last lines."""


def pip(*arguments: str) -> None:
    """Run pip.

    Raises:
        PipFailed: It says no, or does not come to an end.
    """
    command = [
        sys.executable,
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        *arguments,
    ]
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
