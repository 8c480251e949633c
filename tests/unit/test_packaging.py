"""What a user installs: the wheel, built from the source distribution as an index would build it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from email.message import Message

pytestmark = pytest.mark.slow("builds the package")

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("iron_wsgi", "iron_wsgi_django", "iron_wsgi_flask")
DIST_INFO = "iron_wsgi-0.1.0.dist-info"
BUILD_FILES = ("setup.cfg", "pyproject.toml", "LICENSE", "README.md")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, offline, by way of the source distribution."""
    folder = tmp_path_factory.mktemp("packaging")
    copy = folder / "checkout"
    copy.mkdir()
    for name in BUILD_FILES:
        shutil.copy(ROOT / name, copy)
    # Folders that are not to be shipped are there to be shipped by mistake.
    for name in (*PACKAGES, "tests/unit", "example_projects"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    built = folder / "dist"
    run = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(built), str(copy)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    (made,) = built.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """The files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """What the wheel says of itself."""
    return Parser().parsestr(_text(wheel, f"{DIST_INFO}/METADATA"))


def _text(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name).decode()


def _requirements(metadata: Message, extra: str | None) -> set[str]:
    """The names of the distributions that are required, by an extra or always."""
    found = set()
    for line in metadata.get_all("Requires-Dist", []):
        requirement, _, marker = line.partition(";")
        of_extra = re.search(r'extra == "(\w+)"', marker)
        if (of_extra[1] if of_extra else None) == extra:
            found.add(re.split(r"[<>=!~\s]", requirement)[0].lower())
    return found


def test_the_wheel_is_for_every_machine(wheel: Path) -> None:
    assert wheel.name == "iron_wsgi-0.1.0-py3-none-any.whl"


def test_the_three_packages_are_shipped_and_nothing_beside_them(names: set[str]) -> None:
    assert {name.split("/")[0] for name in names} == {*PACKAGES, DIST_INFO}


def test_every_module_is_shipped(names: set[str]) -> None:
    modules = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert {f"{package}/__init__.py" for package in PACKAGES} <= modules
    assert modules <= names


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_read_the_package(package: str, names: set[str]) -> None:
    assert f"{package}/py.typed" in names


def test_the_licence_is_shipped_and_named(metadata: Message, wheel: Path) -> None:
    assert metadata["License-Expression"] == "MIT"
    assert _text(wheel, f"{DIST_INFO}/licenses/LICENSE") == (ROOT / "LICENSE").read_text()


def test_the_supported_pythons_are_said_alike(metadata: Message) -> None:
    assert metadata["Requires-Python"] == ">=3.10"
    named = {
        line.rpartition(" ")[2]
        for line in metadata.get_all("Classifier", [])
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
    }
    assert named == {"3.10", "3.11", "3.12", "3.13", "3.14"}
    run_on = re.findall(r"py\{([\d,]+)\}", (ROOT / "tox.ini").read_text())
    assert {f"3.{digits[1:]}" for digits in ",".join(run_on).split(",")} == named


def test_the_core_needs_two_packages(metadata: Message) -> None:
    assert _requirements(metadata, None) == {"cryptography", "werkzeug"}


def test_the_oldest_cryptography_that_is_allowed_has_the_cipher_of_records(metadata: Message) -> None:
    # AES-GCM-SIV came with 42.0.0, which is also when its wheels began to bring OpenSSL 3.2.
    assert "cryptography>=42" in metadata.get_all("Requires-Dist", [])


def test_each_extra_brings_what_it_is_named_for(metadata: Message) -> None:
    extras = set(metadata.get_all("Provides-Extra", []))
    assert extras == {"flask", "django", "redis", "sql", "postgresql", "demo", "test", "docs", "bench"}
    assert _requirements(metadata, "flask") == {"flask"}
    assert _requirements(metadata, "django") == {"django"}
    assert _requirements(metadata, "redis") == {"redis"}
    assert _requirements(metadata, "sql") == {"sqlalchemy"}
    assert _requirements(metadata, "postgresql") == {"iron-wsgi[sql]", "psycopg[binary]"}


def test_what_the_tests_need_is_enough_for_every_demo(metadata: Message) -> None:
    # scripts/demo installs this extra, and nothing where scripts/test has been run.
    extras = next(one for one in _requirements(metadata, "test") if one.startswith("iron-wsgi["))
    assert "demo" in extras.removeprefix("iron-wsgi[").removesuffix("]").split(",")


def test_the_command_is_installed(wheel: Path) -> None:
    assert _text(wheel, f"{DIST_INFO}/entry_points.txt").split("\n")[:2] == [
        "[console_scripts]",
        "iron-wsgi = iron_wsgi.cli:main",
    ]


def test_the_readme_is_the_long_description(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (ROOT / "README.md").read_text()


def test_the_wheel_is_imported_without_a_framework(wheel: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import iron_wsgi, iron_wsgi.cli; "
        "print(iron_wsgi.__file__); print({'flask', 'django', 'redis', 'sqlalchemy'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", program, str(wheel)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [str(wheel / "iron_wsgi" / "__init__.py"), "set()"]
