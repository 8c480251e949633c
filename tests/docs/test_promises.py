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
NODE: Final = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")


def _promises() -> list[str]:
    section = prose(SECURITY).partition("## Promises\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [row for row in rows if not re.match(r"\| (---|Promise)", row)]


@cache
def _tests_in(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found.update(f"{node.name}::{one.name}" for one in node.body if isinstance(one, ast.FunctionDef))
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


@pytest.mark.parametrize("promise", _promises())
def test_every_promise_names_a_test(promise: str) -> None:
    assert NODE.search(promise)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = NODE.findall(page.read_text(encoding="utf-8"))
    missing = [
        f"{file}::{name}" for file, name in named if not (ROOT / file).exists() or name not in _tests_in(ROOT / file)
    ]
    assert missing == []


def test_there_are_promises() -> None:
    assert len(_promises()) > 40


def test_the_worked_example_is_a_seal_that_another_implementation_made() -> None:
    vectors = json.loads((ROOT / "tests/interop/vectors/generate.json").read_text(encoding="utf-8"))["vectors"]
    others = [vector["seal"].split("*") for vector in vectors if vector["made_by"].startswith("@hapi/iron")]
    (example,) = (one for one in snippets("python") if one.page.name == "format.md" and "pbkdf2" in one.code)
    assert re.findall(r"# -> (.*)", example.code)[2:] in others


def test_every_log_line_on_the_page_of_causes_is_one_that_the_code_writes() -> None:
    table = prose(DOCS / "troubleshooting.md").partition("| The log says |")[0]
    rows = prose(DOCS / "troubleshooting.md")[len(table) :].partition("\n\n")[0].splitlines()[2:]
    cells = [row.split(" | ")[1] for row in rows]
    quoted = [quote for cell in cells for quote in re.findall(r"`([^`]{20,})`", cell)]
    assert len(quoted) >= 5
    said = _texts_of_the_packages()
    assert [quote for quote in quoted if not any(quote in text for text in said)] == []


def _texts_of_the_packages() -> list[str]:
    """Return every string in the code; what stands in braces is shown as three dots."""
    texts = []
    for file in ROOT.glob("iron_wsgi*/*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                texts.append(
                    "".join(
                        str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values
                    )
                )
    return texts
