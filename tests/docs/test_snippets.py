"""Every block of code in the README and in docs/ runs, and says what the page says it says."""

from __future__ import annotations

import configparser
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import ROOT, Snippet, snippets
from tests.parts import INTEROP, program

PASSWORD: Final = "kDqv0yW3rJm8ZtLx5BnUeC7aHfPg1oTs"
WITHIN: Final = 60  # seconds for a snippet that runs in a process of its own

RUN: Final = ("python", "js", "sh")
SHOWN: Final = ("text", "{toctree}", "{eval-rst}")
"""Blocks that are not code: output, and what Sphinx is told."""


def test_every_block_names_a_language_that_is_run_or_only_shown() -> None:
    assert [str(one) for one in snippets() if one.language not in RUN + SHOWN] == []


@pytest.mark.slow("starts programs")
@pytest.mark.parametrize("snippet", snippets("python"), ids=str)
def test_a_python_snippet_runs_and_prints_what_its_comments_say(
    snippet: Snippet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IRON_SESSION_PASSWORD", PASSWORD)
    printed = _print_apart(snippet, tmp_path) if "django" in snippet.code else _print_here(snippet)
    assert printed.splitlines() == re.findall(r"# -> (.*)", snippet.code)


def _print_here(snippet: Snippet) -> str:
    # The empty lines make a traceback point to the page.
    code = compile("\n" * (snippet.line - 1) + snippet.code, snippet.page, "exec", dont_inherit=True)
    with redirect_stdout(io.StringIO()) as printed:
        exec(code, {"__name__": "snippet"})  # noqa: S102 - that is what a snippet is for
    return printed.getvalue()


def _print_apart(snippet: Snippet, folder: Path) -> str:
    """Import it in a process of its own: Django's settings are the process's."""
    (folder / "snippet.py").write_text(snippet.code, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import snippet"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.needs("node")
@pytest.mark.parametrize("snippet", snippets("js"), ids=str)
def test_a_javascript_snippet_can_be_parsed_and_imports_what_there_is(
    snippet: Snippet, tmp_path: Path
) -> None:
    script = tmp_path / "snippet.mjs"
    script.write_text(snippet.code, encoding="utf-8")
    subprocess.run([program("node"), "--check", script], capture_output=True, timeout=WITHIN, check=True)
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "iron-session").symlink_to(INTEROP / "node_modules" / "iron-session-9")
    imports = "".join(re.findall(r"^import .*\n", snippet.code, re.MULTILINE))
    script.write_text(imports, encoding="utf-8")
    subprocess.run([program("node"), script], capture_output=True, timeout=WITHIN, check=True)


@pytest.mark.slow("starts programs")
@pytest.mark.parametrize("snippet", snippets("sh"), ids=str)
def test_every_command_of_a_shell_snippet_is_there(snippet: Snippet, tmp_path: Path) -> None:
    for line in snippet.code.splitlines():
        command = shlex.split(line, comments=True)
        if command:
            _check_command(command, tmp_path)


def _check_command(command: list[str], folder: Path) -> None:
    while "=" in command[0]:  # a variable before the command
        del command[0]
    match command:
        case ["iron-wsgi", verb, *_]:
            run = subprocess.run(
                [sys.executable, "-m", "iron_wsgi", verb, "--help"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=WITHIN,
                check=False,
            )
            assert run.returncode == 0, run.stderr
            for option in (word for word in command if word.startswith("-")):
                assert option in run.stdout
        case ["pip", "install", requirement]:
            assert re.fullmatch(r"iron-wsgi(\[(\w+)\])?", requirement)
            setup = configparser.ConfigParser()
            setup.read(ROOT / "setup.cfg", encoding="utf-8")
            extras = re.findall(r"\[(\w+)\]", requirement)
            assert all(setup.has_option("options.extras_require", extra) for extra in extras)
        case [script, *_] if script.startswith(("scripts/", ".ci/")):
            assert os.access(ROOT / script, os.X_OK)
        case ["python", "manage.py", verb, *_]:
            _check_management_command(verb, [word for word in command if word.startswith("-")])
        case ["python" | ".venv/bin/python", "-m", module, *_]:
            assert importlib.util.find_spec(module), module
        case ["python" | "node", script, *_]:
            named = {one.title for one in snippets("python", "js")}
            assert script in named or (ROOT / script).exists()
        case ["git" | "npm" | "cd" | "export" | "flask", *_]:
            pass
        case _:
            pytest.fail(f"no rule for checking {command[0]!r}; {folder}")


def _check_management_command(verb: str, options: list[str]) -> None:
    """Ask a project with our application in it, in a process of its own: its settings are the process's."""
    project = (
        "import sys\n"
        "from django.conf import settings\n"
        "from django.core.management import execute_from_command_line\n"
        "settings.configure(INSTALLED_APPS=['iron_wsgi_django'])\n"
        "execute_from_command_line(['manage.py', *sys.argv[1:]])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", project, verb, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert [option for option in options if option not in run.stdout] == []
