"""`scripts/demo` and `scripts/test`, on machines as newcomers have them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from .machine import BROKEN_VENV, ENDS_WITHIN, ROOT, TOO_OLD, Machine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow("many starts of many programs, each quick")

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
VIRTUALENV = '#!/bin/sh\necho "virtualenv $*" >>"$MACHINE/calls"\nexec make_environment "$3"\n'
UV = '#!/bin/sh\necho "uv $*" >>"$MACHINE/calls"\nexec make_environment "$5"\n'


def _started(machine: Machine, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the demo once and insist that it worked."""
    run = machine.run("demo", "--check", **options)
    assert run.returncode == 0, run.stderr
    assert "GET / answered 200" in run.stdout
    return run


@pytest.mark.parametrize("shell", [pytest.param("dash", marks=pytest.mark.needs("dash")), "bash", "sh"])
def test_every_shell_runs_them_and_a_path_with_a_space_does_no_harm(machine: Machine, shell: str) -> None:
    found = shutil.which(shell)
    assert found
    assert " " in str(machine.checkout)
    _started(machine, shell=found)
    run = machine.run("test", "--version", shell=found)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("pytest")


def test_they_run_from_any_folder(machine: Machine, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    _started(machine, cwd=elsewhere)
    within = subprocess.run(
        ["/bin/sh", "demo", "--check"],
        cwd=machine.checkout / "scripts",
        env=machine.environment | {"CDPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN,
        check=False,
    )
    assert within.returncode == 0, within.stderr
    assert len(machine.installations) == 1
    assert list(elsewhere.iterdir()) == []


def test_only_the_environment_is_written(machine: Machine) -> None:
    before = {path for path in machine.checkout.rglob("*") if machine.venv not in path.parents}
    _started(machine)
    after = {path for path in machine.checkout.rglob("*") if machine.venv not in path.parents}
    assert after - before == {machine.venv}


def test_the_second_start_installs_nothing(machine: Machine) -> None:
    first = _started(machine)
    calls = len(machine.calls)
    second = _started(machine)
    assert "This happens once." in first.stderr
    assert "This happens once." not in second.stderr
    assert len(machine.installations) == 1
    assert not any("-m venv" in call for call in machine.calls[calls:])


def test_what_the_tests_installed_serves_the_demo_too(machine: Machine) -> None:
    assert machine.run("test", "--version").returncode == 0
    _started(machine)
    assert machine.installations == ["python -m pip install --editable .[test]"]


@pytest.mark.parametrize("name", ["setup.cfg", "pyproject.toml"])
def test_a_changed_requirement_is_installed(machine: Machine, name: str) -> None:
    _started(machine)
    with (machine.checkout / name).open("a") as file:
        file.write("# changed\n")
    _started(machine)
    _started(machine)
    assert len(machine.installations) == 2
    assert sum("-m venv" in call for call in machine.calls) == 1


def test_another_environments_variables_do_not_reach_the_interpreter(machine: Machine) -> None:
    variables = {
        "VIRTUAL_ENV": "/elsewhere",
        "PYTHONHOME": "/elsewhere",
        "PYTHONPATH": "/elsewhere",
        "PIP_USER": "1",
    }
    _started(machine, environment=variables)
    assert machine.calls
    assert not [call for call in machine.calls if "reached the interpreter" in call]


def test_a_python_that_is_too_old_is_passed_over(bare_machine: Machine) -> None:
    bare_machine.add("python3", TOO_OLD)
    bare_machine.add("python3.12")
    run = _started(bare_machine)
    assert "Making .venv with python3.12" in run.stderr


def test_a_python_that_does_not_run_is_passed_over(bare_machine: Machine) -> None:
    bare_machine.add("python3", "#!/bin/sh\necho 'python3: command not found' >&2\nexit 127\n")
    bare_machine.add("python3.10")
    assert "Making .venv with python3.10" in _started(bare_machine).stderr


def test_the_python_that_is_named_comes_first(machine: Machine, tmp_path: Path) -> None:
    named = tmp_path / "my python"
    shutil.copy(tmp_path / "interpreter", named)
    run = _started(machine, environment={"PYTHON": str(named)})
    assert f"Making .venv with {named}" in run.stderr


@pytest.mark.parametrize("name", ["oldpython", "no such python"])
def test_a_named_python_that_cannot_be_used_is_said_to_be_so_each_time(machine: Machine, name: str) -> None:
    machine.add("oldpython", TOO_OLD)
    for _ in range(2):
        run = _started(machine, environment={"PYTHON": name})
        assert f"PYTHON={name} is no Python that runs and is 3.10 or newer." in run.stderr
    assert sum("-m venv" in call for call in machine.calls) == 1


def test_naming_another_python_version_makes_the_environment_anew(machine: Machine) -> None:
    _started(machine)
    machine.add(
        "newpython",
        '#!/bin/sh\n[ "$1" != -c ] || { echo 3.99.0; exit 0; }\nexec "$MACHINE/interpreter" "$@"\n',
    )
    run = _started(machine, environment={"PYTHON": "newpython"})
    assert "Making .venv with newpython (Python 3.99.0)" in run.stderr


def test_without_a_usable_python_it_says_what_was_found_and_what_to_install(bare_machine: Machine) -> None:
    bare_machine.add("python3", TOO_OLD)
    bare_machine.add("python3.11", "#!/bin/sh\nexit 127\n")
    run = bare_machine.run("test")
    assert run.returncode == 1
    assert "needs Python 3.10 or newer" in run.stderr
    assert "python3 is Python 3.9.18, which is too old" in run.stderr
    assert "python3.11 is there but does not run" in run.stderr
    assert "apt install python3 python3-venv" in run.stderr
    assert "brew install python" in run.stderr
    assert not bare_machine.venv.exists()


def test_without_any_python_it_says_so(bare_machine: Machine) -> None:
    run = bare_machine.run("demo")
    assert run.returncode == 1
    assert "no Python at all" in run.stderr
    assert "PYTHON=/path/to/python3" in run.stderr


def test_a_venv_that_fails_is_answered_with_the_line_that_mends_it(bare_machine: Machine) -> None:
    bare_machine.add("python3", BROKEN_VENV)
    run = bare_machine.run("demo")
    assert run.returncode == 1
    assert "ensurepip is not available" in run.stderr
    assert f"sudo apt install python{VERSION}-venv" in run.stderr
    assert not bare_machine.venv.exists()
    assert not os.path.lexists(bare_machine.checkout / ".venv.lock")


@pytest.mark.parametrize(("name", "text"), [("virtualenv", VIRTUALENV), ("uv", UV)])
def test_virtualenv_or_uv_stands_in_for_a_venv_that_fails(
    bare_machine: Machine, name: str, text: str
) -> None:
    bare_machine.add("python3", BROKEN_VENV)
    bare_machine.add(name, text)
    _started(bare_machine)
    assert [call.split()[0] for call in bare_machine.calls].count(name) == 1


def test_a_half_made_environment_is_made_anew(machine: Machine) -> None:
    (machine.venv / "bin").mkdir(parents=True)
    shutil.copy(machine.folder / "interpreter", machine.venv / "bin" / "python")
    (machine.venv / "left over").touch()
    assert "Making .venv" in _started(machine).stderr
    assert not (machine.venv / "left over").exists()


def test_an_environment_whose_pip_went_away_is_made_anew(machine: Machine) -> None:
    _started(machine)
    (machine.venv / "bin" / "python").write_text("#!/bin/sh\necho No module named pip >&2\nexit 1\n")
    (machine.venv / "bin" / "pip").unlink()
    assert "Making .venv" in _started(machine).stderr


def test_a_checkout_that_moved_gets_an_environment_of_its_own(machine: Machine) -> None:
    _started(machine)
    moved = machine.checkout.rename(machine.folder / "moved")
    machine.checkout, machine.venv = moved, moved / ".venv"
    assert "Making .venv" in _started(machine).stderr
    assert len(machine.installations) == 2


def test_a_failed_installation_shows_the_end_of_its_log_and_is_tried_again(machine: Machine) -> None:
    machine.pip_fails("\n".join(f"line {number}" for number in range(100)) + "\nno such package\n")
    run = machine.run("demo", "--check")
    assert run.returncode == 1
    assert "no such package" in run.stderr
    assert "line 1\n" not in run.stderr
    log = machine.venv / "demo.log"
    assert str(log) in run.stderr
    assert "line 1\n" in log.read_text()
    machine.pip_fails("")
    _started(machine)
    assert len(machine.installations) == 2


def _checking(machine: Machine) -> subprocess.Popen[str]:
    """A check of the demo that runs; its output can be read as it comes."""
    return subprocess.Popen(
        machine.command("demo", "--check"),
        env=machine.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _read_until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr
    while words not in (line := process.stderr.readline()):
        assert line, f"it ended without saying: {words}"


def test_two_at_once_install_once(machine: Machine) -> None:
    with machine.pip_waits():
        first = _checking(machine)
        _read_until(first, "This happens once.")
        second = _checking(machine)
        _read_until(second, f"Waiting for process {first.pid}")
    for process in (first, second):
        _, said = process.communicate(timeout=ENDS_WITHIN)
        assert process.returncode == 0, said
    assert len(machine.installations) == 1


def test_a_lock_whose_owner_died_holds_nobody_up(machine: Machine) -> None:
    owner = subprocess.Popen(["true"])
    owner.wait()
    (machine.checkout / ".venv.lock").symlink_to(str(owner.pid))
    began = time.monotonic()
    _started(machine)
    assert time.monotonic() - began < ENDS_WITHIN / 2
    assert not os.path.lexists(machine.checkout / ".venv.lock")


@pytest.mark.parametrize(
    ("text", "code"), [("def test_it(): assert 1 + 1 == 3", 1), ("def test_it(): pass", 0), ("", 5)]
)
def test_the_exit_code_is_pytests(machine: Machine, text: str, code: int) -> None:
    (machine.checkout / "tests").mkdir()
    (machine.checkout / "tests" / "test_it.py").write_text(text)
    assert machine.run("test", "-p", "no:cacheprovider").returncode == code


@pytest.mark.parametrize(
    ("arguments", "process"),
    [
        ([], "gw"),
        (["-k", "it"], "gw"),
        (["-n", "0"], "master"),
        (["tests"], "master"),
        (["tests/test_it.py::test_it"], "master"),
    ],
)
def test_processes_test_side_by_side_unless_a_path_is_named(
    machine: Machine, arguments: list[str], process: str
) -> None:
    (machine.checkout / "tests").mkdir()
    (machine.checkout / "tests" / "test_it.py").write_text(
        f"def test_it(worker_id): assert worker_id.startswith({process!r})"
    )
    run = machine.run("test", "-p", "no:cacheprovider", *arguments)
    assert run.returncode == 0, run.stdout


def test_arguments_with_spaces_reach_pytest_as_they_are(machine: Machine) -> None:
    (machine.checkout / "tests").mkdir()
    (machine.checkout / "tests" / "test_it.py").write_text("def test_it(): pass\ndef test_other(): pass\n")
    run = machine.run("test", "-k", "it and not other", "tests/test_it.py")
    assert "1 passed, 1 deselected" in run.stdout


@pytest.mark.long("installs all that the demos need into a new environment")
@pytest.mark.needs("registry")
def test_a_fresh_clone_serves_and_git_sees_no_change(tmp_path: Path) -> None:
    checkout = tmp_path / "a checkout"
    hidden = shutil.ignore_patterns(".*", "node_modules", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, checkout, ignore=hidden)
    shutil.copy(ROOT / ".gitignore", checkout)
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHON", "GIT_DIR"}}
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-C", str(checkout)]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "a clone"]):
        subprocess.run([*git, *words], env=environment, check=True)
    for demo in ("wsgi", "flask", "django"):
        run = subprocess.run(
            [checkout / "scripts" / "demo", demo, "--check"],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        assert "GET / answered 200" in run.stdout
        # Without a registry in reach, as the second start may be.
        environment |= {"PIP_NO_INDEX": "1"}
    status = subprocess.run([*git, "status", "--porcelain"], env=environment, capture_output=True, check=True)
    assert status.stdout == b""
