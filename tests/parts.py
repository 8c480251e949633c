"""Outer parts: programs that some tests need and that pip cannot bring.

A test says which it needs, ``@pytest.mark.needs("node")``, and finds the program with ``program("node")``.
Where the part is missing the test is skipped, and before pytest's closing line a table says which parts were
left out, why, and how to get them. With ``CI=true`` a missing part is a failure: nothing is left out unseen.
"""

from __future__ import annotations

import fcntl
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

INTEROP: Final = Path(__file__).parent / "interop"
OLDEST_NODE: Final = 20
ANSWER_WITHIN: Final = 60  # seconds for a program to say its version
INSTALL_WITHIN: Final = 300  # seconds for npm to install the packages of tests/interop

LEFT_OUT: Final = "left out for want of "


class MissingPart(Exception):
    """The part is not here, or not usable; the message says what was found."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Something outside Python that tests need."""

    find: Callable[[], Path]  # its program; raises MissingPart
    shows: str  # what goes unchecked without it
    get: str  # how to get it


def _on_path(*names: str) -> Path:
    for name in names:
        if found := shutil.which(name):
            return Path(found)
    raise MissingPart(f"{' or '.join(names)} is not on PATH")


def _version(program: Path) -> tuple[int, ...]:
    """What the program says its version is."""
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=ANSWER_WITHIN, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise MissingPart(f"{program} does not run: {error}") from error
    number = re.search(r"\d+(\.\d+)+", answer.stdout + answer.stderr)
    if number is None:
        raise MissingPart(f"{program} does not say its version")
    return tuple(int(digits) for digits in number[0].split("."))


def _working(*names: str) -> Path:
    program = _on_path(*names)
    _version(program)
    return program


def _node() -> Path:
    program = _on_path("node")
    version = _version(program)
    if version[0] < OLDEST_NODE:
        raise MissingPart(f"node is version {'.'.join(map(str, version))}, older than {OLDEST_NODE}")
    return program


def install_packages(folder: Path) -> None:
    """Install what `folder`'s package-lock.json names, unless that was done since it last changed.

    Raises:
        MissingPart: npm is missing or failed; the message ends with its last lines.
    """
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    if not lock.exists():
        raise MissingPart(f"there is no {lock.name} in {folder}")
    # Of processes that test at once one installs, and the others wait for it.
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            _npm_ci(folder)


def _npm_ci(folder: Path) -> None:
    npm = _on_path("npm")
    try:
        run = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_WITHIN,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise MissingPart(f"npm ci failed: {error}") from error
    if run.returncode:
        raise MissingPart("npm ci failed: " + " / ".join(run.stdout.strip().splitlines()[-5:]))


def _node_with_packages() -> Path:
    program = _node()
    install_packages(INTEROP)
    return program


def _pyright() -> Path:
    _node()  # pyright is a Node program, which its Python package carries
    return Path(sys.executable)


def _python(version: str) -> Path:
    """An interpreter of that version, on PATH or where pyenv keeps them."""
    name = f"python{version}"
    folders = [
        *Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{version}.*/bin"),
        None,
    ]
    wanted = tuple(map(int, version.split(".")))
    for folder in folders:
        found = shutil.which(name, path=folder)
        # What stands on PATH may be pyenv's stand-in for a version that is not switched on.
        try:
            if found and _version(Path(found))[:2] == wanted:
                return Path(found)
        except MissingPart:
            continue
    raise MissingPart(f"{name} is not on PATH")


def _postgresql() -> Path:
    # Debian keeps a server's programs off PATH.
    for folder in [None, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]:
        if found := shutil.which("initdb", path=folder):
            return Path(found)
    raise MissingPart("initdb is neither on PATH nor below /usr/lib/postgresql")


