"""Our package, installed once for all suites."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .environment import install_ours

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where our package is installed."""
    folder = tmp_path_factory.mktemp("ours")
    install_ours(folder)
    return folder
