"""The pages of the documentation, and the fenced blocks on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"

PAGES: Final = [
    *(
        page
        for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
        if (page := ROOT / name).exists()
    ),
    *sorted(DOCS.glob("*.md")),
]

_FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<language>[^\n`]*)\n(?P<code>.*?)^(?P=fence)[ ]*$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Snippet:
    """A fenced block of a page."""

    page: Path
    line: int  # of its first line of code
    language: str
    code: str

    @property
    def title(self) -> str:
        """What a first-line comment with a file name says the block is; '' without one."""
        named = re.match(r"(?:#|//) ([\w./-]+\.\w+)\n", self.code)
        return named[1] if named else ""

    def __str__(self) -> str:
        """Name the place, as an editor understands it."""
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def snippets(*languages: str) -> list[Snippet]:
    """Return every block, or those in one of the languages, in the order of the pages."""
    return [one for page in PAGES for one in _on(page) if not languages or one.language in languages]


def snippet(page: str, title: str) -> Snippet:
    """Return the one block of a page whose first line is a comment with that file name."""
    (found,) = (one for one in _on(ROOT / page) if one.title == title)
    return found


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def _on(page: Path) -> Iterator[Snippet]:
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start("code")) + 1
        yield Snippet(page, line, match["language"].strip(), match["code"])