def _registry() -> Path:
    """Not a program: what pip downloads from."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "wheel"]
    with tempfile.TemporaryDirectory() as folder:
        try:
            run = subprocess.run(
                [*pip, "--dest", folder], capture_output=True, text=True, timeout=ANSWER_WITHIN, check=False
            )
        except subprocess.SubprocessError as error:
            raise MissingPart(f"pip can download nothing: {error}") from error
    if run.returncode:
        raise MissingPart("pip can download nothing: " + " / ".join(run.stderr.strip().splitlines()[-2:]))
    return Path(sys.executable)


_NODE_FROM = "Node.js 20 or newer with npm, from nodejs.org or your system's packages"

PARTS: Final = {
    "node": Part(
        find=_node_with_packages,
        shows="that the JavaScript libraries read what Python writes, and the other way round",
        get=_NODE_FROM + "; the tests then run `npm ci` in tests/interop themselves",
    ),
    "npm": Part(
        find=lambda: _working("npm"),
        shows="that the JavaScript libraries can be installed as the lock file says",
        get=_NODE_FROM,
    ),
    "pyright": Part(
        find=_pyright,
        shows="that the second type checker agrees",
        get=_NODE_FROM,
    ),
    "shellcheck": Part(
        find=lambda: _working("shellcheck"),
        shows="that the shell scripts hold no known trap",
        get="apt install shellcheck, brew install shellcheck",
    ),
    "dash": Part(
        find=lambda: _on_path("dash"),
        shows="that the shell scripts run under Debian's sh",
        get="apt install dash, brew install dash",
    ),
    "registry": Part(
        find=_registry,
        shows="that the commands install what they need on a new machine",
        get="a network, and a package registry that pip is set up to reach",
    ),
    "chromium": Part(
        find=lambda: _working("chromium", "chromium-browser", "google-chrome"),
        shows="what a real browser does with the cookies",
        get="apt install chromium",
    ),
    "redis": Part(
        find=lambda: _working("redis-server"),
        shows="that the Redis store and revocations keep their promises on a real server",
        get="apt install redis-server, brew install redis",
    ),
    "postgresql": Part(
        find=_postgresql,
        shows="that the SQL store and revocations keep their promises on a real server",
        get="apt install postgresql, brew install postgresql",
    ),
} | {
    f"python{version}": Part(
        find=functools.partial(_python, version),
        shows=f"that the package works on Python {version}",
        get=f"pyenv install {version}, uv python install {version}, or your system's packages",
    )
    for version in ("3.10", "3.11", "3.12", "3.13", "3.14")
}
"""Every part by name. Each is looked for when the first test that needs it is about to run."""


@functools.cache
def _look_for(name: str) -> Path | MissingPart:
    try:
        return PARTS[name].find()
    except MissingPart as missing:
        return missing


def program(name: str) -> Path:
    """The program of a part that the test has said it needs."""
    found = _look_for(name)
    if isinstance(found, MissingPart):
        raise found
    return found


def _needed(item: pytest.Item) -> Iterator[str]:
    for mark in item.iter_markers("needs"):
        yield from mark.args


def _left_out(report: pytest.TestReport) -> dict[str, str]:
    """The part that this test lacked, and why."""
    properties = report.user_properties
    return {key.removeprefix(LEFT_OUT): str(why) for key, why in properties if key.startswith(LEFT_OUT)}


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Parts(ci=os.environ.get("CI") == "true"), "parts")


@dataclass(eq=False)  # pytest keeps plugins in sets
class _Parts:
    """One run's account of the parts that were missing."""

    ci: bool
    reasons: dict[str, str] = field(default_factory=dict)
    tests: dict[str, int] = field(default_factory=dict)

    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        for item in items:
            for name in _needed(item):
                if name not in PARTS:
                    raise pytest.UsageError(
                        f"{item.nodeid} needs {name!r}, which tests/parts.py does not know"
                    )

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        for name in _needed(item):
            missing = _look_for(name)
            if isinstance(missing, MissingPart):
                # A property travels with the report, also out of another process.
                item.user_properties.append((LEFT_OUT + name, str(missing)))
                if self.ci:
                    pytest.fail(f"{name}: {missing}", pytrace=False)
                pytest.skip(f"{name}: {missing}")

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        # What fails before the test itself is an error to pytest, but here it is the test that says no.
        if report.when == "setup" and report.failed and _left_out(report):
            return "failed", "F", "FAILED"
        return None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "setup":
            for name, reason in _left_out(report).items():
                self.reasons[name] = reason
                self.tests[name] = self.tests.get(name, 0) + 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.reasons:
            return
        title = "parts missing, which CI=true does not allow" if self.ci else "parts left out"
        terminalreporter.section(title)
        widest = max(map(len, self.reasons))
        for name, reason in sorted(self.reasons.items()):
            part, count = PARTS[name], self.tests[name]
            rows = {
                "tests": str(count),
                "why": reason,
                "unchecked": part.shows,
                "get it": part.get,
            }
            for label, first in zip(rows, [name, "", "", ""], strict=True):
                terminalreporter.write_line(f"{first:<{widest}}  {label:<9}  {rows[label]}")
