"""The mechanism by which a test says which outer part it needs (`tests/parts.py`)."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.parts import MissingPart, install_packages

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.slow("most start a pytest of their own")

ROOT = Path(__file__).resolve().parents[2]

TESTS = """
import pytest
from tests.parts import program

@pytest.mark.needs("chromium")
@pytest.mark.parametrize("number", range(3))
def test_browser(number):
    raise AssertionError("it must not run")

@pytest.mark.needs("shellcheck")
def test_script():
    assert program("shellcheck").name == "shellcheck"

def test_alone():
    pass
"""

SHELLCHECK = "#!/bin/sh\necho ShellCheck version: 0.9.0\n"


class Run:
    """A pytest run of its own, in a folder with a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.tests = folder / "test_it.py"
        self.tests.write_text(TESTS)

    def add(self, name: str, text: str) -> None:
        path = self.programs / name
        path.write_text(text)
        path.chmod(0o755)

    def __call__(self, *arguments: str, variables: Mapping[str, str] | None = None) -> tuple[int, str]:
        """The exit code, and what was printed."""
        kept = {name: value for name, value in os.environ.items() if name not in {"CI", "PYTEST_ADDOPTS"}}
        environment = kept | {"PATH": str(self.programs), "PYTHONPATH": str(ROOT)} | dict(variables or {})
        run = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"),
                *(
                    "-c",
                    str(ROOT / "pyproject.toml"),
                    "--rootdir",
                    str(self.folder),
                    *arguments,
                    str(self.tests),
                ),
            ],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return run.returncode, run.stdout + run.stderr


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(tmp_path)
    made.add("shellcheck", SHELLCHECK)
    return made


def test_a_test_whose_part_is_missing_is_skipped_and_the_table_says_how_to_get_it(run: Run) -> None:
    code, said = run()
    assert code == 0
    table, closing = said.split("parts left out")[1], said.splitlines()[-1]
    rows = [" ".join(line.split()) for line in table.splitlines()]
    assert "chromium tests 3" in rows
    assert "why chromium or chromium-browser or google-chrome is not on PATH" in rows
    assert "get it apt install chromium" in rows
    assert "shellcheck" not in table
    assert "2 passed, 3 skipped" in closing


def test_processes_that_test_side_by_side_have_one_table_and_one_closing_line(run: Run) -> None:
    code, said = run("-n", "2")
    assert code == 0
    assert said.count("parts left out") == 1
    assert "2 passed, 3 skipped" in said.splitlines()[-1]
    code, said = run("-n", "2", variables={"CI": "true"})
    assert code == 1
    assert "parts missing, which CI=true does not allow" in said
    assert "3 failed, 2 passed" in said.splitlines()[-1]


def test_on_ci_a_missing_part_is_a_failure(run: Run) -> None:
    code, said = run(variables={"CI": "true"})
    assert code == 1
    assert "parts missing, which CI=true does not allow" in said
    assert "3 failed, 2 passed" in said.splitlines()[-1]


def test_no_table_where_nothing_is_missing(run: Run) -> None:
    run.add("chromium", "#!/bin/sh\necho Chromium 130.0.1\n")
    code, said = run("-k", "script or alone")
    assert code == 0
    assert "parts left out" not in said


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho unknown\n"])
def test_a_program_that_does_not_work_is_missing(run: Run, text: str) -> None:
    run.add("shellcheck", text)
    code, said = run("-k", "script")
    assert code == 0
    assert "1 skipped" in said.splitlines()[-1]


def test_parts_are_looked_for_only_when_a_test_needs_them(run: Run) -> None:
    run.add("chromium", '#!/bin/sh\n: >"$LOOKED"\nexit 1\n')
    looked = run.folder / "looked"
    run("-k", "script or alone", variables={"LOOKED": str(looked)})
    assert not looked.exists()
    run("-k", "browser", variables={"LOOKED": str(looked)})
    assert looked.exists()


def test_a_part_that_does_not_exist_ends_the_run(run: Run) -> None:
    run.tests.write_text(TESTS.replace('"chromium"', '"chromum"'))
    code, said = run()
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "needs 'chromum', which tests/parts.py does not know" in said


def _npm_in(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with a lock file, and an npm that runs `text`."""
    (folder / "npm").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    packages = folder / "packages"
    packages.mkdir()
    (packages / "package-lock.json").write_text("{}")
    return packages


def test_node_packages_are_installed_once_and_again_when_the_lock_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = "echo $* >>calls; mkdir -p node_modules; echo >node_modules/.package-lock.json"
    packages = _npm_in(tmp_path, works, monkeypatch)
    install_packages(packages)
    install_packages(packages)
    assert (packages / "calls").read_text() == "ci --no-audit --no-fund\n"
    later = (packages / "node_modules" / ".package-lock.json").stat().st_mtime + 1
    os.utime(packages / "package-lock.json", (later, later))
    install_packages(packages)
    assert len((packages / "calls").read_text().splitlines()) == 2


def test_of_processes_that_test_side_by_side_one_installs_node_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = "echo $* >>calls; sleep 0.2; mkdir -p node_modules; echo >node_modules/.package-lock.json"
    packages = _npm_in(tmp_path, waits, monkeypatch)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(install_packages, [packages] * 4))
    assert len((packages / "calls").read_text().splitlines()) == 1


def test_what_npm_said_last_is_the_reason_where_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = _npm_in(tmp_path, "seq 100; echo npm error code ENOTFOUND >&2; exit 1", monkeypatch)
    with pytest.raises(MissingPart, match=r"^npm ci failed: 97 / 98 / 99 / 100 / npm error code ENOTFOUND$"):
        install_packages(packages)


def test_a_folder_without_a_lock_file_has_no_packages(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"there is no package-lock\.json"):
        install_packages(tmp_path)
