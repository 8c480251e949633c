"""The pages are whole: generated ones are up to date, links lead somewhere, and Sphinx finds no fault."""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, prose

HAS_SPHINX: Final = all(importlib.util.find_spec(name) for name in ("sphinx", "furo", "myst_parser"))
BUILD_WITHIN: Final = 300  # seconds

GENERATED: Final[dict[Path, str]] = runpy.run_path(str(DOCS / "generate.py"))["pages"]()


@pytest.mark.parametrize("page", GENERATED, ids=lambda page: page.name)
def test_a_generated_page_is_what_the_tables_in_the_code_say(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == GENERATED[page], "run: python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]*)(#[\w-]+)?\)", prose(page))
    files = [(target, anchor) for target, anchor in targets if not target.startswith(("http", "mailto"))]
    for target, anchor in files:
        file = page.parent / target if target else page
        assert file.exists(), target
        if anchor:
            assert anchor.removeprefix("#") in _anchors(file), f"{target}{anchor}"


def _anchors(page: Path) -> list[str]:
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_this_machine_or_a_package_registry(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert str(ROOT) not in text
    assert str(Path.home()) + "/" not in text
    assert re.findall(r"index-url|/simple/|registry\.\w+\.\w+", text) == []


def test_every_page_is_in_the_table_of_contents() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = index.partition("```{toctree}")[2].partition("```")[0].split()
    assert sorted(name for name in listed if not name.startswith(":")) == sorted(
        page.stem for page in DOCS.glob("*.md") if page.stem != "index"
    )


_SPHINX: Final = (sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q")
_LEAVE_OUT: Final = not HAS_SPHINX and os.environ.get("CI") != "true"


@pytest.mark.slow("builds all pages")
@pytest.mark.skipif(_LEAVE_OUT, reason="the extra `docs` is not installed")
def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    run = subprocess.run(
        [*_SPHINX, "-d", tmp_path / "doctrees", DOCS, tmp_path / "html"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BUILD_WITHIN,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    reference = (tmp_path / "html" / "reference.html").read_text(encoding="utf-8")
    assert 'id="iron_wsgi.Session.regenerate"' in reference
