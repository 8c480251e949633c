"""Where suites run: a virtual environment for each, kept from run to run, and our package beside it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.parts import PARTS, MissingPart

from .pip import pip

ROOT = Path(__file__).resolve().parents[2]


class NoPython(Exception):
    """No interpreter here is new enough; the message says which were looked for."""


@dataclass(frozen=True)
class Interpreter:
    """A Python that is installed here."""

    path: Path
    version: tuple[int, int]


def interpreter(oldest: tuple[int, int], *, own: tuple[int, int] = sys.version_info[:2]) -> Interpreter:
    """Return the interpreter that runs these tests if it is as new as *oldest*, or else another that is.

    Args:
        oldest: What is needed.
        own: The version of the one that runs these tests.

    Raises:
        NoPython: There is none.
    """
    if own >= oldest:
        return Interpreter(Path(sys.executable), own)
    missing = []
    for minor in range(oldest[1], 15):
        try:
            return Interpreter(PARTS[f"python3.{minor}"].find(), (3, minor))
        except MissingPart as error:  # noqa: PERF203 - every version has an answer of its own
            missing.append(str(error))
    raise NoPython(f"Python {oldest[0]}.{oldest[1]} or newer is needed: {', '.join(missing)}")


def environment(folder: Path, base: Interpreter, requirements: tuple[str, ...]) -> Interpreter:
    """Return the Python of an environment at *folder* that holds *requirements*; made if it is not there.

    Args:
        folder: Where.
        base: What it is made with.
        requirements: What is installed.

    Raises:
        PipFailed: The requirements cannot be installed.
    """
    python = folder / "bin" / "python"
    # The last thing written: an environment without it was never finished.
    record = folder / "requirements.txt"
    wanted = "".join(f"{one}\n" for one in (f"# {base.path}", *requirements))
    if not record.exists() or record.read_text() != wanted:
        # An old pip does not run on a newer Python: there the environment needs the one that came with that.
        pipless = ("--without-pip",) if base.version == sys.version_info[:2] else ()
        make = [str(base.path), "-m", "venv", "--clear", "--symlinks", *pipless, str(folder)]
        subprocess.run(make, stdin=subprocess.DEVNULL, timeout=120, check=True)
        pip("install", "--only-binary", ":all:", *requirements, python=python)
        record.write_text(wanted)
    return Interpreter(python, base.version)


def install_ours(folder: Path) -> None:
    """Install our packages as they are now into *folder*, to be put on an environment's path.

    Raises:
        PipFailed: The checkout cannot be built.
    """
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)  # a build leaves folders behind, in which the next one would find old modules
        for file in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / file, copy)
        for package in ROOT.glob("iron_wsgi*/__init__.py"):
            source = package.parent
            shutil.copytree(source, copy / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        pip("install", "--no-deps", "--no-build-isolation", "--target", str(folder), str(copy))
