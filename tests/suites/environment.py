"""Where suites run: a virtual environment for each, kept from run to run, and our package beside it."""

from __future__ import annotations

import shutil
import tempfile
import venv
from pathlib import Path

from .pip import pip

ROOT = Path(__file__).resolve().parents[2]


def environment(folder: Path, requirements: tuple[str, ...]) -> Path:
    """Return the Python of an environment at *folder* that holds *requirements*; made if it is not there.

    Raises:
        PipFailed: The requirements cannot be installed.
    """
    python = folder / "bin" / "python"
    # The last thing written: an environment without it was never finished.
    record = folder / "requirements.txt"
    wanted = "".join(f"{one}\n" for one in requirements)
    if not record.exists() or record.read_text() != wanted:
        venv.create(folder, clear=True, symlinks=True, with_pip=False)
        pip("--python", str(python), "install", "--only-binary", ":all:", *requirements)
        record.write_text(wanted)
    return python


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
