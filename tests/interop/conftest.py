"""One Node process for the whole run, started by the first test that asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.parts import program

from .peers import Peers

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def peers() -> Iterator[Peers]:
    """All JavaScript implementations."""
    with Peers(program("node")) as running:
        yield running
