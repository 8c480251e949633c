"""One machine for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .machine import Machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with one Python, `python3`."""
    made = Machine(tmp_path)
    made.add("python3")
    return made


@pytest.fixture
def bare_machine(tmp_path: Path) -> Machine:
    """A machine without Python."""
    return Machine(tmp_path)
