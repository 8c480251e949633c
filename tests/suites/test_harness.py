"""The harness itself: it runs what the table names and nothing else, and no empty run passes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from .archive import WrongArchive, unpack
from .environment import NoPython, interpreter
from .run import PLUGINS, Result
from .suite import Difference, Suite
from .table import SUITES
from .verdict import differences

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER: Final = Path(__file__).parent
SUITE: Final = Suite(
    name="peer",
    project="peer",
    version="1.0",
    sha256="0" * 64,
    requirements=(),
    command=(),
    ours=(),
    collected=6,
    skipped=1,
    skipped_before={(3, 11): 1},
    known={"test_d": "the weather"},
    different={"test_x": Difference("there are no rows", says="no such row")},
    added=("theirs.ours",),
    opened=5,
    sealed=3,
)
OURS: Final = Result(
    {
        "test_a": "passed",
        "test_b": "passed",
        "test_c": "skipped",
        "test_d": "failed",
        "test_e": "passed",
        "test_x": "failed",
    },
    {"test_d": "AssertionError", "test_x": "LookupError: no such row"},
    opened=5,
    sealed=3,
    python=(3, 11),
)
STOCK: Final = Result({"test_d": "failed", "test_x": "passed"})

TESTS: Final = """
import pytest

@pytest.fixture
def breaks_later():
    yield
    raise OSError

