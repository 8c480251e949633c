"""What is known of a suite before it is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Difference:
    """Why a test cannot pass with our sessions, and how its failure shows that this is why."""

    why: str
    says: str  # is found in what the failure says, so that a test which comes to fail otherwise is noticed


@dataclass(frozen=True, kw_only=True)
class Suite:
    """One project's test suite at one version, and what is expected of it."""

    name: str  # what `python -m tests.suites` calls it
    project: str  # as its source archive is published
    version: str
    sha256: str  # of the source archive
    oldest_python: tuple[int, int] = (3, 10)
    requirements: tuple[str, ...]  # whatever could change an outcome is pinned
    command: tuple[str, ...]  # for the environment's Python, in the folder of the unpacked archive
    ours: tuple[str, ...]  # added to the command, it puts our sessions in place of the project's
    tests: tuple[str, ...] = ("tests",)  # what is run; single tests go by the names that the report gives
    added: tuple[str, ...] = ()  # modules of tests that have a meaning with our sessions only
    collected: int  # how many tests there are, with those
    skipped: int = 0  # of them, on the newest Python
    # How many more are skipped on a Python older than that.
    skipped_before: Mapping[tuple[int, int], int] = field(default_factory=dict)
    # Tests that fail without our sessions too, and why.
    known: Mapping[str, str] = field(default_factory=dict)
    # Tests that fail with our sessions only: they ask for what a session in a cookie cannot have.
    different: Mapping[str, Difference] = field(default_factory=dict)
    opened: int  # sessions of ours that are opened, at least
    sealed: int  # responses that set one of our seals, at least

    def skipped_on(self, python: tuple[int, int]) -> int:
        """How many tests are skipped on a Python of that version."""
        return self.skipped + sum(count for newer, count in self.skipped_before.items() if python < newer)
