"""Every promise on the security page names tests that exist; what the pages quote is what the code says."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, prose, snippets

SECURITY: Final = DOCS / "security.md"
CORE: Final = ROOT / "iron_wsgi"
TOPS: Final = ("iron_wsgi", "iron_wsgi_flask", "iron_wsgi_django", "tests", "docs")
FILE: Final = re.compile(r"`(\w+/(?:[\w/]+\.\w+)?)`")
NODE: Final = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")


def _promises() -> list[str]:
    section = prose(SECURITY).partition("## Promises\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [row for row in rows if not re.match(r"\|(---| Promise )", row)]


@cache
def _tests_in(path: Path) -> frozenset[str]:
    found: set[str] = set()
    if not path.exists():
        return frozenset()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found.update(f"{node.name}::{one.name}" for one in node.body if isinstance(one, ast.FunctionDef))
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


def test_every_promise_names_a_test() -> None:
    assert len(_promises()) > 40
    assert [promise for promise in _promises() if not NODE.search(promise)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = NODE.findall(page.read_text(encoding="utf-8"))
    assert [f"{file}::{name}" for file, name in named if name not in _tests_in(ROOT / file)] == []


def test_every_file_that_the_map_of_the_code_names_exists_and_holds_what_it_says() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = page.partition("## Where things are\n")[2].partition("\n## ")[0]
    files = {
        name: ROOT / name if name.partition("/")[0] in TOPS else CORE / name for name in FILE.findall(section)
    }
    assert len(files) > 30
    assert [name for name, path in files.items() if not path.exists()] == []
    held = re.findall(r"`(\w+)`(?: and `(\w+)`)? in `([\w/]+\.py)`", section)
    assert len(held) > 5
    assert [
        f"{name} in {file}"
        for *names, file in held
        for name in names
        if name and not re.search(rf"^ *(def |class )?{name}\b", files[file].read_text("utf-8"), re.MULTILINE)
    ] == []


def test_the_worked_example_is_a_seal_that_another_implementation_made() -> None:
    made = json.loads((ROOT / "tests/interop/vectors/generate.json").read_text(encoding="utf-8"))
    others = [
        vector["seal"].split("*") for vector in made["vectors"] if vector["made_by"].startswith("@hapi/iron")
    ]
    (example,) = (one for one in snippets("python") if one.page.name == "format.md" and "pbkdf2" in one.code)
    assert re.findall(r"# -> (.*)", example.code)[2:] in others


def test_the_page_of_causes_quotes_every_log_line_that_explains_one_and_no_other() -> None:
    page = prose(DOCS / "troubleshooting.md")
    rows = page.partition("| The log says |")[2].partition("\n\n")[0].splitlines()[2:]
    quoted = [quote for row in rows for quote in re.findall(r"`([^`]{20,})`", row.split(" | ")[1])]
    notices = _notices()
    assert len(notices) >= 6
    assert [quote for quote in quoted if not any(quote in notice for notice in notices)] == []
    assert [notice for notice in notices if not any(quote in notice for quote in quoted)] == []


def test_the_table_of_system_checks_names_every_check_and_no_other() -> None:
    named = re.findall(r"^\| `(iron_wsgi\.[EW]\d+)` \|", prose(DOCS / "django.md"), re.MULTILINE)
    given = [
        ast.literal_eval(node.value)
        for file in ROOT.glob("iron_wsgi_django/checks/*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.keyword) and node.arg == "id"
    ]
    assert len(given) >= 20
    assert named == sorted(given)


def _notices() -> list[str]:
    """Return what the code logs once per process and cause; three dots stand for what is filled in."""
    return [
        _text(node.args[2])
        for file in ROOT.glob("iron_wsgi*/**/*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "notices.say"
    ]


def _text(node: ast.expr) -> str:
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "..." for part in parts)