def test_good(): pass
@pytest.mark.parametrize("number", [1, 2])
def test_numbered(number): assert number == 1
def test_left_out(): pytest.skip("not here")
def test_ends_badly(breaks_later): pass
"""


def _archive(path: Path, members: Mapping[str, bytes | None]) -> str:
    """Write an archive, in which None stands for a link, and return its checksum."""
    with tarfile.open(path, "w:gz") as files:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/hostname"
                files.addfile(member)
            else:
                member.size = len(content)
                files.addfile(member, io.BytesIO(content))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _with(outcomes: Mapping[str, str]) -> Result:
    return replace(OURS, outcomes={**OURS.outcomes, **outcomes})


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_and_what_it_needs_are_pinned(name: str) -> None:
    suite = SUITES[name]
    assert re.fullmatch(r"[0-9a-f]{64}", suite.sha256)
    assert all(re.fullmatch(r"[\w.-]+==[\d.]+", one) for one in (f"x=={suite.version}", *suite.requirements))
    # What is tested is of the version that the tests are of.
    assert f"{suite.project.lower().replace('_', '-')}=={suite.version}" in suite.requirements
    assert all(suite.known.values())
    assert all(one.why and one.says for one in suite.different.values())
    assert min(suite.collected, suite.opened, suite.sealed) > 0


def test_suites_of_one_version_share_what_they_need() -> None:
    needs = {
        (suite.project, suite.version, suite.sha256, suite.requirements, suite.oldest_python)
        for suite in SUITES.values()
    }
    assert len(needs) == len({(suite.project, suite.version) for suite in SUITES.values()})


def test_no_file_names_an_address() -> None:
    # Put together here, or this file would be found.
    assert not [path.name for path in FOLDER.rglob("*.py") if ":" + "//" in path.read_text()]


def test_the_files_of_an_archive_are_unpacked_and_its_links_are_not(tmp_path: Path) -> None:
    members = {"peer-1.0/tests/test_it.py": b"pass", "peer-1.0/link": None}
    checksum = _archive(tmp_path / "archive", members)
    folder = unpack(tmp_path / "archive", checksum, tmp_path / "source")
    assert folder == tmp_path / "source" / "peer-1.0"
    assert [path for path in folder.rglob("*") if not path.is_dir()] == [folder / "tests" / "test_it.py"]
    assert (folder / "tests" / "test_it.py").read_bytes() == b"pass"


@pytest.mark.parametrize("name", ["../outside", "peer-1.0/../../outside", "/outside"])
def test_an_archive_that_reaches_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    checksum = _archive(tmp_path / "archive", {name: b"pass"})
    with pytest.raises(WrongArchive, match="outside"):
        unpack(tmp_path / "archive", checksum, tmp_path / "deep" / "source")
    assert not list(tmp_path.rglob("outside"))


def test_an_archive_with_another_checksum_is_not_even_looked_into(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(b"no archive at all")
    with pytest.raises(WrongArchive, match="checksum"):
        unpack(tmp_path / "archive", "0" * 64, tmp_path / "source")


def test_a_run_that_is_as_expected_is_accepted() -> None:
    assert differences(SUITE, OURS, STOCK) == []


@pytest.mark.parametrize(
    ("ours", "stock", "found"),
    [
        pytest.param(Result({}, opened=5, sealed=3), STOCK, "0 tests collected, not 6", id="nothing was run"),
        pytest.param(_with({"test_f": "passed"}), STOCK, "7 tests collected, not 6", id="one more"),
        pytest.param(_with({"test_a": "skipped"}), STOCK, "2 tests skipped, not 1", id="one left out"),
        pytest.param(
            _with({"test_a": "failed"}), STOCK, "test_a fails with our sessions only", id="one breaks"
        ),
        pytest.param(
            _with({"test_a": "failed"}),
            Result({"test_a": "failed", "test_d": "failed"}),
            "test_a fails, with or without our sessions",
            id="one breaks anyway",
        ),
        pytest.param(
            _with({"test_d": "passed"}), STOCK, "test_d should fail but does not", id="a known one is mended"
        ),
        pytest.param(
            OURS,
            Result({"test_d": "passed", "test_x": "passed"}),
            "test_d should fail without our sessions too",
            id="a known one is ours",
        ),
        pytest.param(
            _with({"test_x": "passed"}), STOCK, "test_x should fail but does not", id="one differs no more"
        ),
        pytest.param(
            replace(OURS, messages={"test_x": "OSError"}),
            STOCK,
            "test_x should fail otherwise: it says OSError",
            id="one that differs breaks for another reason",
        ),
        pytest.param(
            OURS,
            Result({"test_d": "failed", "test_x": "failed"}),
            "test_x should pass without our sessions",
            id="one that differs breaks anyway",
        ),
        pytest.param(
            OURS,
            Result({"test_d": "failed"}),
            "test_x should pass without our sessions",
            id="one that differs was not run without ours",
        ),
        pytest.param(
            replace(OURS, python=(3, 10)), STOCK, "1 tests skipped, not 2", id="an older Python skips none"
        ),
        pytest.param(
            replace(OURS, opened=0), STOCK, "only 0 sessions of ours were opened", id="never met ours"
        ),
        pytest.param(replace(OURS, sealed=2), STOCK, "only 2 seals of ours were set", id="hardly sealed"),
    ],
)
def test_a_run_that_is_not_as_expected_is_not_accepted(ours: Result, stock: Result, found: str) -> None:
    assert found in differences(SUITE, ours, stock)


def test_a_test_of_ours_is_not_asked_for_without_our_sessions() -> None:
    name = "theirs.ours.test_x"
    suite = replace(SUITE, different={name: SUITE.different["test_x"]})
    outcomes = {key: outcome for key, outcome in OURS.outcomes.items() if key != "test_x"}
    ours = replace(OURS, outcomes=outcomes | {name: "failed"}, messages={name: "LookupError: no such row"})
    assert differences(suite, ours, Result({"test_d": "failed"})) == []


def test_a_suite_is_run_by_the_python_of_these_tests_if_that_is_new_enough() -> None:
    found = interpreter(sys.version_info[:2])
    assert (found.path, found.version) == (Path(sys.executable), sys.version_info[:2])


@pytest.fixture
def no_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder on PATH, which is empty."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    return tmp_path


def test_a_suite_for_which_every_python_is_too_old_says_which_were_looked_for(no_python: Path) -> None:
    assert no_python.exists()
    with pytest.raises(
        NoPython, match=r"Python 3\.12 or newer is needed: python3\.12 .*, python3\.14 is not"
    ):
        interpreter((3, 12), own=(3, 11))


@pytest.mark.parametrize("folder", [".", "versions/3.13.1/bin"])
def test_a_newer_python_is_found_where_there_is_one(no_python: Path, folder: str) -> None:
    program = no_python / folder / "python3.13"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/bin/sh\necho Python 3.13.1\n")
    program.chmod(0o755)
    found = interpreter((3, 12), own=(3, 11))
    assert (found.path, found.version) == (program, (3, 13))


@pytest.mark.slow("starts a test runner")
def test_the_outcome_of_every_test_is_written_down_with_the_modules_that_do_not_load(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "test_lost.py").write_text("import a_module_that_nobody_has\n")
    command = [sys.executable, "-m", "pytest", "-p", "suite_outcomes", "--continue-on-collection-errors", "."]
    variables = os.environ | {"PYTHONPATH": str(PLUGINS), "SUITE_REPORT": str(tmp_path)}
    subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, timeout=60, check=False)
    assert json.loads((tmp_path / "outcomes.json").read_text()) == {
        "test_it.py::test_good": "passed",
        "test_it.py::test_numbered[1]": "passed",
        "test_it.py::test_numbered[2]": "failed",
        "test_it.py::test_left_out": "skipped",
        "test_it.py::test_ends_badly": "failed",
        "test_lost.py": "failed",
    }


DJANGO_TESTS: Final = """
import unittest
from django.test import SimpleTestCase

class Cases(SimpleTestCase):
    def test_good(self): pass
    def test_bad(self): self.assertEqual(1, 2)
    def test_broken(self): raise OSError("a cable")
    def test_left_out(self): self.skipTest("not here")
    def test_one_part_is_bad(self):
        for number in (1, 2, 3):
            with self.subTest(number=number):
                self.assertEqual(number, 1)
    @unittest.expectedFailure
    def test_bad_as_expected(self): self.assertEqual(1, 2)
    @unittest.expectedFailure
    def test_good_unexpectedly(self): pass
    def test_ends_badly(self): self.addCleanup(open, "nowhere/at/all")

@unittest.skip("not here")
class LeftOut(SimpleTestCase):
    def test_it(self): pass
"""


@pytest.mark.slow("starts a test runner")
def test_the_outcome_of_every_test_of_djangos_is_written_down_with_what_failures_say(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(DJANGO_TESTS)
    (tmp_path / "test_lost.py").write_text("import a_module_that_nobody_has\n")
    (tmp_path / "the_settings.py").write_text("TEST_RUNNER = 'suite_django.outcomes.Runner'\n")
    command = [sys.executable, "-m", "django", "test", "--settings=the_settings", "test_it", "test_lost"]
    path = os.pathsep.join([str(PLUGINS), str(tmp_path)])
    variables = os.environ | {"PYTHONPATH": path, "SUITE_REPORT": str(tmp_path)}
    subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, timeout=60, check=False)
    case = "test_it.Cases.test_"
    assert json.loads((tmp_path / "outcomes.json").read_text()) == {
        f"{case}good": "passed",
        f"{case}bad": "failed",
        f"{case}broken": "failed",
        f"{case}left_out": "skipped",
        f"{case}one_part_is_bad": "failed",
        f"{case}bad_as_expected": "passed",
        f"{case}good_unexpectedly": "failed",
        f"{case}ends_badly": "failed",
        "test_it.LeftOut.test_it": "skipped",
        "unittest.loader._FailedTest.test_lost": "failed",
    }
    messages = json.loads((tmp_path / "messages.json").read_text())
    assert messages[f"{case}bad"] == "AssertionError: 1 != 2"
    assert messages[f"{case}broken"] == "OSError: a cable"
    assert messages[f"{case}one_part_is_bad"] == "AssertionError: 2 != 1\nAssertionError: 3 != 1"
    assert messages.keys() == {
        name
        for name, outcome in json.loads((tmp_path / "outcomes.json").read_text()).items()
        if outcome == "failed"
    }
